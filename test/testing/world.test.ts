/** Worlds: what they are made of, what they find, and what they refuse to leave behind. */
import { interval } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { setup, emit } from 'xstate';
import chat from '../../examples/chat/index.js';
import echo from '../../examples/echo/index.js';
import type { Codec } from '../../src/codec/codec.js';
import { lines } from '../../src/codec/lines.js';
import { defineProtocol } from '../../src/session/protocol.js';
import type { ScheduledFault } from '../../src/testing/faults.js';
import { createWorld, type World } from '../../src/testing/world.js';
import { WorldError } from '../../src/testing/world-error.js';

const frame = (...bytes: number[]) => ({ type: 'FRAME' as const, payload: Uint8Array.from(bytes) });

async function codeOf(work: () => unknown): Promise<string | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    return error instanceof WorldError ? error.code : `no WorldError: ${String(error)}`;
  }
}

/** Answers each line with itself, by a codec that the test breaks. */
function echoOfLines(codec: () => Codec<any>) {
  const machine = setup({
    types: {} as { events: { type: 'LINE'; text: string } },
    actions: { answer: emit(({ event }) => ({ type: 'SEND', message: event })) },
  }).createMachine({ on: { LINE: { actions: 'answer' } } });
  return defineProtocol({ name: 'lines', codecs: { lines: codec }, initialCodec: 'lines', machine } as never);
}

describe('a world', () => {
  test('plays a server, and peers that send messages, bytes, FIN and RST', async () => {
    const world = createWorld({ seed: 7, latencyMs: 5 });
    const server = await world.server(echo);
    const [one, two] = [world.peer(server), world.peer(server, { codec: false })];
    one.send(frame(1, 2, 3), frame());
    two.write(Uint8Array.of(0, 0, 0, 1, 9));
    world.advanceBy(20);
    expect(one.received).toEqual([frame(1, 2, 3), frame()]);
    expect([two.received, two.bytes.byteLength, two.messagesReceived]).toEqual([[], 5, 0]);
    expect([...server.sessions].map(({ peer }) => peer.address).sort()).toEqual(['10.0.1.1', '10.0.1.2']);
    one.end();
    two.reset();
    world.advanceBy(20);
    expect([one.state, one.closedBy, two.state, two.closedBy]).toEqual(['closed', 'fin', 'closed', 'rst']);
    expect(server.sessions.recent.map(({ reason }) => reason).sort()).toEqual(['peer closed', 'peer reset']);
    await world.end();
    expect(world.pending).toEqual({ timers: 0, promises: [], sessions: 0, sockets: 0, subscriptions: 0 });
  });

  test('ends a silent session at 6 000 ms, and not at 5 999', async () => {
    const world = createWorld();
    const server = await world.server(echo);
    const peer = world.peer(server, { answersFin: false });
    world.runUntil(() => server.sessions.size === 1);
    const [session] = [...server.sessions];
    world.advanceBy(5_999);
    expect(session!.transportState).toBe('accepted');
    world.advanceBy(1);
    expect(session!.transportState).toEqual({ closing: 'finWait' });
    world.advanceBy(4_999);
    expect(server.sessions.size).toBe(1);
    world.advanceBy(1);
    expect(server.sessions.recent).toMatchObject([{ reason: 'wait timeout', closedBy: 'rst' }]);
    expect(peer.state).toBe('ended'); // whoever has read to the end hears of an RST when it writes
    peer.write('x');
    world.advanceBy(1);
    expect([peer.state, peer.closedBy]).toEqual(['closed', 'rst']);
    await world.end();
  });

  test('plays a client with its chart, which comes back after its server was cut off', async () => {
    const world = createWorld({ latencyMs: 10 });
    const server = await world.server(echo);
    const client = world.client(server, echo, { from: '10.0.2.9', connectTimeoutMs: 1_000 });
    const started = client.start();
    await world.advanceByAsync(100);
    await started;
    world.network.partition('10.0.2.9');
    await world.advanceByAsync(20_000);
    expect(client.state.value).not.toBe('connected');
    world.network.heal();
    world.runUntil(() => client.state.value === 'connected', { withinMs: 60_000 });
    expect(client.statistics.connects).toBeGreaterThan(1);
    await world.end();
  });

  test('says what is wrong with an option', () => {
    expect(() => createWorld({ seed: -1 })).toThrow('createWorld.seed: expected an integer');
    expect(() => createWorld({ latency: 5 } as never)).toThrow('did you mean latencyMs?');
    expect(() => createWorld({ splitRate: 2 })).toThrow('splitRate: expected a number from 0 to 1');
  });

  test('knows only its own servers', async () => {
    const [one, two] = [createWorld(), createWorld()];
    const server = await one.server(echo);
    expect(() => two.peer(server)).toThrow('not of this world');
    await one.end();
    await two.end();
  });
});

describe('a world finds', () => {
  test('a codec whose messages depend on how the bytes are cut, with the message, the seed and the trace', async () => {
    const forgetful = () => {
      const whole = lines();
      let calls = 0;
      // Loses the first byte of whatever is incomplete.
      const decode: Codec<any>['decode'] = (buffer) => {
        const message = whole.decode(buffer);
        if (message === undefined && buffer.byteLength > 0 && (calls += 1) === 1) buffer.skip(1);
        return message;
      };
      return { messages: whole.messages, encode: (m: any) => whole.encode(m), end: (b: any) => whole.end(b), decode };
    };
    const world = createWorld({ seed: 5 });
    const server = await world.server(echoOfLines(forgetful as never));
    const peer = world.peer(server, { codec: false });
    world.advanceBy(1);
    peer.write('hello\n'); // whole: nothing is lost
    world.advanceBy(1);
    const other = world.peer(server, { codec: false });
    world.advanceBy(1);
    other.write('he');
    world.advanceBy(1);
    other.write('llo\n');
    expect(() => world.advanceBy(1)).toThrow(
      /session 2: what it decodes is not what its peer sent: message 1 is .*ello.*, and was sent as .*hello.* \(seed 5, at \d+ ms\)\n/,
    );
    expect(await codeOf(() => world.check())).toBe('PROPERTY_BROKEN');
  });

  test('a session that is still closing 10 s after the faults have stopped', async () => {
    const world = createWorld();
    const server = await world.server(echo, { closeTimeoutMs: 60_000 });
    world.peer(server, { answersFin: false });
    world.runUntil(() => server.sessions.size === 1);
    for (const session of server.sessions) session.close('graceful');
    world.advanceBy(1);
    expect(await codeOf(() => world.calm())).toBe('NOT_LIVE');
    world.advanceBy(60_000);
    await world.end();
  });

  test('timers that pile up', async () => {
    const world = createWorld({ timersPerSessionMax: 4 });
    const server = await world.server(echo);
    world.peer(server);
    const leaks = Array.from({ length: 100 }, () => world.time.schedule(() => {}, 1e6));
    expect(() => world.advanceBy(10)).toThrow(/10\d timers wait, for 1 sessions and 1 peers/);
    for (const leak of leaks) leak.unsubscribe();
  });

  test.each([
    ['a timer on its clock', (world: World) => interval(100, world.time).subscribe(), /1 timer, due at/],
    [
      'a subscription to a stream of a server',
      (_: World, server: Awaited<ReturnType<World['server']>>) => server.events.subscribe(),
      /1 subscription to streams/,
    ],
  ])('%s that a test leaves behind', async (_, leak, message) => {
    const world = createWorld();
    const left = leak(world, await world.server(echo));
    await expect(world.end()).rejects.toThrow(message);
    left.unsubscribe();
  });
});

describe('what is wrong is refused at once, by its name', () => {
  test.each([
    ['a kind that is none', { atMs: 5, kind: 'vanished', peer: 0 }, /faults\[1\]\.kind: expected .* got "vanished"/],
    ['nobody', { atMs: 5, kind: 'vanish' }, /faults\[1\]\.peer: expected an integer of 0 or more, got undefined/],
    [
      'a moment that has no number',
      { kind: 'fin', peer: 0 },
      /faults\[1\]\.atMs: expected ms, 0 or more, got undefined/,
    ],
    ['a moment before now', { atMs: -1, kind: 'fin', peer: 0 }, /faults\[1\]\.atMs: expected ms, 0 or more, got -1/],
    [
      'a list that is none',
      { atMs: 5, kind: 'swizzle', peers: 3, back: [], stepMs: 1 },
      /faults\[1\]\.peers: expected an array/,
    ],
    [
      'weather of no kind',
      { atMs: 5, kind: 'weather', conditions: { latency: 1 }, durationMs: 1 },
      /conditions\.latency: .*did you mean latencyMs/,
    ],
    [
      'a misspelt duration',
      { atMs: 5, kind: 'stall', duration: 5 },
      /faults\[1\]\.duration: .*did you mean durationMs/,
    ],
    ['a scan that ends by nothing', { atMs: 5, kind: 'scan', count: 1 }, /faults\[1\]\.by: expected "fin" or "reset"/],
  ])('a fault of %s, and none of its schedule comes', async (_, fault, message) => {
    const world = createWorld();
    await world.server(echo);
    expect(() => world.faults([{ atMs: 1, kind: 'fin', peer: 0 }, fault as ScheduledFault])).toThrow(message);
    expect(world.scheduledFaults).toEqual([]);
    await world.end();
  });

  test('options of a world and of a peer', async () => {
    expect(() => createWorld(5 as never)).toThrow('createWorld: expected an object, got 5');
    expect(() => createWorld({ latencyMs: -1 })).toThrow('createWorld.latencyMs: expected a number from 0 to');
    const world = createWorld();
    const server = await world.server(echo);
    expect(() => world.peer(server, { answersFIN: false } as never)).toThrow(
      'peer.answersFIN: there is no such option; did you mean answersFin?',
    );
    await world.end();
  });

  test('what a peer cannot write, by the call that writes it', async () => {
    const world = createWorld();
    const server = await world.server(echo);
    const peer = world.peer(server);
    expect(() => peer.write(5 as never)).toThrow('write: expected bytes (a Uint8Array) or text, got number');
    world.advanceBy(10);
    expect(peer.state).toBe('connected');
    await world.end();
  });
});

describe('a seed', () => {
  const play = async (seed: number) => {
    const world = createWorld({ seed, latencyMs: 3, jitterMs: 20, splitRate: 0.2 });
    const server = await world.server(chat);
    world.drawFaults({ perSecond: 2, durationMs: 10_000 });
    for (let n = 0; n < 20; n += 1) {
      const peer = world.peer(server);
      peer.write(`nick n${n}\njoin hall\nsay hello\n`);
      world.advanceBy(world.chance.below(1_000));
    }
    world.calm();
    await world.end();
    return world;
  };

  test('is a run: its trace is the same to the byte each time, and another seed has another', async () => {
    const [first, again, other] = [await play(1), await play(1), await play(2)];
    expect(again.trace).toEqual(first.trace);
    expect(again.digest).toBe(first.digest);
    expect(other.digest).not.toBe(first.digest);
  });

  test('chooses the order of what is due together, of sockets and of timers apart', () => {
    const orderOf = (seed: number) => {
      const { time } = createWorld({ seed });
      const ran: string[] = [];
      for (const name of ['a', 'b', 'c', 'd']) {
        time.schedule(() => ran.push(`timer ${name}`), 5);
        time.sockets.schedule(() => ran.push(`socket ${name}`), 5);
      }
      time.advanceBy(5);
      return ran.join(', ');
    };
    const orders = new Set(Array.from({ length: 20 }, (_, seed) => orderOf(seed)));
    expect(orders.size).toBeGreaterThan(5);
    for (const order of orders) expect(order).toMatch(/^(socket \w, ){4}(timer \w(, )?){4}$/);
  });
});
