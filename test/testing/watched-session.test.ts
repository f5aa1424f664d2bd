/** Everything that a world looks at by itself, each with a product that is broken there: what could never be found would prove nothing. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { merge, Subject } from 'rxjs';
import { assign, raise, setup } from 'xstate';
import echo from '../../examples/echo/index.js';
import type * as session from '../../machines/session.js';
import { lines } from '../../src/codec/lines.js';
import type { Codec } from '../../src/codec/codec.js';
import type { LiveSession } from '../../src/session/live-session.js';
import { defineProtocol } from '../../src/session/protocol.js';
import type { SocketCommand } from '../../machines/events.js';
import type { SocketLayer, SocketRecord, SocketSignal } from '../../src/socket/socket-layer.js';
import { WatchedSession } from '../../src/testing/watched-session.js';
import { createWorld, type World } from '../../src/testing/world.js';

type SessionMachine = typeof session.sessionMachine;

/** The session chart that servers run with, while a test has broken it. */
const broken = vi.hoisted(() => ({ chart: undefined as unknown }));

vi.mock('../../machines/session.js', async (original) => {
  const real = await original<typeof session>();
  return {
    ...real,
    get sessionMachine() {
      return broken.chart ?? real.sessionMachine;
    },
  };
});

afterEach(() => {
  broken.chart = undefined;
});

async function breakChart(implementations: Parameters<SessionMachine['provide']>[0]): Promise<void> {
  const { sessionMachine } = await vi.importActual<typeof session>('../../machines/session.js');
  broken.chart = sessionMachine.provide(implementations);
}

const FRAME = Uint8Array.of(0, 0, 0, 1, 7);
const SERVER = '10.0.0.1';
const PEER = '10.0.1.1';

/** Of layers that are made from then on. */
function breakLayers(world: World, host: string, change: (layer: SocketLayer) => void): void {
  const make = world.network.layer.bind(world.network);
  world.network.layer = (address, options) => {
    const layer = make(address, options);
    if (address === host) change(layer);
    return layer;
  };
}

/** A layer that does something else than it is told. @param act whether the command was dealt with */
function breakCommands(
  world: World,
  host: string,
  act: (command: SocketCommand, carryOut: (other: SocketCommand) => void) => boolean,
): void {
  breakLayers(world, host, (layer) => {
    const carryOut = layer.carryOut.bind(layer);
    layer.carryOut = (socket: SocketRecord, command: SocketCommand) => {
      if (!act(command, (other) => carryOut(socket, other))) carryOut(socket, command);
    };
  });
}

const otherBytes = (bytes: Uint8Array) => bytes.map((byte) => byte ^ 1);

/** Reads lines, and holds for a second after each. */
function holding() {
  const machine = setup({ types: {} as { events: { type: 'LINE'; text: string } } }).createMachine({
    initial: 'reading',
    states: { reading: { on: { LINE: 'holding' } }, holding: { tags: 'hold', after: { 1_000: 'reading' } } },
  });
  return defineProtocol({ name: 'holding', codecs: { lines: () => lines() }, initialCodec: 'lines', machine } as never);
}

/** Answers nothing, by a codec that the test breaks; asks for each wait. */
function sink(codec: () => Codec<any> = () => lines() as Codec<any>) {
  const machine = setup({ types: {} as { events: { type: 'LINE' | 'WAIT_TIMEOUT' } } }).createMachine({
    on: { LINE: {}, WAIT_TIMEOUT: {} },
  });
  const facts = ['WAIT_TIMEOUT'];
  return defineProtocol({ name: 'sink', codecs: { lines: codec }, initialCodec: 'lines', machine, facts } as never);
}

describe('a world finds', () => {
  test('bytes that are read and given to no codec', async () => {
    await breakChart({ actions: { decode: () => {} } });
    const world = createWorld();
    const peer = world.peer(await world.server(echo));
    peer.write(FRAME);
    expect(() => world.advanceBy(10)).toThrow('session 1: 5 bytes were discarded without a reason');
  });

  test.each([
    { what: 'other bytes', as: (bytes: Uint8Array) => [otherBytes(bytes)], says: /byte 0 is \d+, and was sent as \d+/ },
    {
      what: 'bytes twice',
      as: (bytes: Uint8Array) => [bytes, bytes],
      says: /10 bytes arrive at byte 0, and only 5 are under way/,
    },
  ])('$what that reach a peer', async ({ as, says }) => {
    const world = createWorld();
    breakCommands(world, SERVER, (command, carryOut) => {
      if (command.type !== 'WRITE') return false;
      for (const bytes of as(command.bytes)) carryOut({ type: 'WRITE', bytes });
      return true;
    });
    const peer = world.peer(await world.server(echo), { codec: false });
    peer.write(FRAME);
    expect(() => world.advanceBy(10)).toThrow(/what the peer of session 1 reads is not what the session sent: /);
    expect(() => world.check()).toThrow(says);
  });

  test('bytes that never reach a peer, though both ends closed by FIN', async () => {
    const world = createWorld();
    breakCommands(world, SERVER, ({ type }) => type === 'WRITE');
    const peer = world.peer(await world.server(echo));
    peer.write(FRAME);
    world.advanceBy(10);
    peer.end();
    expect(() => world.advanceBy(10)).toThrow('both ends closed by FIN, and 5 bytes that it sent never arrived');
  });

  test('other bytes that a session reads', async () => {
    const world = createWorld();
    const server = await world.server(echo);
    breakCommands(world, PEER, (command, carryOut) => {
      if (command.type !== 'WRITE') return false;
      carryOut({ type: 'WRITE', bytes: otherBytes(command.bytes) });
      return true;
    });
    const peer = world.peer(server, { host: PEER });
    peer.write(FRAME);
    expect(() => world.advanceBy(10)).toThrow(
      'what the session reads is not what its peer sent: byte 0 is 1, and was sent as 0',
    );
  });

  test.each([
    {
      what: 'decodes a line twice',
      says: 'message 2 is {"type":"LINE","text":"one"}, and was sent as {"type":"LINE","text":"two"}',
    },
    {
      what: 'leaves a line out',
      says: 'message 1 is {"type":"LINE","text":"two"}, and was sent as {"type":"LINE","text":"one"}',
    },
    {
      what: 'fails at a line',
      says: 'its codec failed at what is valid: message 1 could not be decoded, and was sent as {"type":"LINE","text":"one"}',
    },
  ])('a session that $what', async ({ what, says }) => {
    let [codecs, judge] = [0, Infinity];
    const codec = () => {
      const whole = lines() as Codec<any>;
      let first: unknown;
      const decode: Codec<any>['decode'] = (buffer) => {
        if (what === 'fails at a line') throw new Error('as it was told to');
        if (what === 'decodes a line twice' && first !== undefined && buffer.byteLength > 0) {
          buffer.skip(buffer.byteLength);
          return first;
        }
        if (what === 'leaves a line out' && first === undefined) whole.decode(buffer);
        const message = whole.decode(buffer);
        first ??= message;
        return message;
      };
      codecs += 1;
      if (codecs === judge) return whole;
      return { messages: whole.messages, encode: (m: any) => whole.encode(m), end: (b: any) => whole.end(b), decode };
    };
    const world = createWorld();
    const server = await world.server(sink(codec as never));
    judge = codecs + 1; // the next one is the world's own, which knows what the session must decode
    const peer = world.peer(server, { codec: false });
    peer.write('one\ntwo\n');
    expect(() => world.advanceBy(10)).toThrow(says);
  });

  test('a session that ends as its peer has closed, with a line not decoded', async () => {
    await breakChart({ actions: { decodeEnd: raise({ type: 'INPUT_DONE' }) } } as never);
    const world = createWorld();
    const peer = world.peer(await world.server(holding()), { codec: false });
    peer.write('one\ntwo\n');
    peer.end();
    expect(() => world.advanceBy(100)).toThrow(
      "it ended as its peer closed, with 1 of the peer's messages not delivered",
    );
  });

  test('a wait timeout that comes at the first wait', async () => {
    await breakChart({ guards: { isLastWait: () => true } });
    const world = createWorld();
    world.peer(await world.server(sink()), { codec: false });
    expect(() => world.advanceBy(150)).toThrow(
      'it ends by wait timeout after 100 ms of silence, before 60 waits have passed',
    );
  });

  test('a session that is closing for longer than its close and its reset may take', async () => {
    await breakChart({ delays: { closeTimeout: 60_000 } });
    const world = createWorld();
    const server = await world.server(echo);
    world.peer(server, { answersFin: false });
    world.advanceBy(10);
    for (const one of server.sessions) one.close('graceful');
    world.advanceBy(10_000);
    expect(() => world.advanceBy(1)).toThrow(
      'it has been closing for 10001 ms, with a deadline of 5000 ms for the close and one for the reset',
    );
  });

  test('a session that ends without a reason', async () => {
    await breakChart({ actions: { noteClose: assign({ closedBy: 'fin' }), noteReason: () => {} } });
    const world = createWorld();
    const peer = world.peer(await world.server(echo));
    world.advanceBy(10);
    peer.end();
    expect(() => world.advanceBy(10)).toThrow('session 1: it ended without a reason');
  });

  test('a registry that has more sessions than live', async () => {
    const world = createWorld();
    const server = await world.server(echo);
    world.peer(server);
    world.advanceBy(10);
    Object.defineProperty(server.sessions, 'size', { value: 2 });
    expect(() => world.check()).toThrow('the registry of echo has 2 sessions, and 1 live');
  });

  test('a fault of our own', async () => {
    const world = createWorld();
    breakCommands(world, SERVER, ({ type }) => {
      if (type === 'WRITE') throw new RangeError('out of range');
      return false;
    });
    const peer = world.peer(await world.server(echo));
    peer.write(FRAME);
    expect(() => world.advanceBy(10)).toThrow('a fault of our own in session 1: the session failed: out of range');
  });

  test('an event for a session that is over', async () => {
    const world = createWorld();
    const late = new Subject<SocketSignal>();
    breakLayers(world, SERVER, (layer) => {
      const events = merge(layer.events, late);
      Object.defineProperty(layer, 'events', { value: events });
    });
    const server = await world.server(echo);
    const peer = world.peer(server);
    world.advanceBy(10);
    const [live] = [...server.sessions] as LiveSession[];
    peer.end();
    world.advanceBy(10);
    expect(server.sessions.size).toBe(0);
    vi.spyOn(server.sessions, 'get').mockReturnValue(live);
    live!.socket.owner = live;
    late.next({ socket: live!.socket, event: { type: 'READ', bytes: FRAME } });
    expect(() => world.check()).toThrow('session 1 is told of something, and does not live');
  });
});

test('a session to which anything happens after its end is broken, and so is one that ends twice', async () => {
  const world = createWorld();
  const server = await world.server(echo);
  const peer = world.peer(server);
  world.advanceBy(10);
  const [live] = [...server.sessions];
  const found: string[] = [];
  const watched = new WatchedSession(live!, {
    peer: undefined,
    expected: undefined,
    incoming: undefined,
    closeTimeoutMs: 5_000,
    waitTimeoutMs: 100,
    now: () => world.time.now(),
    stalledMs: () => 0,
    decidesItsEnd: false,
    broken: (property) => found.push(property),
  });
  peer.end();
  world.advanceBy(10);
  const [record] = server.sessions.recent;
  watched.ended(record!);
  expect(found).toEqual([]);
  const message = { type: 'FRAME', payload: Uint8Array.of(7) };
  watched.event({ type: 'WRITE' });
  watched.decoded(message, false);
  watched.encoded(message, FRAME);
  watched.received(new Uint8Array(0));
  watched.ended(record!);
  expect(found).toEqual([
    'WRITE is processed after the end',
    'a message after its end',
    'a message to be sent after its end',
    'bytes for its codec after its end',
    'it ends twice: peer closed, then peer closed',
  ]);
  await world.end();
});
