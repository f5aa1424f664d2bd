/** What the tests of socket layers share: a layer with a record of all its events, and ways to wait for something without sleeping. */
import { beforeEach } from 'vitest';
import type { SocketCommand, SocketEvent } from '../../machines/events.js';
import { parseTcpSocketOptions, type TcpSocketOptions } from '../../src/socket/options.js';
import type { ListenAddress, SocketLayer, SocketRecord } from '../../src/socket/socket-layer.js';
import type { VirtualTime } from '../../src/time/index.js';

/** A layer, its clock, and one step of its world: a turn of the event loop, or a moment of a simulated network. */
export interface LayerUnderTest {
  readonly layer: SocketLayer;
  /** The clock that the layer was given; only a test moves it (and `step`, on a simulated network). */
  readonly time: VirtualTime;
  readonly step: () => Promise<void>;
  /** A place to listen where any port is free. */
  readonly address: ListenAddress;
}

export interface Pair {
  readonly server: SocketRecord;
  readonly client: SocketRecord;
  readonly accepted: SocketRecord;
}

const UNTIL_MS = 8_000;

export class Harness {
  readonly layer: SocketLayer;
  readonly time: VirtualTime;
  readonly #events = new Map<SocketRecord, SocketEvent[]>();

  constructor(private readonly under: LayerUnderTest) {
    this.layer = under.layer;
    this.time = under.time;
    this.layer.events.subscribe(({ socket, event }) => this.events(socket).push(event));
  }

  /** Everything that a claimed socket has reported. */
  events(socket: SocketRecord): SocketEvent[] {
    let events = this.#events.get(socket);
    if (events === undefined) this.#events.set(socket, (events = []));
    return events;
  }

  types(socket: SocketRecord): string[] {
    return this.events(socket).map(({ type }) => type);
  }

  count(socket: SocketRecord, type: SocketEvent['type']): number {
    return this.types(socket).filter((other) => other === type).length;
  }

  last<Type extends SocketEvent['type']>(socket: SocketRecord, type: Type): Extract<SocketEvent, { type: Type }> {
    const found = this.events(socket).findLast((event) => event.type === type);
    if (found === undefined) throw new Error(`no ${type} among ${this.types(socket).join(', ')}`);
    return found as Extract<SocketEvent, { type: Type }>;
  }

  /** All bytes that were read so far. */
  received(socket: SocketRecord): Uint8Array {
    return Buffer.concat(this.events(socket).flatMap((event) => (event.type === 'READ' ? [event.bytes] : [])));
  }

  carryOut(socket: SocketRecord, ...commands: (SocketCommand['type'] | SocketCommand)[]): void {
    for (const command of commands) {
      this.layer.carryOut(socket, typeof command === 'string' ? ({ type: command } as SocketCommand) : command);
    }
  }

  write(socket: SocketRecord, bytes: Uint8Array | string): void {
    this.carryOut(socket, { type: 'WRITE', bytes: typeof bytes === 'string' ? Buffer.from(bytes) : bytes });
  }

  async until(what: string, condition: () => boolean): Promise<void> {
    const deadline = performance.now() + UNTIL_MS;
    while (!condition()) {
      if (performance.now() > deadline) throw new Error(`not within ${UNTIL_MS} ms: ${what}; ${this.#story()}`);
      await this.under.step();
    }
  }

  untilEvent(socket: SocketRecord, type: SocketEvent['type'], count = 1): Promise<void> {
    return this.until(`${type} of ${socket.kind} ${socket.handle}`, () => this.count(socket, type) >= count);
  }

  /** For what must not happen: long enough for all that is on its way to arrive. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 50; turn += 1) await this.under.step();
  }

  /** Until a number stands still. */
  async untilQuiet(number: () => number): Promise<void> {
    for (let before = -1; before !== number();) {
      before = number();
      await this.settle();
    }
  }

  openServer(options: Partial<TcpSocketOptions> = {}, address = this.under.address): SocketRecord {
    return this.layer.openServer(address, parseTcpSocketOptions(options));
  }

  openClient(address: ListenAddress, options: Partial<TcpSocketOptions> = {}): SocketRecord {
    return this.layer.openClient(address, parseTcpSocketOptions(options));
  }

  /** A claimed server socket that listens. */
  async listen(options: Partial<TcpSocketOptions> = {}, address = this.under.address): Promise<SocketRecord> {
    const server = this.openServer(options, address);
    this.layer.claim(server, this);
    this.carryOut(server, 'RESOLVE');
    await this.untilEvent(server, 'RESOLVED');
    this.carryOut(server, 'LISTEN');
    await this.untilEvent(server, 'LISTENING');
    this.carryOut(server, 'CONFIGURE');
    await this.untilEvent(server, 'CONFIGURED');
    return server;
  }

  /** The two ends of one connection, both claimed and reading. */
  async connect(server: SocketRecord, options: Partial<TcpSocketOptions> = {}): Promise<Pair> {
    const { client, accepted } = await this.connectPaused(server, options);
    this.carryOut(client, 'RESUME');
    this.carryOut(accepted, 'RESUME');
    return { server, client, accepted };
  }

  /** The two ends of one connection, both claimed; neither has read anything. */
  async connectPaused(server: SocketRecord, options: Partial<TcpSocketOptions> = {}): Promise<Pair> {
    const acceptCount = this.count(server, 'ACCEPT');
    const client = this.openClient(addressOf(server), options);
    this.layer.claim(client, this);
    this.carryOut(client, 'CONNECT');
    await this.untilEvent(client, 'CONNECT');
    await this.untilEvent(server, 'ACCEPT', acceptCount + 1);
    const accepted = this.layer.get(this.last(server, 'ACCEPT').socket)!;
    this.layer.claim(accepted, this);
    return { server, client, accepted };
  }

  async pair(options: Partial<TcpSocketOptions> = {}): Promise<Pair> {
    return this.connect(await this.listen(options), options);
  }

  /** Ends everything. */
  async dispose(): Promise<void> {
    for (const socket of [...this.layer.sockets()]) this.layer.release(socket);
    await this.settle();
  }

  #story(): string {
    return [...this.#events.keys()].map((s) => `${s.kind} ${s.handle}: ${this.types(s).join(' ')}`).join('; ');
  }
}

/** Where a server socket that listens can be reached. */
export function addressOf(server: SocketRecord): ListenAddress {
  const { transport, address, port } = server.local!;
  return transport === 'unix' ? { path: address } : { host: address, port };
}

/** Bytes that differ everywhere, so that a lost or doubled piece shows. */
export function pattern(length: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4));
  for (let index = 0; index < words.length; index += 1) words[index] = Math.imul(index + 1, 2_654_435_761);
  return new Uint8Array(words.buffer, 0, length);
}

/** For a `describe`: skips its tests where they cannot run, and says why; on CI, where nobody reads of skips, that is an error. */
export function needs(condition: boolean, why: string): void {
  if (!condition && process.env['CI'] === 'true') throw new Error(`tests would be skipped on CI: ${why}`);
  beforeEach(({ skip }) => skip(!condition, why));
}
