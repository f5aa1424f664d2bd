/** Places of charts on a screen, as geometry: all of the project's charts, with words at their arrows and without. */
import Elk from 'elkjs/lib/elk.bundled.js';
import { describe, expect, test } from 'vitest';
import { readChart, type Chart } from '../../src/inspect/index.js';
import { textWidth } from '../../src/inspect/drawing/text-width.js';
import { Tree } from '../../visualizer/src/chart/arrows.js';
import { coarseSize } from '../../visualizer/src/chart/coarse-size.js';
import type { LayoutEngine } from '../../visualizer/src/chart/composition.js';
import { anchorsAround, freeArea } from '../../visualizer/src/chart/geometry.js';
import { NAME, PADDING_X, scaleIn, visibleStates, type LayoutChoice } from '../../visualizer/src/chart/layout-plan.js';
import { remembered } from '../../visualizer/src/chart/remembered-engine.js';
import { layOutForScreen, type ScreenLayout } from '../../visualizer/src/chart/screen-layout.js';
import { charts } from '../inspect/drawing/charts.js';
import { contains, isOnBorder, overlap, overlaps, type Area } from '../inspect/drawing/svg-geometry.js';

/** The package is CommonJS, whose types say `default`, and whose module is the class itself. */
const newEngine = () => new (Elk as unknown as new () => LayoutEngine)();
const PANEL = { width: 900, height: 600 };

const chartOf = (name: string): Chart => readChart(charts.find((one) => one.name === name)!.machine);
const layOut = (chart: Chart, choice: Partial<LayoutChoice> = {}) =>
  layOutForScreen(newEngine(), chart, { labels: 'none', counts: true, folded: [], panel: PANEL, ...choice });

const drawings = charts.flatMap(({ name, machine }) =>
  (['none', 'events'] as const).map((labels) => ({
    name: labels === 'none' ? name : `${name}, with events`,
    chart: readChart(machine),
    labels,
  })),
);

describe.each(drawings)('$name', ({ chart, labels }) => {
  const found = layOut(chart, { labels });

  test('every state is there once, inside of the one around it, and beside its siblings', async () => {
    const layout = await found;
    const states = statesOf(chart, layout);
    expect([...states.keys()]).toEqual(chart.states.map(({ id }) => id));
    for (const { id, parent } of chart.states) {
      const around = parent === null ? pageOf(layout) : states.get(parent)!;
      expect(contains(around, states.get(id)!), id).toBe(true);
      expect(overlaps(chart.states.filter((one) => one.parent === id).map((one) => states.get(one.id)!))).toEqual([]);
    }
  });

  test('every transition that leads to another state is told by an arrow, from the border of a state or a mark to the border of its target', async () => {
    const layout = await found;
    const states = statesOf(chart, layout);
    const told = new Set(layout.arrows.flatMap(({ transitions }) => transitions));
    const expected = chart.transitions.filter(({ source, targets }) => targets.some((target) => target !== source));
    expect(expected.filter(({ id }) => !told.has(id)).map(({ id }) => id)).toEqual([]);
    for (const { kind, source, target, points, mark } of layout.arrows) {
      const [from, to] = [states.get(chart.states[source]!.id)!, states.get(chart.states[target]!.id)!];
      const what = `${kind}: ${from.what} -> ${to.what}`;
      const [begin, end] = [points[0]!, points.at(-1)!];
      expect(isOnBorder([end.x, end.y], to), `${what} ends at ${end.x} ${end.y}`).toBe(true);
      const origin = mark ? { what: mark.text, ...mark } : from;
      if (kind === 'initial') continue;
      expect(isOnBorder([begin.x, begin.y], origin), `${what} begins at ${begin.x} ${begin.y}`).toBe(true);
    }
  });

  test('words at arrows and marks lie neither on each other nor on a state, and inside of the page', async () => {
    const layout = await found;
    const states = statesOf(chart, layout);
    const leaves = layout.boxes.filter(({ isOuter }) => !isOuter).map(({ number }) => chart.states[number]!.id);
    const words = layout.arrows.flatMap(({ label, mark, transitions }) =>
      [label, mark].flatMap((area) => (area ? [{ what: transitions.join(), ...area }] : [])),
    );
    expect(overlaps([...words, ...leaves.map((leaf) => states.get(leaf)!)])).toEqual([]);
    expect(words.filter((one) => !contains(pageOf(layout), one))).toEqual([]);
  });

  test('no arrow runs through the name of a state, its number, or words at another arrow', async () => {
    const layout = await found;
    const words = [
      ...namesAndNumbers(chart, layout),
      ...layout.arrows.flatMap(({ label, mark }, index) =>
        [label, mark].flatMap((area) => (area ? [{ what: `${index}`, ...area }] : [])),
      ),
    ];
    const crossed = layout.arrows.flatMap((arrow, index) =>
      words
        .filter(({ what }) => what !== `${index}`)
        .filter((word) => segmentsOf(arrow.points).some((segment) => overlap(segment, word)))
        .map(({ what }) => `${arrow.source} -> ${arrow.target} on ${what}`),
    );
    expect(crossed).toEqual([]);
  });
});

test('words at arrows that would be too small to read are left out, and states are larger for it; in a larger panel they are there', async () => {
  const chart = chartOf('chat');
  const small = { width: 540, height: 245 };
  const hasWords = ({ arrows }: ScreenLayout) => arrows.some(({ label }) => label !== null);
  const worded = await layOut(chart, { labels: 'events', panel: small });
  expect(hasWords(worded)).toBe(true);
  const chosen = await layOut(chart, { labels: 'events', panel: small, counts: false, folded: 'auto' });
  expect(hasWords(chosen)).toBe(false);
  expect(scaleIn(small, chosen)).toBeGreaterThan(scaleIn(small, worded));
  expect(hasWords(await layOut(chart, { labels: 'events', counts: false, folded: 'auto' }))).toBe(true);
});

test('words about a state are put where they cover no other one, and above it where that cannot be', () => {
  const box = { x: 100, y: 100, width: 60, height: 30 };
  const size = { width: 40, height: 20 };
  const page = { width: 400, height: 300 };
  const above = { x: 90, y: 66, width: 80, height: 30 };
  const right = { x: 170, y: 100, width: 60, height: 30 };
  const anchors = anchorsAround(box);
  expect(freeArea(anchors, size, { page, taken: [box] })).toEqual({ x: 110, y: 75, ...size });
  expect(freeArea(anchors, size, { page, taken: [box, above] })).toEqual({ x: 166, y: 105, ...size });
  expect(freeArea(anchors, size, { page, taken: [box, above, right] })).toEqual({ x: 54, y: 105, ...size });
  expect(freeArea(anchors, size, { page, taken: [{ x: 0, y: 0, ...page }] })).toEqual({ x: 110, y: 75, ...size });
});

test('the transport’s chart is shown at three quarters of its size or more in 900 by 600, so that its names are read', async () => {
  expect(scaleIn(PANEL, await layOut(chartOf('session')))).toBeGreaterThanOrEqual(0.75);
});

test('a chart that is folded shows the states around, with the arrows of what is inside at their borders', async () => {
  const chart = chartOf('session');
  const folded = ['session.halfClosed', 'session.closing'].map((id) => chart.states.findIndex((one) => one.id === id));
  const layout = await layOut(chart, { folded });
  const shown = layout.boxes.map(({ number }) => chart.states[number]!.path);
  expect(shown).toEqual([
    '',
    'accepted',
    'connected',
    'connected.flowing',
    'connected.congested',
    'halfClosed',
    'closing',
    'reset',
    'closed',
  ]);
  const drawn = layout.arrows.map(
    ({ source, target }) => `${chart.states[source]!.path} -> ${chart.states[target]!.path}`,
  );
  expect(drawn).toContain('halfClosed -> closing');
  expect(visibleStates(new Tree(chart), folded)[chart.states.length - 3]).toBe(folded[1]);
});

test('where there is little room, states are folded without being asked to be, and in a larger panel they are not', async () => {
  const chart = chartOf('media-control');
  const small = await layOut(chart, { folded: 'auto', panel: { width: 300, height: 200 } });
  const large = await layOut(chart, { folded: 'auto' });
  expect(small.boxes.length).toBeLessThan(chart.states.length);
  expect(large.boxes).toHaveLength(chart.states.length);
});

test('where the transport’s names would be smaller than 8.5 px, the state with the most inside is folded, and the others stay open', async () => {
  const chart = chartOf('session');
  const panel = { width: 600, height: 410 };
  const layout = await layOut(chart, { folded: 'auto', panel });
  expect(scaleIn(panel, layout) * NAME.size).toBeGreaterThanOrEqual(8.5);
  const folded = layout.boxes.filter(({ isFolded }) => isFolded).map(({ number }) => chart.states[number]!.path);
  expect(folded).toEqual(['halfClosed']);
});

test('a panel is taken for no larger than it is, and for at most a tenth smaller; a change of some px changes nothing', () => {
  for (const [width, height] of [[602, 414], [255, 255], [1_400, 90], [121, 1_000]] as const) {
    const size = coarseSize({ width, height }, undefined);
    for (const [room, taken] of [[width, size.width], [height, size.height]] as const) {
      expect(taken).toBeLessThanOrEqual(room);
      expect(taken).toBeGreaterThan(room / 1.1 - 1);
    }
    expect(coarseSize({ width: width + 3, height: height + 3 }, size)).toBe(size);
    expect(coarseSize({ width: size.width - 1, height }, size).width).toBeLessThan(size.width);
    expect(coarseSize({ width: width * 1.3, height }, size).width).toBeGreaterThan(size.width);
  }
}); // prettier-ignore

test('the same chart and panel give the same places', async () => {
  const chart = chartOf('client');
  expect(await layOut(chart)).toEqual(await layOut(chart));
});

function statesOf(chart: Chart, { boxes }: ScreenLayout): Map<string, Area> {
  return new Map(
    boxes.map(({ number, x, y, width, height }) => {
      const { id } = chart.states[number]!;
      return [id, { what: id, x, y, width, height }];
    }),
  );
}

function namesAndNumbers(chart: Chart, { boxes }: ScreenLayout): Area[] {
  return boxes.flatMap(({ number, x, y, width }) => {
    const { key, type } = chart.states[number]!;
    if (type === 'history') return [];
    const [top, height] = [y + 6, 16];
    const name = { what: key, x: x + PADDING_X, y: top, width: textWidth(key, NAME), height };
    return [name, { what: `the number of ${key}`, x: x + width - PADDING_X - 40, y: top, width: 40, height }];
  });
}

function pageOf({ width, height }: ScreenLayout): Area {
  return { what: 'page', x: 0, y: 0, width, height };
}

function segmentsOf(points: ScreenLayout['arrows'][number]['points']): Area[] {
  return points.slice(1).map((to, index) => {
    const from = points[index]!;
    const [x, y] = [Math.min(from.x, to.x), Math.min(from.y, to.y)];
    return { what: '', x, y, width: Math.abs(to.x - from.x), height: Math.abs(to.y - from.y) };
  });
}

describe('levels that were laid out before', () => {
  /** Counts what it has found places for: ELK fails at some levels in one direction. */
  function counting(engine: LayoutEngine) {
    const found: string[] = [];
    const counted: LayoutEngine = {
      layout: async (graph) => {
        const text = JSON.stringify(graph);
        const places = await engine.layout(graph);
        found.push(text);
        return places;
      },
    };
    return { found, counted };
  }

  test('are not laid out again, and the places are the same: for words, for a panel of another size, and for folded states', async () => {
    const { found, counted } = counting(newEngine());
    const engine = remembered(counted);
    const chart = chartOf('session');
    for (const choice of [
      {},
      { panel: { width: 500, height: 400 }, folded: 'auto' },
      { panel: { width: 340, height: 420 }, folded: 'auto' },
      { panel: { width: 480, height: 380 }, folded: 'auto' },
    ] as const) {
      const whole = { labels: 'none', counts: true, folded: [], panel: PANEL, ...choice } as const;
      expect(await layOutForScreen(engine, chart, whole)).toEqual(await layOut(chart, choice));
    }
    expect(found.length).toBeGreaterThan(10);
    expect(new Set(found).size).toBe(found.length);
    const before = found.length;
    await layOutForScreen(engine, chart, {
      labels: 'none',
      counts: true,
      folded: [],
      panel: { width: 2_000, height: 200 },
    });
    // What is around the chart itself, in its full and in its terse form.
    expect(found.length).toBeLessThanOrEqual(before + 2);
  });

  test('one that failed is tried again; of the others the last 600 are known', async () => {
    let fails = true;
    const { found, counted } = counting({
      layout: (graph) => (fails ? Promise.reject(new Error('no places')) : Promise.resolve(graph)),
    });
    const engine = remembered(counted);
    await expect(engine.layout({ id: 'a' })).rejects.toThrow('no places');
    fails = false;
    await expect(engine.layout({ id: 'a' })).resolves.toEqual({ id: 'a' });
    expect(found).toHaveLength(1);
    for (let number = 0; number < 599; number += 1) await engine.layout({ id: `${number}` });
    await engine.layout({ id: 'a' });
    expect(found).toHaveLength(600);
    await engine.layout({ id: 'b' });
    await engine.layout({ id: 'a' });
    expect(found).toHaveLength(601);
    await engine.layout({ id: '0' });
    expect(found).toHaveLength(602);
  });
});
