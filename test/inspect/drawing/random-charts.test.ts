/** Pictures of charts that nobody would write: whatever leads wherever, they hold to what every picture holds to. A seed makes its chart again. */
import { createMachine, type AnyStateMachine } from 'xstate';
import { expect, test } from 'vitest';
import { drawChart, readChart } from '../../../src/inspect/index.js';
import { Generator } from '../../../src/socket/simulated/generator.js';
import { contains, geometryOf, isOnBorder, overlap, overlaps } from './svg-geometry.js';

const SEEDS = Array.from({ length: 60 }, (_, index) => index + 1);
const DEPTH_MAX = 3;

interface Config {
  readonly id: string;
  readonly type?: 'parallel' | 'final';
  readonly initial?: string;
  readonly tags?: readonly string[];
  readonly states?: Readonly<Record<string, Config>>;
  readonly on: Record<string, object>;
}

/** 1 to about 25 states, up to four levels, and up to three transitions from each to any. */
function randomMachine(seed: number): AnyStateMachine {
  const chance = new Generator(seed);
  const all: Config[] = [];
  const sizeMax = 4 + chance.below(16);
  const state = (depth: number): Config => {
    const id = `state${all.length}`;
    const count = depth > DEPTH_MAX || all.length > sizeMax ? 0 : chance.below(4);
    const isParallel = count > 0 && chance.below(4) === 0;
    const tags = chance.below(3) === 0 ? [`tag ${chance.below(9)}`] : [];
    const own: Config = {
      id,
      ...(isParallel && { type: 'parallel' }),
      ...(count > 0 && !isParallel && { initial: 'part0' }),
      tags,
      states: {},
      on: {},
    };
    all.push(own);
    for (let part = 0; part < count; part += 1) Object.assign(own.states!, { [`part${part}`]: state(depth + 1) });
    return own;
  };
  const root = state(0);
  for (const { on } of all) {
    for (let left = chance.below(4); left > 0; left -= 1) {
      const target =
        chance.below(4) === 0 ? {} : { target: `#state${chance.below(all.length)}`, reenter: chance.below(2) === 0 };
      const guard = chance.below(2) === 0 ? { guard: 'isSomething' } : {};
      on[`EVENT_${chance.below(12)}`] = { ...target, ...guard, actions: 'act' };
    }
  }
  return createMachine(root as never);
}

test.each(SEEDS)(
  'seed %i: nothing overlaps, nothing sticks out, every arrow ends at its state, and it is the same again',
  async (seed) => {
    const machine = randomMachine(seed);
    const chart = readChart(machine);
    const actions = seed % 2 === 0;
    const svg = await drawChart(machine, { actions });
    const { page, states, texts, labels, arrows } = geometryOf(svg);
    expect(overlaps(texts)).toEqual([]);
    expect(overlaps(labels)).toEqual([]);
    expect(texts.filter((text) => !contains(text.within, text))).toEqual([]);
    expect(labels.filter((label) => !contains(page, label))).toEqual([]);
    expect(arrows.filter(({ begin, from, tip, to }) => !isOnBorder(begin, from) || !isOnBorder(tip, to))).toEqual([]);
    for (const { id, parent } of chart.states)
      expect(contains(parent === null ? page : states.get(parent)!, states.get(id)!), id).toBe(true);
    const leaves = chart.states
      .filter(({ id }) => !chart.states.some(({ parent }) => parent === id))
      .map(({ id }) => states.get(id)!);
    expect(labels.filter((label) => leaves.some((leaf) => overlap(label, leaf)))).toEqual([]);
    expect(arrows).toHaveLength(
      new Set(chart.transitions.flatMap(({ source, targets }) => targets.map((target) => `${source} ${target}`))).size +
        chart.states.filter(({ initial }) => initial !== null).length,
    );
    expect(await drawChart(chart, { actions })).toBe(svg);
  },
);

test('among them are charts of every size, with parallel states and arrows between levels', () => {
  const charts = SEEDS.map((seed) => readChart(randomMachine(seed)));
  expect(Math.max(...charts.map(({ states }) => states.length))).toBeGreaterThan(15);
  expect(charts.filter(({ states }) => states.some(({ type }) => type === 'parallel')).length).toBeGreaterThan(10);
  expect(charts.reduce((sum, { transitions }) => sum + transitions.length, 0)).toBeGreaterThan(400);
});
