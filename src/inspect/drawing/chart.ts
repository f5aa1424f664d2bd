/**
 * A chart as plain data: what is drawn, and what a viewer in another process is told of a machine.
 *
 * - States and transitions are two flat lists, in the order of the source, that name each other by id. A tree would say the
 *   hierarchy once more, and everything that looks a state up would walk it.
 * - It is JSON: what is absent is `null` or an empty list, and `JSON.parse(JSON.stringify(chart))` equals `chart`.
 * - What XState adds by itself is left out: the raise and the cancel behind an `after` are its transition's `delay`.
 * - Code is named and not shown. What has no name in the source is in brackets: `(assign)`, `(emit FLUSH)`.
 */
import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition } from 'xstate';
import { delayName, eventName, isMachine, readGuard, withParams, type ChartGuard } from '../chart-names.js';
import { toPlain } from '../plain-data.js';
import { DrawingError } from './drawing-error.js';

export interface Chart {
  /** Of this form of the data. */
  readonly version: 1;
  /** The machine's id. */
  readonly id: string;
  /** The chart itself first; parents before their children, siblings in the order of the source. */
  readonly states: readonly ChartState[];
  /** By source, in the order in which XState tries them. */
  readonly transitions: readonly ChartTransition[];
}

export interface ChartState {
  /** Unique in its chart: XState's own, such as `session.closing.finWait`. */
  readonly id: string;
  /** Its name within its parent; of the chart itself the chart's id. */
  readonly key: string;
  /** Names from the outermost state on, with dots between: `closing.finWait`; empty for the chart itself. */
  readonly path: string;
  readonly type: 'atomic' | 'compound' | 'parallel' | 'final' | 'history';
  /** Id of the state around it; `null` for the chart itself. */
  readonly parent: string | null;
  /** Where a compound state begins; `null` for every other. */
  readonly initial: ChartInitial | null;
  /** What a history state remembers: the child alone, or all that is below it too; `null` for every other. */
  readonly history: 'shallow' | 'deep' | null;
  /** Ids of where a history state leads that remembers nothing yet; empty: its parent's initial state. */
  readonly historyTargets: readonly string[];
  readonly tags: readonly string[];
  readonly entry: readonly ChartAction[];
  readonly exit: readonly ChartAction[];
  readonly invokes: readonly ChartInvoke[];
  readonly description: string | null;
}

export interface ChartInitial {
  /** Ids; several where regions begin elsewhere than they say themselves. */
  readonly targets: readonly string[];
  readonly actions: readonly ChartAction[];
}

export interface ChartInvoke {
  readonly id: string;
  /** The name of the actor's logic; `(code)` where it has none. */
  readonly source: string;
}

export interface ChartAction {
  /** As the source names it; `(assign)`, `(emit FLUSH)`, `(code)` where it stands there without a name. */
  readonly name: string;
  /** What the source gives with it; absent where it gives nothing. JSON: a function becomes `{"$function":"name"}`, as in a recording. */
  readonly params?: unknown;
}

export interface ChartTransition {
  /** Unique in its chart: its source and its number there, from 0 on. */
  readonly id: string;
  readonly source: string;
  /** What it is taken for: an event, a delay, nothing at all, or the end (error, news) of the state's children and actors. */
  readonly kind: 'event' | 'after' | 'always' | 'done' | 'error' | 'snapshot';
  /** As XState calls it: `READ`, `*`, `xstate.after.closeTimeout.session.closing`; empty for `always`. */
  readonly event: string;
  /** As a person does: `READ`, `after closeTimeout`, `after 100 ms`, `always`, `done`. */
  readonly label: string;
  /** Of an `after`: in ms, or its name; else `null`. */
  readonly delay: number | string | null;
  readonly guard: ChartGuard | null;
  /** Ids; empty when the state is not left. */
  readonly targets: readonly string[];
  readonly actions: readonly ChartAction[];
  /** Its source is left and entered anew, also where the target is inside or the source itself. */
  readonly reenter: boolean;
  readonly description: string | null;
}

const charts = new WeakMap<AnyStateMachine, Chart>();
const transitionIds = new WeakMap<AnyTransitionDefinition, string>();

/**
 * @returns the chart of a machine; the same object each time, since a machine never changes
 * @throws {DrawingError} CHART_INVALID when it is no XState machine
 */
export function readChart(machine: AnyStateMachine): Chart {
  if (!isMachine(machine))
    throw new DrawingError('CHART_INVALID', 'expected an XState machine, as createMachine returns it');
  let chart = charts.get(machine);
  if (!chart) {
    const nodes = nodesOf(machine.root);
    const transitions = nodes.flatMap(transitionsOf);
    chart = { version: 1, id: machine.id, states: nodes.map(stateOf), transitions };
    charts.set(machine, chart);
  }
  return chart;
}

/** @returns the id that it has in the chart of its machine; `undefined` before that was read, and of one that stands in no chart */
export function transitionId(definition: AnyTransitionDefinition): string | undefined {
  return transitionIds.get(definition);
}

/** `noteReason "wait timeout"`. */
export function actionText({ name, params }: ChartAction): string {
  return withParams(name, params);
}

function nodesOf(node: AnyStateNode): AnyStateNode[] {
  return [node, ...Object.values(node.states).flatMap((child: AnyStateNode) => nodesOf(child))];
}

function stateOf(node: AnyStateNode): ChartState {
  return {
    id: node.id,
    key: node.key,
    path: node.path.join('.'),
    type: node.type,
    parent: node.parent?.id ?? null,
    initial:
      node.type === 'compound'
        ? { targets: idsOf(node.initial.target as AnyStateNode[]), actions: node.initial.actions.map(actionOf) }
        : null,
    history: node.type === 'history' ? (node.history === 'deep' ? 'deep' : 'shallow') : null,
    historyTargets: node.type === 'history' ? idsOf(historyTargets(node)) : [],
    tags: [...node.tags],
    entry: node.entry.filter(isOfSource).map(actionOf),
    exit: node.exit.filter(isOfSource).map(actionOf),
    invokes: node.invoke.map(({ id, src }) => ({ id, source: typeof src === 'string' ? src : '(code)' })),
    description: node.description ?? null,
  };
}

function transitionsOf(node: AnyStateNode): ChartTransition[] {
  const all = [...node.transitions.values()].flat().concat(node.always ?? []) as AnyTransitionDefinition[];
  return all.map((definition, index) => {
    const { eventType: event, guard, target, actions, reenter } = definition;
    const { delay, description } = definition as { delay?: number | string; description?: string };
    const isAfter = event.startsWith('xstate.after.');
    const kind = kindOf(event);
    const id = `${node.id} ${index}`;
    transitionIds.set(definition, id);
    return {
      id,
      source: node.id,
      kind,
      event,
      label: isAfter
        ? delayName(delay ?? '')
        : event === `xstate.done.state.${node.id}`
          ? 'done'
          : labelOf(node, event),
      delay: isAfter ? (delay ?? null) : null,
      guard: plainGuard(readGuard(guard)),
      targets: idsOf((target ?? []) as AnyStateNode[]),
      actions: actions.map(actionOf),
      reenter,
      description: description ?? null,
    };
  });
}

function kindOf(event: string): ChartTransition['kind'] {
  if (event === '') return 'always';
  const [, kind] = /^xstate\.(after|done|error|snapshot)\./.exec(event) ?? [];
  return (kind as ChartTransition['kind'] | undefined) ?? 'event';
}

/** An actor by the name of its logic, unless two of the state have it: ids that XState gives are only numbers. */
function labelOf(node: AnyStateNode, event: string): string {
  const [, kind, id] = /^xstate\.(done|error|snapshot)\.(?:actor\.)?(.*)$/.exec(event) ?? [];
  const source = node.invoke.find((one) => one.id === id)?.src;
  const isAlone = node.invoke.filter(({ src }) => src === source).length === 1;
  return typeof source === 'string' && isAlone ? `${kind} ${source}` : eventName(event);
}

function historyTargets(node: AnyStateNode): AnyStateNode[] {
  const { target } = node.config as { target?: string | readonly string[] };
  return [target ?? []].flat().flatMap((name) => {
    if (name.startsWith('#')) return [node.machine.getStateNodeById(name)];
    const found = name
      .replace(/^\./, '')
      .split('.')
      .reduce<AnyStateNode | undefined>((at, key) => at?.states[key], node.parent);
    return found ? [found] : [];
  });
}

function idsOf(nodes: readonly AnyStateNode[]): string[] {
  return nodes.map(({ id }) => id);
}

/** Not what XState itself put there to carry an `after` out. */
function isOfSource(action: unknown): boolean {
  if (typeof action !== 'function') return true;
  const { type, event, sendId } = action as { type?: string; event?: { type?: string }; sendId?: unknown };
  const name = type === 'xstate.raise' ? event?.type : type === 'xstate.cancel' ? sendId : undefined;
  return !(typeof name === 'string' && name.startsWith('xstate.after.'));
}

function actionOf(action: unknown): ChartAction {
  if (typeof action === 'string') return { name: action };
  if (typeof action === 'function') return { name: `(${codeName(action)})` };
  const { type, params } = action as { type: string; params?: unknown };
  return params === undefined ? { name: type } : { name: type, params: toPlain(params) };
}

/** `emit FLUSH` for what `emit({ type: 'FLUSH' })` made, `assign`; a function's own name, or `code`. */
function codeName(action: { readonly name: string }): string {
  const { type, event, sendId } = action as { type?: unknown; event?: unknown; sendId?: unknown };
  if (typeof type !== 'string' || !type.startsWith('xstate.'))
    return action.name === '' || action.name === 'actions' ? 'code' : action.name;
  const about = (event as { type?: unknown } | undefined)?.type ?? sendId;
  return `${type.slice('xstate.'.length)}${typeof about === 'string' ? ` ${about}` : ''}`;
}

function plainGuard(guard: ChartGuard | undefined): ChartGuard | null {
  if (guard === undefined) return null;
  if (guard.type === 'and' || guard.type === 'or')
    return { ...guard, guards: guard.guards.map((one) => plainGuard(one)!) };
  if (guard.type === 'not') return { ...guard, guard: plainGuard(guard.guard)! };
  return guard.type === 'named' && guard.params !== undefined ? { ...guard, params: toPlain(guard.params) } : guard;
}
