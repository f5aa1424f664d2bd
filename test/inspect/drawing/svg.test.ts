/** Pictures of charts, as geometry: read back from the file, with the widths that texts may take at most. */
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { drawChart, readChart, type Chart } from '../../../src/inspect/index.js';
import { charts, everything } from './charts.js';
import { contains, geometryOf, isOnBorder, overlap, overlaps } from './svg-geometry.js';

const drawings = charts.flatMap(({ name, machine }) =>
  [false, true].map((actions) => ({
    name: actions ? `${name}, with actions` : name,
    chart: readChart(machine),
    actions,
  })),
);

describe.each(drawings)('$name', ({ chart, actions }) => {
  const drawing = drawChart(chart, { format: 'svg', actions });

  test('no two texts overlap, and each is inside of its box', async () => {
    const { texts } = geometryOf(await drawing);
    expect(texts.length).toBeGreaterThan(0);
    expect(overlaps(texts)).toEqual([]);
    for (const text of texts) expect(contains(text.within, text), text.what).toBe(true);
  });

  test('every state is there once, inside of the one around it, and beside its siblings', async () => {
    const { page, states } = geometryOf(await drawing);
    expect([...states.keys()].sort()).toEqual(chart.states.map(({ id }) => id).sort());
    for (const { id, parent } of chart.states) {
      const around = parent === null ? page : states.get(parent)!;
      expect(contains(around, states.get(id)!), id).toBe(true);
      const siblings = chart.states.filter((other) => other.parent === id).map((other) => states.get(other.id)!);
      expect(overlaps(siblings)).toEqual([]);
    }
  });

  test('every transition with a target has its arrow, from the border of its source to the border of its target', async () => {
    const { arrows } = geometryOf(await drawing);
    const expected = new Set(
      chart.transitions.flatMap(({ source, targets }) => targets.map((target) => `${source} -> ${target}`)),
    );
    const drawn = new Set(arrows.map(({ what }) => what));
    expect([...expected].filter((arrow) => !drawn.has(arrow))).toEqual([]);
    for (const { what, from, to, begin, tip } of arrows) {
      expect(isOnBorder(begin, from), `${what} begins at ${begin.join()}`).toBe(true);
      expect(isOnBorder(tip, to), `${what} ends at ${tip.join()}`).toBe(true);
    }
  });

  test('no label lies on another, on a state that has none inside, or outside of the page', async () => {
    const { page, labels, states } = geometryOf(await drawing);
    expect(overlaps(labels)).toEqual([]);
    const leaves = leavesOf(chart).map((id) => states.get(id)!);
    for (const label of labels) {
      expect(leaves.filter((leaf) => overlap(label, leaf)).map(({ what }) => `${label.what} on ${what}`)).toEqual([]);
      expect(contains(page, label), label.what).toBe(true);
    }
  });

  test('no arrow runs through the words of a state', async () => {
    const { arrows, texts, labels } = geometryOf(await drawing);
    const words = texts.filter(({ within }) => !labels.some(({ x, y }) => x === within.x && y === within.y));
    const crossed = arrows.flatMap(({ what, segments }) =>
      words
        .filter((word) => segments.some((segment) => overlap(segment, word)))
        .map((word) => `${what} on ${word.what}`),
    );
    expect(crossed).toEqual([]);
  });

  test('drawn again, also after other charts, it is the same byte for byte', async () => {
    await drawChart(everything);
    expect(await drawChart(chart, { format: 'svg', actions })).toBe(await drawing);
  });
});

function leavesOf({ states }: Chart): string[] {
  return states.filter(({ id }) => !states.some(({ parent }) => parent === id)).map(({ id }) => id);
}

test('the picture of the chart with everything is the one that is kept beside this test, on every version of Node', async () => {
  const file = fileURLToPath(new URL('everything.svg', import.meta.url));
  await expect(await drawChart(everything, { actions: true })).toMatchFileSnapshot(file);
});

test('a picture needs nothing from elsewhere, says what it shows, and has colours for light and for dark', async () => {
  const svg = await drawChart(charts.find(({ name }) => name === 'knock-knock')!.machine);
  expect(svg.match(/https?:\/\/[^"]+/g)).toEqual(['http://www.w3.org/2000/svg']);
  expect(svg).not.toMatch(/<script|<image|href=|url\(|@import/);
  expect(svg).toContain('role="img"');
  expect(svg).toContain(
    '3 states and 4 transitions. It begins in knocking. States: knocking, naming, leaving (final).',
  );
  expect(svg.match(/@media \(prefers-color-scheme:dark\)/g)).toHaveLength(1);
});

test('what only timeouts lead along is dotted, a final state has a ring, regions have dashed lines between them', async () => {
  const knocks = await drawChart(charts.find(({ name }) => name === 'knock-knock')!.machine);
  // From `knocking` alone: that from `naming` is shared with a LINE.
  expect(knocks.match(/<g class="arrow timed"/g)).toHaveLength(1);
  expect(knocks.match(/class="ring"/g)).toHaveLength(1);
  const client = await drawChart(charts.find(({ name }) => name === 'client')!.machine);
  expect(client.match(/<g class="arrow timed"/g)).toHaveLength(4);
  const media = await drawChart(charts.find(({ name }) => name === 'media-control')!.machine);
  expect(media.match(/<path class="divider"/g)).toHaveLength(5);
});

test('without actions none is shown; with them those of entry, exit and transitions are', async () => {
  const { machine } = charts.find(({ name }) => name === 'knock-knock')!;
  const plain = geometryOf(await drawChart(machine)).texts.map(({ what }) => what);
  const full = geometryOf(await drawChart(machine, { actions: true })).texts.map(({ what }) => what);
  expect(plain.filter((text) => text.includes('say'))).toEqual([
    `LINE [says "who's there?"]`,
    'LINE [says "boo who?"]',
  ]);
  expect(full).toContain('entry / say "Boo."');
});
