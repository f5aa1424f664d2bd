/** Places, as people read them. */
import type { Chart } from '../../../src/inspect/drawing/chart.js';
import type { Place } from '../../../src/inspect/feed.js';

/** `saturated.bySessions`; of regions the innermost states of all: `output.idle + input.reading`. Empty for nowhere. */
export function innermostPath(chart: Chart | undefined, place: Place): string {
  if (!chart) return '';
  const states = place.flatMap((number) => chart.states[number] ?? []);
  const parents = new Set(states.map(({ parent }) => parent));
  return states
    .filter(({ id }) => !parents.has(id))
    .map(({ path }) => path)
    .join(' + ');
}

/** The state that holds `path`, by its number; -1 for none. */
export function stateNumber(chart: Chart, path: string): number {
  return path === '' ? -1 : chart.states.findIndex((state) => state.path === path);
}
