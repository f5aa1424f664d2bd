/**
 * What the parts of a chart are called where people read of them: in tables of coverage, in paths, in drawings. Names are those of the
 * source wherever the source has one.
 */
import type { AnyStateMachine } from 'xstate';

/** `after answerTimeout` for `xstate.after.answerTimeout.chat.entering`. */
export function eventName(type: string): string {
  const [, kind, name] = /^xstate\.(after|done|error|snapshot)\.(.*)$/.exec(type) ?? [];
  if (kind === undefined || name === undefined) return type === '' ? 'always' : type;
  if (kind !== 'after') return `${kind} ${name.replace(/^(state|actor)\./, '')}`;
  const [delay = ''] = name.split('.');
  return delayName(/^\d+$/.test(delay) ? Number(delay) : delay);
}

/** `after 100 ms`, `after answerTimeout`. @param delay in ms, or the name of one */
export function delayName(delay: number | string): string {
  return typeof delay === 'number' ? `after ${delay} ms` : `after ${delay}`;
}

/** What has to hold. Guards that stand in the source without a name are `code`. */
export type ChartGuard =
  | { readonly type: 'named'; readonly name: string; readonly params?: unknown }
  | { readonly type: 'and' | 'or'; readonly guards: readonly ChartGuard[] }
  | { readonly type: 'not'; readonly guard: ChartGuard }
  /** Another region is in this state; `state` is its dotted path. */
  | { readonly type: 'in'; readonly state: string }
  /** A function; `name` is empty where it has none. */
  | { readonly type: 'code'; readonly name: string };

/** @param guard as XState's definition of a transition holds it. @returns `undefined` for none */
export function readGuard(guard: unknown): ChartGuard | undefined {
  if (guard === undefined || guard === null) return undefined;
  if (typeof guard === 'string') return { type: 'named', name: guard };
  const { type, params, name, guards, stateValue } = guard as {
    type?: string;
    params?: unknown;
    name?: string;
    guards?: readonly unknown[];
    stateValue?: unknown;
  };
  // `and`, `or`, `not` and `stateIn` are functions that keep what they were made of.
  if (guards) {
    const inner = guards.map((one) => readGuard(one)!);
    return name === 'not' ? { type: 'not', guard: inner[0]! } : { type: name === 'or' ? 'or' : 'and', guards: inner };
  }
  if (stateValue !== undefined) return { type: 'in', state: statePaths(stateValue).join(' and ') };
  // A function in the place of a guard is called `guard` by the language.
  if (type === undefined) return { type: 'code', name: name === undefined || name === 'guard' ? '' : name };
  return params === undefined ? { type: 'named', name: type } : { type: 'named', name: type, params };
}

/** `isOurVersion`, `says "boo who?"`, `not isEnabled`, `in open.output.congested and in open.qos.off`. */
export function guardText(guard: ChartGuard): string {
  switch (guard.type) {
    case 'named':
      return withParams(guard.name, guard.params);
    case 'and':
    case 'or':
      return guard.guards.map((one) => inBrackets(one, guard.type)).join(` ${guard.type} `);
    case 'not':
      return `not ${inBrackets(guard.guard, 'not')}`;
    case 'in':
      return `in ${guard.state}`;
    case 'code':
      return guard.name === '' ? 'a guard without a name' : guard.name;
  }
}

/** `hold`, `says "boo who?"`: what was given with a name as the source would write it. */
export function withParams(name: string, params: unknown): string {
  if (params === undefined || typeof params === 'function') return name;
  return `${name} ${JSON.stringify(params)}`;
}

/** Of a state value: `{ open: { qos: 'off' } }` is `open.qos.off`. An id (`#open`) stays one. */
function statePaths(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [String(value)];
  return Object.entries(value).flatMap(([key, inner]) => {
    const below = statePaths(inner);
    return below.length === 0 ? [key] : below.map((path) => `${key}.${path}`);
  });
}

function inBrackets(guard: ChartGuard, around: 'and' | 'or' | 'not'): string {
  const text = guardText(guard);
  return (guard.type === 'and' || guard.type === 'or') && guard.type !== around ? `(${text})` : text;
}

/** Told by what it is made of: a machine may come from another copy of XState. */
export function isMachine(value: unknown): value is AnyStateMachine {
  return value instanceof Object && 'config' in value && 'implementations' in value && 'root' in value;
}
