/** Handlers that answer on the clock, as a session meets them. */
import { emit } from 'xstate';
import { describe, expect, test } from 'vitest';
import { simulatedHandler, type SimulatedHandlerOptions } from '../../src/testing/simulated-handler.js';
import { VirtualTime } from '../../src/time/virtual-time.js';
import { heard, labProtocol, nothingIsLeft, says } from '../session/lab.js';
import { start } from '../session/start.js';

type Ask = { readonly type: 'ASK'; readonly text: string };
type Answer = { readonly type: 'ANSWER'; readonly text: string };

const answer = ({ text }: Ask): Answer => ({ type: 'ANSWER', text: `=${text}` });

/** Each line is asked, and its ANSWER is sent; while it is waited for the chart holds. */
async function asking(options: Partial<SimulatedHandlerOptions<Ask, Answer>>) {
  const protocol = labProtocol({
    implementations: {
      actions: { ask: emit(({ event }: any) => ({ type: 'ASK', text: event.text })) },
    },
    machine: {
      initial: 'idle',
      on: {},
      states: {
        idle: { on: { LINE: 'asking' } },
        asking: { tags: 'hold', entry: 'ask', on: { ANSWER: { target: 'idle', actions: 'echo' } } },
      },
    },
    handlers: { ASK: simulatedHandler<Ask, Answer>({ answer, deadlineMs: 1_000, ...options }) },
  });
  const started = await start(protocol);
  return { ...started, started, peer: started.layer.connect() };
}

const noSession = { id: '1' } as never;
const signal = () => new AbortController().signal;

describe('a simulated handler', () => {
  test('with an answer after 250 ms answers at 250 ms, not 1 ms earlier, driven by `advanceBy` alone', async () => {
    const { time, peer, started } = await asking({ afterMs: 250 });
    says(peer, 'one', 'two');
    time.advanceBy(249);
    expect(heard(peer)).toEqual([]);
    time.advanceBy(1);
    expect(heard(peer)).toEqual(['=one']);
    time.advanceBy(250);
    expect(heard(peer)).toEqual(['=one', '=two']);
    expect(time.heldPromises).toEqual([]);
    await nothingIsLeft(started);
  });

  test('answers by default at the same moment, on the clock', async () => {
    const { time, peer, started } = await asking({});
    says(peer, 'one', 'two');
    expect(heard(peer)).toEqual([]);
    time.advanceBy(0);
    expect(heard(peer)).toEqual(['=one', '=two']);
    await nothingIsLeft(started);
  });

  test('with a time of its own for each command takes that', async () => {
    const { time, peer, started } = await asking({ afterMs: ({ text }) => Number(text) });
    says(peer, '30', '5');
    time.advanceBy(30);
    expect(heard(peer)).toEqual(['=30']);
    time.advanceBy(5);
    expect(heard(peer)).toEqual(['=30', '=5']);
    await nothingIsLeft(started);
  });

  test('that never answers comes to its deadline of 1 000 ms, not 1 ms earlier, and leaves no timer', async () => {
    const { time, peer, started, server, errors } = await asking({ afterMs: Infinity });
    says(peer, 'one');
    time.advanceBy(999);
    expect(server.sessions.size).toBe(1);
    time.advanceBy(1);
    expect(server.sessions.recent).toMatchObject([{ reason: 'protocol failed' }]);
    expect(errors).toMatchObject([{ message: expect.stringContaining('no answer to ASK within 1000 ms') }]);
    await nothingIsLeft(started);
  });

  test.each([
    [1_000, ['=one']],
    [1_001, ['late']],
  ])('with an answer after %d ms, and a deadline of 1 000, makes the peer hear %j', async (afterMs, texts) => {
    const failure = (): Answer => ({ type: 'ANSWER', text: 'late' });
    const { time, peer, started, server } = await asking({ afterMs, failure });
    says(peer, 'one');
    time.advanceBy(2_000);
    expect(heard(peer)).toEqual(texts);
    expect(server.statistics.value.answersDropped).toBe(0);
    await nothingIsLeft(started);
  });

  test('that ignores its signal answers late, which is dropped and counted', async () => {
    const failure = (): Answer => ({ type: 'ANSWER', text: 'late' });
    const { time, peer, started, server } = await asking({ afterMs: 1_500, ignoresSignal: true, failure });
    says(peer, 'one');
    time.advanceBy(1_499);
    expect(server.statistics.value.answersDropped).toBe(0);
    time.advanceBy(1);
    expect(server.statistics.value.answersDropped).toBe(1);
    expect(heard(peer)).toEqual(['late']);
    await nothingIsLeft(started);
  });

  test.each([
    ['rejects', { rejects: ({ text }: Ask) => (text === 'bad' ? new Error('refused') : undefined) }],
    ['throws when it makes its answer', { answer: (ask: Ask) => { if (ask.text === 'bad') throw new Error('refused'); return answer(ask); } }],
  ])('that %s is answered by its failure, after its time, and the next command as usual', async (_, options) => {
    const failure = (error: unknown): Answer => ({ type: 'ANSWER', text: (error as Error).message });
    const { time, peer, started } = await asking({ afterMs: 10, failure, ...options });
    says(peer, 'bad', 'good');
    time.advanceBy(9);
    expect(heard(peer)).toEqual([]);
    time.advanceBy(11);
    expect(heard(peer)).toEqual(['refused', '=good']);
    await nothingIsLeft(started);
  }); // prettier-ignore

  test('whose session is reset meanwhile takes its timer away', async () => {
    const { time, peer, started } = await asking({ afterMs: 500 });
    says(peer, 'one');
    const before = time.pendingCount;
    peer.peerResets();
    expect(time.pendingCount).toBeLessThan(before);
    time.advanceBy(1_000);
    expect(started.server.statistics.value.answersDropped).toBe(0);
    await nothingIsLeft(started);
  });

  test('that is given an event answers with it each time', async () => {
    const { time, peer, started } = await asking({ answer: { type: 'ANSWER', text: 'same' } });
    says(peer, 'one', 'two');
    time.advanceBy(0);
    expect(heard(peer)).toEqual(['same', 'same']);
    await nothingIsLeft(started);
  });
});

describe('its answer without a session', () => {
  const ask: Ask = { type: 'ASK', text: 'x' };

  test('with the option `time` calls back inside the action of the clock, and can be awaited as well', async () => {
    const time = new VirtualTime();
    const given = simulatedHandler<Ask, Answer>({ answer, afterMs: 10, deadlineMs: 100, time }).run(
      ask,
      noSession,
      signal(),
    );
    const seen: unknown[] = [];
    void given.then((event) => seen.push(event));
    time.advanceBy(9);
    expect(seen).toEqual([]);
    time.advanceBy(1);
    expect(seen).toEqual([{ type: 'ANSWER', text: '=x' }]);
    expect(await given).toEqual({ type: 'ANSWER', text: '=x' });
    await expect(given.then(() => Promise.reject(new Error('later')))).rejects.toThrow('later');
  });

  test('rejects through `await`, and without a clock says that it needs one', async () => {
    const time = new VirtualTime();
    const options = { rejects: () => new Error('no'), deadlineMs: 100 };
    const given = Promise.resolve(simulatedHandler<Ask, Answer>({ ...options, time }).run(ask, noSession, signal()));
    await Promise.resolve(); // `Promise.resolve` calls its `then` a microtask later
    time.advanceBy(0);
    await expect(given).rejects.toThrow('no');
    await expect(Promise.resolve(simulatedHandler<Ask, Answer>(options).run(ask, noSession, signal()))).rejects.toThrow(
      'simulatedHandler: the answer to ASK has no clock: give it the option `time`',
    );
  });
});

test.each<[string, object]>([
  ['simulatedHandler.deadlineMs: expected an integer from 1 to 2147483647, got undefined', {}],
  ['simulatedHandler.afterMs: expected a number of at least 0, or Infinity, got -1', { deadlineMs: 1, afterMs: -1 }],
  ['simulatedHandler.afterMs: expected a number of at least 0, or Infinity, got NaN', { deadlineMs: 1, afterMs: NaN }],
  ['simulatedHandler.delayMs: there is no such option', { deadlineMs: 1, delayMs: 5 }],
])('%s', (message, options) => {
  expect(() => simulatedHandler(options as never)).toThrow(message);
});
