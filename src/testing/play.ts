/**
 * Runs a chart by `transition()` alone: no actor, no clock, no socket. What it emits, and the timers that it sets, come back as data.
 *
 * No timer runs here. A test that wants one to fire names it: `due('closeTimeout')` stands for the event of the pending timer,
 * so a timer that the chart has not set, or has cancelled, fails the test instead of firing.
 */
import {
  initialTransition,
  transition,
  type AnyStateMachine,
  type EmittedFrom,
  type EventFromLogic,
  type InputFrom,
  type SnapshotFrom,
  type StateValue,
} from 'xstate';
import { effectsOf, type Action } from '../explore/pure-chart.js';
import { isInState, statePathOf } from './state-path.js';

/** A timer that is set and neither cancelled nor fired. */
export interface Timer {
  readonly id: string;
  readonly event: { readonly type: string };
  readonly delayMs: number;
}

/** The event of the pending timer of this delay (`closeTimeout`) or event type (`FRAME_TIMEOUT`). */
export type Due = (timers: Map<string, Timer>) => Timer;

export interface Played<M extends AnyStateMachine> {
  readonly machine: M;
  readonly snapshot: SnapshotFrom<M>;
  readonly state: StateValue;
  /** All that was emitted, from the start on. */
  readonly commands: readonly EmittedFrom<M>[];
  /** What the last event led to. */
  readonly lastCommands: readonly EmittedFrom<M>[];
  /** The same, types only. */
  readonly types: readonly string[];
  readonly lastTypes: readonly string[];
  readonly timers: Map<string, Timer>;
  /** Ids of the timers that the last event cancelled. */
  readonly lastCancelled: readonly string[];
}

/** From the chart's start through `events`, in order. */
export function play<M extends AnyStateMachine>(
  machine: M,
  input: InputFrom<M>,
  events: readonly (EventFromLogic<M> | Due)[] = [],
): Played<M> {
  const [snapshot, actions] = initialTransition(machine, ...([input] as never));
  const started = record(machine, snapshot, actions, undefined, new Map());
  return playOn(started, events);
}

/** Goes on from where `played` is, which stays as it was. */
export function playOn<M extends AnyStateMachine>(
  played: Played<M>,
  events: readonly (EventFromLogic<M> | Due)[],
): Played<M> {
  let now = played;
  for (const next of events) now = step(now, next);
  return now;
}

function step<M extends AnyStateMachine>(played: Played<M>, next: EventFromLogic<M> | Due): Played<M> {
  const { machine, snapshot } = played;
  const timers = new Map(played.timers);
  let event = next as { readonly type: string };
  if (typeof next === 'function') {
    const timer = (next as Due)(timers);
    timers.delete(timer.id);
    event = timer.event;
  }
  // An actor that is done takes no event; `transition()` would.
  if ((snapshot as { status: string }).status !== 'active')
    return { ...played, lastCommands: [], lastTypes: [], lastCancelled: [] };
  const [after, actions] = transition(machine, snapshot, event as EventFromLogic<M>);
  return record(machine, after, actions, played, timers);
}

function record<M extends AnyStateMachine>(
  machine: M,
  snapshot: SnapshotFrom<M>,
  actions: readonly Action[],
  before: Played<M> | undefined,
  timers: Map<string, Timer>,
): Played<M> {
  let number = timers.size;
  const idFor = ({ type }: { readonly type: string }) => {
    while (timers.has(`${type}#${number}`)) number += 1;
    return `${type}#${number++}`;
  };
  const effects = effectsOf(actions, idFor);
  const emitted = effects.commands as EmittedFrom<M>[];
  const cancelled: string[] = [];
  for (const change of effects.changes) {
    if ('set' in change) timers.set(change.set, { id: change.set, event: change.event, delayMs: change.delayMs });
    else if (timers.delete(change.cancel)) cancelled.push(change.cancel);
  }
  const typesOf = (commands: readonly EmittedFrom<M>[]) =>
    commands.map((command) => (command as { type: string }).type);
  const commands = [...(before?.commands ?? []), ...emitted];
  return {
    machine,
    snapshot,
    state: (snapshot as { value: StateValue }).value,
    commands,
    lastCommands: emitted,
    types: typesOf(commands),
    lastTypes: typesOf(emitted),
    timers,
    lastCancelled: cancelled,
  };
}

/** Lets the oldest pending timer of this name fire. @throws when none is pending: the chart would wait for ever. */
export function due(name: string): Due {
  return (timers) => {
    const found = [...timers.values()].find(({ event }) => isOf(event.type, name));
    if (!found) throw new Error(`no timer ${name} is pending, only: ${[...timers.keys()].join(', ') || 'none'}`);
    return found;
  };
}

/** How long the pending timer of this name was set to, in ms; `undefined`: there is none. */
export function delayOf({ timers }: { readonly timers: Map<string, Timer> }, name: string): number | undefined {
  return [...timers.values()].find(({ event }) => isOf(event.type, name))?.delayMs;
}

const isOf = (type: string, name: string) => type === name || type.startsWith(`xstate.after.${name}.`);

/** Is it in this state, or in one below it? `isIn(played, 'closing')`. */
export function isIn({ state }: { readonly state: StateValue }, path: string): boolean {
  return isInState(state, path);
}

/** The state down to the depth of `path`: equal to `path` if it is in it, and readable in a failure if not. */
export function stateAt({ state }: { readonly state: StateValue }, path: string): string {
  return isIn({ state }, path) ? path : statePathOf(state);
}
