/** Which states stand for a session, where several are active. */
import { createMachine } from 'xstate';
import { expect, test } from 'vitest';
import { readChart } from '../../src/inspect/drawing/chart.js';
import { ChartNumbers } from '../../src/inspect/visualizer/chart-numbers.js';

const chart = readChart(
  createMachine({
    id: 'm',
    initial: 'open',
    states: {
      open: {
        type: 'parallel',
        states: {
          reader: { initial: 'waiting', states: { waiting: {}, parsing: { initial: 'head', states: { head: {} } } } },
          writer: { initial: 'idle', states: { idle: {}, paused: {} } },
        },
      },
      closed: { type: 'final' },
    },
  }),
);
const numbers = new ChartNumbers(chart);
const placeOf = (...paths: string[]) => paths.map((path) => chart.states.findIndex((state) => state.path === path));

test.each([
  [['closed'], 'closed', ['closed']],
  [
    ['open', 'open.reader', 'open.reader.waiting', 'open.writer', 'open.writer.paused'],
    'open.reader.waiting',
    ['open.reader.waiting', 'open.writer.paused'],
  ],
  [
    ['open', 'open.reader', 'open.reader.parsing', 'open.reader.parsing.head', 'open.writer', 'open.writer.idle'],
    'open.reader.parsing.head',
    ['open.reader.parsing.head', 'open.writer.idle'],
  ],
  [[], '', []],
])('of %j the innermost state of the first region is %j, and of all regions %j', (active, first, all) => {
  const place = placeOf(...active);
  expect(chart.states[numbers.first(place)]!.path).toBe(first);
  expect(numbers.leaves(place)).toEqual(placeOf(...all));
  // As remembered.
  expect(numbers.leaves(place)).toBe(numbers.leaves(place));
});
