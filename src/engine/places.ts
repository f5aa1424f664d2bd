/**
 * Where actors are: the numbers of the states that are active, and word of each change, for whoever counts thousands of them.
 *
 * The hard question: a count has to look at every macrostep of every session, and mostly nothing has changed. XState keeps the list of
 * active states with the snapshot, and the same list as long as no state was entered or left for another. So one comparison of two
 * references says "as before". A new list is looked up state by state in a tree of all lists that were seen before, which ends at the one
 * array of numbers that all actors in this place share: no text is made, and nothing is allocated for a place that is known.
 *
 * Given up: a state that is left and entered again within one macrostep (a transition to itself, or there and back by `raise`) shows no
 * change. XState's inspection alone would tell, and costs as much as the step.
 */
import { createActor, setup, type AnyMachineSnapshot, type AnyStateMachine, type AnyStateNode } from 'xstate';

/** Numbers of the active states, ascending, so that a state comes after those around it; the chart itself (0) is left out. */
export type Place = readonly number[];

/** Of actors that have not told theirs. */
export const NOWHERE: Place = [];

/**
 * Told of each change of one actor's place. Extended by whoever counts, so that following an actor takes one object and no closure.
 * A follower follows one actor at a time.
 */
export abstract class PlaceFollower {
  /** Kept by the actor. */
  place: Place = NOWHERE;
  /** Kept by the actor: the list of states that `place` stands for. */
  nodes: unknown = undefined;
  /** Kept by the actor: those of its chart. */
  places: Places | undefined = undefined;
  /** Kept by the actor: who follows it besides. */
  nextFollower: PlaceFollower | undefined = undefined;

  /** After a macrostep, before its commands are carried out; `place` is the new one. It may not throw, or send the actor anything. */
  abstract moved(before: Place): void;
}

/** A place is remembered so that it is an array for all; with many regions there may be more than are worth it. */
const PLACES_MAX = 10_000;

/** One state further in a list of active states. */
interface Step {
  place: Place | undefined;
  next: Map<unknown, Step> | undefined;
}

const ofMachines = new WeakMap<AnyStateMachine, Places>();

/** @throws {TypeError} when this XState is not one whose lists of active states can be told apart like that */
export function placesOf(machine: AnyStateMachine): Places {
  let places = ofMachines.get(machine);
  if (!places) {
    requireNodes();
    ofMachines.set(machine, (places = new Places(machine)));
  }
  return places;
}

/** The places of one chart. */
export class Places {
  readonly #numbers = new Map<unknown, number>();
  readonly #byNumbers = new Map<string, Place>();
  readonly #first: Step = { place: undefined, next: undefined };

  constructor({ root }: AnyStateMachine) {
    const number = (node: AnyStateNode): void => {
      this.#numbers.set(node, this.#numbers.size);
      for (const child of Object.values(node.states) as AnyStateNode[]) number(child);
    };
    number(root);
  }

  /** States of the chart, itself among them. */
  get size(): number {
    return this.#numbers.size;
  }

  of(snapshot: unknown): Place {
    return this.ofNodes(nodesOf(snapshot));
  }

  /** @param nodes what `nodesOf` returned */
  ofNodes(nodes: readonly unknown[]): Place {
    let step: Step | undefined = this.#first;
    for (let index = 0; index < nodes.length && step !== undefined; index += 1) step = step.next?.get(nodes[index]);
    return step?.place ?? this.#learn(nodes);
  }

  #learn(nodes: readonly unknown[]): Place {
    const place = nodes
      .map((node) => this.#numbers.get(node) ?? 0)
      .filter((number) => number !== 0)
      .sort((a, b) => a - b);
    if (this.#byNumbers.size >= PLACES_MAX) return place;
    let step = this.#first;
    for (const node of nodes) {
      step.next ??= new Map();
      let next = step.next.get(node);
      if (!next) step.next.set(node, (next = { place: undefined, next: undefined }));
      step = next;
    }
    // States that are active side by side may stand in the list in the order in which they were entered.
    const key = place.join();
    const known = this.#byNumbers.get(key);
    if (!known) this.#byNumbers.set(key, place);
    return (step.place = known ?? place);
  }
}

/** The list of active states, as XState keeps it: the same object as long as they are the same. */
export function nodesOf(snapshot: unknown): readonly unknown[] {
  return (snapshot as { readonly _nodes: readonly unknown[] })._nodes;
}

let isTried = false;

function requireNodes(): void {
  if (isTried) return;
  tryNodes((snapshot) => (snapshot as unknown as { readonly _nodes?: unknown })._nodes);
  isTried = true;
}

/**
 * Looks at the lists of a chart that moves, and stays, and moves back.
 * @param ofSnapshot its list; a test gives another
 * @throws {TypeError} when they are not as `Places` needs them
 */
export function tryNodes(ofSnapshot: (snapshot: AnyMachineSnapshot) => unknown): void {
  const machine = setup({}).createMachine({
    type: 'parallel',
    states: {
      one: { initial: 'a', states: { a: { on: { GO: 'b' } }, b: { on: { GO: 'a', STAY: { actions: () => {} } } } } },
      two: {},
    },
  }) as AnyStateMachine;
  const actor = createActor(machine).start();
  const lists = ['START', 'GO', 'STAY', 'GO'].map((type) => {
    actor.send({ type });
    return ofSnapshot(actor.getSnapshot() as AnyMachineSnapshot);
  });
  actor.stop();
  const { root } = machine;
  const { one, two } = root.states as Record<string, AnyStateNode>;
  const [start, gone, stayed, back] = lists;
  const isList = (list: unknown, leaf: string) =>
    Array.isArray(list) &&
    list.length === 4 &&
    [root, one, two, one!.states[leaf]].every((node) => list.includes(node));
  const isKnown = isList(start, 'a') && isList(gone, 'b') && isList(back, 'a') && stayed === gone && start !== gone;
  if (!isKnown) {
    throw new TypeError(
      'this release of xstate keeps active states elsewhere than wirechart looks for them (known: 5.33), so sessions cannot be counted by state',
    );
  }
}
