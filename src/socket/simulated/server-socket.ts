/**
 * One socket that listens on a simulated host, with its backlog.
 *
 * - A SYN is dropped while the backlog is full of connections that were not accepted or whose handshake is not done; the client
 *   sends it again. (Linux, with SYN cookies, lets more handshakes finish and drops their last segment; the client sees the same.)
 * - accept(2) without a free descriptor: libuv keeps one in reserve, accepts with it and closes at once, and says nothing.
 */
import type { SchedulerAction, Subscription } from 'rxjs';
import type { SocketAddress, SocketCommand, SocketEvent, SocketHandle } from '../../../machines/events.js';
import type { ListenAddress } from '../address.js';
import type { RoutedSocket, Wait } from '../event-router.js';
import type { AppliedOption, TcpSocketOptions } from '../options.js';
import { TcpSocketStatistics } from '../statistics.js';
import { appliedListenOptions, appliedTcpOptions, endOptionsOf } from './end-options.js';
import { type AcceptedOptions, isAddress, type Listener, tcpAddress, unixAddress } from './host.js';
import type { Process } from './process.js';
import type { EndOwner, TcpEnd } from './tcp-end.js';

/** A connection that is made, and waits for its ACCEPT. */
export interface Incoming {
  readonly end: TcpEnd;
  readonly peer: SocketAddress;
  readonly local: SocketAddress;
}

export interface ServerSocketOptions {
  readonly address: ListenAddress;
  readonly options: TcpSocketOptions;
  readonly process: Process;
  /** Makes a record of a connection, and delivers its ACCEPT. */
  readonly accept: (server: SimulatedServerSocket, incoming: Incoming, descriptor: number) => void;
}

export class SimulatedServerSocket implements RoutedSocket, Listener {
  readonly kind = 'server';
  readonly peer = undefined;
  readonly statistics = new TcpSocketStatistics();
  options: readonly AppliedOption[] = [];
  local: SocketAddress | undefined;
  markedDeleted = false;
  closed = false;
  owner: object | undefined;
  pending: SocketEvent[] | undefined;
  waiting: Wait | undefined;
  descriptor: number | undefined;

  readonly #options: ServerSocketOptions;
  #resolved: string | undefined;
  #listening = false;
  /** Grows with each RESOLVE, LISTEN and STOP_LISTENING: an answer to an earlier one is dropped. */
  #step = 0;
  /** Answers under way, and the next look into the backlog. */
  readonly #timers = new Set<Subscription>();
  readonly #halfOpen = new Set<TcpEnd>();
  #backlog: Incoming[] = [];
  #accepting: Subscription | undefined;

  constructor(
    readonly handle: SocketHandle,
    options: ServerSocketOptions,
  ) {
    this.#options = options;
  }

  carryOut(command: SocketCommand): void {
    if (this.closed) return;
    switch (command.type) {
      case 'RESOLVE':
        return this.#resolve();
      case 'LISTEN':
        return this.#listen();
      case 'CONFIGURE':
        return this.#configure();
      case 'STOP_LISTENING':
        return this.#stopListening();
      default: // the commands of a connection mean nothing here
    }
  }

  /** A server socket cannot pause: whoever connects while its queue is full is reset (`SimulatedLayer`). */
  holdReading(): void {}

  discard(): void {
    this.closed = true;
    this.#close();
    for (const timer of this.#timers) timer.unsubscribe();
    this.#timers.clear();
  }

  // What the network asks of a listener.

  get accepted(): AcceptedOptions {
    const { options, process } = this.#options;
    return endOptionsOf(options, this.local?.family ?? 'IPv4', process.fabric.options.systemBufferBytes);
  }

  takesSyn(): boolean {
    return this.#backlog.length + this.#halfOpen.size <= this.#options.options.backlog;
  }

  join(end: TcpEnd, peer: SocketAddress, local: SocketAddress): void {
    this.#halfOpen.add(end);
    end.owner = new Waiting(() => {
      if (end.gone && this.#halfOpen.delete(end)) end.close();
    });
    end.onEstablished = () => {
      end.onEstablished = undefined;
      if (!this.#halfOpen.delete(end)) return;
      end.owner = new Waiting(() => undefined); // reset or not, it is accepted
      this.#backlog.push({ end, peer, local });
      this.#acceptSoon();
    };
  }

  lost(): void {
    this.discard();
  }

  awake(): void {
    this.#acceptAll();
  }

  #resolve(): void {
    this.#step += 1;
    const { address, process } = this.#options;
    if ('path' in address) return this.#answer(() => ({ type: 'RESOLVED', address: address.path }));
    this.#answer(() => {
      const found = isAddress(address.host) ? address.host : process.fabric.lookUp(address.host)?.[0];
      if (found === undefined) {
        return { type: 'ERROR', code: 'ENOTFOUND', message: `getaddrinfo ENOTFOUND ${address.host}` };
      }
      this.#resolved = found;
      return { type: 'RESOLVED', address: found };
    });
  }

  #listen(): void {
    if (this.#listening) return;
    this.#listening = true;
    this.#step += 1;
    this.#answer(() => {
      const failure = this.#bind();
      if (failure === undefined) return { type: 'LISTENING', local: this.local! };
      this.#close();
      return { type: 'ERROR', ...failure };
    });
  }

  #bind(): { readonly code: string; readonly message: string } | undefined {
    const { address, process } = this.#options;
    const { host, descriptors, fabric } = process;
    const failed = (code: string, place: string) => ({ code, message: `listen ${code}: ${place}` });
    const place = 'path' in address ? address.path : (this.#resolved ?? address.host);
    this.descriptor ??= descriptors.take();
    if (this.descriptor === undefined) return failed('EMFILE', place);
    if ('path' in address) {
      const code = host.bindPath(this, address.path);
      if (code !== undefined) return failed(code, address.path);
      this.local = unixAddress(address.path);
      return undefined;
    }
    const found = isAddress(place) ? place : fabric.lookUp(place)?.[0];
    if (found === undefined) return { code: 'ENOTFOUND', message: `getaddrinfo ENOTFOUND ${place}` };
    // Port 0 is any free port, but once: who connected before must find it again after a pause.
    const port = address.port === 0 ? (this.local?.port ?? host.freePort() ?? 0) : address.port;
    const code = host.bind(this, found, port);
    if (code !== undefined) return failed(code, `${found}:${port}`);
    this.local = tcpAddress(found, port);
    return undefined;
  }

  #configure(): void {
    if (this.local === undefined || !this.#listening) return;
    const { options, process } = this.#options;
    const { family } = this.local;
    const applied = appliedTcpOptions(options, family, process.fabric.options.systemBufferBytes);
    this.options = [...applied, ...appliedListenOptions(options, family)];
    this.#answer(() => ({ type: 'CONFIGURED' }));
  }

  #stopListening(): void {
    this.#step += 1;
    this.#close();
    this.#answer(() => ({ type: 'STOPPED_LISTENING' }));
  }

  /** In an action of its own; nothing, if something else was asked for meanwhile. */
  #answer(make: () => SocketEvent): void {
    const step = this.#step;
    const { process } = this.#options;
    const timer = process.fabric.time.schedule(
      () => {
        this.#timers.delete(timer);
        if (this.#step === step && !this.closed) process.deliver(this, make());
      },
      Math.max(0, process.host.stalledUntilMs - process.fabric.time.now()),
    );
    this.#timers.add(timer);
  }

  /** The descriptor is closed: what was not accepted is reset. */
  #close(): void {
    const { process } = this.#options;
    this.#listening = false;
    this.#accepting?.unsubscribe();
    this.#accepting = undefined;
    if (this.local !== undefined) {
      process.host.unbind(this, this.local.transport === 'unix' ? this.local.address : this.local.port);
    }
    const ends = [...this.#halfOpen, ...this.#backlog.map(({ end }) => end)];
    this.#halfOpen.clear();
    this.#backlog = [];
    for (const end of ends) {
      end.reset();
      end.close();
    }
    process.freed(this);
  }

  #acceptSoon(): void {
    this.#accepting ??= this.#options.process.fabric.time.schedule(accept, 0, this);
  }

  /** Of `accept` alone. */
  acceptDue(): void {
    this.#accepting = undefined;
    this.#acceptAll();
  }

  #acceptAll(): void {
    const { process, accept } = this.#options;
    while (this.#backlog.length > 0 && !this.closed) {
      if (process.host.isStalled) return process.host.onAwake(this);
      const { failingAccepts } = process.host;
      if (failingAccepts.count > 0) {
        failingAccepts.count -= 1;
        const { code } = failingAccepts;
        this.#acceptSoon();
        return process.deliver(this, { type: 'ERROR', code, message: `accept ${code}` });
      }
      const incoming = this.#backlog.shift()!;
      const descriptor = process.descriptors.take();
      if (descriptor === undefined) incoming.end.close();
      else accept(this, incoming, descriptor);
    }
  }
}

/** Keeps an end that nobody has accepted yet. */
class Waiting implements EndOwner {
  constructor(private readonly changed: () => void) {}

  readable(): void {
    this.changed();
  }

  lost(): void {
    this.changed();
  }

  writable(): void {}

  queuedBytes(): number {
    return 0;
  }
}

function accept(this: SchedulerAction<SimulatedServerSocket>, server?: SimulatedServerSocket): void {
  server!.acceptDue();
}
