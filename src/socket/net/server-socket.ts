/**
 * One socket that listens, on a `net.Server` per LISTEN.
 *
 * - STOP_LISTENING closes the descriptor at once; `net`'s `close` event would wait for the last connection. So its answer
 *   does not come from `net`, and the port can be bound again right away (measured on Linux).
 * - `net` may still be looking a name up when it is told to close, and then listens all the same: a server that is not ours any more
 *   is closed when it says that it listens.
 * - The path of a Unix socket stays behind when its process dies. It is taken over only if it is a socket and nobody answers there:
 *   connect(2) refuses a plain file in the same way as a dead socket, so a probe alone would delete users' files.
 */
import dns from 'node:dns';
import fs from 'node:fs';
import net from 'node:net';
import type { SocketAddress, SocketCommand, SocketEvent, SocketHandle } from '../../../machines/events.js';
import type { ListenAddress } from '../address.js';
import type { EventRouter, RoutedSocket, Wait } from '../event-router.js';
import type { AppliedOption, TcpSocketOptions } from '../options.js';
import { TcpSocketStatistics } from '../statistics.js';
import { applyListenOptions, applyTcpOptions, keepAliveByNode, type Target } from './apply-options.js';
import { failureOf } from './connecting.js';
import { type Failure, tcpAddress, unixAddress } from './connection.js';
import { descriptorOf } from './handle.js';
import type { Kernel } from './kernel.js';

const RECORD = Symbol('wirechart.serverSocket');
type OwnedServer = net.Server & { [RECORD]?: NetServerSocket | undefined };

export interface ServerSocketOptions {
  readonly address: ListenAddress;
  readonly options: TcpSocketOptions;
  readonly kernel: Kernel | undefined;
  readonly router: EventRouter;
  /** Makes a record of a connection, and delivers its ACCEPT. */
  readonly accept: (server: NetServerSocket, socket: net.Socket) => void;
}

export class NetServerSocket implements RoutedSocket {
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

  readonly #options: ServerSocketOptions;
  #server: OwnedServer | undefined;
  #resolved: string | undefined;
  /** There is a kernel, and no descriptor from which it would hand keep-alive down (a cluster worker): Node sets it on each connection. */
  #keepAliveIdleMs: number | undefined;
  /** Grows with each RESOLVE, LISTEN and STOP_LISTENING: an answer to an earlier one is dropped. */
  #step = 0;

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
        return this.#listen(true);
      case 'CONFIGURE':
        return this.#configure();
      case 'STOP_LISTENING':
        return this.#stopListening();
      default: // the commands of a connection mean nothing here
    }
  }

  /** A server socket cannot pause: whoever connects while its queue is full is reset (`NetLayer`). */
  holdReading(): void {}

  discard(): void {
    this.closed = true;
    this.#step += 1;
    this.#closeServer();
  }

  // What the listeners below call.

  accepted(socket: net.Socket): void {
    if (this.#keepAliveIdleMs !== undefined) socket.setKeepAlive(true, this.#keepAliveIdleMs);
    this.#options.accept(this, socket);
  }

  listening(server: net.Server): void {
    const bound = server.address();
    this.local =
      typeof bound === 'object' && bound !== null
        ? tcpAddress(bound.address, bound.port, bound.family)
        : unixAddress(bound ?? '');
    this.#deliver({ type: 'LISTENING', local: this.local });
  }

  failed(server: OwnedServer, error: NodeJS.ErrnoException, retry: boolean): void {
    // Node closes a server that could not listen; one that listens stays after an error of accept(2).
    if (!server.listening) this.#closeServer();
    const { address } = this.#options;
    if (retry && error.code === 'EADDRINUSE' && 'path' in address) this.#takeOver(address.path, failureOf(error));
    else this.#deliver({ type: 'ERROR', ...failureOf(error) });
  }

  #resolve(): void {
    const step = ++this.#step;
    const { address, options } = this.#options;
    const answer = (event: SocketEvent): void => {
      if (this.#step === step) this.#deliver(event);
    };
    if ('path' in address) return process.nextTick(answer, { type: 'RESOLVED', address: address.path });
    dns.lookup(address.host, { family: options.ipv6Only ? 6 : 0 }, (error, found) => {
      if (error !== null) return answer({ type: 'ERROR', ...failureOf(error) });
      if (this.#step === step) this.#resolved = found;
      answer({ type: 'RESOLVED', address: found });
    });
  }

  #listen(retry: boolean): void {
    if (this.#server !== undefined) return;
    this.#step += 1;
    const { address, options, kernel } = this.#options;
    const { backlog, ipv6Only, noDelay, reusePort } = options;
    const server: OwnedServer = net.createServer({
      allowHalfOpen: true,
      pauseOnConnect: true,
      noDelay,
      ...(kernel === undefined && keepAliveByNode(options)),
    });
    server[RECORD] = this;
    this.#server = server;
    server.on('connection', onConnection);
    server.on('listening', onListening);
    server.on('error', retry ? onError : onLastError);
    if ('path' in address) server.listen({ path: address.path, backlog });
    else {
      // Port 0 is any free port, but once: who connected before must find it again after a pause.
      const port = address.port === 0 ? (this.local?.port ?? 0) : address.port;
      const host = this.#resolved ?? address.host;
      server.listen({ host, port, backlog, ipv6Only, ...(reusePort && canReusePort() && { reusePort }) });
    }
  }

  /** At once after LISTENING: connections that come before it have the system's options. */
  #configure(): void {
    if (this.#server === undefined || this.local === undefined) return;
    const { options, kernel } = this.#options;
    const { address, family } = this.local;
    const target: Target = {
      kernel,
      fd: descriptorOf(this.#server),
      family: family === 'unix' ? undefined : family,
      listensOn: address,
    };
    const byNode = kernel !== undefined && target.fd === undefined && target.family !== undefined && options.keepAlive;
    this.#keepAliveIdleMs = byNode ? byNode.idleMs : undefined;
    this.options = [...applyTcpOptions(target, options), ...applyListenOptions(target, options, canReusePort())];
    process.nextTick(answer, this, this.#step, { type: 'CONFIGURED' });
  }

  #stopListening(): void {
    this.#step += 1;
    this.#closeServer();
    process.nextTick(answer, this, this.#step, { type: 'STOPPED_LISTENING' });
  }

  /** Of `answer` alone. */
  answerTo(step: number, event: SocketEvent): void {
    if (this.#step === step) this.#deliver(event);
  }

  #closeServer(): void {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    server[RECORD] = undefined;
    if (server.listening) server.close();
  }

  #takeOver(path: string, failure: Failure): void {
    const step = this.#step;
    const give = (): void => this.answerTo(step, { type: 'ERROR', ...failure });
    fs.lstat(path, (error, found) => {
      if (this.#step !== step) return;
      if (error !== null || !found.isSocket()) return give();
      const probe = net.connect(path);
      probe.once('connect', () => {
        probe.destroy();
        give();
      });
      probe.once('error', (refusal: NodeJS.ErrnoException) => {
        if (this.#step !== step) return;
        if (refusal.code !== 'ECONNREFUSED') return give();
        fs.unlink(path, () => {
          if (this.#step === step) this.#listen(false);
        });
      });
    });
  }

  #deliver(event: SocketEvent): void {
    if (!this.closed) this.#options.router.deliver(this, event);
  }
}

function onConnection(this: OwnedServer, socket: net.Socket): void {
  const record = this[RECORD];
  if (record === undefined) socket.destroy();
  else record.accepted(socket);
}

function onListening(this: OwnedServer): void {
  const record = this[RECORD];
  if (record === undefined) this.close();
  else record.listening(this);
}

function onError(this: OwnedServer, error: Error): void {
  this[RECORD]?.failed(this, error, true);
}

function onLastError(this: OwnedServer, error: Error): void {
  this[RECORD]?.failed(this, error, false);
}

function answer(record: NetServerSocket, step: number, event: SocketEvent): void {
  record.answerTo(step, event);
}

/** `reusePort` of `server.listen`: added in v23.1.0 and v22.12.0 (nodejs.org/api/net.html). */
function canReusePort(): boolean {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  return major > 23 || (major === 23 && minor >= 1) || (major === 22 && minor >= 12);
}
