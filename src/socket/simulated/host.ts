/** One machine of a simulated network: its ports, who listens on them, and how it fares. */
import type { SchedulerLike, Subscription } from 'rxjs';
import type { SocketAddress } from '../../../machines/events.js';
import type { TcpEnd } from './tcp-end.js';

/** Whoever listens on an address of the host. */
export interface Listener {
  readonly local: SocketAddress | undefined;
  /** A SYN. @returns `false` when the backlog is full, so that the SYN is dropped. */
  takesSyn(): boolean;
  /** The handshake of one that was taken begins; it ends with `end.onEstablished`, or with a failure of `end`. */
  join(end: TcpEnd, peer: SocketAddress, local: SocketAddress): void;
  /** How the listener's options shape the accepted end. */
  readonly accepted: AcceptedOptions;
  /** The machine vanished. */
  lost(): void;
}

export type AcceptedOptions = Pick<
  TcpEnd['options'],
  'sendBufferBytes' | 'receiveBufferBytes' | 'mssBytes' | 'keepAlive' | 'userTimeoutMs'
>;

/** Something of a process that was asked to do its work while the process stood still. */
export interface Sleeper {
  awake(): void;
}

/** Linux's default range: ip(7), ip_local_port_range. */
const PORT_MIN = 32_768;
const PORT_MAX = 60_999;

export class Host {
  vanished = false;
  /** Grows when the machine vanishes: what was begun before is not gone on with. */
  lives = 1;
  /** Ports below are EACCES: ip(7), ip_unprivileged_port_start. */
  unprivilegedPortMin = 1_024;
  /** Accepts that fail next, and how. */
  failingAccepts = { count: 0, code: 'ECONNABORTED' };

  readonly #listeners = new Map<number | string, Listener[]>();
  readonly #clientPorts = new Set<number>();
  #nextPort = PORT_MIN;
  #stalledUntilMs = -Infinity;
  #sleepers = new Set<Sleeper>();
  #wake: Subscription | undefined;

  constructor(
    readonly address: string,
    private readonly time: SchedulerLike,
  ) {}

  get isStalled(): boolean {
    return this.#stalledUntilMs > this.time.now();
  }

  /** When the processes of this host go on; in the past when they do. */
  get stalledUntilMs(): number {
    return this.#stalledUntilMs;
  }

  has(address: string): boolean {
    return address === this.address || isLoopback(address) || isWildcard(address);
  }

  /** Its processes do nothing for `durationMs`; its kernel goes on. */
  stall(durationMs: number): void {
    this.#stalledUntilMs = Math.max(this.#stalledUntilMs, this.time.now() + durationMs);
    this.#wake?.unsubscribe();
    this.#wake = this.time.schedule(() => this.#awake(), this.#stalledUntilMs - this.time.now());
  }

  /** Calls `awake` when the stall is over. */
  onAwake(sleeper: Sleeper): void {
    this.#sleepers.add(sleeper);
  }

  /** @returns the listener that a SYN to the address gets to. */
  listenerAt(address: string, port: number | string): Listener | undefined {
    const listeners = this.#listeners.get(port);
    if (listeners === undefined || typeof port === 'string') return listeners?.[0];
    const exact = listeners.find(({ local }) => local?.address === address);
    return exact ?? listeners.find(({ local }) => isWildcard(local?.address ?? ''));
  }

  /** @returns the code of the failure, if it fails. */
  bind(listener: Listener, address: string, port: number): string | undefined {
    if (!this.has(address)) return 'EADDRNOTAVAIL';
    if (port < this.unprivilegedPortMin) return 'EACCES';
    const others = this.#listeners.get(port) ?? [];
    const overlaps = others.some(({ local }) => {
      const other = local?.address ?? '';
      return other === address || isWildcard(other) || isWildcard(address);
    });
    if (overlaps) return 'EADDRINUSE';
    this.#listeners.set(port, [...others, listener]);
    return undefined;
  }

  /** As `bind`, of a Unix socket. */
  bindPath(listener: Listener, path: string): string | undefined {
    if (this.#listeners.has(path)) return 'EADDRINUSE';
    this.#listeners.set(path, [listener]);
    return undefined;
  }

  unbind(listener: Listener, port: number | string): void {
    const others = (this.#listeners.get(port) ?? []).filter((other) => other !== listener);
    if (others.length === 0) this.#listeners.delete(port);
    else this.#listeners.set(port, others);
  }

  /** @returns a port that nobody uses, the next one after the last; `undefined` when there is none. */
  freePort(): number | undefined {
    for (let tried = PORT_MIN; tried <= PORT_MAX; tried += 1) {
      const port = this.#nextPort;
      this.#nextPort = port === PORT_MAX ? PORT_MIN : port + 1;
      if (!this.#clientPorts.has(port) && !this.#listeners.has(port)) return port;
    }
    return undefined;
  }

  takeClientPort(): number | undefined {
    const port = this.freePort();
    if (port !== undefined) this.#clientPorts.add(port);
    return port;
  }

  freeClientPort(port: number): void {
    this.#clientPorts.delete(port);
  }

  vanish(): void {
    this.vanished = true;
    this.lives += 1;
    for (const listener of [...this.#listeners.values()].flat()) listener.lost();
    this.#listeners.clear();
    this.#clientPorts.clear();
  }

  #awake(): void {
    this.#wake = undefined;
    const sleepers = this.#sleepers;
    this.#sleepers = new Set();
    for (const sleeper of sleepers) sleeper.awake();
  }
}

export function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.');
}

export function isWildcard(address: string): boolean {
  return address === '0.0.0.0' || address === '::';
}

/** @returns whether it is an address and no name. */
export function isAddress(host: string): boolean {
  return host.includes(':') || /^\d+\.\d+\.\d+\.\d+$/.test(host);
}

export function tcpAddress(address: string, port: number): SocketAddress {
  return { transport: 'tcp', address, port, family: address.includes(':') ? 'IPv6' : 'IPv4' };
}

export function unixAddress(path: string): SocketAddress {
  return { transport: 'unix', address: path, port: 0, family: 'unix' };
}
