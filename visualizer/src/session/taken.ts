/**
 * Which arrows of a chart a step has taken, where nobody has written it down: recordings say the event and the states before and after.
 *
 * - From each active state outwards, the transitions for this event are looked at, and those kept that can have led to what is active
 *   now. Guards cannot be asked, so where several arrows fit that look different, none is said to have been taken.
 * - What the event itself does not explain was raised or followed at once: an arrow from a state that was left to one that was
 *   entered is taken for it, if it is the only one.
 */
import type { Chart, ChartTransition } from '../../../src/inspect/drawing/chart.js';
import type { Place } from '../../../src/inspect/feed.js';
import { indexOf, innermost } from './places.js';

export interface Taking {
  readonly event: string;
  readonly before: Place;
  readonly after: Place;
}

/** @returns ids of transitions, in the order of the chart's regions */
export function inferTaken(chart: Chart, taking: Taking): readonly string[] {
  const { event, before, after } = taking;
  const entered = after.filter((number) => !before.includes(number));
  const taken = new Set<ChartTransition>();
  if (event !== 'xstate.init') {
    for (const leaf of innermost(chart, before)) {
      const found = fromLeaf(chart, leaf, taking);
      if (found) taken.add(found);
    }
  }
  const explained = new Set([...taken].flatMap((transition) => reachedBy(chart, transition)));
  for (const number of entered) {
    if (explained.has(number)) continue;
    const found = following(chart, number, taking);
    if (!found) continue;
    taken.add(found);
    for (const reached of reachedBy(chart, found)) explained.add(reached);
  }
  return [...taken].map(({ id }) => id);
}

function fromLeaf(chart: Chart, leaf: number, { event, after }: Taking): ChartTransition | undefined {
  const { around } = indexOf(chart);
  for (const number of [leaf, ...[...around[leaf]!].reverse(), 0]) {
    const { id } = chart.states[number]!;
    const all = chart.transitions.filter((one) => one.source === id && matches(one.event, event));
    const fits = all.filter((one) => canLeadTo(chart, one, number, after));
    if (fits.length > 0) return only(fits);
    // Taken inside of the state, and then left by what it raised.
    const inside = all.filter(({ targets }) => targets.length === 0);
    if (inside.length > 0) return only(inside);
    // One without a guard is always taken, so nothing further out had its turn.
    if (all.some(({ guard }) => guard === null)) return undefined;
  }
  return undefined;
}

function canLeadTo(chart: Chart, { targets }: ChartTransition, source: number, after: Place): boolean {
  if (targets.length === 0) return source === 0 || after.includes(source);
  const { numbers } = indexOf(chart);
  return targets.every((id) => after.includes(actualTarget(chart, numbers.get(id) ?? -1)));
}

/** A history state is never active: where it leads is inside of its parent. */
function actualTarget(chart: Chart, number: number): number {
  const state = chart.states[number];
  return state?.type === 'history' ? (indexOf(chart).numbers.get(state.parent ?? '') ?? -1) : number;
}

/** Only, but for others that draw the same arrow. */
function only(fits: readonly ChartTransition[]): ChartTransition | undefined {
  const [first, ...others] = fits;
  const isSame = ({ targets }: ChartTransition) => targets.join() === first!.targets.join();
  return others.every(isSame) ? first : undefined;
}

/** States that are active because of it: its targets, what is around them, and what is inside. */
function reachedBy(chart: Chart, { targets }: ChartTransition): number[] {
  const { numbers, around } = indexOf(chart);
  return targets.flatMap((id) => {
    const number = numbers.get(id);
    if (number === undefined) return [];
    const inside = chart.states.flatMap((_, other) => (around[other]!.includes(number) ? [other] : []));
    return [number, ...around[number]!, ...inside];
  });
}

function following(chart: Chart, entered: number, { before, after }: Taking): ChartTransition | undefined {
  const { numbers } = indexOf(chart);
  const left = new Set(before.filter((number) => !after.includes(number)).map((number) => chart.states[number]!.id));
  const fits = chart.transitions.filter(
    ({ source, targets }) =>
      left.has(source) && targets.some((id) => numbers.get(id) === entered) && targets.length > 0,
  );
  return fits.length > 0 ? onlyFrom(fits) : undefined;
}

function onlyFrom(fits: readonly ChartTransition[]): ChartTransition | undefined {
  const [first, ...others] = fits;
  return others.every(({ source, event }) => source === first!.source && event === first!.event)
    ? only(fits)
    : undefined;
}

/** As XState matches: `*` takes all, `net.*` whatever begins with `net.`. */
function matches(pattern: string, event: string): boolean {
  if (pattern === event || pattern === '*') return true;
  return pattern.endsWith('.*') && event.startsWith(pattern.slice(0, -1));
}
