/**
 * What there is to cover in a chart: its states, its transitions and its timeouts, with names that a person can find in the
 * source. Everything here is read from the machine itself; nothing runs.
 */
import type { AnyMachineSnapshot, AnyStateMachine, AnyStateNode, AnyTransitionDefinition } from 'xstate';
import { eventName, guardText, readGuard } from '../inspect/chart-names.js';

/** One line of a chart's table. */
export interface ChartTransition {
  /** Unique in its chart. */
  readonly id: string;
  /** Path of the state that it belongs to; empty for the chart's own. */
  readonly source: string;
  /** An event's type, `after answerTimeout`, `always`, `done`. */
  readonly event: string;
  readonly guard: string | undefined;
  /** Paths of the targets; empty when it stays. */
  readonly targets: readonly string[];
  readonly isTimeout: boolean;
  /** Ids (`stateId`) of the states that it enters, also those that are left again before anybody could see them. */
  readonly enters: readonly string[];
  readonly definition: AnyTransitionDefinition;
}

export interface ChartState {
  /** `claimingNick`, `open.audio.idle`; empty for the chart itself. */
  readonly path: string;
  readonly node: AnyStateNode;
  /** Nothing is below it. */
  readonly isLeaf: boolean;
  readonly isFinal: boolean;
  /** It, or a state around it, is tagged `hold`. */
  readonly holds: boolean;
}

export interface ChartMap {
  readonly machine: AnyStateMachine;
  /** In the order of the source; without the chart itself, and without history states, in which nothing ever is. */
  readonly states: readonly ChartState[];
  readonly transitions: readonly ChartTransition[];
  readonly transitionOf: ReadonlyMap<AnyTransitionDefinition, ChartTransition>;
  /** Ids of the states that the chart begins in. */
  readonly begins: readonly string[];
  /** Paths that no arrow leads to, whatever the guards say. */
  readonly unreachable: ReadonlySet<string>;
}

export function mapChart(machine: AnyStateMachine): ChartMap {
  const nodes = nodesBelow(machine.root);
  const transitions = [machine.root, ...nodes].flatMap(transitionsOf);
  const reachable = reachableFrom(machine.root);
  return {
    machine,
    states: nodes
      .filter(({ type }) => type !== 'history')
      .map((node) => ({
        path: pathOf(node),
        node,
        isLeaf: Object.keys(node.states).length === 0,
        isFinal: node.type === 'final',
        holds: withAncestors(node).some(({ tags }) => tags.includes('hold')),
      })),
    transitions,
    begins: entered(machine.root),
    transitionOf: new Map(transitions.map((one) => [one.definition, one])),
    unreachable: new Set(nodes.filter((node) => !reachable.has(node)).map(pathOf)),
  };
}

/** What stands for a state among the ids of what is covered, next to those of transitions. */
export const stateId = (path: string) => `state ${path}`;

/** `open.audio.idle`; the empty text for the chart itself. */
export function pathOf({ path }: AnyStateNode): string {
  return path.join('.');
}

/** The states of a snapshot that nothing is below. */
export function leavesOf(snapshot: AnyMachineSnapshot): AnyStateNode[] {
  return nodesOf(snapshot).filter(({ states }) => Object.keys(states).length === 0);
}

/** All states that a snapshot is in, the chart itself too. */
export function nodesOf(snapshot: AnyMachineSnapshot): readonly AnyStateNode[] {
  return (snapshot as unknown as { _nodes: AnyStateNode[] })._nodes;
}

/** From itself outward, the chart last. */
export function withAncestors(node: AnyStateNode): AnyStateNode[] {
  return node.parent ? [node, ...withAncestors(node.parent)] : [node];
}

/** Types of events that a transition of the chart can be taken for: `*` and `order.*` stand for many. */
export function handles(machine: AnyStateMachine, type: string): boolean {
  return [machine.root, ...nodesBelow(machine.root)].some((node) =>
    [...node.transitions.keys()].some((descriptor) => fits(descriptor, type)),
  );
}

function fits(descriptor: string, type: string): boolean {
  if (descriptor === '*' || descriptor === type) return true;
  return descriptor.endsWith('.*') && (type + '.').startsWith(descriptor.slice(0, -1));
}

function nodesBelow(node: AnyStateNode): AnyStateNode[] {
  return Object.values(node.states).flatMap((child: AnyStateNode) => [child, ...nodesBelow(child)]);
}

function transitionsOf(node: AnyStateNode): ChartTransition[] {
  const all = [...node.transitions.values()].flat().concat(node.always ?? []) as AnyTransitionDefinition[];
  return all.map((definition, index) => ({
    id: `${node.id} ${definition.eventType} ${index}`,
    source: pathOf(node),
    event: eventName(definition.eventType),
    guard: guardName(definition.guard),
    targets: (definition.target ?? []).map((target) => pathOf(target)),
    isTimeout: definition.eventType.startsWith('xstate.after.'),
    enters: [...new Set((definition.target ?? []).flatMap((target) => entered(target as AnyStateNode)))],
    definition,
  }));
}

/** Ids of a target, of what is around it, and of what it begins in. A history's is said by the snapshot that follows. */
function entered(target: AnyStateNode): string[] {
  const below = (node: AnyStateNode): AnyStateNode[] => [node, ...beginnings(node).flatMap(below)];
  const nodes = target.type === 'history' ? [] : [...withAncestors(target).slice(1), ...below(target)];
  return nodes.filter(({ parent }) => parent !== undefined).map((node) => stateId(pathOf(node)));
}

function beginnings(node: AnyStateNode): AnyStateNode[] {
  if (node.type === 'parallel') return Object.values(node.states);
  return node.type === 'compound' ? (node.initial.target as AnyStateNode[]) : [];
}

function guardName(guard: unknown): string | undefined {
  const read = readGuard(guard);
  return read && guardText(read);
}

/** Along every arrow, as if each guard could pass: from a state to its initial one (or all regions), to its parents and to its targets. */
function reachableFrom(root: AnyStateNode): ReadonlySet<AnyStateNode> {
  const reached = new Set<AnyStateNode>();
  const queue = [root];
  for (let node = queue.pop(); node !== undefined; node = queue.pop()) {
    if (reached.has(node)) continue;
    reached.add(node);
    queue.push(...beginnings(node));
    if (node.type === 'history' && node.parent) queue.push(...Object.values(node.parent.states));
    if (node.parent) queue.push(node.parent);
    for (const { definition } of transitionsOf(node)) queue.push(...((definition.target ?? []) as AnyStateNode[]));
  }
  return reached;
}
