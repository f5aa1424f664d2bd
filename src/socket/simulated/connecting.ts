/** What comes before a client's connection: the look-up of its name, and one handshake per address, as `net/connecting.ts` does it. */
import type { Subscription } from 'rxjs';
import type { SocketAddress } from '../../../machines/events.js';
import type { ListenAddress } from '../address.js';
import type { TcpSocketOptions } from '../options.js';
import type { ConnectionFailure, SimulatedConnection } from './connection.js';
import { appliedTcpOptions, endOptionsOf } from './end-options.js';
import { jitterOf } from './flight.js';
import type { Generator } from './generator.js';
import { type Host, isAddress, isLoopback, type Listener, tcpAddress, unixAddress } from './host.js';
import { isLastSyn, synTimeoutMs } from './kernel-timers.js';
import type { Link } from './link.js';
import type { Process } from './process.js';
import { type EndOwner, TcpEnd } from './tcp-end.js';

/** An attempt without an answer gives way to the next address, if there is one: as in `net/connecting.ts`. */
const ATTEMPT_TIMEOUT_MS = 250;
/** No host answers for an address: Linux asks three times, once a second (arp(7), mcast_solicit and retrans_time). */
const UNREACHABLE_MS = 3_000;

export interface ConnectingOptions {
  readonly address: ListenAddress;
  readonly options: TcpSocketOptions;
  readonly process: Process;
}

/** One address, and the way there. */
interface Attempt {
  readonly to: SocketAddress;
  readonly from: SocketAddress;
  readonly target: Host;
  readonly out: Link;
  readonly back: Link;
  readonly number: number;
  readonly generators: readonly [Generator, Generator];
  synCount: number;
}

export class Connecting {
  readonly #connection: SimulatedConnection;
  readonly #options: ConnectingOptions;
  #started = false;
  /** Of the host when the attempt began. */
  #life = 0;
  #candidates: string[] = [];
  /** The next step of the attempt. */
  #step: Subscription | undefined;
  #attemptTimer: Subscription | undefined;
  /** Ours, once the other end knows of the connection. */
  #end: TcpEnd | undefined;

  constructor(connection: SimulatedConnection, options: ConnectingOptions) {
    this.#connection = connection;
    this.#options = options;
  }

  start(): void {
    if (this.#started) return;
    this.#started = true;
    this.#life = this.#options.process.host.lives;
    const { address } = this.#options;
    if ('path' in address) return this.#tryPath(address.path);
    if (isAddress(address.host)) return this.#tryAll([address.host]);
    this.#after(0, () => {
      const found = this.#fabric.lookUp(address.host);
      if (found !== undefined) return this.#tryAll(found);
      const message = `getaddrinfo ENOTFOUND ${address.host}`;
      this.#connection.closeUnconnected({ code: 'ENOTFOUND', message });
    });
  }

  abandon(): void {
    this.#step?.unsubscribe();
    this.#attemptTimer?.unsubscribe();
    const end = this.#end;
    this.#end = undefined;
    end?.reset();
    end?.close();
  }

  get #fabric() {
    return this.#options.process.fabric;
  }

  #tryAll(candidates: readonly string[]): void {
    this.#candidates = [...candidates];
    this.#tryNext(undefined);
  }

  #tryNext(failure: ConnectionFailure | undefined): void {
    const connection = this.#connection;
    const { address, process, options } = this.#options;
    this.abandon();
    const candidate = this.#candidates.shift();
    const port = 'port' in address ? address.port : 0;
    if (candidate === undefined) return connection.closeUnconnected(failure);
    const lacking = this.#takeDescriptorAndPort();
    if (lacking !== undefined) return connection.closeUnconnected(failureOf(lacking, `${candidate}:${port}`));
    const to = tcpAddress(candidate, port);
    const { systemBufferBytes } = this.#fabric.options;
    connection.options = appliedTcpOptions(options, to.family, systemBufferBytes);
    if (this.#candidates.length > 0) {
      const giveWay = () => this.#tryNext(failureOf('ETIMEDOUT', `${candidate}:${port}`));
      this.#attemptTimer = this.#fabric.time.schedule(giveWay, ATTEMPT_TIMEOUT_MS);
    }
    const target = this.#fabric.route(process.host, candidate);
    if (target === undefined) {
      return this.#after(UNREACHABLE_MS, () => this.#tryNext(failureOf('EHOSTUNREACH', `${candidate}:${port}`)));
    }
    const ownAddress = isLoopback(candidate) ? candidate : process.host.address;
    this.#sendSyn(this.#attempt(to, tcpAddress(ownAddress, connection.clientPort ?? 0), target));
  }

  #tryPath(path: string): void {
    const { process, options } = this.#options;
    this.#connection.options = appliedTcpOptions(options, 'unix', 0);
    const lacking = this.#takeDescriptorAndPort();
    if (lacking !== undefined) return this.#connection.closeUnconnected(failureOf(lacking, path));
    if (process.host.listenerAt('', path) === undefined) {
      return this.#connection.closeUnconnected(failureOf('ENOENT', path));
    }
    this.#sendSyn(this.#attempt(unixAddress(path), unixAddress(''), process.host));
  }

  #attempt(to: SocketAddress, from: SocketAddress, target: Host): Attempt {
    const own = this.#options.process.host.address;
    const { number, generatorOf } = this.#fabric.nextConnection();
    const out = this.#fabric.link(own, target.address);
    const back = this.#fabric.link(target.address, own);
    return { to, from, target, out, back, number, generators: [generatorOf(0), generatorOf(1)], synCount: 0 };
  }

  /** @returns the code of what there is none of. */
  #takeDescriptorAndPort(): string | undefined {
    const connection = this.#connection;
    const { process, address } = this.#options;
    connection.descriptor ??= process.descriptors.take();
    if (connection.descriptor === undefined) return 'EMFILE';
    if ('path' in address) return undefined;
    connection.clientPort ??= process.host.takeClientPort();
    return connection.clientPort === undefined ? 'EADDRNOTAVAIL' : undefined;
  }

  #sendSyn(attempt: Attempt): void {
    const { out, target, generators, number, from, to } = attempt;
    attempt.synCount += 1;
    this.#fabric.trace(() => `#${number} > SYN ${shown(from)} ${shown(to)}`);
    if (out.down || target.vanished) return this.#sendAgain(attempt);
    this.#after(delayOf(out, generators[0]), () => this.#synArrives(attempt));
  }

  #sendAgain(attempt: Attempt): void {
    const { to, synCount } = attempt;
    this.#after(synTimeoutMs(synCount), () => {
      if (isLastSyn(synCount)) this.#tryNext(failureOf('ETIMEDOUT', shown(to)));
      else this.#sendSyn(attempt);
    });
  }

  #synArrives(attempt: Attempt): void {
    const { to, target, out, back, generators, number } = attempt;
    if (out.down || back.down || target.vanished) return this.#sendAgain(attempt);
    const listener = target.listenerAt(to.address, to.transport === 'unix' ? to.address : to.port);
    if (listener === undefined) {
      this.#fabric.trace(() => `#${number} < RST`);
      const refuse = () => this.#tryNext(failureOf('ECONNREFUSED', shown(to)));
      return this.#after(delayOf(back, generators[1]), refuse);
    }
    if (!listener.takesSyn()) {
      this.#fabric.trace(() => `#${number} < backlog full`);
      return this.#sendAgain(attempt);
    }
    const end = this.#makeEnds(attempt, listener);
    this.#end = end;
    this.#fabric.trace(() => `#${number} < SYN-ACK`);
    this.#after(delayOf(back, generators[1]), () => this.#synAckArrives(attempt, end));
  }

  #synAckArrives({ from, to }: Attempt, end: TcpEnd): void {
    const connection = this.#connection;
    this.#attemptTimer?.unsubscribe();
    this.#end = undefined;
    connection.local = from;
    connection.peer = to;
    connection.adopt(end);
    end.sendAck();
  }

  /** @returns ours; the listener has the other. */
  #makeEnds(attempt: Attempt, listener: Listener): TcpEnd {
    const { to, from, out, back, generators, number } = attempt;
    const { options } = this.#options;
    const { time, options: fabricOptions } = this.#fabric;
    const tell = (side: string) =>
      fabricOptions.onTrace === undefined
        ? undefined
        : (kind: string, length: number) =>
            this.#fabric.trace(() => `#${number} ${side} ${kind}${length > 0 ? ` ${length}` : ''}`);
    const own = endOptionsOf(options, to.family, fabricOptions.systemBufferBytes);
    const ours = new TcpEnd({ ...own, time, link: out, generator: generators[0], onSegment: tell('>') });
    const theirs = new TcpEnd({
      ...listener.accepted,
      time,
      link: back,
      generator: generators[1],
      onSegment: tell('<'),
    });
    TcpEnd.join(ours, theirs);
    ours.owner = UNDER_WAY;
    listener.join(theirs, from, to);
    return ours;
  }

  #after(delayMs: number, next: () => void): void {
    const { host } = this.#options.process;
    this.#step = this.#fabric.time.schedule(() => {
      if (host.lives === this.#life) next();
      else this.#connection.lost();
    }, delayMs);
  }
}

/** Keeps our end while the SYN-ACK is on its way: an end without an owner is taken for a closed one, and an RST behind it would be lost. */
const UNDER_WAY: EndOwner = {
  readable: () => {},
  writable: () => {},
  queuedBytes: () => 0,
  lost: () => {},
};

function delayOf({ conditions: { latencyMs, jitterMs } }: Link, generator: Generator): number {
  return latencyMs + jitterOf(jitterMs, generator);
}

function failureOf(code: string, place: string): ConnectionFailure {
  return { code, message: `connect ${code} ${place}` };
}

function shown({ transport, address, port }: SocketAddress): string {
  return transport === 'unix' ? address : `${address}:${port}`;
}
