/**
 * How a state looks in its cells: a colour for the outermost state that it is in, and a filling for the state itself, so that a crowd is seen
 * at once, and neighbours differ without their colours too.
 */
import type { Chart, ChartState } from '../../../src/inspect/drawing/chart.js';

export type Filling = 'frame' | 'full' | 'half' | 'dot' | 'bar';

export interface CellStyle {
  readonly state: number;
  readonly path: string;
  /** A series token. */
  readonly colour: string;
  readonly filling: Filling;
}

const COLOURS = ['--series-6', '--series-1', '--series-4', '--series-3', '--series-2', '--series-5'];
const FILLINGS: readonly Filling[] = ['frame', 'full', 'half', 'dot', 'bar'];

/** Of the outermost states that the transport's chart has: where it ends badly, it is red. */
const TRANSPORT_COLOURS: Readonly<Record<string, string>> = {
  closing: '--series-2',
  reset: '--series-5',
  closed: '--series-3',
};

/** Below that many groups nothing would stand out: then it is the states inside that give the colour. */
const GROUPS_MIN = 3;

/** Of all states that a cell can be in, which is the innermost one of the first region. */
export function cellStyles(chart: Chart, isTransport = false): readonly CellStyle[] {
  const byId = new Map(chart.states.map((state) => [state.id, state]));
  const shown = chart.states
    .map((state, number) => ({ path: state.path || state.key, state, number }))
    .filter(({ state }) => (state.type === 'atomic' || state.type === 'final') && isInFirstRegion(chart, byId, state));
  const groupOf = groupsOf(shown.map(({ path }) => path));
  const groups = new Map<string, number>();
  return shown.map(({ path, number }) => {
    const name = groupOf(path);
    const inGroup = groups.get(name) ?? 0;
    groups.set(name, inGroup + 1);
    const group = [...groups.keys()].indexOf(name);
    return {
      state: number,
      path,
      colour: (isTransport && TRANSPORT_COLOURS[name]) || COLOURS[group % COLOURS.length]!,
      filling: FILLINGS[(group + inGroup) % FILLINGS.length]!,
    };
  });
}

function groupsOf(paths: readonly string[]): (path: string) => string {
  const upTo = (depth: number) => (path: string) => path.split('.').slice(0, depth).join('.');
  let depth = 1;
  while (new Set(paths.map(upTo(depth))).size < Math.min(GROUPS_MIN, paths.length)) depth += 1;
  return upTo(depth);
}

function isInFirstRegion(chart: Chart, byId: ReadonlyMap<string, ChartState>, state: ChartState): boolean {
  for (let at: ChartState | undefined = state; at?.parent; at = byId.get(at.parent)) {
    const parent = byId.get(at.parent);
    if (parent?.type === 'parallel' && chart.states.find((one) => one.parent === parent.id) !== at) return false;
  }
  return true;
}
