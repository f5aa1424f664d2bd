/**
 * What is written at an arrow and inside a state, line by line.
 *
 * Without actions, lines that would read the same are one, and a guard is left out where the same event leads to the same place
 * without it too: to a reader it decides nothing.
 */
import { guardText } from '../chart-names.js';
import { actionText, type ChartAction, type ChartState, type ChartTransition } from './chart.js';

/** A piece of a line, drawn in the colour of what it is. */
export interface Run {
  readonly kind: 'event' | 'timeout' | 'guard' | 'action' | 'plain';
  readonly text: string;
}

export type Line = readonly Run[];

/** @param transitions that share an arrow, or that all stay in one state */
export function transitionLines(transitions: readonly ChartTransition[], withActions: boolean): Line[] {
  const lines = new Map<string, Line>();
  for (const one of transitions) {
    const { kind, label, guard, actions } = one;
    if (!withActions && guard && transitions.some((other) => other.guard === null && other.label === label)) continue;
    const line: Line = [
      { kind: kind === 'after' ? 'timeout' : 'event', text: oneLine(label) },
      ...(guard ? [{ kind: 'guard', text: oneLine(`[${guardText(guard)}]`) } as const] : []),
      ...(withActions ? actionRuns(actions) : []),
    ];
    lines.set(lineText(line), line);
  }
  return [...lines.values()];
}

/** Actors that it starts; with actions also what is done when it is entered and left. */
export function stateLines(state: ChartState, withActions: boolean): Line[] {
  return [
    ...state.invokes.map(({ source }): Line => [
      { kind: 'plain', text: 'invoke' },
      { kind: 'action', text: oneLine(source) },
    ]),
    ...(withActions && state.entry.length > 0
      ? [[{ kind: 'plain', text: 'entry' } as const, ...actionRuns(state.entry)]]
      : []),
    ...(withActions && state.exit.length > 0
      ? [[{ kind: 'plain', text: 'exit' } as const, ...actionRuns(state.exit)]]
      : []),
  ];
}

export function actionRuns(actions: readonly ChartAction[]): Line {
  return actions.length === 0 ? [] : [{ kind: 'action', text: oneLine(`/ ${actions.map(actionText).join(', ')}`) }];
}

export function lineText(line: Line): string {
  return line.map(({ text }) => text).join(' ');
}

/** Names are a user's: whatever breaks a line, or cannot be written in a file, becomes a blank. */
export function oneLine(text: string): string {
  return text.replace(/[\s\u0000-\u001f\u007f-\u009f\u2028\u2029\ud800-\udfff\ufffe\uffff]+/gu, ' ').trim();
}
