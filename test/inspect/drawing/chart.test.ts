/** A chart as plain data. */
import { createMachine } from 'xstate';
import { describe, expect, test } from 'vitest';
import { readChart, type Chart } from '../../../src/inspect/index.js';
import { charts, everything } from './charts.js';

describe.each(charts)('$name', ({ machine }) => {
  const chart = readChart(machine);

  test('is JSON, and the same object each time', () => {
    expect(JSON.parse(JSON.stringify(chart))).toEqual(chart);
    expect(readChart(machine)).toBe(chart);
  });

  test('names no state that it does not have, and has no id twice', () => {
    const ids = chart.states.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(new Set(chart.transitions.map(({ id }) => id)).size).toBe(chart.transitions.length);
    const named = [
      ...chart.states.flatMap(({ parent, initial, historyTargets }) => [
        ...(parent === null ? [] : [parent]),
        ...(initial?.targets ?? []),
        ...historyTargets,
      ]),
      ...chart.transitions.flatMap(({ source, targets }) => [source, ...targets]),
    ];
    expect(named.filter((id) => !ids.includes(id))).toEqual([]);
    expect(chart.states.filter(({ parent }) => parent === null).map(({ id }) => id)).toEqual([chart.states[0]!.id]);
  });
});

test('a door, as a whole', () => {
  const door = createMachine({
    id: 'door',
    initial: 'closed',
    states: {
      closed: {
        tags: 'safe',
        entry: 'beep',
        on: { OPEN: { target: 'open', guard: 'isUnlocked', actions: { type: 'log', params: { level: 2 } } } },
      },
      open: { after: { 500: 'closed' }, description: 'for 500 ms' },
    },
  });
  const none = { history: null, historyTargets: [], exit: [], invokes: [] };
  expect(readChart(door)).toEqual({
    version: 1,
    id: 'door',
    states: [
      {
        ...none,
        id: 'door',
        key: 'door',
        path: '',
        type: 'compound',
        parent: null,
        initial: { targets: ['door.closed'], actions: [] },
        tags: [],
        entry: [],
        description: null,
      },
      {
        ...none,
        id: 'door.closed',
        key: 'closed',
        path: 'closed',
        type: 'atomic',
        parent: 'door',
        initial: null,
        tags: ['safe'],
        entry: [{ name: 'beep' }],
        description: null,
      },
      {
        ...none,
        id: 'door.open',
        key: 'open',
        path: 'open',
        type: 'atomic',
        parent: 'door',
        initial: null,
        tags: [],
        entry: [],
        description: 'for 500 ms',
      },
    ],
    transitions: [
      {
        id: 'door.closed 0',
        source: 'door.closed',
        kind: 'event',
        event: 'OPEN',
        label: 'OPEN',
        delay: null,
        guard: { type: 'named', name: 'isUnlocked' },
        targets: ['door.open'],
        actions: [{ name: 'log', params: { level: 2 } }],
        reenter: false,
        description: null,
      },
      {
        id: 'door.open 0',
        source: 'door.open',
        kind: 'after',
        event: 'xstate.after.500.door.open',
        label: 'after 500 ms',
        delay: 500,
        guard: null,
        targets: ['door.closed'],
        actions: [],
        reenter: false,
        description: null,
      },
    ],
  } satisfies Chart);
});

describe('the chart with everything', () => {
  const chart = readChart(everything);
  const state = (path: string) => chart.states.find((one) => one.path === path)!;
  const of = (path: string) => chart.transitions.filter(({ source }) => source === state(path).id);

  test('what XState adds for an `after` is not among the actions of its state', () => {
    expect(state('first')).toMatchObject({ entry: [], exit: [] });
    expect(
      of('first')
        .filter(({ kind }) => kind === 'after')
        .map(({ label, delay }) => [label, delay]),
    ).toEqual([
      ['after 1500 ms', 1500],
      ['after patience', 'patience'],
      ['after patience', 'patience'],
    ]);
  });

  test('code without a name is in brackets, with what is known of it', () => {
    expect(state('work').entry).toEqual([{ name: '(emit FLUSH)' }]);
    expect(state('work').exit).toEqual([{ name: '(assign)' }]);
    expect(
      of('first')
        .filter(({ event }) => event === 'GO')
        .map(({ guard }) => guard),
    ).toEqual([
      { type: 'named', name: 'says', params: 'boo "who"?' },
      {
        type: 'or',
        guards: [
          {
            type: 'and',
            guards: [
              { type: 'named', name: 'isOdd' },
              { type: 'not', guard: { type: 'named', name: 'isEven' } },
            ],
          },
          { type: 'in', state: 'work.one.a' },
        ],
      },
      { type: 'code', name: '' },
    ]);
  });

  test('a history leads to its own target, or says that it has none', () => {
    expect(state('remembering.back')).toMatchObject({
      type: 'history',
      history: 'deep',
      historyTargets: [state('remembering.f').id],
    });
    expect(state('remembering.shallow')).toMatchObject({ history: 'shallow', historyTargets: [] });
  });

  test('the ends of states and actors are called by what ends', () => {
    expect(
      of('work')
        .filter(({ kind }) => kind === 'done')
        .map(({ label }) => label),
    ).toEqual(['done']);
    expect(
      of('remembering')
        .filter(({ kind }) => kind !== 'event')
        .map(({ kind, label }) => [kind, label]),
    ).toEqual([
      ['done', 'done look'],
      ['error', 'error look'],
    ]);
    expect(of('work.one.b').map(({ kind, event, label }) => [kind, event, label])).toEqual([['always', '', 'always']]);
  });
});

test('params that JSON has no word for are as a recording keeps them', () => {
  const machine = createMachine({
    entry: { type: 'send', params: { bytes: Uint8Array.of(1, 2), when: undefined, done: () => {} } },
  });
  expect(readChart(machine).states[0]!.entry).toEqual([
    { name: 'send', params: { bytes: { $bytes: 'AQI=' }, when: { $undefined: true }, done: { $function: 'done' } } },
  ]);
});
