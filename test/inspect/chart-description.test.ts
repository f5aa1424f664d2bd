/** A chart in words and hashes: what counts as a change, and what does not. */
import { assign, emit, setup, type AnyStateMachine } from 'xstate';
import { describe, expect, test } from 'vitest';
import { sessionMachine } from '../../machines/session.js';
import { chartChanges, describeChart } from '../../src/inspect/chart-description.js';

interface Parts {
  readonly states?: object;
  readonly isReady?: () => boolean;
  readonly context?: object;
}

const STATES = {
  idle: { on: { GO: [{ guard: 'isReady', target: 'busy' }, { actions: 'count' }] } },
  busy: { entry: 'answer' },
};

const chart = ({ states = STATES, isReady = () => true, context = { count: 0 } }: Parts = {}) =>
  setup({
    guards: { isReady },
    actions: {
      count: assign({ count: ({ context }: { context: { count?: number } }) => (context.count ?? 0) + 1 } as never),
      answer: emit({ type: 'SEND' }),
    },
    delays: { longTimeout: 1_000 },
  } as never).createMachine({ id: 'it', context, initial: 'idle', states } as never) as unknown as AnyStateMachine;

const changes = (parts: Parts) => chartChanges(describeChart(chart()), describeChart(chart(parts)));

test('the same chart made twice has the same description', () => {
  expect(describeChart(chart())).toEqual(describeChart(chart()));
  expect(changes({})).toEqual([]);
});

test('a description says a state in words', () => {
  expect(describeChart(chart()).states).toMatchObject({
    idle: { type: 'atomic', 'on GO': 'target busy [isReady]; stays count' },
    busy: { entry: 'answer' },
  });
});

test('every state and every named piece of code of the session chart is in its description', () => {
  const { states, code } = describeChart(sessionMachine);
  expect(states['connected.congested']?.['on xstate.after.sendLookTimeout.session.connected.congested']).toMatch(
    /^target connected.congested .*reenter$/,
  );
  expect(Object.keys(code)).toEqual(
    expect.arrayContaining(['guard isLastWait', 'action armFrameTimeout', 'delay closeTimeout', 'initial context']),
  );
});

describe('what has changed is said', () => {
  test('another target', () => {
    const states = { ...STATES, idle: { on: { GO: [{ guard: 'isReady', target: 'idle' }, { actions: 'count' }] } } };
    expect(changes({ states })).toEqual([
      'state idle: on GO had target busy [isReady]; stays count, now target idle [isReady]; stays count',
    ]);
  });

  test('a state that is new, and one that is gone', () => {
    const states = { idle: STATES.idle, busy: STATES.busy, late: {} };
    expect(changes({ states })).toEqual(['state late is new']);
    expect(chartChanges(describeChart(chart({ states })), describeChart(chart()))).toEqual(['state late is gone']);
  });

  test('an event that is handled no more, an entry action, a timeout', () => {
    const states = { idle: { after: { longTimeout: 'busy' } }, busy: {} };
    expect(changes({ states })).toEqual([
      'state idle: on GO had target busy [isReady]; stays count, now nothing',
      'state idle: entry had nothing, now raise ' + afterHash(states),
      'state idle: exit had nothing, now cancel ' + afterHash(states, 'exit'),
      'state idle: on xstate.after.longTimeout.it.idle had nothing, now target busy',
      'state busy: entry had answer, now nothing',
    ]);
  });

  test('the code of a guard, named', () => {
    expect(changes({ isReady: () => false })).toEqual(['the guard isReady has other code']);
  });

  test('the initial context', () => {
    expect(changes({ context: { count: 1 } })).toEqual(['the initial context has other code']);
  });
});

/** Hashes are hashes: which one is not the point, only that the line is there. */
function afterHash(states: object, part = 'entry'): string {
  return describeChart(chart({ states })).states['idle']![part]!.split(' ')[1]!;
}
