/** How warm each state of a chart is, and what it says: by how many are in it, for how long, or how many come. */
import type { Chart } from '../../../src/inspect/drawing/chart.js';
import type { StateAges } from '../../../src/inspect/visualizer/messages.js';
import type { PerState } from '../connection/overview.js';
import { durationText, rateText } from '../design/text.js';

export type HeatOf = 'population' | 'age' | 'arrivals';

export const HEATS: readonly {
  readonly id: HeatOf;
  readonly name: string;
  readonly few: string;
  readonly many: string;
}[] = [
  { id: 'population', name: 'population', few: 'few', many: 'many' },
  { id: 'age', name: 'median age in state', few: 'short', many: 'long' },
  { id: 'arrivals', name: 'arrivals each second', few: 'seldom', many: 'often' },
];

export interface Heat {
  /** 0 to 1, by a state's number. */
  readonly heat: readonly number[];
  /** Instead of the number of sessions; `undefined`: that number. */
  readonly texts: readonly string[] | undefined;
}

export function heatOf(
  chart: Chart,
  what: HeatOf,
  { counts, ages, arrivals }: { counts: PerState; ages: readonly StateAges[]; arrivals: PerState },
): Heat {
  if (what === 'age') {
    const medians = new Map(ages.map(({ state, p50Ms }) => [state, p50Ms]));
    // Ages of one chart go from milliseconds to days: each tenfold is a step of the same size.
    const warmth = (ms: number) => Math.log10(1 + ms / 10);
    const most = Math.max(0, ...[...medians.values()].map(warmth));
    return {
      heat: chart.states.map((_, state) => share(warmth(medians.get(state) ?? 0), most)),
      texts: chart.states.map((_, state) => (medians.has(state) ? durationText(medians.get(state)!) : '')),
    };
  }
  const values = what === 'population' ? counts : arrivals;
  // The chart itself has all sessions, and says nothing about where they are.
  const most = what === 'population' ? (counts[0] ?? 0) : Math.max(0, ...values.slice(1));
  return {
    // A few hundred of 20 000 are still to be seen.
    heat: chart.states.map((_, state) => (state === 0 ? 0 : Math.sqrt(share(values[state] ?? 0, most)))),
    texts: what === 'population' ? undefined : chart.states.map((_, state) => arrivalsText(values[state] ?? 0)),
  };
}

export function sessionsIn(chart: Chart, counts: PerState): readonly number[] {
  return chart.states.map((_, state) => counts[state] ?? 0);
}

function arrivalsText(perSecond: number): string {
  return perSecond === 0 ? '' : `${rateText(perSecond)}/s`;
}

function share(value: number, most: number): number {
  return most > 0 ? Math.min(1, value / most) : 0;
}
