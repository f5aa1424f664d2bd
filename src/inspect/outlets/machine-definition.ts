/**
 * A chart as a machine of XState 4: the JSON that `@xstate/inspect` gives to that version's `createMachine`.
 *
 * It is no machine that could run: guards and actions are their names. What version 4 has no word for is left out, or said in its nearest
 * words:
 * - `internal` is the opposite of `reenter`, and true where nothing is left;
 * - events of XState's own have other names: `done.invoke.x`, `error.platform.x`, `done.state.x`, `xstate.after(1000)#x`;
 * - where a history state leads that remembers nothing stands there, and version 4 itself often takes the initial state instead;
 * - actions of an initial transition do not exist, nor do partial wildcards (`order.*`), which stand there as plain text.
 */
import { guardText, type ChartGuard } from '../chart-names.js';
import type { Chart, ChartAction, ChartState, ChartTransition } from '../drawing/chart.js';

/** A state of XState 4 as JSON; the machine is the outermost one. */
export interface StateDefinition {
  readonly id: string;
  readonly key: string;
  readonly type: ChartState['type'];
  readonly order: number;
  /** Key of a child. */
  readonly initial?: string;
  readonly history?: 'shallow' | 'deep';
  /** Of a history state that remembers nothing: `#id`. */
  readonly target?: string;
  readonly states: Readonly<Record<string, StateDefinition>>;
  readonly on: Readonly<Record<string, readonly TransitionDefinition[]>>;
  readonly always?: readonly TransitionDefinition[];
  readonly entry: readonly ActionDefinition[];
  readonly exit: readonly ActionDefinition[];
  readonly invoke: readonly { readonly id: string; readonly src: ActionDefinition }[];
  readonly tags: readonly string[];
  readonly description?: string;
}

export interface TransitionDefinition {
  /** `#id` of each; none: nothing is left. */
  readonly target?: readonly string[];
  readonly internal: boolean;
  readonly cond?: { readonly type: 'xstate.guard'; readonly name: string };
  readonly actions: readonly ActionDefinition[];
  readonly description?: string;
}

export interface ActionDefinition {
  readonly type: string;
  readonly params?: unknown;
}

/** The outermost state. */
export interface MachineDefinition extends StateDefinition {
  /** Without it version 4 warns of each machine that it makes. */
  readonly predictableActionArguments: true;
}

/** @returns JSON for the `createMachine` of XState 4 */
export function machineDefinition(chart: Chart): MachineDefinition {
  const children = groups(chart.states.slice(1), ({ parent }) => parent!);
  const transitions = groups(chart.transitions, ({ source }) => source);
  const byId = new Map(chart.states.map((state) => [state.id, state]));
  const define = (state: ChartState, order: number): StateDefinition => {
    const own = transitions.get(state.id) ?? [];
    const always = own.filter(({ kind }) => kind === 'always').map(transitionOf);
    const named = groups(
      own.filter(({ kind }) => kind !== 'always'),
      oldEventName,
    );
    const initial = byId.get(state.initial?.targets[0] ?? '')?.key;
    const [remembered] = state.historyTargets;
    return {
      id: state.id,
      key: state.key,
      type: state.type,
      order,
      ...(initial !== undefined && { initial }),
      ...(state.history !== null && { history: state.history }),
      ...(remembered !== undefined && { target: `#${remembered}` }),
      states: Object.fromEntries(
        (children.get(state.id) ?? []).map((child) => [child.key, define(child, chart.states.indexOf(child))]),
      ),
      on: Object.fromEntries([...named].map(([name, ofName]) => [name, ofName.map(transitionOf)])),
      ...(always.length > 0 && { always }),
      entry: state.entry.map(actionOf),
      exit: state.exit.map(actionOf),
      invoke: state.invokes.map(({ id, source }) => ({ id, src: { type: source } })),
      tags: state.tags,
      ...(state.description !== null && { description: state.description }),
    };
  };
  return { predictableActionArguments: true, ...define(chart.states[0]!, 0) };
}

/** `xstate.done.actor.look` is `done.invoke.look` in XState 4. @returns the name of the event for which the transition is taken */
export function oldEventName({ kind, event, delay, source }: ChartTransition): string {
  if (kind === 'after') return `xstate.after(${delay})#${source}`;
  const [, what, id] = /^xstate\.(done\.state|done\.actor|error\.actor)\.(.*)$/s.exec(event) ?? [];
  if (what === undefined) return event;
  return `${{ 'done.state': 'done.state', 'done.actor': 'done.invoke', 'error.actor': 'error.platform' }[what]}.${id}`;
}

function transitionOf({ targets, reenter, guard, actions, description }: ChartTransition): TransitionDefinition {
  return {
    ...(targets.length > 0 && { target: targets.map((id) => `#${id}`) }),
    internal: targets.length === 0 || !reenter,
    ...(guard && { cond: conditionOf(guard) }),
    actions: actions.map(actionOf),
    ...(description !== null && { description }),
  };
}

function conditionOf(guard: ChartGuard): { readonly type: 'xstate.guard'; readonly name: string } {
  return { type: 'xstate.guard', name: guardText(guard) };
}

function actionOf({ name, params }: ChartAction): ActionDefinition {
  return params === undefined ? { type: name } : { type: name, params };
}

function groups<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const found = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = found.get(key);
    if (group) group.push(item);
    else found.set(key, [item]);
  }
  return found;
}
