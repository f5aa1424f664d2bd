import { emit, fromPromise, raise } from 'xstate';
import { describe, expect, test } from 'vitest';
import type { SessionInfo } from '../../src/session/protocol.js';
import { heard, labProtocol, nothingIsLeft, says, type Lab } from './lab.js';
import { microtasks, settled } from './process-errors.js';
import { start } from './start.js';

/** Each line is given to the handler of ASK, and its ANSWER is sent; while it is waited for the chart holds. */
const asking = (handler: object, more: Lab = {}): ReturnType<typeof labProtocol> =>
  labProtocol({
    implementations: {
      actions: {
        ask: emit(({ event }: any) => ({ type: 'ASK', text: event.text })),
        answer: emit(({ event }: any) => ({ type: 'SEND', message: { type: 'LINE', text: event.text } })),
      },
    },
    machine: {
      initial: 'idle',
      on: {},
      states: {
        idle: { on: { LINE: 'asking' } },
        asking: { tags: 'hold', entry: 'ask', on: { ANSWER: { target: 'idle', actions: 'answer' } } },
      },
    },
    handlers: { ASK: { deadlineMs: 1_000, ...handler } },
    ...more,
  });

/** A handler that answers when the test says so. */
function slow() {
  const pending: { text: string; signal: AbortSignal; answer(event: unknown): void; refuse(error: unknown): void }[] =
    [];
  const handler = {
    pending,
    run: ({ text }: { text: string }, _session: SessionInfo, signal: AbortSignal) =>
      new Promise((resolve, reject) => void pending.push({ text, signal, answer: resolve, refuse: reject })),
  };
  // A spread of it is the handler alone.
  return Object.defineProperty(handler, 'pending', { enumerable: false });
}

const numbered = (count: number) => Array.from({ length: count }, (_, n) => `${n}`);

describe('1 000 commands, pipelined, against an asynchronous handler', () => {
  const soon = { run: async ({ text }: { text: string }) => Promise.resolve({ type: 'ANSWER', text: `=${text}` }) };

  test.each([
    ['in one READ', 1],
    ['in 10 READs', 10],
    ['in 1 000 READs', 1_000],
  ])('%s: all are answered, in order', async (_, reads) => {
    const started = await start(asking(soon));
    const peer = started.layer.connect();
    const all = numbered(1_000);
    for (let read = 0; read < reads; read += 1)
      says(peer, ...all.slice((read * 1_000) / reads, ((read + 1) * 1_000) / reads));
    await microtasks(20_000);
    expect(heard(peer)).toEqual(all.map((text) => `=${text}`));
    expect(started.errors).toEqual([]);
    await nothingIsLeft(started);
  });

  test('cut at every 7th byte: all are answered, in order', async () => {
    const started = await start(asking(soon));
    const peer = started.layer.connect();
    const bytes = Buffer.from(numbered(1_000).join('\n') + '\n');
    for (let at = 0; at < bytes.length; at += 7) peer.read(bytes.subarray(at, at + 7));
    await microtasks(20_000);
    expect(heard(peer)).toEqual(numbered(1_000).map((text) => `=${text}`));
    await nothingIsLeft(started);
  });

  test('followed by a FIN: all are answered before our own FIN', async () => {
    const started = await start(asking(soon));
    const peer = started.layer.connect();
    says(peer, ...numbered(1_000));
    peer.peerEnds();
    expect(peer.types).not.toContain('SEND_FIN');
    await microtasks(20_000);
    expect(heard(peer)).toHaveLength(1_000);
    expect(peer.types.at(-1)).toBe('SEND_FIN');
    expect(started.server.sessions.recent.at(-1)).toMatchObject({ reason: 'peer closed', closedBy: 'fin' });
    await nothingIsLeft(started);
  });

  test('followed by a FIN, with END as the 500th is answered: the others are decoded all the same, and nothing more is sent', async () => {
    const asked: string[] = [];
    const run = async ({ text }: { text: string }) => {
      asked.push(text);
      return Promise.resolve({ type: 'ANSWER', text });
    };
    const started = await start(
      asking(
        { run },
        {
          implementations: {
            actions: {
              ask: emit(({ event }: any) => ({ type: 'ASK', text: event.text })),
              answer: emit(({ event }: any) =>
                event.text === '499' ? { type: 'END' } : { type: 'SEND', message: { type: 'LINE', text: event.text } },
              ),
            },
          },
        },
      ),
    );
    const peer = started.layer.connect();
    says(peer, ...numbered(1_000));
    peer.peerEnds();
    await microtasks(20_000);
    expect(asked).toEqual(numbered(1_000));
    expect(heard(peer)).toEqual(numbered(499));
    expect(peer.types.filter((type) => type === 'SEND_FIN')).toHaveLength(1);
    expect(started.server.sessions.recent.at(-1)).toMatchObject({ reason: 'peer closed', closedBy: 'fin' });
    expect(started.errors).toEqual([]);
    await nothingIsLeft(started);
  });

  test('with a close while the 500th is waited for: 499 answers, no further frame, the late answer dropped and counted', async () => {
    const handler = slow();
    const started = await start(asking({ ...handler }));
    const peer = started.layer.connect();
    says(peer, ...numbered(1_000));
    for (let n = 0; n < 499; n += 1) {
      handler.pending[n]!.answer({ type: 'ANSWER', text: handler.pending[n]!.text });
      await microtasks(4);
    }
    expect(handler.pending).toHaveLength(500);
    started.server.sessions.get('1')!.close('graceful');
    expect(handler.pending[499]!.signal.aborted).toBe(true);
    handler.pending[499]!.answer({ type: 'ANSWER', text: 'late' });
    await microtasks(4);
    expect(heard(peer)).toEqual(numbered(499));
    expect(handler.pending).toHaveLength(500);
    expect(started.server.statistics.value.answersDropped).toBe(1);
    expect(started.server.sessions.recent.at(-1)).toMatchObject({ reason: 'protocol asked', option: 'graceful' });
    await nothingIsLeft(started);
  });

  test('with a synchronous handler: each is answered before the next frame is decoded', async () => {
    const decoded: string[] = [];
    const started = await start(
      asking({
        run: ({ text }: { text: string }) => {
          decoded.push(text);
          return { type: 'ANSWER', text };
        },
      }),
    );
    const peer = started.layer.connect();
    says(peer, ...numbered(1_000));
    expect(decoded).toEqual(numbered(1_000));
    expect(heard(peer)).toEqual(numbered(1_000));
    expect(peer.types.filter((type) => type === 'WRITE')).toHaveLength(1);
    await nothingIsLeft(started);
  });
});

describe('input marks while the chart holds', () => {
  // Lines of 8 bytes; marks at 64 and 16 bytes.
  const marks = { highWaterMarkBytes: 64, lowWaterMarkBytes: 16, heldBytesMax: 256 };
  const eight = (count: number) => Array.from({ length: count }, (_, n) => `${n}`.padStart(7, '0'));

  test('64 bytes that wait are read on, 65 pause the socket, and 16 resume it', async () => {
    const handler = slow();
    const started = await start(asking({ ...handler }), marks);
    const peer = started.layer.connect();
    says(peer, ...eight(9)); // one is asked, 64 bytes wait
    expect(peer.paused).toBe(false);
    peer.read('x'); // 65
    expect(peer.paused).toBe(true);
    peer.read('xxxxxx\n'); // 72: nine lines
    for (let answered = 0; answered < 6; answered += 1) {
      handler.pending[answered]!.answer({ type: 'ANSWER', text: 'a' });
      await microtasks(4);
      expect(peer.paused).toBe(true); // at the sixth: three lines, 24 bytes
    }
    handler.pending[6]!.answer({ type: 'ANSWER', text: 'a' });
    await microtasks(4);
    expect(peer.paused).toBe(false); // 16 bytes
    await nothingIsLeft(started);
  });

  test('256 bytes that wait are kept, 257 end the session by RST, reason `limit`', async () => {
    const started = await start(asking({ ...slow() }), marks);
    const peer = started.layer.connect();
    says(peer, ...eight(33));
    expect(started.server.sessions.size).toBe(1);
    peer.read('x');
    expect(started.server.sessions.recent).toMatchObject([{ reason: 'limit', option: 'force', closedBy: 'rst' }]);
    expect(peer.types.at(-1)).toBe('SEND_RST');
    await nothingIsLeft(started);
  });
});

describe('a session that holds', () => {
  test('does not count waits, and counts 60 anew after the release: 6 000 ms, not 1 ms earlier', async () => {
    const handler = slow();
    const started = await start(asking({ ...handler, deadlineMs: 60_000 }));
    const { time, layer, server } = started;
    const peer = layer.connect();
    says(peer, 'x');
    await time.advanceByAsync(20_000);
    expect(server.sessions.size).toBe(1);
    handler.pending[0]!.answer({ type: 'ANSWER', text: 'x' });
    await microtasks(4);
    await time.advanceByAsync(5_999);
    expect(server.sessions.size).toBe(1);
    await time.advanceByAsync(1);
    expect(server.sessions.recent).toMatchObject([{ reason: 'wait timeout' }]);
    await nothingIsLeft(started);
  });

  test('is released by an `after` of 100 ms: the line that waited is answered at 100 ms, not 1 ms earlier', async () => {
    const started = await start(
      labProtocol({
        machine: {
          initial: 'idle',
          on: {},
          states: {
            idle: { on: { LINE: { target: 'waiting', actions: 'echo' } } },
            waiting: { tags: 'hold', after: { 100: { target: 'idle', actions: { type: 'say', params: 'go on' } } } },
          },
        },
      }),
    );
    const peer = started.layer.connect();
    says(peer, 'one', 'two');
    started.time.advanceBy(99);
    expect(heard(peer)).toEqual(['one']);
    started.time.advanceBy(1);
    expect(heard(peer)).toEqual(['one', 'go on', 'two']);
    await nothingIsLeft(started);
  });

  test('is released by an `after` that emits nothing', async () => {
    const started = await start(
      labProtocol({
        machine: {
          initial: 'waiting',
          on: {},
          states: { waiting: { tags: 'hold', after: { 100: 'idle' } }, idle: { on: { LINE: { actions: 'echo' } } } },
        },
      }),
    );
    const peer = started.layer.connect();
    says(peer, 'one', 'two');
    started.time.advanceBy(99);
    expect(heard(peer)).toEqual([]);
    started.time.advanceBy(1);
    expect(heard(peer)).toEqual(['one', 'two']);
    await nothingIsLeft(started);
  });

  test('is released by a promise that the chart invoked', async () => {
    const started = await start(
      labProtocol({
        implementations: { actors: { ask: fromPromise(() => Promise.resolve()) } },
        machine: {
          initial: 'waiting',
          on: {},
          states: {
            waiting: { tags: 'hold', invoke: { src: 'ask', onDone: 'idle' } },
            idle: { on: { LINE: { actions: 'echo' } } },
          },
        },
      }),
    );
    const peer = started.layer.connect();
    says(peer, 'one');
    await settled();
    expect(heard(peer)).toEqual(['one']);
    await nothingIsLeft(started);
  });

  test('by a timer begins to hold: lines that come later wait', async () => {
    const started = await start(
      labProtocol({
        machine: {
          initial: 'idle',
          states: { idle: { after: { 100: 'waiting' } }, waiting: { tags: 'hold', after: { 100: 'idle' } } },
        },
      }),
    );
    const peer = started.layer.connect();
    started.time.advanceBy(99);
    says(peer, 'one');
    expect(heard(peer)).toEqual(['one']);
    started.time.advanceBy(1);
    says(peer, 'two');
    expect(heard(peer)).toEqual(['one']);
    started.time.advanceBy(100);
    expect(heard(peer)).toEqual(['one', 'two']);
    await nothingIsLeft(started);
  });

  test('with a reply due when the peer sends FIN gives it first, be it after 30 s; the deadline of its handler bounds that: 60 000 ms, not 1 ms less', async () => {
    const handler = slow();
    const started = await start(asking({ ...handler, deadlineMs: 60_000 }));
    const { time, layer, server } = started;
    const [answered, silent] = [layer.connect(), layer.connect()];
    for (const peer of [answered, silent]) {
      says(peer, 'x');
      peer.peerEnds();
    }
    await time.advanceByAsync(30_000);
    expect(server.sessions.size).toBe(2);
    handler.pending[0]!.answer({ type: 'ANSWER', text: 'reply' });
    await microtasks(4);
    expect(heard(answered)).toEqual(['reply']);
    expect(answered.types).toEqual(['RESUME', 'WRITE', 'RESUME', 'FLUSH', 'SEND_FIN']);
    await time.advanceByAsync(29_999);
    expect(server.sessions.size).toBe(1);
    await time.advanceByAsync(1);
    expect(server.sessions.recent.map(({ id, reason, closedBy }) => [id, reason, closedBy])).toEqual([
      ['1', 'peer closed', 'fin'],
      ['2', 'protocol failed', 'fin'],
    ]);
    await nothingIsLeft(started);
  });

  test("after our own FIN and with the peer's FIN in: the frames that waited are handled, then it is closed", async () => {
    const handler = slow();
    const texts: string[] = [];
    const started = await start(
      asking({
        ...handler,
        run: (command: { text: string }, session: SessionInfo, signal: AbortSignal) => {
          texts.push(command.text);
          return handler.run(command, session, signal);
        },
      }, {
        machine: {
          initial: 'idle',
          on: {},
          states: {
            idle: { on: { LINE: 'asking' } },
            asking: { tags: 'hold', entry: ['ask', 'end'], on: { ANSWER: 'idle' } },
          },
        },
      }),
    ); // prettier-ignore
    const peer = started.layer.connect();
    peer.answersFin = false;
    peer.closesItself = false;
    says(peer, 'one', 'two');
    peer.peerEnds();
    for (let n = 0; n < 2; n += 1) {
      handler.pending[n]!.answer({ type: 'ANSWER', text: 'a' });
      await microtasks(4);
    }
    expect(texts).toEqual(['one', 'two']);
    expect(started.server.sessions.get('1')!.transportState).toEqual({ closing: 'lastAck' });
    await nothingIsLeft(started);
  });
});

describe('a handler', () => {
  test('with a deadline of 1 000 ms that does not answer ends its session at 1 000 ms, not 1 ms earlier, and is told by its signal', async () => {
    const handler = slow();
    const started = await start(asking({ ...handler }));
    const peer = started.layer.connect();
    says(peer, 'x');
    await started.time.advanceByAsync(999);
    expect(started.server.sessions.size).toBe(1);
    expect(handler.pending[0]!.signal.aborted).toBe(false);
    await started.time.advanceByAsync(1);
    expect(handler.pending[0]!.signal.aborted).toBe(true);
    expect(handler.pending[0]!.signal.reason).toMatchObject({ name: 'HandlerTimeoutError' });
    expect(started.server.sessions.recent).toMatchObject([{ reason: 'protocol failed' }]);
    expect(started.errors).toMatchObject([{ code: 'PROTOCOL_FAILED', session: '1' }]);
    expect(started.errors[0]!.message).toContain('no answer to ASK within 1000 ms');
    handler.pending[0]!.answer({ type: 'ANSWER', text: 'late' });
    await microtasks(4);
    expect(started.server.statistics.value.answersDropped).toBe(1);
    await nothingIsLeft(started);
  });

  test.each([
    ['a missed deadline', (_h: ReturnType<typeof slow>, advance: () => Promise<void>) => advance()],
    ['a rejection', (h: ReturnType<typeof slow>) => h.pending[0]!.refuse(new Error('no'))],
    ['a rejection with undefined', (h: ReturnType<typeof slow>) => h.pending[0]!.refuse(undefined)],
  ])('with a `failure` event answers %s with it, and the session goes on', async (_, fail) => {
    const handler = slow();
    const failure = (_error: unknown, { text }: { text: string }) => ({ type: 'ANSWER', text: `failed ${text}` });
    const started = await start(asking({ ...handler, failure }));
    const peer = started.layer.connect();
    says(peer, 'one', 'two');
    await fail(handler, () => started.time.advanceByAsync(1_000));
    await microtasks(4);
    expect(heard(peer)).toEqual(['failed one']);
    handler.pending[1]!.answer({ type: 'ANSWER', text: 'fine' });
    await microtasks(4);
    expect(heard(peer)).toEqual(['failed one', 'fine']);
    expect(started.errors).toEqual([]);
    await nothingIsLeft(started);
  });

  test('that throws at once, with a `failure` event, is answered by it before the next frame', async () => {
    const run = () => {
      throw new Error('no');
    };
    const started = await start(asking({ run, failure: () => ({ type: 'ANSWER', text: 'failed' }) }));
    const peer = started.layer.connect();
    says(peer, 'one', 'two');
    expect(heard(peer)).toEqual(['failed', 'failed']);
    await nothingIsLeft(started);
  });

  test('that answers after its deadline is dropped and counted, once, and its answer is no event', async () => {
    const handler = slow();
    const started = await start(asking({ ...handler, failure: () => ({ type: 'ANSWER', text: 'late' }) }));
    const peer = started.layer.connect();
    says(peer, 'one', 'two');
    await started.time.advanceByAsync(1_000);
    handler.pending[0]!.answer({ type: 'ANSWER', text: 'one' });
    await microtasks(4);
    expect(heard(peer)).toEqual(['late']);
    expect(started.server.statistics.value.answersDropped).toBe(1);
    await nothingIsLeft(started);
  });

  test.each([
    ['undefined', undefined],
    ['a promise of undefined', Promise.resolve(undefined)],
  ])('that answers %s says nothing: a chart that does not hold goes on', async (_, answer) => {
    const started = await start(
      labProtocol({
        implementations: { actions: { log: emit({ type: 'LOG' }) } },
        machine: { on: { LINE: { actions: ['log', 'echo'] } } },
        handlers: { LOG: { run: () => answer, deadlineMs: 100, holds: true } },
      }),
    );
    const peer = started.layer.connect();
    says(peer, 'one', 'two');
    await microtasks(4);
    await microtasks(4);
    expect(heard(peer)).toEqual(['one', 'two']);
    await nothingIsLeft(started);
  });

  test('marked `holds` keeps the next frame back until it has answered, one without it does not', async () => {
    for (const holds of [true, false]) {
      const handler = slow();
      const started = await start(
        labProtocol({
          implementations: { actions: { ask: emit(({ event }: any) => ({ type: 'ASK', text: event.text })) } },
          machine: { on: { LINE: { actions: 'ask' }, ANSWER: { actions: 'echo' } } },
          handlers: { ASK: { ...handler, deadlineMs: 1_000, holds } },
        }),
      );
      const peer = started.layer.connect();
      says(peer, 'one', 'two', 'three');
      expect(handler.pending).toHaveLength(holds ? 1 : 3);
      handler.pending[0]!.answer({ type: 'ANSWER', text: 'first' });
      await microtasks(4);
      expect(handler.pending).toHaveLength(holds ? 2 : 3);
      expect(heard(peer)).toEqual(['first']);
      expect(started.time.pendingCount).toBeGreaterThan(0);
      await nothingIsLeft(started);
    }
  });

  test("that does not hold and is waited for at the peer's FIN is answered before our FIN", async () => {
    const handler = slow();
    const started = await start(
      labProtocol({
        implementations: { actions: { ask: emit(({ event }: any) => ({ type: 'ASK', text: event.text })) } },
        machine: { on: { LINE: { actions: 'ask' }, ANSWER: { actions: 'echo' } } },
        handlers: { ASK: { ...handler, deadlineMs: 1_000 } },
      }),
    );
    const peer = started.layer.connect();
    says(peer, 'one', 'two');
    peer.peerEnds();
    handler.pending[1]!.answer({ type: 'ANSWER', text: 'second' });
    await microtasks(4);
    expect(peer.types).not.toContain('SEND_FIN');
    handler.pending[0]!.answer({ type: 'ANSWER', text: 'first' });
    await microtasks(4);
    expect(heard(peer)).toEqual(['second', 'first']);
    expect(peer.closed).toBe(true);
    await nothingIsLeft(started);
  });

  test('sees the session and is aborted when the peer resets it', async () => {
    let seen: SessionInfo | undefined;
    const handler = slow();
    const started = await start(
      asking({
        run: (command: { text: string }, session: SessionInfo, signal: AbortSignal) => {
          seen = session;
          return handler.run(command, session, signal);
        },
      }),
    );
    const peer = started.layer.connect({ address: '10.0.0.7' });
    says(peer, 'x');
    expect(seen).toMatchObject({ id: '1', key: undefined, peer: { address: '10.0.0.7' } });
    peer.peerResets();
    expect(handler.pending[0]!.signal.aborted).toBe(true);
    handler.pending[0]!.refuse(new Error('aborted'));
    await settled();
    expect(started.server.statistics.value.answersDropped).toBe(0);
    expect(started.errors).toEqual([]);
    await nothingIsLeft(started);
  });
});

test('a timer of the chart sends at once: it is written when the timer has run, without another event', async () => {
  const started = await start(
    labProtocol({
      implementations: { actions: { later: raise({ type: 'LATER' }, { delay: 50 }) } },
      machine: {
        entry: 'later',
        on: {
          LATER: {
            actions: [
              { type: 'say', params: 'one' },
              { type: 'say', params: 'two' },
            ],
          },
        },
      },
    }),
  );
  const peer = started.layer.connect();
  started.time.advanceBy(49);
  expect(heard(peer)).toEqual([]);
  started.time.advanceBy(1);
  expect(heard(peer)).toEqual(['one', 'two']);
  expect(peer.types.filter((type) => type === 'WRITE')).toHaveLength(1);
  await nothingIsLeft(started);
});
