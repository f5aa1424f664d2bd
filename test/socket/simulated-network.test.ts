/** What goes wrong on a simulated network, and when each end learns of it. All on virtual time, so each moment is exact. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { SocketCommand, SocketEvent } from '../../machines/events.js';
import { parseTcpSocketOptions, type TcpSocketUserOptions } from '../../src/socket/options.js';
import { DescriptorTable } from '../../src/socket/simulated/descriptor-table.js';
import { Generator } from '../../src/socket/simulated/generator.js';
import {
  createSimulatedNetwork,
  type SimulatedLayerOptions,
  type SimulatedNetwork,
  type SimulatedNetworkOptions,
} from '../../src/socket/simulated/network.js';
import type { ListenAddress, SocketLayer, SocketRecord } from '../../src/socket/socket-layer.js';
import { RealTime, VirtualTime } from '../../src/time/index.js';
import { pattern } from './layer-harness.js';

const SERVER = '10.0.0.1';
const PEER = '10.0.0.2';
const ADDRESS = { host: SERVER, port: 7_000 };

/** A layer whose events are written down with their moments. Accepted connections are claimed and resumed. */
class Side {
  readonly layer: SocketLayer;
  readonly seen = new Map<SocketRecord, string[]>();
  readonly accepted: SocketRecord[] = [];
  reads = true;

  constructor(
    network: SimulatedNetwork,
    private readonly time: VirtualTime,
    address: string,
    options?: SimulatedLayerOptions,
  ) {
    this.layer = network.layer(address, options);
    this.layer.events.subscribe(({ socket, event }) => {
      this.of(socket).push(`${Number(this.time.now().toFixed(3))} ${shown(event)}`);
      if (event.type !== 'ACCEPT') return;
      const record = this.layer.get(event.socket)!;
      this.accepted.push(record);
      this.layer.claim(record, this);
      if (this.reads) this.do(record, 'RESUME');
    });
  }

  of(socket: SocketRecord): string[] {
    let seen = this.seen.get(socket);
    if (seen === undefined) this.seen.set(socket, (seen = []));
    return seen;
  }

  do(socket: SocketRecord, ...types: SocketCommand['type'][]): void {
    for (const type of types) this.layer.carryOut(socket, { type } as SocketCommand);
  }

  write(socket: SocketRecord, bytes: Uint8Array | number): void {
    this.layer.carryOut(socket, { type: 'WRITE', bytes: typeof bytes === 'number' ? pattern(bytes) : bytes });
  }

  listen(address: ListenAddress = ADDRESS, options: TcpSocketUserOptions = {}): SocketRecord {
    const server = this.layer.openServer(address, parseTcpSocketOptions(options));
    this.layer.claim(server, this);
    this.do(server, 'LISTEN');
    return server;
  }

  connect(address: ListenAddress = ADDRESS, options: TcpSocketUserOptions = {}): SocketRecord {
    const client = this.layer.openClient(address, parseTcpSocketOptions(options));
    this.layer.claim(client, this);
    this.do(client, 'CONNECT', ...(this.reads ? (['RESUME'] as const) : []));
    return client;
  }
}

function shown(event: SocketEvent): string {
  if (event.type === 'READ') return `READ ${event.bytes.byteLength}`;
  if (event.type === 'ERROR') return `ERROR ${event.code}`;
  if (event.type === 'CLOSE') return `CLOSE ${event.byReset ? 'reset' : 'fin'}`;
  return event.type;
}

let time: VirtualTime;
let network: SimulatedNetwork;
let server: Side;
let peers: Side;

function start(options: Partial<SimulatedNetworkOptions> = {}, layerOptions?: SimulatedLayerOptions): void {
  time = new VirtualTime();
  network = createSimulatedNetwork({ time, seed: 1, latencyMs: 10, ...options });
  server = new Side(network, time, SERVER, layerOptions);
  peers = new Side(network, time, PEER);
}

/** A connection that is made and quiet: 100 ms have passed. */
function connected(options: TcpSocketUserOptions = {}): {
  listener: SocketRecord;
  client: SocketRecord;
  accepted: SocketRecord;
} {
  const listener = server.listen(ADDRESS, options);
  const client = peers.connect(ADDRESS, options);
  time.advanceTo(100);
  peers.of(client).length = 0;
  return { listener, client, accepted: server.accepted[0]! };
}

beforeEach(() => start());

afterEach(() => {
  for (const { layer } of [server, peers]) for (const socket of [...layer.sockets()]) layer.release(socket);
  time.advanceBy(1_000_000);
  expect(time.pendingCount).toBe(0);
});

describe('conditions', () => {
  test('with 10 ms each way CONNECT comes after 20 ms, ACCEPT after 30, and a byte 10 ms after it was written', () => {
    const listener = server.listen();
    const client = peers.connect();
    time.advanceTo(100);
    expect(peers.of(client)).toEqual(['20 CONNECT']);
    expect(server.of(listener)).toEqual(['0 LISTENING', '30 ACCEPT']);
    peers.write(client, 1);
    time.advanceTo(200);
    expect(server.of(server.accepted[0]!)).toEqual(['110 READ 1']);
  });

  test('10 000 bytes at 1 000 000 bytes a second take 10 ms more, a segment of 1 460 bytes after the other', () => {
    const { client, accepted } = connected();
    network.change({ bandwidthBytesPerSecond: 1_000_000 });
    peers.write(client, 10_000);
    time.advanceTo(200);
    const seen = server.of(accepted);
    expect(seen).toHaveLength(Math.ceil(10_000 / 1_460));
    expect(seen[0]).toBe('111.46 READ 1460');
    expect(seen.at(-1)).toBe('120 READ 1240');
  });

  test('segmentBytesMax 1 gives 5 bytes one by one, in order; a paused reader gets them as one', () => {
    const { client, accepted } = connected();
    network.change({ segmentBytesMax: 1 }, { from: PEER });
    peers.write(client, 5);
    time.advanceTo(150);
    expect(server.of(accepted)).toEqual(Array(5).fill('110 READ 1'));
    server.do(accepted, 'PAUSE');
    peers.write(client, 5);
    time.advanceTo(200);
    server.do(accepted, 'RESUME');
    time.advanceTo(200);
    expect(server.of(accepted).slice(5)).toEqual(['200 READ 5']);
  });

  test('jitter spreads the moments over 0 to 100 ms and never changes the order of a connection', () => {
    const { client, accepted } = connected();
    network.change({ jitterMs: 100 });
    let count = 0;
    server.layer.events.subscribe(({ socket, event }) => {
      if (socket !== accepted || event.type !== 'READ') return;
      for (const byte of event.bytes) expect(byte).toBe(count++ % 256);
    });
    for (let index = 0; index < 200; index += 1) {
      peers.write(client, Uint8Array.of(index));
      time.advanceBy(7);
    }
    time.advanceBy(200);
    expect(count).toBe(200);
    expect(server.of(accepted).length).toBeGreaterThan(20);
  });

  test('a latency of one direction is for that direction alone', () => {
    const { client, accepted } = connected();
    network.change({ latencyMs: 500 }, { from: SERVER, to: PEER });
    peers.write(client, 1);
    server.write(accepted, 1);
    time.advanceTo(1_000);
    expect(server.of(accepted)).toEqual(['110 READ 1']);
    expect(peers.of(client)).toEqual(['600 READ 1']);
  });

  test('buffers of 1 000 and 2 000 bytes: a peer that never read leaves 3 000 of 10 000 bytes with the kernels', () => {
    server.reads = false;
    const { client, accepted } = connected({ sendBufferBytes: 1_000, receiveBufferBytes: 2_000 });
    peers.write(client, 10_000);
    time.advanceTo(1_000);
    expect(peers.layer.queuedBytes(client)).toBe(7_000);
    expect(peers.layer.tcpInfo(client)).toMatchObject({ bytesAcked: 2_000, notSentBytes: 1_000, sendWindowBytes: 0 });
    server.do(accepted, 'RESUME');
    time.advanceTo(2_000);
    expect(accepted.statistics.bytesReceived).toBe(10_000);
    expect(peers.of(client).map((line) => line.split(' ')[1])).toEqual(['WRITE']);
  });

  test('tcpInfo says what is true of the simulation: round trip, state, bytes', () => {
    const { client, accepted } = connected();
    expect(peers.layer.tcpInfo(client)).toMatchObject({
      state: 'ESTABLISHED',
      rttMicroseconds: 20_000,
      sendMssBytes: 1_460,
    });
    peers.do(client, 'SEND_FIN');
    expect(peers.layer.tcpInfo(client)?.state).toBe('FIN_WAIT_1');
    time.advanceTo(200);
    expect(peers.layer.tcpInfo(client)?.state).toBe('FIN_WAIT_2');
    expect(server.layer.tcpInfo(accepted)?.state).toBe('CLOSE_WAIT');
  });

  test('an option that is none, and one outside its limits, are refused with OPTION_INVALID', () => {
    const make = (options: object) => () => createSimulatedNetwork({ time, seed: 1, ...options });
    expect(make({ latency: 1 })).toThrow(
      'createSimulatedNetwork.latency: there is no such option; did you mean latencyMs?',
    );
    expect(make({ latencyMs: -1 })).toThrow(
      'createSimulatedNetwork.latencyMs: expected a number from 0 to 2147483647, got -1',
    );
    expect(make({ seed: 0.5 })).toThrow('createSimulatedNetwork.seed');
    expect(() => network.change({ segmentBytesMax: 0 })).toThrow('change.segmentBytesMax');
  });
});

describe('connecting', () => {
  test('to a port where nobody listens: ECONNREFUSED after one round trip', () => {
    const client = peers.connect();
    time.advanceTo(1_000);
    expect(peers.of(client)).toEqual(['20 ERROR ECONNREFUSED', '20 CLOSE fin']);
  });

  test('to an address of no host: EHOSTUNREACH after 3 s; to a name that nobody knows: ENOTFOUND', () => {
    const nowhere = peers.connect({ host: '10.9.9.9', port: 1 });
    const unknown = peers.connect({ host: 'no.such.host', port: 1 });
    time.advanceTo(10_000);
    expect(peers.of(nowhere)).toEqual(['3000 ERROR EHOSTUNREACH', '3000 CLOSE fin']);
    expect(peers.of(unknown)).toEqual(['0 ERROR ENOTFOUND', '0 CLOSE fin']);
  });

  test('across a partition: the SYN is sent 7 times, and ETIMEDOUT comes after 127 s', () => {
    server.listen();
    network.partition(SERVER, PEER);
    const client = peers.connect();
    time.advanceTo(126_999);
    expect(peers.of(client)).toEqual([]);
    time.advanceTo(127_000);
    expect(peers.of(client)).toEqual(['127000 ERROR ETIMEDOUT', '127000 CLOSE fin']);
  });

  test('a partition of 2 s delays a connect to the third SYN, 3 s after the first', () => {
    server.listen();
    network.partition(SERVER, PEER);
    const client = peers.connect();
    time.advanceTo(2_000);
    network.heal();
    time.advanceTo(4_000);
    expect(peers.of(client)).toEqual(['3020 CONNECT']);
  });

  test('a full backlog drops SYNs: of 5 connects to a stalled process with a backlog of 2, 3 are made and 2 are made a second later', () => {
    const listener = server.listen(ADDRESS, { backlog: 2 });
    time.advanceTo(0);
    network.stall(SERVER, 500);
    const clients = Array.from({ length: 5 }, () => peers.connect());
    time.advanceTo(400);
    expect(clients.map((client) => peers.of(client))).toEqual([['20 CONNECT'], ['20 CONNECT'], ['20 CONNECT'], [], []]);
    expect(server.accepted).toHaveLength(0);
    time.advanceTo(2_000);
    expect(server.of(listener).slice(1)).toEqual([
      '500 ACCEPT',
      '500 ACCEPT',
      '500 ACCEPT',
      '1040 ACCEPT',
      '1040 ACCEPT',
    ]);
  });

  test('a name with two addresses: the second one’s turn comes after 250 ms', () => {
    server.listen();
    network.name('two.addresses', '10.0.0.3', SERVER);
    network.layer('10.0.0.3');
    network.partition('10.0.0.3');
    const client = peers.connect({ host: 'two.addresses', port: 7_000 });
    time.advanceTo(1_000);
    expect(peers.of(client)).toEqual(['270 CONNECT']);
    expect(client.peer).toEqual(expect.objectContaining({ address: SERVER, port: 7_000 }));
  });

  test('a client that gives up between SYN and SYN-ACK is never accepted', () => {
    const listener = server.listen();
    const client = peers.connect();
    time.advanceTo(15);
    peers.do(client, 'SEND_RST');
    time.advanceTo(1_000);
    expect(peers.of(client)).toEqual(['15 CLOSE fin']);
    expect(server.of(listener)).toEqual(['0 LISTENING']);
  });
});

describe('places', () => {
  test('clients that gave up leave the backlog: after 5 of them a backlog of 1 takes the next at once', () => {
    server.listen(ADDRESS, { backlog: 1 });
    for (let count = 0; count < 5; count += 1) {
      const client = peers.connect();
      time.advanceBy(15);
      peers.do(client, 'SEND_RST');
      time.advanceBy(85);
    }
    const client = peers.connect();
    time.advanceBy(100);
    expect(peers.of(client)).toEqual(['520 CONNECT']);
  });

  test('28 232 clients at once take all ports of a host, the next gets EADDRNOTAVAIL; they are free again after their close', () => {
    const clients = Array.from({ length: 28_233 }, () => peers.connect());
    time.advanceTo(100);
    const errors = clients.map((client) => peers.of(client)[0]);
    expect(errors.filter((line) => line === '0 ERROR EADDRNOTAVAIL')).toHaveLength(1);
    expect(errors.filter((line) => line === '20 ERROR ECONNREFUSED')).toHaveLength(28_232);
    const late = peers.connect();
    time.advanceTo(200);
    expect(peers.of(late)[0]).toBe('120 ERROR ECONNREFUSED');
  });

  test('whatever is taken and freed, the lowest free descriptor is the next', () => {
    const table = new DescriptorTable(40);
    const used = new Set<number>();
    const chance = new Generator(1);
    for (let count = 0; count < 2_000; count += 1) {
      if (chance.next() < 0.55) {
        const lowest = Array.from({ length: 37 }, (_, index) => index + 3).find((number) => !used.has(number));
        expect(table.take()).toBe(lowest);
        if (lowest !== undefined) used.add(lowest);
      } else if (used.size > 0) {
        const freed = [...used][chance.below(used.size)]!;
        used.delete(freed);
        table.free(freed);
      }
      expect(table.use).toEqual({ limit: 40, used: 3 + used.size });
    }
  });
});

describe('listening', () => {
  test.each([
    { name: 'a port that is taken', address: ADDRESS, code: 'EADDRINUSE' },
    { name: 'a wildcard with that port', address: { host: '0.0.0.0', port: 7_000 }, code: 'EADDRINUSE' },
    { name: 'an address of another host', address: { host: PEER, port: 7_001 }, code: 'EADDRNOTAVAIL' },
    { name: 'a port below 1 024', address: { host: SERVER, port: 80 }, code: 'EACCES' },
    { name: 'an unknown name', address: { host: 'no.such.host', port: 7_001 }, code: 'ENOTFOUND' },
  ])('$name is ERROR $code', ({ address, code }) => {
    server.listen();
    time.advanceTo(0);
    expect(server.of(server.listen(address))).toEqual([]);
    const second = [...server.layer.sockets()].at(-1)!;
    time.advanceTo(1);
    expect(server.of(second)).toEqual([`0 ERROR ${code}`]);
  });

  test('port 0 is the next free port of the host, the same in each run', () => {
    const first = server.listen({ host: SERVER, port: 0 });
    const second = server.listen({ host: SERVER, port: 0 });
    time.advanceTo(0);
    expect([first.local?.port, second.local?.port]).toEqual([32_768, 32_769]);
  });

  test('a wildcard listener is reached at the host’s address and at loopback, and an accepted socket tells which', () => {
    server.listen({ host: '0.0.0.0', port: 7_000 });
    peers.connect();
    const own = new Side(network, time, SERVER);
    own.connect({ host: 'localhost', port: 7_000 });
    time.advanceTo(1_000);
    expect(server.accepted.map(({ local }) => local?.address).sort()).toEqual(['10.0.0.1', '127.0.0.1']);
  });

  test('ten failed accepts in a row are ten ERRORs of the server socket; the connection is accepted after them, others live on', () => {
    const { listener, client, accepted } = connected();
    network.failAccepts(SERVER, 10, 'ENOBUFS');
    const late = peers.connect();
    time.advanceTo(200);
    expect(server.of(listener).slice(2)).toEqual([...Array<string>(10).fill('130 ERROR ENOBUFS'), '130 ACCEPT']);
    expect(peers.of(late)).toEqual(['120 CONNECT']);
    peers.write(client, 3);
    time.advanceTo(300);
    expect(server.of(accepted)).toEqual(['210 READ 3']);
  });
});

describe('before the ACCEPT', () => {
  test('a peer that reset its connection meanwhile is accepted all the same, and its end follows when somebody reads', () => {
    server.reads = false;
    const listener = server.listen();
    time.advanceTo(0);
    network.stall(SERVER, 1_000);
    const client = peers.connect();
    time.advanceTo(100);
    peers.do(client, 'SEND_RST');
    time.advanceTo(1_100);
    expect(server.of(listener)).toEqual(['0 LISTENING', '1000 ACCEPT']);
    server.do(server.accepted[0]!, 'RESUME');
    time.advanceTo(1_200);
    expect(server.of(server.accepted[0]!)).toEqual(['1100 ERROR ECONNRESET', '1100 CLOSE reset']);
  });

  test('connections beyond the full queue of an unclaimed server socket are reset: 70 connect, 64 are kept', () => {
    const listener = server.listen();
    listener.owner = undefined;
    time.advanceTo(0);
    server.layer.waitEvents(listener.handle).subscribe(); // takes LISTENING, so that the queue is empty
    const clients = Array.from({ length: 70 }, () => peers.connect());
    time.advanceTo(90);
    expect(clients.filter(({ closed }) => closed)).toHaveLength(6);
    expect(server.layer.descriptors()?.used).toBe(3 + 1 + 64);
  });

  test('STOP_LISTENING resets what was not accepted', () => {
    const listener = server.listen();
    time.advanceTo(0);
    network.stall(SERVER, 1_000);
    const client = peers.connect();
    time.advanceTo(100);
    server.do(listener, 'STOP_LISTENING');
    time.advanceTo(200);
    expect(peers.of(client)).toEqual(['20 CONNECT', '110 ERROR ECONNRESET', '110 CLOSE reset']);
  });

  test('STOP_LISTENING while the SYN-ACK is on its way resets its connection as soon as it is made', () => {
    const listener = server.listen();
    time.advanceTo(0);
    const client = peers.connect();
    time.advanceTo(15);
    server.do(listener, 'STOP_LISTENING');
    time.advanceTo(200);
    expect(peers.of(client)).toEqual(['20 CONNECT', '25 ERROR ECONNRESET', '25 CLOSE reset']);
  });
});

describe('descriptors', () => {
  test('the lowest free number is given; with none left a connection is closed at once and the server hears nothing', () => {
    start({}, { descriptorLimit: 6 });
    const listener = server.listen(); // 3
    const clients = [peers.connect(), peers.connect(), peers.connect()];
    time.advanceTo(100);
    expect(server.of(listener)).toEqual(['0 LISTENING', '30 ACCEPT', '30 ACCEPT']);
    expect(server.layer.descriptors()).toEqual({ limit: 6, used: 6 });
    expect(clients.map((client) => peers.of(client))).toEqual([
      ['20 CONNECT'],
      ['20 CONNECT'],
      ['20 CONNECT', '40 PEER_END'],
    ]);

    server.do(server.accepted[0]!, 'SEND_RST');
    time.advanceTo(200);
    const descriptors: number[] = [];
    server.layer.events.subscribe(({ event }) => event.type === 'ACCEPT' && descriptors.push(event.descriptor));
    peers.connect();
    time.advanceTo(300);
    expect(descriptors).toEqual([4]);
  });

  test('a client without a descriptor gets ERROR EMFILE', () => {
    network.limitDescriptors(peers.layer, 3);
    const client = peers.connect();
    time.advanceTo(100);
    expect(peers.of(client)).toEqual(['0 ERROR EMFILE', '0 CLOSE fin']);
    expect(peers.layer.descriptors()).toEqual({ limit: 3, used: 3 });
  });
});

describe('a peer that is gone', () => {
  test('idle, with keep-alive 60 s / 10 s / 6 and no user timeout: ETIMEDOUT 120 s after the last that was heard', () => {
    const { accepted } = connected({ userTimeoutMs: 'system' });
    network.vanish(PEER);
    time.advanceTo(30 + 120_000 - 1);
    expect(server.of(accepted)).toEqual([]);
    time.advanceTo(30 + 120_000);
    expect(server.of(accepted)).toEqual(['120030 ERROR ETIMEDOUT', '120030 CLOSE fin']);
  });

  test('idle, with a user timeout of 30 s: the first probe without an answer ends it, after 70 s (as Linux)', () => {
    const { accepted } = connected();
    network.vanish(PEER);
    time.advanceTo(1_000_000);
    expect(server.of(accepted)).toEqual(['70030 ERROR ETIMEDOUT', '70030 CLOSE fin']);
  });

  test('idle, with keep-alive 5 s / 5 s and a user timeout of 12 s: the probe at 15 s is the first after it', () => {
    const { accepted } = connected({ userTimeoutMs: 12_000, keepAlive: { idleMs: 5_000, intervalMs: 5_000 } });
    network.vanish(PEER);
    time.advanceTo(100_000);
    expect(server.of(accepted)).toEqual(['15030 ERROR ETIMEDOUT', '15030 CLOSE fin']);
  });

  test('without keep-alive nobody ever hears of it', () => {
    const { accepted } = connected({ keepAlive: false });
    network.vanish(PEER);
    time.advanceTo(10_000_000);
    expect(server.of(accepted)).toEqual([]);
    expect(accepted.closed).toBe(false);
  });

  test('with bytes under way: ETIMEDOUT 30 s after their first repetition, 220 ms after they were sent', () => {
    const { accepted } = connected();
    network.vanish(PEER);
    time.advanceTo(1_000);
    server.write(accepted, 5);
    time.advanceTo(1_000_000);
    expect(server.of(accepted)).toEqual(['31220 ERROR ETIMEDOUT', '31220 CLOSE fin']);
  });

  test('its own sockets are closed without an event, and a machine that is back answers with RST', () => {
    const { client, accepted } = connected();
    network.vanish(PEER);
    expect(client.closed).toBe(true);
    time.advanceTo(1_000);
    network.restore(PEER);
    server.write(accepted, 5);
    time.advanceTo(2_000);
    expect(server.of(accepted)).toEqual(['1020 ERROR ECONNRESET', '1020 CLOSE reset']);
    expect(peers.of(client)).toEqual([]);
  });

  test('a connect that its machine had begun goes no further, also when the machine is back', () => {
    const client = peers.connect({ host: '10.9.9.9', port: 1 });
    time.advanceTo(100);
    network.vanish(PEER);
    network.restore(PEER);
    time.advanceTo(100_000);
    expect(peers.of(client)).toEqual([]);
    expect(client.closed).toBe(true);
    expect(peers.layer.descriptors()?.used).toBe(3);
  });

  test('one connection can vanish alone', () => {
    const { client } = connected({ userTimeoutMs: 'system' });
    const other = peers.connect();
    time.advanceTo(200);
    network.vanish(client);
    peers.write(other, 1);
    time.advanceTo(200_000);
    expect(server.of(server.accepted[0]!)).toEqual(['120030 ERROR ETIMEDOUT', '120030 CLOSE fin']);
    expect(server.of(server.accepted[1]!)).toEqual(['210 READ 1']);
  });

  test('a window that stays shut for 30 s ends the sender with ETIMEDOUT, though the peer is there (as Linux)', () => {
    server.reads = false;
    const { client } = connected();
    peers.write(client, 100_000);
    time.advanceTo(30_000);
    expect(peers.of(client)).toEqual([]);
    time.advanceTo(1_000_000);
    expect(peers.of(client)).toEqual(['30340 ERROR ETIMEDOUT', '30340 CLOSE fin']);
  });
});

describe('partitions', () => {
  test('what is sent across a partition of 5 s arrives after it, when TCP tries again', () => {
    const { client, accepted } = connected();
    network.partition(SERVER, PEER);
    peers.write(client, 5);
    server.write(accepted, 7);
    time.advanceTo(5_100);
    expect(server.of(accepted)).toEqual([]);
    network.heal(SERVER, PEER);
    time.advanceTo(20_000);
    // Sent at 100, again after 220 ms and twice as long each time: at 6 920.
    expect(server.of(accepted)).toEqual(['6930 READ 5']);
    expect(peers.of(client)).toEqual(['6930 READ 7']);
  });

  test('what was under way when the partition began is lost, and sent again', () => {
    const { client, accepted } = connected();
    peers.write(client, 5);
    time.advanceTo(105);
    network.partition(PEER);
    time.advanceTo(200);
    network.heal(PEER);
    time.advanceTo(1_000);
    expect(server.of(accepted)).toEqual(['330 READ 5']);
  });

  test('an acknowledgement under way when the partition began is lost, and comes after it', () => {
    const { client } = connected();
    const acked = () => peers.layer.tcpInfo(client)?.bytesAcked;
    peers.write(client, 5);
    time.advanceTo(115);
    network.partition(PEER);
    time.advanceTo(200);
    expect(acked()).toBe(0);
    network.heal(PEER);
    time.advanceTo(339);
    expect(acked()).toBe(0);
    time.advanceTo(340);
    expect(acked()).toBe(5);
  });

  test('an RST under way when the partition began is lost for good', () => {
    const { client, accepted } = connected({ keepAlive: false });
    peers.do(client, 'SEND_RST');
    time.advanceTo(105);
    network.partition(PEER);
    time.advanceTo(200);
    network.heal(PEER);
    time.advanceTo(100_000);
    expect(server.of(accepted)).toEqual([]);
  });

  test('a host that is cut off from all others still reaches itself', () => {
    server.listen();
    network.partition(SERVER);
    const own = new Side(network, time, SERVER);
    const client = own.connect();
    time.advanceTo(100);
    expect(own.of(client)).toEqual(['20 CONNECT']);
    own.layer.release(client);
  });

  test('one way: the server hears the peer and is not heard, and its bytes end in ETIMEDOUT', () => {
    const { client, accepted } = connected();
    network.partition(SERVER, PEER, { oneWay: true });
    peers.write(client, 5);
    server.write(accepted, 7);
    time.advanceTo(100_000);
    expect(server.of(accepted)).toEqual(['110 READ 5', '30320 ERROR ETIMEDOUT', '30320 CLOSE fin']);
    expect(peers.of(client)).toEqual(['30320 ERROR ETIMEDOUT', '30320 CLOSE fin']); // its acknowledgements are lost
  });

  test('an RST that is lost leaves the other end half-open: its next bytes after the partition are answered with RST', () => {
    const { client, accepted } = connected();
    network.partition(SERVER, PEER);
    peers.do(client, 'SEND_RST');
    time.advanceTo(1_000);
    network.heal();
    time.advanceTo(2_000);
    expect(peers.of(client)).toEqual(['100 CLOSE reset']);
    expect(server.of(accepted)).toEqual([]);
    server.write(accepted, 1);
    time.advanceTo(3_000);
    expect(server.of(accepted)).toEqual(['2020 ERROR ECONNRESET', '2020 CLOSE reset']);
  });

  test('half-open and silent: the first keep-alive probe, 60 s after the last that was heard, is answered with RST', () => {
    const { client, accepted } = connected();
    network.partition(SERVER, PEER);
    peers.do(client, 'SEND_RST');
    time.advanceTo(1_000);
    network.heal();
    time.advanceTo(100_000);
    expect(server.of(accepted)).toEqual(['60030 ERROR ECONNRESET', '60030 CLOSE reset']);
  });

  test('a FIN that is lost is sent again, and graceful closing goes on after the partition', () => {
    const { client, accepted } = connected();
    network.partition(SERVER, PEER);
    peers.do(client, 'SEND_FIN');
    time.advanceTo(1_000);
    network.heal();
    time.advanceTo(3_000);
    server.do(accepted, 'SEND_FIN');
    time.advanceTo(4_000);
    expect(server.of(accepted)).toEqual(['1650 PEER_END', '3000 CLOSE fin']);
    expect(peers.of(client)).toEqual(['3010 PEER_END', '3010 CLOSE fin']);
  });
});

describe('a stall', () => {
  test('of 2 s: what arrived meanwhile is read at its end, before the timers of the host’s clock that fell due in it', () => {
    const { client, accepted } = connected();
    const seen = server.of(accepted);
    const clock = network.clock(SERVER);
    clock.schedule(() => seen.push(`${clock.now()} timer`), 1_000);
    clock.schedule(() => seen.push(`${clock.now()} late timer`), 3_000);
    network.stall(SERVER, 2_000);
    time.advanceTo(900);
    peers.write(client, 5);
    time.advanceTo(1_500);
    peers.write(client, 6);
    time.advanceTo(10_000);
    expect(seen).toEqual(['2100 READ 11', '2100 timer', '3100 late timer']);
  });

  test('the kernel goes on: bytes are acknowledged up to the receive buffer, then the sender waits', () => {
    const { client } = connected();
    network.stall(SERVER, 5_000);
    peers.write(client, 20_000);
    time.advanceTo(200);
    expect(peers.layer.tcpInfo(client)).toMatchObject({ bytesAcked: 16_384, notSentBytes: 3_616 });
    time.advanceTo(6_000);
    expect(server.accepted[0]!.statistics.bytesReceived).toBe(20_000);
  });

  test('answers of the server socket wait for its end too', () => {
    network.stall(SERVER, 1_000);
    const listener = server.listen();
    time.advanceTo(2_000);
    expect(server.of(listener)).toEqual(['1000 LISTENING']);
  });
});

test('on RealTime the network runs by itself', async () => {
  const real = new RealTime();
  const onReal = createSimulatedNetwork({ time: real, seed: 1, latencyMs: 1 });
  const layer = onReal.layer();
  const listener = layer.openServer({ host: '127.0.0.1', port: 0 }, parseTcpSocketOptions());
  layer.claim(listener, layer);
  const read = new Promise<string>((resolve) => {
    layer.events.subscribe(({ socket, event }) => {
      if (event.type === 'LISTENING') {
        const client = layer.openClient({ host: '127.0.0.1', port: event.local.port }, parseTcpSocketOptions());
        layer.claim(client, layer);
        layer.carryOut(client, { type: 'CONNECT' });
      } else if (event.type === 'CONNECT') layer.carryOut(socket, { type: 'WRITE', bytes: Buffer.from('hello') });
      else if (event.type === 'ACCEPT') {
        const accepted = layer.get(event.socket)!;
        layer.claim(accepted, layer);
        layer.carryOut(accepted, { type: 'RESUME' });
      } else if (event.type === 'READ') resolve(Buffer.from(event.bytes).toString());
    });
  });
  layer.carryOut(listener, { type: 'LISTEN' });
  expect(await read).toBe('hello');
  for (const socket of [...layer.sockets()]) layer.release(socket);
  expect(real.pendingCount).toBe(0);
});

describe('Unix sockets', () => {
  test('bytes and FIN go through a path of the host; SEND_RST is a destroy and not called a reset', () => {
    const listener = server.listen({ path: '/run/x' });
    time.advanceTo(0);
    const own = new Side(network, time, SERVER);
    const client = own.connect({ path: '/run/x' });
    time.advanceTo(100);
    own.write(client, 3);
    time.advanceTo(200);
    const accepted = server.accepted[0]!;
    expect(server.of(accepted).map((line) => line.split(' ')[1])).toEqual(['READ']);
    expect(listener.local).toEqual({ transport: 'unix', address: '/run/x', port: 0, family: 'unix' });
    expect(server.layer.tcpInfo(accepted)).toBeUndefined();
    server.do(accepted, 'SEND_RST');
    time.advanceTo(300);
    expect(server.of(accepted).at(-1)).toMatch(/CLOSE fin/);
    const stranger = peers.connect({ path: '/run/x' });
    time.advanceTo(400);
    expect(peers.of(stranger)).toEqual(['300 ERROR ENOENT', '300 CLOSE fin']);
    for (const socket of [...own.layer.sockets()]) own.layer.release(socket);
  });
});
