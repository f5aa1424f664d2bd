/**
 * Walks a chart's graph breadth first: from every start, each event in each state that is reached, timers included.
 * Two snapshots are the same place if `keyOf` says so: the state and the part of the context that guards read.
 */
import {
  initialTransition,
  transition,
  type AnyStateMachine,
  type AnyStateNode,
  type EventFromLogic,
  type InputFrom,
  type SnapshotFrom,
} from 'xstate';

export interface Walk {
  /** Places that were visited. */
  readonly places: number;
  /** Ids of the state nodes that none of them was in. */
  readonly statesMissed: readonly string[];
  /** Transitions of the table that none of the events took. */
  readonly transitionsMissed: readonly string[];
  /** Events that threw, with where. */
  readonly thrown: readonly string[];
  /** States that are left by `always`. */
  readonly transient: readonly string[];
  /** Leaves, not final, that no timer of their own or of a parent ends. */
  readonly withoutDeadline: readonly string[];
}

interface Transition {
  readonly source: AnyStateNode;
  readonly eventType: string;
  readonly guard?: unknown;
  readonly target?: readonly AnyStateNode[] | undefined;
}

export interface Walkable<M extends AnyStateMachine> {
  readonly machine: M;
  readonly inputs: readonly InputFrom<M>[];
  readonly events: readonly EventFromLogic<M>[];
  readonly keyOf: (snapshot: SnapshotFrom<M>) => unknown;
  /** Fails beyond it: `keyOf` lets something grow. */
  readonly placesMax: number;
}

export function walk<M extends AnyStateMachine>({ machine, inputs, events, keyOf, placesMax }: Walkable<M>): Walk {
  const seen = new Set<string>();
  const queue: SnapshotFrom<M>[] = [];
  const reached = new Set<AnyStateNode>();
  const taken = new Set<Transition>();
  const thrown: string[] = [];
  const unbounded = new Set<string>();

  const visit = (snapshot: SnapshotFrom<M>, origin: unknown): void => {
    const key = JSON.stringify([origin, (snapshot as { value: unknown }).value, keyOf(snapshot)]);
    if (seen.has(key)) return;
    if (seen.size >= placesMax) throw new Error(`more than ${placesMax} places, the last is ${key}`);
    seen.add(key);
    const active = nodesOf(snapshot);
    for (const node of active) reached.add(node);
    if ((snapshot as { status: string }).status !== 'active') return;
    if (!active.some((node) => node.after.length > 0)) for (const leaf of leaves(active)) unbounded.add(leaf.id);
    queue.push(snapshot);
  };

  for (const [origin, input] of inputs.entries()) {
    queue.length = 0;
    visit(initialTransition(machine, ...([input] as never))[0] as SnapshotFrom<M>, origin);
    for (let snapshot = queue.shift(); snapshot !== undefined; snapshot = queue.shift()) {
      const timers = nodesOf(snapshot).flatMap((node) => node.after.map(({ eventType }) => ({ type: eventType })));
      for (const event of [...events, ...timers] as EventFromLogic<M>[]) {
        try {
          for (const one of machine.getTransitionData(snapshot, event) ?? []) taken.add(one as Transition);
          visit(transition(machine, snapshot, event)[0] as SnapshotFrom<M>, origin);
        } catch (error) {
          if (String(error).includes('places, the last is')) throw error;
          thrown.push(
            `${JSON.stringify(event)} in ${JSON.stringify((snapshot as { value: unknown }).value)}: ${String(error)}`,
          );
        }
      }
    }
  }

  const nodes = allNodes(machine.root);
  return {
    places: seen.size,
    statesMissed: nodes.filter((node) => !reached.has(node)).map(({ id }) => id),
    transitionsMissed: nodes.flatMap((node) =>
      transitionsOf(node)
        .filter((one) => !taken.has(one))
        .map(nameOf),
    ),
    thrown,
    transient: nodes.filter((node) => (node.always?.length ?? 0) > 0).map(({ id }) => id),
    withoutDeadline: [...unbounded].sort(),
  };
}

const nodesOf = (snapshot: unknown) => (snapshot as { _nodes: AnyStateNode[] })._nodes;
const leaves = (nodes: readonly AnyStateNode[]) => nodes.filter(({ states }) => Object.keys(states).length === 0);

const allNodes = (node: AnyStateNode): AnyStateNode[] => [
  node,
  ...Object.values(node.states).flatMap((child) => allNodes(child as AnyStateNode)),
];

const transitionsOf = (node: AnyStateNode) => [...node.transitions.values()].flat() as Transition[];

const nameOf = ({ source, eventType, guard, target }: Transition) =>
  `${source.id} ${eventType}${guard === undefined ? '' : ` [${JSON.stringify(guard)}]`} -> ${target?.map(({ id }) => id).join(', ') ?? '(stays)'}`;
