/** The matchers and fixtures of `wirechart/testing/vitest`: what they take, what they say, and what they refuse. */
import { of, timer } from 'rxjs';
import { createActor, createMachine } from 'xstate';
import { afterAll, describe, expect, expectTypeOf, test as plain } from 'vitest';
import echo from '../../../examples/echo/index.js';
import { checkNothingLeft } from '../../../src/testing/left-behind.js';
import { recordMarbles } from '../../../src/testing/marbles.js';
import { test } from '../../../src/testing/vitest/index.js';
import { WorldError } from '../../../src/testing/world-error.js';
import { holdPromise } from '../../../src/time/held-promises.js';
import { VirtualTime } from '../../../src/time/virtual-time.js';
import { createTcpClient } from '../../../src/client.js';
import { play } from '../../../src/testing/play.js';
import { nothingIsLeft } from '../../session/lab.js';
import { frame, start } from '../../session/start.js';
import { FakeLayer } from '../../session/fake-layer.js';

function messageOf(work: () => void): string {
  try {
    work();
  } catch (error) {
    return String(error);
  }
  throw new Error('it passed');
}

const machine = createMachine({
  type: 'parallel',
  states: {
    input: { initial: 'open', states: { open: {}, closed: {} } },
    output: { initial: 'idle', states: { idle: { initial: 'a', states: { a: {} } } } },
  },
});

describe('toBeInState', () => {
  test('takes a session: its transport, and by its snapshot its protocol', async () => {
    const started = await start(echo);
    started.layer.connect().read(frame('x'));
    const session = started.server.sessions.get('1')!;
    expect(session).toBeInState('connected');
    expect(session).toBeInState('connected.flowing');
    expect(session).not.toBeInState('connected.congested');
    expect(session).not.toBeInState('conn');
    expect(session.transportState).toBeInState('connected.flowing');
    expect(session.transportSnapshot).toBeInState('connected.flowing');
    expect(session.protocolSnapshot).not.toBeInState('connected');
    await nothingIsLeft(started);
    expect(session).toBeInState('closed');
  });

  test('takes a server and a client by their state', async () => {
    const started = await start(echo);
    expect(started.server).toBeInState('accepting');
    const { time } = started;
    const client = createTcpClient(echo, { port: 1, time, layer: new FakeLayer(time) });
    expect(client).toBeInState('closed');
    await nothingIsLeft(started);
  });

  test('takes actors, snapshots, what `play` returned, names and values, and each of parallel states', () => {
    const actor = createActor(machine).start();
    for (const it of [actor, actor.getSnapshot(), { snapshot: () => actor.getSnapshot() }, play(machine, undefined)]) {
      expect(it).toBeInState('input.open');
      expect(it).toBeInState('output.idle.a');
      expect(it).toBeInState('output');
      expect(it).not.toBeInState('input.closed');
    }
    expect('closed').toBeInState('closed');
    expect({ closing: 'finWait' }).toBeInState('closing');
    expect({ state: 'connected' }).toBeInState('connected'); // a scripted peer
    actor.stop();
  });

  test('says where it is', () => {
    expect(messageOf(() => expect({ closing: 'finWait' }).toBeInState('connected'))).toContain(
      'expected it to be in connected; it is in closing.finWait',
    );
    expect(messageOf(() => expect({ closing: 'finWait' }).not.toBeInState('closing'))).toContain(
      'expected it not to be in closing; it is in closing.finWait',
    );
    expect(messageOf(() => expect(createActor(machine)).toBeInState('x'))).toContain('input.open | output.idle.a');
  });

  test.each([[undefined], [5], [{}], [[]], [{ a: 1, b: 2 }]])('refuses %j, with `not` as well', (value) => {
    const text = 'toBeInState: expected a session, snapshot, server, client or peer, got';
    expect(messageOf(() => expect(value).toBeInState('a'))).toContain(text);
    expect(messageOf(() => expect(value).not.toBeInState('a'))).toContain(text);
  });
});

describe('toHaveClosedBy and toHaveReason', () => {
  test('take the record of a session, and a session that is closing', async () => {
    const started = await start(echo);
    const peer = started.layer.connect();
    const session = started.server.sessions.get('1')!;
    expect(session).not.toHaveReason('wait timeout');
    expect(messageOf(() => expect(session).toHaveReason('wait timeout'))).toContain('nothing ends it');
    peer.answersFin = false;
    started.time.advanceBy(6_000);
    expect(session).toHaveReason('wait timeout');
    started.time.advanceBy(5_000);
    const [record] = started.server.sessions.recent;
    expect(record).toHaveClosedBy('rst');
    expect(record).toHaveClosedBy('rst', 'wait timeout');
    expect(record).not.toHaveClosedBy('fin');
    expect(record).not.toHaveClosedBy('rst', 'peer closed');
    expect(record).toHaveReason('wait timeout');
    expect(messageOf(() => expect(record).toHaveClosedBy('fin', 'peer closed'))).toContain(
      'expected it to be closed by FIN (peer closed); it is closed by RST (wait timeout)',
    );
    expect(messageOf(() => expect(record).toHaveReason('limit'))).toContain(
      'expected it to end for the reason `limit`; its reason is `wait timeout`',
    );
    await nothingIsLeft(started);
  });

  test('take a peer, which knows no reason, and say that it is not closed', () => {
    const peer = { state: 'connected', closedBy: undefined };
    expect(peer).not.toHaveClosedBy('fin');
    expect(messageOf(() => expect(peer).toHaveClosedBy('fin'))).toContain('closed by FIN; it is not closed');
    expect({ ...peer, closedBy: 'fin' }).toHaveClosedBy('fin');
    expect(messageOf(() => expect({ ...peer, closedBy: 'fin' }).not.toHaveClosedBy('fin', 'limit'))).toContain(
      'because a reason is expected (limit), got an object with state, closedBy',
    );
  });

  test.each([[undefined], ['fin'], [{}]])('refuse %j, with `not` as well', (value) => {
    expect(messageOf(() => expect(value).not.toHaveClosedBy('fin'))).toContain('toHaveClosedBy: expected the record');
    expect(messageOf(() => expect(value).not.toHaveReason('x'))).toContain('toHaveReason: expected a session');
  });
});

describe('toMatchMarbles', () => {
  test('compares, shows the difference, and refuses what is no record', () => {
    const record = recordMarbles(new VirtualTime(), of('a', 'b'));
    expect(record).toMatchMarbles('(ab|)');
    expect(record).not.toMatchMarbles('ab|');
    expect(messageOf(() => expect(record).toMatchMarbles('a|'))).toMatch(/differ first at 0 ms\n {2}expected {2}a\|/);
    expect(messageOf(() => expect([]).not.toMatchMarbles('a'))).toContain('expected what recordMarbles or playChart');
    expect(messageOf(() => expect(record).not.toMatchMarbles('(ab', {}))).toContain('a bracket is not closed');
  });
});

plain('the matchers have types: paths, ends and marbles are texts', () => {
  type Assertion = ReturnType<typeof expect<object>>;
  expectTypeOf<Parameters<Assertion['toBeInState']>>().toEqualTypeOf<[path: string]>();
  expectTypeOf<Parameters<Assertion['toHaveClosedBy']>[0]>().toEqualTypeOf<'fin' | 'rst'>();
  expectTypeOf<Parameters<Assertion['toHaveReason']>>().toEqualTypeOf<[reason: string]>();
  expectTypeOf<Parameters<Assertion['toMatchMarbles']>[0]>().toEqualTypeOf<string>();
});

describe('the fixture `time`', () => {
  const clocks: VirtualTime[] = [];
  afterAll(() => {
    expect(new Set(clocks).size).toBe(2);
    for (const time of clocks) expect(time.pendingCount).toBe(0);
  });

  test('is a clock at 0 ms', ({ time }) => {
    clocks.push(time);
    expect(time.now()).toBe(0);
    const seen = recordMarbles(time, timer(100, time));
    time.advanceBy(100);
    expect(seen).toMatchMarbles('100ms (a|)', { a: 0 });
  });

  test('is another one in each test', ({ time }) => {
    clocks.push(time);
    expect(time.now()).toBe(0);
  });
});

plain(
  'checkNothingLeft names the timers and the promises that are left, and is content with a clock that has none',
  () => {
    const time = new VirtualTime();
    checkNothingLeft(time);
    const timers = [time.schedule(() => {}, 100), time.sockets.schedule(() => {}, 5)];
    const release = holdPromise(time, 'server.stop()');
    const message = messageOf(() => checkNothingLeft(time));
    expect(message).toContain(
      'at 0 ms the test has ended, and left behind: a promise: server.stop(); a socket that is due at 5 ms; a timer that is due at 100 ms',
    );
    expect(() => checkNothingLeft(time)).toThrow(WorldError);
    release();
    for (const action of timers) action.unsubscribe();
    checkNothingLeft(time);
  },
);
