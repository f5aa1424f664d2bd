/** Charts without a name of their own. */
import type { Chart } from '../../../src/inspect/drawing/chart.js';

/** XState's id of a machine without one. */
const NAMELESS = '(machine)';

/** Called by what it is the chart of, where it has no name. Ids of its states stay as they are. */
export function named(chart: Chart, name: string): Chart {
  if (chart.id !== NAMELESS || name === '') return chart;
  const states = chart.states.map((state, number) => (number === 0 ? { ...state, key: name } : state));
  return { ...chart, id: name, states };
}
