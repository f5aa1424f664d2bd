import { assign, emit, setup } from 'xstate';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { heard, labProtocol, nothingIsLeft, says, type Lab } from './lab.js';
import { processErrors } from './process-errors.js';
import { start } from './start.js';

const process = processErrors();
beforeEach(() => process.watch());
afterEach(async () => {
  expect(await process.seen()).toEqual([]);
});

const boom = () => {
  throw new Error('boom');
};

/** Counts what it is told, and answers each ADD with the count; throws at BREAK. */
const counter = setup({
  types: {} as { context: { count: number; closed: string[] } },
  actions: {
    boom,
    add: assign({ count: ({ context }) => context.count + 1 }),
    answer: emit(({ context, event }) => ({
      type: 'DISPATCH',
      session: (event as unknown as { session: string }).session,
      event: { type: 'COUNT', text: `${context.count}` },
    })),
    all: emit(({ context }) => ({ type: 'BROADCAST', message: { type: 'LINE', text: `all ${context.count}` } })),
    wrongMessage: emit({ type: 'BROADCAST', message: { type: 'NONE' } }),
    wrongEvent: emit({ type: 'DISPATCH', session: '1', event: 5 }),
    unknown: emit({ type: 'UNKNOWN' }),
    nobody: emit({ type: 'DISPATCH', session: 'none', event: { type: 'COUNT', text: 'x' } }),
    noteClosed: assign({
      closed: ({ context, event }) => [
        ...context.closed,
        `${(event as unknown as { session: string }).session}: ${(event as unknown as { reason: string }).reason}`,
      ],
    }),
  },
}).createMachine({
  context: { count: 0, closed: [] },
  on: {
    ADD: { actions: ['add', 'answer'] },
    ALL: { actions: 'all' },
    BREAK: { actions: ['add', 'boom'] },
    WRONG_MESSAGE: { actions: 'wrongMessage' },
    WRONG_EVENT: { actions: 'wrongEvent' },
    UNKNOWN: { actions: 'unknown' },
    NOBODY: { actions: 'nobody' },
    SESSION_CLOSED: { actions: 'noteClosed' },
    LATER: { actions: 'all' },
  },
  initial: 'a',
  states: { a: { on: { SLEEP: 'b' } }, b: { after: { 100: { target: 'a', actions: 'all' } } } },
});

/** Each line is told to the counter by its name; what that dispatches is sent. */
const counting = (lab: Lab = {}) =>
  labProtocol({
    implementations: {
      actions: { tell: emit(({ event }: any) => ({ type: 'TELL', to: 'counter', event: { type: event.text } })) },
    },
    machine: { on: { LINE: { actions: 'tell' }, COUNT: { actions: 'echo' } } },
    shared: { counter: { machine: counter } },
    ...lab,
  });

const contextOf = ({ server }: Awaited<ReturnType<typeof start>>) =>
  (server.snapshots().shared['counter'] as { context: { count: number; closed: string[] } }).context;

describe('a shared actor', () => {
  test('is one for all sessions: it knows who tells it, and answers that one or all', async () => {
    const started = await start(counting());
    const [a, b] = [started.layer.connect(), started.layer.connect()];
    says(a, 'ADD');
    says(b, 'ADD', 'ALL');
    expect([heard(a), heard(b)]).toEqual([
      ['1', 'all 2'],
      ['2', 'all 2'],
    ]);
    await nothingIsLeft(started);
  });

  test("is told of each session's end, once, with its reason", async () => {
    const started = await start(counting());
    const [a, b] = [started.layer.connect(), started.layer.connect()];
    a.peerEnds();
    b.peerResets();
    expect(contextOf(started).closed).toEqual(['1: peer closed', '2: peer reset']);
    await nothingIsLeft(started);
  });

  test('sends by a timer of 100 ms at 100 ms, not 1 ms earlier', async () => {
    const started = await start(counting());
    const peer = started.layer.connect();
    says(peer, 'SLEEP');
    started.time.advanceBy(99);
    expect(heard(peer)).toEqual([]);
    started.time.advanceBy(1);
    expect(heard(peer)).toEqual(['all 0']);
    await nothingIsLeft(started);
  });

  test('that throws is reported and starts again from its initial state; no session ends', async () => {
    const started = await start(counting());
    const peer = started.layer.connect();
    says(peer, 'ADD', 'BREAK', 'ADD');
    expect(heard(peer)).toEqual(['1', '1']);
    expect(started.errors).toMatchObject([{ code: 'SHARED_FAILED', session: undefined, cause: { message: 'boom' } }]);
    expect(started.server.sessions.size).toBe(1);
    await nothingIsLeft(started);
  });

  test.each([
    [4_999, 'draining'],
    [5_000, 'accepting'],
  ])('that throws a 4th time %i ms after the first leaves the server %s', async (afterMs, state) => {
    const started = await start(counting(), { waitTimeoutCountMax: 0 });
    const { server, layer, time } = started;
    const peer = layer.connect({}, 10, { answersFin: false });
    says(peer, 'BREAK', 'BREAK', 'BREAK', 'ADD');
    expect(heard(peer)).toEqual(['1']);
    time.advanceBy(afterMs);
    says(peer, 'BREAK');
    expect(server.state.value).toBe(state);
    expect(started.errors.map(({ code }) => code)).toEqual(Array.from({ length: 4 }, () => 'SHARED_FAILED'));
    if (state === 'draining') {
      peer.peerEnds();
      expect(server.state.value).toBe('closed');
      expect(server.sessions.recent).toMatchObject([{ reason: 'draining' }]);
    }
    await nothingIsLeft(started);
  });

  test.each(['WRONG_MESSAGE', 'WRONG_EVENT', 'UNKNOWN'])(
    'whose command is wrong (%s) is reported; it is not started again, and no session ends',
    async (command) => {
      const started = await start(counting());
      const peer = started.layer.connect();
      says(peer, 'ADD', command, 'ADD');
      expect(heard(peer)).toEqual(['1', '2']);
      expect(started.errors).toMatchObject([{ code: 'SHARED_FAILED', session: undefined }]);
      await nothingIsLeft(started);
    },
  );

  test('that dispatches to a session that has ended is told nothing, and nothing is reported', async () => {
    const started = await start(counting());
    says(started.layer.connect(), 'NOBODY');
    expect(started.errors).toEqual([]);
    await nothingIsLeft(started);
  });

  test('is new at each start of the server', async () => {
    const started = await start(counting());
    says(started.layer.connect(), 'ADD', 'ADD');
    expect(contextOf(started).count).toBe(2);
    await started.server.stop();
    await started.server.start();
    expect(contextOf(started).count).toBe(0);
    await nothingIsLeft(started);
  });

  test('a TELL that is no event ends the session that tells it, and leaves the shared actor as it was', async () => {
    const started = await start(
      counting({ implementations: { actions: { tell: emit({ type: 'TELL', to: 'counter' } as never) } } }),
    );
    says(started.layer.connect(), 'x');
    expect(started.server.sessions.recent).toMatchObject([{ reason: 'protocol failed' }]);
    expect(started.errors).toMatchObject([{ code: 'PROTOCOL_FAILED', session: '1' }]);
    await nothingIsLeft(started);
  });

  test.each([
    ['its input factory', { machine: counter, input: boom }],
    ['its context factory', { machine: setup({}).createMachine({ context: boom }) }],
    ['its first entry', { machine: setup({ actions: { boom } }).createMachine({ entry: 'boom' }) }],
  ])(
    'that throws in %s at the start rejects it, SHARED_FAILED after 4 attempts, with nothing left',
    async (_, definition) => {
      const failing = counting({ shared: { counter: definition } });
      const { createTcpServer } = await import('../../src/server.js');
      const { VirtualTime } = await import('../../src/time/virtual-time.js');
      const { FakeLayer } = await import('./fake-layer.js');
      const time = new VirtualTime();
      const layer = new FakeLayer(time);
      const server = createTcpServer(failing, { time, layer, maxSessions: 10 });
      const codes: string[] = [];
      server.errors.subscribe(({ code }) => codes.push(code));
      await expect(server.start()).rejects.toMatchObject({ name: 'StartError', code: 'SHARED_FAILED' });
      expect(codes).toEqual(Array.from({ length: 4 }, () => 'SHARED_FAILED'));
      expect([server.state.value, layer.size, time.pendingCount]).toEqual(['closed', 0, 0]);
    },
  );

  test('whose input factory throws when it is started again is reported, and no session is blamed', async () => {
    let calls = 0;
    const started = await start(
      counting({ shared: { counter: { machine: counter, input: () => ((calls += 1) === 2 ? boom() : undefined) } } }),
    );
    const peer = started.layer.connect();
    says(peer, 'ADD', 'BREAK', 'ADD');
    expect(heard(peer)).toEqual(['1', '1']);
    expect(started.errors.map(({ code, session }) => [code, session])).toEqual([
      ['SHARED_FAILED', undefined],
      ['SHARED_FAILED', undefined],
    ]);
    await nothingIsLeft(started);
  });
});

describe('DRAIN', () => {
  test('is told to a chart that asked for it, whose session ends when it says so; others are closed at once, reason `draining`', async () => {
    const draining = labProtocol({
      facts: ['DRAIN'],
      implementations: { actions: { close: emit({ type: 'CLOSE', option: 'graceful', reason: 'draining' }) } },
      machine: {
        on: {
          LINE: { actions: 'echo' },
          DRAIN: { actions: { type: 'say', params: 'bye soon' } },
          QUIT: { actions: 'close' },
        },
      },
    });
    const started = await start(draining);
    const peer = started.layer.connect();
    const stopped = started.server.stop();
    expect(heard(peer)).toEqual(['bye soon']);
    says(peer, 'still served');
    expect(heard(peer)).toEqual(['bye soon', 'still served']);
    started.server.sessions.get('1')!.dispatch({ type: 'QUIT' });
    await stopped;
    expect(started.server.sessions.recent).toMatchObject([{ reason: 'draining', option: 'graceful', closedBy: 'fin' }]);
    await nothingIsLeft(started);
    const plain = await start(labProtocol());
    const other = plain.layer.connect();
    says(other, 'x');
    await plain.server.stop();
    expect(heard(other)).toEqual(['x']);
    expect(plain.server.sessions.recent).toMatchObject([{ reason: 'draining', closedBy: 'fin' }]);
    await nothingIsLeft(plain);
  });
});
