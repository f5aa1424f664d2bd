/**
 * One connection on a `net.Socket`, accepted or made by us.
 *
 * - Listeners are shared: one function per event for all sockets, which finds its record through a symbol on the socket. A
 *   closure per listener costs some 300 bytes a session for nothing (HOTPATH.md, 3).
 * - "The kernel has it all" is awaited by a zero-length write with a callback, one closure for a connection that has ever
 *   had to wait: `drain` comes only above `net`'s high-water mark, and a callback per write would cost each write.
 * - `resetAndDestroy` while libuv has a shutdown in flight fails with EINVAL, never closes the descriptor and never emits
 *   `close` (Node 20 and 24). So an RST right behind our FIN waits until that FIN is out, which takes one turn of the loop.
 * - The `net.Socket` is let go at its close. The record stays small until it is released.
 */
import type net from 'node:net';
import type { SocketAddress, SocketCommand, SocketEvent, SocketHandle } from '../../../machines/events.js';
import type { EventRouter, RoutedSocket, Wait } from '../event-router.js';
import type { AppliedOption } from '../options.js';
import { TcpSocketStatistics } from '../statistics.js';
import { bytesTakenBy, type Handle, handleOf } from './handle.js';

const RECORD = Symbol('wirechart.connection');
type OwnedSocket = net.Socket & { [RECORD]?: NetConnection | undefined };

const NO_OPTIONS: readonly AppliedOption[] = [];
const NOTHING = new Uint8Array(0);

export class NetConnection implements RoutedSocket {
  options = NO_OPTIONS;
  peer: SocketAddress | undefined;
  readonly statistics = new TcpSocketStatistics(this);
  markedDeleted = false;
  closed = false;
  owner: object | undefined;
  pending: SocketEvent[] | undefined;
  waiting: Wait | undefined;

  /** Starts and gives up what comes before a client's connection. */
  connecting: { start(): void; abandon(): void } | undefined;

  #socket: OwnedSocket | undefined;
  #local: SocketAddress | undefined;
  /** What the listener is bound to: ours, too, unless it is a wildcard. */
  readonly #listener: SocketAddress | undefined;
  #wantsReading = false;
  #heldByQueue = false;
  /** WRITE is owed: the kernel did not take everything. */
  #congested = false;
  /** FLUSHED is owed. */
  #flushing = false;
  #byReset = false;
  #resetAfterFin = false;
  #bytesDropped = 0;
  /** Of a connection that has had to wait for the kernel: after an error the socket no longer leads to it. */
  #handle: Handle | undefined;
  #onEmptied: (() => void) | undefined;

  constructor(
    readonly handle: SocketHandle,
    readonly kind: 'client' | 'acceptedClient',
    private readonly router: EventRouter,
    listener?: SocketAddress,
  ) {
    this.#listener = listener;
  }

  get socket(): net.Socket | undefined {
    return this.#socket;
  }

  get local(): SocketAddress | undefined {
    if (this.#local === undefined) this.#local = this.#readLocal();
    return this.#local ?? this.#listener;
  }

  /** Takes a connected (or accepted) socket over, which must be paused. */
  adopt(socket: net.Socket): void {
    (socket as OwnedSocket)[RECORD] = this;
    this.#socket = socket;
    socket.on('data', onData);
    socket.on('end', onEnd);
    socket.on('drain', onDrain);
    socket.on('error', onError);
    socket.on('close', onClose);
    this.#read();
  }

  carryOut(command: SocketCommand): void {
    if (this.closed) {
      if (command.type === 'WRITE') this.statistics.bytesDropped += command.bytes.byteLength;
      return;
    }
    switch (command.type) {
      case 'WRITE':
        return this.#write(command.bytes);
      case 'FLUSH':
        return this.#flush();
      case 'SEND_FIN':
        return this.#sendFin();
      case 'SEND_RST':
        return this.#sendRst();
      case 'PAUSE':
        this.#wantsReading = false;
        return this.#read();
      case 'RESUME':
        this.#wantsReading = true;
        return this.#read();
      case 'CONNECT':
        return this.connecting?.start();
      default: // the commands of a server socket mean nothing here
    }
  }

  queuedBytes(): number {
    const socket = this.#socket;
    if (socket === undefined || socket.writableLength === 0) return 0;
    const handle = handleOf(socket) ?? this.#handle;
    const taken = handle === undefined ? undefined : bytesTakenBy(handle);
    return taken === undefined ? socket.writableLength : Math.max(0, this.statistics.bytesWritten - taken);
  }

  holdReading(held: boolean): void {
    this.#heldByQueue = held;
    this.#read();
  }

  /** Destroys it without a word: nobody is there to hear its events. */
  discard(): void {
    this.#abandonConnecting();
    const socket = this.#socket;
    this.#letGo(this.queuedBytes());
    socket?.destroy();
  }

  /** The end of a client that never had a connection: the attempt failed, or was given up. */
  closeUnconnected(failure?: Failure): void {
    this.#abandonConnecting();
    process.nextTick(endUnconnected, this, failure);
  }

  // What the listeners below call.

  read(chunk: Buffer): void {
    this.statistics.bytesReceived += chunk.byteLength;
    // A plain view: a Buffer's own `slice` and `toString` would tempt a codec that must also run in a browser.
    const bytes = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    this.router.deliver(this, { type: 'READ', bytes });
  }

  peerEnded(): void {
    this.router.deliver(this, { type: 'PEER_END' });
  }

  /** Something was taken; if that was all, whoever waits for it is told. */
  emptied(): void {
    const socket = this.#socket;
    if (socket === undefined || socket.destroyed) return;
    if (socket.writableLength > 0) return this.#awaitEmpty(socket);
    const wasCongested = this.#congested;
    this.#congested = false;
    if (this.#flushing) {
      this.#flushing = false;
      this.router.deliver(this, { type: 'FLUSHED' });
    }
    if (wasCongested && !this.#congested && !this.closed) this.router.deliver(this, { type: 'WRITE' });
  }

  finSent(): void {
    this.emptied();
    // With the peer's FIN read as well there is nothing left to reset: the socket closes by itself.
    if (this.#resetAfterFin && this.#socket?.readableEnded === false) this.#resetNow();
  }

  failed(error: Error & { readonly code?: string }): void {
    const code = error.code ?? 'UNKNOWN';
    if (code === 'ECONNRESET' || code === 'EPIPE') this.#byReset = true;
    const taken = this.#handle === undefined ? undefined : bytesTakenBy(this.#handle);
    if (taken !== undefined) this.#bytesDropped = Math.max(0, this.statistics.bytesWritten - taken);
    this.router.deliver(this, { type: 'ERROR', code, message: error.message });
  }

  ended(failure?: Failure): void {
    if (this.closed) return;
    if (failure !== undefined) this.router.deliver(this, { type: 'ERROR', ...failure });
    if (this.closed) return; // released by whoever heard of the failure
    const bytesDropped = this.#bytesDropped;
    this.#letGo(bytesDropped);
    this.router.deliver(this, { type: 'CLOSE', byReset: this.#byReset, bytesDropped });
  }

  #write(bytes: Uint8Array): void {
    const socket = this.#socket;
    if (socket === undefined || socket.writableEnded || socket.destroyed) {
      this.statistics.bytesDropped += bytes.byteLength;
      return;
    }
    if (bytes.byteLength === 0) return;
    this.statistics.bytesWritten += bytes.byteLength;
    socket.write(bytes);
    if (socket.writableLength === 0) return; // the kernel took all of it at once, as it nearly always does
    this.statistics.sendRetries += 1;
    if (this.#congested) return;
    this.#congested = true;
    if (!this.#flushing) this.#awaitEmpty(socket);
  }

  #flush(): void {
    const socket = this.#socket;
    if (socket?.destroyed) return; // CLOSE is on its way
    if (socket === undefined || socket.writableLength === 0) {
      this.router.deliver(this, { type: 'FLUSHED' });
      return;
    }
    if (this.#flushing) return;
    this.#flushing = true;
    if (!this.#congested) this.#awaitEmpty(socket);
  }

  #sendFin(): void {
    const socket = this.#socket;
    if (socket === undefined) return this.closeUnconnected();
    // A second `end` would destroy the socket.
    if (socket.writableEnded || socket.destroyed) return;
    socket.end();
    if (this.#congested || this.#flushing) socket.once('finish', onFinish); // no `drain` comes after an `end`
  }

  #sendRst(): void {
    const socket = this.#socket;
    if (socket === undefined) return this.closeUnconnected();
    if (socket.destroyed || this.#resetAfterFin) return;
    const isShuttingDown = socket.writableEnded && socket.writableLength === 0 && !socket.writableFinished;
    if (!isShuttingDown) return this.#resetNow();
    this.#resetAfterFin = true;
    socket.once('finish', onFinish);
  }

  #resetNow(): void {
    const socket = this.#socket;
    if (socket === undefined || socket.destroyed) return;
    this.#bytesDropped = this.queuedBytes();
    if (this.peer?.transport === 'unix') {
      socket.destroy(); // there is no RST on a Unix socket, and `resetAndDestroy` throws
      return;
    }
    this.#byReset = true;
    socket.resetAndDestroy();
  }

  #read(): void {
    const socket = this.#socket;
    if (socket === undefined || socket.destroyed) return;
    if (this.#wantsReading && !this.#heldByQueue) socket.resume();
    else socket.pause();
  }

  /** `emptied` will be called when there is less, and perhaps nothing, to wait for. */
  #awaitEmpty(socket: net.Socket): void {
    this.#handle ??= handleOf(socket);
    if (socket.writableEnded) socket.once('finish', onFinish);
    else if (!socket.writableNeedDrain) socket.write(NOTHING, (this.#onEmptied ??= () => this.emptied()));
  }

  #readLocal(): SocketAddress | undefined {
    if (this.#listener !== undefined && !isWildcard(this.#listener)) return this.#listener;
    const socket = this.#socket;
    if (socket === undefined || socket.localAddress === undefined) return undefined;
    return tcpAddress(socket.localAddress, socket.localPort, socket.localFamily);
  }

  #abandonConnecting(): void {
    const { connecting } = this;
    this.connecting = undefined;
    connecting?.abandon();
  }

  #letGo(bytesDropped: number): void {
    if (this.#socket !== undefined) this.#socket[RECORD] = undefined;
    this.#socket = undefined;
    this.#handle = undefined;
    this.#onEmptied = undefined;
    this.statistics.close(bytesDropped);
    this.closed = true;
  }
}

export interface Failure {
  readonly code: string;
  readonly message: string;
}

function onData(this: OwnedSocket, chunk: Buffer): void {
  this[RECORD]?.read(chunk);
}

function onEnd(this: OwnedSocket): void {
  this[RECORD]?.peerEnded();
}

function onDrain(this: OwnedSocket): void {
  this[RECORD]?.emptied();
}

function onFinish(this: OwnedSocket): void {
  this[RECORD]?.finSent();
}

/** Stays after the record is let go: an `error` that nobody listens to would end the process. */
function onError(this: OwnedSocket, error: Error): void {
  this[RECORD]?.failed(error);
}

function onClose(this: OwnedSocket): void {
  this[RECORD]?.ended();
}

function endUnconnected(connection: NetConnection, failure: Failure | undefined): void {
  connection.ended(failure);
}

/** The end of a socket that may be gone already, so that nothing of it is known but its transport. */
export function tcpAddress(address?: string, port?: number, family?: string): SocketAddress {
  return { transport: 'tcp', address: address ?? '', port: port ?? 0, family: family === 'IPv6' ? 'IPv6' : 'IPv4' };
}

export function unixAddress(path: string): SocketAddress {
  return { transport: 'unix', address: path, port: 0, family: 'unix' };
}

function isWildcard({ address, transport }: SocketAddress): boolean {
  return transport === 'tcp' && (address === '0.0.0.0' || address === '::');
}
