/**
 * Finds paths to what a chart has: breadth first over the places of the model (`xstate/graph`), so that the first path to
 * anything is a shortest one; then what that cannot find, because places leave counters out:
 * - *repetition*: in each place where a missed transition could be taken, the same step again and again (five errors in a row, a
 *   queue that gets full);
 * - *random walks*, seeded, with bursts of the same step.
 */
import type { AnyStateNode, EventObject } from 'xstate';
import { getAdjacencyMap } from 'xstate/graph';
import { Generator, seedOf } from '../socket/simulated/generator.js';
import { leavesOf, nodesOf, pathOf, stateId, withAncestors, type ChartMap } from './chart-map.js';
import type { Model } from './model.js';
import { holdsInput, keyOf, placesTo, type Place, type Serialize } from './place.js';
import { describeEvent, type Step } from './script.js';

export interface SearchOptions {
  readonly seed: number;
  readonly placesMax: number;
  readonly depthMax: number;
  readonly walks: number;
  readonly serialize: Serialize;
  /** Looks at no further place when there is a way to all that is wanted. Not where a session may stay for ever is to be known. */
  readonly stopsEarly: boolean;
}

/** The same step, so often in a row. */
const REPEATS_MAX = 32;
/** Ways to one thing that are kept, in case that the first one is cut short when it is carried out. */
const WAYS_MAX = 4;
/** Events that are named where a guard never passed. */
const TRIED_MAX = 6;

export class Search {
  /** By what they take (an id of a transition, a handler's failure or deadline, a state): places, nearest first. */
  readonly ways = new Map<string, Place[]>();
  /** Places that wait for an answer that nobody knows yet, one for each command. */
  readonly unanswered = new Map<string, Place>();
  /** Places at which a chart threw, by what it threw. */
  readonly throwing = new Map<string, Place>();
  /** By transition: what was thrown when it could have been taken. */
  readonly threw = new Map<string, string>();
  /** By paths of leaves in which a session may stay for ever, because nothing is due and waits do not count: where it does. */
  readonly withoutDeadline = new Map<string, Place>();
  /** By paths of leaves in which nothing is handled: where a session is in one. */
  readonly withoutExit = new Map<string, Place>();
  /** By transition: events that came while it could have been taken. */
  readonly tried = new Map<string, Set<string>>();
  placeCount = 0;
  /** Bounds that kept it from looking further. */
  readonly bounds = new Set<'placesMax' | 'depthMax'>();

  readonly #model: Model;
  readonly #chart: ChartMap;
  readonly #options: SearchOptions;
  readonly #missing: Set<string>;

  /** @param wanted ids to find ways to */
  constructor(model: Model, chart: ChartMap, wanted: Iterable<string>, options: SearchOptions) {
    this.#model = model;
    this.#chart = chart;
    this.#options = options;
    this.#missing = new Set(wanted);
  }

  run(): void {
    const places = this.#shortestPaths();
    this.#repeat(places);
    this.#walk();
  }

  #shortestPaths(): Place[] {
    const { placesMax, depthMax, serialize, stopsEarly } = this.#options;
    const model = this.#model;
    let lastStep = 0;
    const logic = {
      transition: (place: Place, { step }: { step: Step }) => this.#note(model.take(place, step)),
      getInitialSnapshot: () => this.#note(model.start()),
      getPersistedSnapshot: (place: Place) => place,
    };
    const eventsOf = (place: Place) => {
      if (stopsEarly && this.#missing.size === 0) return [];
      if (place.depth >= depthMax || this.placeCount >= placesMax) {
        this.bounds.add(place.depth >= depthMax ? 'depthMax' : 'placesMax');
        return [];
      }
      this.placeCount += 1;
      return model.stepsFrom(place).map((step) => ({ type: String((lastStep += 1)), step }));
    };
    const map = getAdjacencyMap(logic as never, {
      serializeState: (place: unknown) => keyOf(place as Place, serialize),
      serializeEvent: (event: EventObject) => event.type,
      events: eventsOf as never,
    });
    return Object.values(map).map(({ state }) => state as unknown as Place);
  }

  /** In places that have a missed transition's state, one for each state of the charts: what happens when one step is taken many times. */
  #repeat(places: readonly Place[]): void {
    const repeated = new Set<string>();
    for (const place of places) {
      if (this.#missing.size === 0) return;
      if (!this.#couldTakeMissing(place)) continue;
      const key = JSON.stringify(
        place.sessions.map(({ snapshot, phase, congested }) => [snapshot.value, phase, congested]),
      );
      if (repeated.has(key)) continue;
      repeated.add(key);
      for (const step of this.#model.stepsFrom(place)) {
        if (!isRepeatable(step)) continue;
        let at = place;
        for (let n = 0; n < REPEATS_MAX && this.#model.allows(at, step); n += 1)
          at = this.#note(this.#model.take(at, step));
      }
    }
  }

  #walk(): void {
    const { seed, walks, depthMax } = this.#options;
    for (let walk = 0; walk < walks && this.#missing.size > 0; walk += 1) {
      const chance = new Generator(seedOf(seed, walk));
      let at = this.#model.start();
      while (at.depth < depthMax) {
        const steps = this.#model.plainStepsFrom(at);
        const going = steps.filter((step) => step.do !== 'end' && step.do !== 'stopServer');
        const from = going.length > 0 && chance.next() < 0.95 ? going : steps;
        const plain = from[chance.below(from.length)];
        if (plain === undefined) break;
        const answered = this.#model.withAnswers(at, plain);
        const step = chance.next() < 0.7 ? plain : answered[chance.below(answered.length)]!;
        const times = isRepeatable(step) && chance.next() < 0.3 ? 2 + chance.below(12) : 1;
        for (let n = 0; n < times && at.depth < depthMax && this.#model.allows(at, step); n += 1)
          at = this.#note(this.#model.take(at, step));
      }
    }
  }

  #couldTakeMissing({ sessions }: Place): boolean {
    return this.#chart.transitions.some(
      ({ id, definition }) =>
        this.#missing.has(id) &&
        sessions.some(({ phase, snapshot }) => phase !== 'over' && nodesOf(snapshot).includes(definition.source)),
    );
  }

  #note(place: Place): Place {
    for (const id of place.taken) this.#found(id, place);
    for (const [index, session] of place.sessions.entries()) {
      if (session.snapshot !== place.from?.place.sessions[index]?.snapshot)
        for (const node of nodesOf(session.snapshot)) this.#found(stateId(pathOf(node)), place);
      this.#judge(place, index);
    }
    for (const command of place.unknown) noteFirst(this.unanswered, command, place);
    if (place.threw !== undefined) noteFirst(this.throwing, place.threw, place);
    this.#noteTried(place);
    return place;
  }

  #found(id: string, place: Place): void {
    this.#missing.delete(id);
    const ways = this.ways.get(id);
    if (!ways) this.ways.set(id, [place]);
    else if (ways.length < WAYS_MAX) ways.push(place);
  }

  /** Does anything end this session's stay here? */
  #judge(place: Place, index: number): void {
    const session = place.sessions[index]!;
    const { phase, congested, snapshot, waitCountMax } = session;
    if ((phase !== 'open' && phase !== 'ending') || snapshot.status !== 'active' || place.unknown.length > 0) return;
    const leaves = leavesOf(snapshot).filter(({ type }) => type !== 'final');
    for (const leaf of leaves)
      if (withAncestors(leaf).every(handlesNothing)) noteFirst(this.withoutExit, pathOf(leaf), place);
    const hasDeadline = congested || place.timers.some(({ owner }) => owner === index);
    const hasInvoked = Object.keys((snapshot.children ?? {}) as object).length > 0;
    if (hasDeadline || hasInvoked) return;
    const holds = holdsInput(place, session, index);
    if (!holds && waitCountMax > 0) return;
    for (const leaf of leaves) {
      if (!holds || withAncestors(leaf).some(({ tags }) => tags.includes('hold')))
        noteFirst(this.withoutDeadline, pathOf(leaf), place);
    }
  }

  /** Only the first event of a step finds the chart as it was before the step. */
  #noteTried(place: Place): void {
    const first = place.told[0];
    const before = first && place.from?.place.sessions[first.index];
    if (!first || !before) return;
    const nodes = nodesOf(before.snapshot);
    for (const { id, definition } of this.#chart.transitions) {
      if (!this.#missing.has(id) || definition.eventType !== first.event.type || !nodes.includes(definition.source))
        continue;
      if (place.threw !== undefined) this.threw.set(id, place.threw);
      let tried = this.tried.get(id);
      if (!tried) this.tried.set(id, (tried = new Set()));
      if (tried.size < TRIED_MAX) tried.add(describeEvent(first.event));
    }
  }
}

/** Few paths that take all of `ids`, longest first, because a long one takes much on its way. @param attempts how often each was tried */
export function planPaths(search: Search, ids: ReadonlySet<string>, attempts: Map<string, number>): Place[] {
  const paths: Place[] = [];
  const planned = new Set<string>();
  const wanted = [...ids].flatMap((id) => {
    const way = search.ways.get(id)?.[attempts.get(id) ?? 0];
    return way ? [{ id, way }] : [];
  });
  for (const { id, way } of wanted.sort((a, b) => b.way.depth - a.way.depth)) {
    if (planned.has(id)) continue;
    attempts.set(id, (attempts.get(id) ?? 0) + 1);
    paths.push(way);
    for (const place of placesTo(way)) {
      for (const taken of place.taken) planned.add(taken);
      for (const { snapshot } of place.sessions)
        for (const node of nodesOf(snapshot)) planned.add(stateId(pathOf(node)));
    }
  }
  return paths;
}

function noteFirst(places: Map<string, Place>, key: string, place: Place): void {
  if (!places.has(key)) places.set(key, place);
}

function isRepeatable({ do: what }: Step): boolean {
  return what === 'send' || what === 'write' || what === 'wait';
}

function handlesNothing(node: AnyStateNode): boolean {
  return node.transitions.size === 0 && (node.always?.length ?? 0) === 0 && node.invoke.length === 0;
}
