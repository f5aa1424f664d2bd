/**
 * What comes before a client's connection: the look-up of its name, and one attempt per address.
 *
 * - With a kernel each attempt makes its descriptor itself, sets the options and hands it to `net`, since buffers and MSS
 *   must be set before the SYN. `net` then owns it, and closes it when the attempt fails.
 * - So `net`'s own `autoSelectFamily` cannot be used. Addresses are tried one after the other, in the order of the resolver; one
 *   that does not answer is given up after 250 ms if there is another (the interval of RFC 8305, 8; unlike there, attempts do not race).
 * - Slow is not dead: an address that was given up goes to the end, and gets four times as long when its turn comes again, so that
 *   neither a slow one nor a silent one hides the others. The only one that is left is not given up. All ends when each
 *   address has failed by itself, or with the client's own deadline.
 */
import dns from 'node:dns';
import net from 'node:net';
import type { SchedulerLike, Subscription } from 'rxjs';
import type { ListenAddress } from '../address.js';
import type { EventRouter } from '../event-router.js';
import type { TcpSocketOptions } from '../options.js';
import { applyTcpOptions, type Family, keepAliveByNode } from './apply-options.js';
import { type Failure, type NetConnection, tcpAddress, unixAddress } from './connection.js';
import type { Kernel } from './kernel.js';

const ATTEMPT_TIMEOUT_MS = 250;
/** 0.25, 1, 4 s: two addresses have two whole rounds and 4 s more within the 10 s of a client's default deadline. */
const ATTEMPT_TIMEOUT_FACTOR = 4;

export interface ConnectingOptions {
  readonly address: ListenAddress;
  readonly options: TcpSocketOptions;
  readonly kernel: Kernel | undefined;
  readonly time: SchedulerLike;
  readonly router: EventRouter;
}

interface Candidate {
  readonly address: string;
  readonly family: Family;
  readonly timeoutMs: number;
}

export class Connecting {
  readonly #connection: NetConnection;
  readonly #options: ConnectingOptions;
  #started = false;
  #abandoned = false;
  #candidates: Candidate[] = [];
  #socket: net.Socket | undefined;
  #timer: Subscription | undefined;

  constructor(connection: NetConnection, options: ConnectingOptions) {
    this.#connection = connection;
    this.#options = options;
  }

  start(): void {
    if (this.#started) return;
    this.#started = true;
    const { address } = this.#options;
    if ('path' in address) return this.#tryPath(address.path);
    const family = net.isIP(address.host);
    if (family !== 0) return this.#tryAll([{ address: address.host, family }]);
    dns.lookup(address.host, { all: true }, (error, found) => {
      if (this.#abandoned) return;
      if (error !== null) return this.#connection.closeUnconnected(failureOf(error));
      this.#tryAll(found);
    });
  }

  abandon(): void {
    this.#abandoned = true;
    this.#endAttempt()?.destroy();
  }

  #tryAll(found: readonly dns.LookupAddress[]): void {
    this.#candidates = found.map(({ address, family }) => ({
      address,
      family: family === 6 ? 'IPv6' : 'IPv4',
      timeoutMs: ATTEMPT_TIMEOUT_MS,
    }));
    this.#tryNext(undefined);
  }

  #tryNext(failure: Failure | undefined): void {
    this.#endAttempt()?.destroy();
    const candidate = this.#candidates.shift();
    if (candidate === undefined) return this.#connection.closeUnconnected(failure);
    const { address, time } = this.#options;
    const port = 'port' in address ? address.port : 0;
    const socket = this.#openSocket(candidate.family);
    this.#attempt(socket);
    socket.connect({ host: candidate.address, port });
    if (this.#candidates.length === 0) return;
    const { timeoutMs } = candidate;
    this.#timer = time.schedule(() => {
      this.#candidates.push({ ...candidate, timeoutMs: timeoutMs * ATTEMPT_TIMEOUT_FACTOR });
      this.#tryNext(undefined);
    }, timeoutMs);
  }

  #tryPath(path: string): void {
    const { kernel, options } = this.#options;
    this.#connection.options = applyTcpOptions({ kernel, fd: undefined, family: undefined }, options);
    const socket = new net.Socket({ allowHalfOpen: true });
    this.#attempt(socket);
    socket.connect({ path });
  }

  #attempt(socket: net.Socket): void {
    this.#socket = socket;
    socket.pause(); // nothing is read before the first RESUME
    socket.once('error', (error) => {
      if (this.#socket === socket) this.#tryNext(failureOf(error));
    });
    socket.once('connect', () => {
      if (this.#socket === socket) this.#connected(socket);
    });
  }

  #connected(socket: net.Socket): void {
    this.#endAttempt();
    socket.removeAllListeners('error'); // the attempt's; the connection brings its own
    const { address, router } = this.#options;
    const connection = this.#connection;
    connection.connecting = undefined;
    connection.peer =
      'path' in address
        ? unixAddress(address.path)
        : tcpAddress(socket.remoteAddress, socket.remotePort, socket.remoteFamily);
    connection.adopt(socket);
    router.deliver(connection, { type: 'CONNECT' });
  }

  /** @returns the attempt's socket, which is no longer ours. */
  #endAttempt(): net.Socket | undefined {
    this.#timer?.unsubscribe();
    this.#timer = undefined;
    const socket = this.#socket;
    this.#socket = undefined;
    return socket;
  }

  #openSocket(family: Family): net.Socket {
    const { kernel, options } = this.#options;
    const byNode = { allowHalfOpen: true, noDelay: options.noDelay };
    const fd = kernel?.openTcp(family);
    if (kernel !== undefined && fd !== undefined) {
      try {
        const socket = new net.Socket({ ...byNode, fd, manualStart: true } as net.SocketConstructorOpts);
        this.#connection.options = applyTcpOptions({ kernel, fd, family }, options);
        return socket;
      } catch {
        kernel.close(fd); // a Node that does not take descriptors: the connection matters more than its options
      }
    }
    this.#connection.options = applyTcpOptions({ kernel, fd: undefined, family }, options);
    return new net.Socket({ ...byNode, ...keepAliveByNode(options) });
  }
}

export function failureOf(error: NodeJS.ErrnoException): Failure {
  return { code: error.code ?? 'UNKNOWN', message: error.message };
}
