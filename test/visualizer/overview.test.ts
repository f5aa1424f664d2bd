import { expect, test } from 'vitest';
import { readChart } from '../../src/inspect/drawing/chart.js';
import type { Sample } from '../../src/inspect/visualizer/messages.js';
import { sessionMachine } from '../../machines/session.js';
import {
  NO_OVERVIEW,
  SAMPLES_MAX,
  withAges,
  withOverview,
  withSamples,
} from '../../visualizer/src/connection/overview.js';
import { heatOf } from '../../visualizer/src/overview/heat.js';
import { ratesOf, seriesOf } from '../../visualizer/src/overview/rates.js';

const tick = (atMs: number, more: object = {}) =>
  ({ type: 'overview', source: 'chat', atMs, sessions: 3, ...more }) as const;

const sample = (seconds: number, more: Partial<Sample> = {}): Sample => ({
  atMs: seconds * 1_000,
  sessions: 1,
  accepted: 0,
  closed: 0,
  refused: 0,
  bytesReceived: 0,
  bytesSent: 0,
  waitTimeouts: 0,
  errors: 0,
  loopDelayMs: 0,
  ...more,
});

const TOTALS = {
  accepted: 1,
  refused: 0,
  closed: 0,
  bytesReceived: 0,
  bytesSent: 0,
  bytesDropped: 0,
  reasons: {},
  errors: 0,
  sweeps: 0,
};

const samples = (list: readonly Sample[]) =>
  ({ type: 'samples', source: 'chat', samples: list, totals: TOTALS, startedAtMs: 5 }) as const;

test('a tick changes the states that it names and leaves every other as it was', () => {
  const first = withOverview(NO_OVERVIEW, tick(100, { counts: { session: [0, 3, 2, 1], protocol: [1, 3] } }));
  const second = withOverview(first, tick(200, { counts: { session: [2, 2], protocol: [] } }));

  expect(second.counts.session).toEqual([3, 0, 2]);
  expect(second.counts.protocol).toBe(first.counts.protocol);
  expect(second.places).toBe(first.places);
});

test('arrivals are those of the last seconds, each second, and older ones are forgotten', () => {
  const entered = (count: number) => ({ entered: { session: [1, count], protocol: [] } });
  let overview = withOverview(NO_OVERVIEW, tick(0, entered(100)));
  for (let second = 1; second <= 4; second += 1)
    overview = withOverview(overview, tick(second * 1_000, entered(100 + second * 20)));
  expect(overview.arrivals.session[1]).toBe(20);

  for (let second = 5; second <= 20; second += 1) overview = withOverview(overview, tick(second * 1_000));
  expect(overview.arrivals.session[1]).toBe(0);
});

test('one later sample goes on from those before, and several are the whole past', () => {
  const past = withSamples(NO_OVERVIEW, samples([sample(1), sample(2)]));
  const next = withSamples(past, samples([sample(3)]));
  expect(next.samples.map(({ atMs }) => atMs)).toEqual([1_000, 2_000, 3_000]);

  const again = withSamples(next, samples([sample(2), sample(3)]));
  expect(again.samples).toHaveLength(2);

  // A server that has been started again counts its time from 0.
  expect(withSamples(next, samples([sample(1)])).samples).toHaveLength(1);
});

test('no more than two minutes of samples are kept', () => {
  let overview = NO_OVERVIEW;
  for (let second = 0; second < 300; second += 1) overview = withSamples(overview, samples([sample(second)]));

  expect(overview.samples).toHaveLength(SAMPLES_MAX);
  expect(overview.samples.at(-1)!.atMs).toBe(299_000);
});

test('rates are differences of totals over the time between two samples', () => {
  const rates = ratesOf('server');
  const { x, y } = seriesOf(
    [sample(0, { accepted: 10 }), sample(2, { accepted: 30 }), sample(3, { accepted: 30 })],
    rates,
  );

  expect(x).toEqual([-1, 0]);
  expect(y[rates.findIndex(({ id }) => id === 'accepted')]).toEqual([10, 0]);
});

test('seconds in which nothing was told are a gap and not a rate', () => {
  const rates = ratesOf('client');
  const { y } = seriesOf([sample(0), sample(10, { accepted: 500 }), sample(11, { accepted: 501 })], rates);

  expect(y[rates.findIndex(({ id }) => id === 'accepted')]).toEqual([null, 1]);
  expect(rates.map(({ name }) => name)).toContain('connects/s');
  expect(rates.map(({ id }) => id)).not.toContain('refused');
});

test('few among many sessions still show as warmth, and the chart itself has none', () => {
  const chart = readChart(sessionMachine);
  const accepted = chart.states.findIndex(({ path }) => path === 'accepted');
  const counts = chart.states.map((_, state) => (state === 0 ? 20_000 : state === accepted ? 200 : 0));
  const { heat, texts } = heatOf(chart, 'population', { counts, ages: [], arrivals: [] });

  expect(heat[0]).toBe(0);
  expect(heat[accepted]).toBeCloseTo(0.1);
  expect(texts).toBeUndefined();
});

test('by age, the state with the oldest median is the warmest, and each says its median', () => {
  const chart = readChart(sessionMachine);
  const of = (state: number, p50Ms: number) => ({ state, count: 1, p50Ms, p99Ms: p50Ms, oldestMs: p50Ms });
  const { ages } = withAges(NO_OVERVIEW, {
    type: 'ages',
    source: 'chat',
    atMs: 1,
    session: [of(1, 90), of(3, 99_990)],
    protocol: [],
    stuck: [],
  });
  const { heat, texts } = heatOf(chart, 'age', { counts: [], ages: ages.session, arrivals: [] });

  expect(heat[3]).toBe(1);
  expect(heat[1]).toBeCloseTo(0.25, 1);
  expect([texts?.[1], texts?.[2], texts?.[3]]).toEqual(['90\u00a0ms', '', '1:39']);
});
