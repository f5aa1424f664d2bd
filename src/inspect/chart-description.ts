/**
 * A chart as a recording keeps it: its structure in words that a person can compare, and a hash of each piece of code that it names.
 *
 * Structure and code are apart, because they change for different reasons and are reported differently: `state ready: on PING had ...,
 * now ...` against `the code of the guard isOurVersion has changed`. A hash is of the source text as it runs, so another compiler, or
 * a constant outside of the function, is seen where it need not be, and not seen where one would like it to be.
 */
import { createHash } from 'node:crypto';
import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition } from 'xstate';
import { isMachine } from './chart-names.js';

export interface ChartDescription {
  readonly id: string;
  /** Over all of it. */
  readonly hash: string;
  /** By dotted path; the chart itself is the empty one. */
  readonly states: Readonly<Record<string, StateDescription>>;
  /** Hashes of the code, by kind and name: `guard isForce`. */
  readonly code: Readonly<Record<string, string>>;
}

/** What it says, by what it says it of: `on PING`, `entry`, `initial`. */
export type StateDescription = Readonly<Record<string, string>>;

const described = new WeakMap<AnyStateMachine, ChartDescription>();

export function describeChart(machine: AnyStateMachine): ChartDescription {
  let description = described.get(machine);
  if (!description) {
    const states = Object.fromEntries(nodesOf(machine.root).map((node) => [node.path.join('.'), describeState(node)]));
    const code = codeOf(machine);
    description = { id: machine.id, hash: hashOf(JSON.stringify([machine.id, states, code])), states, code };
    described.set(machine, description);
  }
  return description;
}

/** @returns what is different now, a sentence each; none for the same hash */
export function chartChanges(then: ChartDescription, now: ChartDescription): string[] {
  if (then.hash === now.hash) return [];
  const changes: string[] = [];
  if (then.id !== now.id) changes.push(`its id was ${then.id} and is ${now.id}`);
  for (const path of keysOfBoth(then.states, now.states)) {
    const name = path === '' ? 'the chart itself' : `state ${path}`;
    const [before, after] = [then.states[path], now.states[path]];
    if (!before) changes.push(`${name} is new`);
    else if (!after) changes.push(`${name} is gone`);
    else changes.push(...stateChanges(name, before, after));
  }
  for (const name of keysOfBoth(then.code, now.code)) {
    const [before, after] = [then.code[name], now.code[name]];
    if (before === after) continue;
    const what = before === undefined ? 'is new' : after === undefined ? 'is gone' : 'has other code';
    changes.push(`the ${name} ${what}`);
  }
  return changes;
}

function stateChanges(name: string, before: StateDescription, after: StateDescription): string[] {
  return keysOfBoth(before, after).flatMap((part) => {
    if (before[part] === after[part]) return [];
    return [`${name}: ${part} had ${before[part] ?? 'nothing'}, now ${after[part] ?? 'nothing'}`];
  });
}

function keysOfBoth(a: object, b: object): string[] {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])];
}

function nodesOf(node: AnyStateNode): AnyStateNode[] {
  return [node, ...Object.values(node.states).flatMap((child: AnyStateNode) => nodesOf(child))];
}

function describeState(node: AnyStateNode): StateDescription {
  const state: Record<string, string> = { type: node.type };
  if (node.type === 'compound') state['initial'] = (node.initial.target ?? []).map(pathOf).join(', ');
  if (node.type === 'history') state['history'] = String(node.history);
  if (node.tags.length > 0) state['tags'] = [...node.tags].sort().join(', ');
  if (node.entry.length > 0) state['entry'] = node.entry.map(actionName).join(', ');
  if (node.exit.length > 0) state['exit'] = node.exit.map(actionName).join(', ');
  if (node.invoke.length > 0)
    state['invoke'] = node.invoke
      .map(({ src }) => (typeof src === 'string' ? src : `code ${hashOf(sourceOf(src))}`))
      .join(', ');
  for (const [event, transitions] of node.transitions)
    state[`on ${event}`] = transitions.map(transitionText).join('; ');
  if (node.always) state['always'] = node.always.map(transitionText).join('; ');
  return state;
}

/** `target open.ready [isOurVersion] answerHello, forgetErrors`. */
function transitionText({ target, guard, actions, reenter }: AnyTransitionDefinition): string {
  const parts = [
    target ? `target ${target.map(pathOf).join(', ')}` : 'stays',
    guard === undefined ? '' : `[${guardName(guard)}]`,
    actions.map(actionName).join(', '),
    reenter ? 'reenter' : '',
  ];
  return parts.filter((part) => part !== '').join(' ');
}

function pathOf({ path, id }: AnyStateNode): string {
  return path.length === 0 ? id : path.join('.');
}

function actionName(action: unknown): string {
  if (typeof action === 'string') return action;
  if (typeof action === 'function') return `${kindOf(action)} ${hashOf(sourceOf(action))}`;
  const { type, params } = action as { type: string; params?: unknown };
  return params === undefined ? type : `${type}(${sourceOf(params)})`;
}

function guardName(guard: unknown): string {
  if (typeof guard === 'string') return guard;
  if (typeof guard === 'function') {
    const { guards } = guard as { guards?: readonly unknown[] };
    return guards ? `${guard.name}(${guards.map(guardName).join(', ')})` : `code ${hashOf(sourceOf(guard))}`;
  }
  const { type, params } = guard as { type: string; params?: unknown };
  return params === undefined ? type : `${type}(${sourceOf(params)})`;
}

/** `emit` for what `emit()` made. */
function kindOf(action: object): string {
  const { type } = action as { type?: unknown };
  return typeof type === 'string' ? type.replace(/^xstate\./, '') : 'code';
}

function codeOf({ implementations, config }: AnyStateMachine): Record<string, string> {
  const { guards, actions, delays, actors } = implementations;
  const named = { guard: guards, action: actions, delay: delays, actor: actors };
  const code: Record<string, string> = {};
  for (const [kind, all] of Object.entries(named)) {
    for (const [name, implementation] of Object.entries(all as object)) {
      code[`${kind} ${name}`] = hashOf(sourceOf(implementation));
    }
  }
  const { context } = config as { context?: unknown };
  if (context !== undefined) code['initial context'] = hashOf(sourceOf(context));
  return code;
}

/** What XState's own actions and guards are called with is code; how XState carries them out is not. */
const OF_XSTATE = new Set(['resolve', 'execute', 'retryResolve', 'check']);

function sourceOf(value: unknown, above: readonly unknown[] = []): string {
  if (above.includes(value)) return 'a cycle';
  const below = [...above, value];
  if (isMachine(value)) return describeChart(value).hash;
  if (typeof value === 'function') {
    const own = Object.entries(value).filter(([key]) => !OF_XSTATE.has(key));
    const source = own.length > 0 ? '' : Function.prototype.toString.call(value);
    return `${source}${own.map(([key, inner]) => `${key}=${sourceOf(inner, below)}`).join()}`;
  }
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? String(value);
  if (Array.isArray(value)) return `[${value.map((item) => sourceOf(item, below)).join()}]`;
  const fields = Object.keys(value)
    .sort()
    .map((key) => `${key}=${sourceOf((value as Record<string, unknown>)[key], below)}`);
  return `{${fields.join()}}`;
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
