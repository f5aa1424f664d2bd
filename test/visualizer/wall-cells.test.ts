import { expect, test } from 'vitest';
import { sessionMachine } from '../../machines/session.js';
import { readChart } from '../../src/inspect/drawing/chart.js';
import { WALL } from '../../src/inspect/visualizer/messages.js';
import { mediaControlMachine } from '../../examples/media-control/machine.js';
import { cellStyles } from '../../visualizer/src/wall/cell-styles.js';
import { Cells, EMPTY } from '../../visualizer/src/wall/cells.js';

type Pair = readonly [number: number, state: number];

function frame(kind: number, pairs: readonly Pair[]): DataView {
  const view = new DataView(new ArrayBuffer(WALL.headerBytes + pairs.length * WALL.cellBytes));
  view.setUint8(0, kind);
  view.setUint32(4, pairs.length, true);
  pairs.forEach(([number, state], index) => {
    const at = WALL.headerBytes + index * WALL.cellBytes;
    view.setUint32(at, number, true);
    view.setUint16(at + 4, state, true);
  });
  return view;
}

const statesOf = (cells: Cells) => [...cells.states.subarray(0, cells.length)];

test('nothing is shown before a frame has told all sessions', () => {
  const cells = new Cells();

  expect(cells.take(frame(WALL.changed, [[1, 4]]))).toEqual([]);
  expect(cells.length).toBe(0);
});

test('a session keeps its cell, a new one comes last, and one that is gone leaves a gap', () => {
  const cells = new Cells();
  cells.take(frame(WALL.all, [[7, 1], [8, 2]])); // prettier-ignore
  const changed = cells.take(frame(WALL.changed, [[8, 3], [9, 1], [7, EMPTY]])); // prettier-ignore

  expect(changed).toEqual([1, 2, 0]);
  expect(statesOf(cells)).toEqual([EMPTY, 3, 1]);
  expect(cells.live).toBe(2);
  expect(cells.cellOf(7)).toBe(-1);
  expect(cells.cellOf(9)).toBe(2);
});

test('a session that came and went between two frames takes no cell', () => {
  const cells = new Cells();
  cells.take(frame(WALL.all, []));

  expect(cells.take(frame(WALL.changed, [[3, EMPTY]]))).toEqual([]);
  expect(cells.length).toBe(0);
});

test('gaps close when they are more than a quarter, and the order stays', () => {
  const cells = new Cells();
  const all = Array.from({ length: 1_000 }, (_, index): Pair => [index + 1, 1]);
  cells.take(frame(WALL.all, all));

  expect(
    cells.take(
      frame(
        WALL.changed,
        all.slice(0, 250).map(([number]) => [number, EMPTY] as const),
      ),
    ),
  ).not.toBe('all');
  expect(cells.length).toBe(1_000);

  expect(cells.take(frame(WALL.changed, [[500, EMPTY]]))).toBe('all');
  expect(cells.length).toBe(749);
  expect(cells.numbers[0]).toBe(251);
  expect(cells.cellOf(501)).toBe(249);
});

test('counts per state are those of the cells, whatever has come and gone', () => {
  const cells = new Cells();
  let seed = 7;
  const random = (below: number) => (seed = (seed * 48_271) % 2_147_483_647) % below;
  cells.take(
    frame(
      WALL.all,
      Array.from({ length: 3_000 }, (_, index): Pair => [index, random(5)]),
    ),
  );
  for (let round = 0; round < 50; round += 1) {
    const pairs = Array.from({ length: 100 }, (): Pair => [random(4_000), random(6) === 5 ? EMPTY : random(5)]);
    cells.take(frame(WALL.changed, pairs));
  }

  const counted = new Map<number, number>();
  for (const state of statesOf(cells).filter((one) => one !== EMPTY)) counted.set(state, (counted.get(state) ?? 0) + 1);
  for (const [state, count] of cells.counts) expect(count).toBe(counted.get(state) ?? 0);
  expect([...counted.values()].reduce((sum, count) => sum + count, 0)).toBe(cells.live);
});

test('no two states of a chart look the same on the wall', () => {
  for (const chart of [readChart(sessionMachine), readChart(mediaControlMachine)]) {
    const looks = cellStyles(chart, chart.id === 'session').map(({ colour, filling }) => `${colour} ${filling}`);
    expect(new Set(looks).size).toBe(looks.length);
  }
});

test('only states of the first region are on the wall: a cell shows one state', () => {
  const paths = cellStyles(readChart(mediaControlMachine)).map(({ path }) => path);

  expect(paths.some((path) => path.startsWith('open.control.'))).toBe(true);
  expect(paths.some((path) => path.startsWith('open.audio.'))).toBe(false);
});
