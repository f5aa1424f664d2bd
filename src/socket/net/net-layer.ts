/** The socket layer on real sockets: keeps the records, and hands commands and events to and from them. */
import type net from 'node:net';
import type { Observable, SchedulerLike } from 'rxjs';
import type { SocketCommand, SocketEvent, SocketHandle } from '../../../machines/events.js';
import { checkAddress, type ListenAddress } from '../address.js';
import { checkInteger } from '../check.js';
import { EventRouter } from '../event-router.js';
import type { TcpSocketOptions } from '../options.js';
import type { DescriptorUse, SocketLayer, SocketRecord, SocketSignal, WaitOptions } from '../socket-layer.js';
import { parseTcpInfo, type TcpInfo } from '../tcp-info.js';
import { Connecting } from './connecting.js';
import { NetConnection, tcpAddress, unixAddress } from './connection.js';
import { readDescriptors } from './descriptors.js';
import { descriptorOf } from './handle.js';
import { type Kernel, loadKernel } from './kernel.js';
import { NetServerSocket } from './server-socket.js';

export interface NetLayerOptions {
  readonly time: SchedulerLike;
  /** Options that Node does not offer. Default: what koffi gives on Linux. `undefined` given: none, each is reported as not applied. */
  readonly kernel?: Kernel | undefined;
  /** Events that wait for `waitEvents` before reading is paused, 1 or more. Default 64. */
  readonly waitQueueMax?: number;
}

/**
 * ```ts
 * const layer = createNetLayer({ time: new RealTime() });
 * const server = layer.openServer({ host: '127.0.0.1', port: 0 }, parseTcpSocketOptions());
 * ```
 *
 * @throws {SocketError} OPTION_INVALID
 */
export function createNetLayer(options: NetLayerOptions): SocketLayer {
  return new NetLayer(options);
}

type NetSocket = NetConnection | NetServerSocket;

class NetLayer implements SocketLayer {
  readonly events: Observable<SocketSignal>;
  readonly #time: SchedulerLike;
  readonly #kernel: Kernel | undefined;
  readonly #router: EventRouter;
  readonly #records = new Map<SocketHandle, NetSocket>();
  #lastHandle = 0;

  constructor(options: NetLayerOptions) {
    const { time, waitQueueMax = 64 } = options;
    checkInteger('createNetLayer.waitQueueMax', waitQueueMax, { min: 1, max: 2 ** 31 - 1 });
    this.#time = time;
    this.#kernel = 'kernel' in options ? options.kernel : loadKernel();
    this.#router = new EventRouter({ time, waitQueueMax, find: (handle) => this.#records.get(handle) });
    this.events = this.#router.events;
  }

  /** @throws {SocketError} OPTION_INVALID when `address` is none. */
  openServer(address: ListenAddress, options: TcpSocketOptions): SocketRecord {
    checkAddress('openServer.address', address);
    const accept = this.#accept;
    const context = { address, options, kernel: this.#kernel, router: this.#router, accept };
    return this.#keep(new NetServerSocket(this.#newHandle(), context));
  }

  /** @throws {SocketError} OPTION_INVALID when `address` is none. */
  openClient(address: ListenAddress, options: TcpSocketOptions): SocketRecord {
    checkAddress('openClient.address', address);
    const connection = new NetConnection(this.#newHandle(), 'client', this.#router);
    const context = { address, options, kernel: this.#kernel, router: this.#router, time: this.#time };
    connection.connecting = new Connecting(connection, context);
    return this.#keep(connection);
  }

  claim(socket: SocketRecord, owner: object): void {
    this.#router.claim(socket as NetSocket, owner);
  }

  carryOut(socket: SocketRecord, command: SocketCommand): void {
    (socket as NetSocket).carryOut(command);
  }

  get(handle: SocketHandle): SocketRecord | undefined {
    return this.#records.get(handle);
  }

  sockets(): IterableIterator<SocketRecord> {
    return this.#records.values();
  }

  release(socket: SocketRecord): void {
    if (!this.#records.delete(socket.handle)) return;
    const record = socket as NetSocket;
    if (!record.closed) record.discard();
    this.#router.forget(record);
  }

  queuedBytes(socket: SocketRecord): number {
    return (socket as NetSocket) instanceof NetConnection ? (socket as NetConnection).queuedBytes() : 0;
  }

  tcpInfo(socket: SocketRecord): TcpInfo | undefined {
    const kernel = this.#kernel;
    if (kernel === undefined || !(socket instanceof NetConnection) || socket.socket === undefined) return undefined;
    const fd = descriptorOf(socket.socket);
    const bytes = fd === undefined || socket.peer?.transport !== 'tcp' ? undefined : kernel.tcpInfo(fd);
    return bytes === undefined ? undefined : parseTcpInfo(bytes, kernel.littleEndian);
  }

  descriptors(): DescriptorUse | undefined {
    return readDescriptors();
  }

  waitEvents(handle: SocketHandle | null | undefined, options?: WaitOptions): Observable<SocketEvent> {
    return this.#router.waitEvents(handle, options);
  }

  readonly #accept = (server: NetServerSocket, socket: net.Socket): void => {
    if (this.#router.isFull(server)) {
      socket.on('error', ignore);
      if (server.local?.transport === 'unix') socket.destroy();
      else socket.resetAndDestroy();
      return;
    }
    const connection = new NetConnection(this.#newHandle(), 'acceptedClient', this.#router, server.local);
    // A peer that has gone already has no address; its CLOSE follows when somebody reads.
    const peer =
      server.local?.transport === 'unix'
        ? unixAddress('')
        : tcpAddress(socket.remoteAddress, socket.remotePort, socket.remoteFamily ?? server.local?.family);
    connection.peer = peer;
    this.#keep(connection);
    connection.adopt(socket);
    const descriptor = descriptorOf(socket) ?? -1;
    const event: SocketEvent = { type: 'ACCEPT', socket: connection.handle, peer, descriptor };
    this.#router.deliver(server, event);
  };

  #keep<Socket extends NetSocket>(socket: Socket): Socket {
    this.#records.set(socket.handle, socket);
    return socket;
  }

  #newHandle(): SocketHandle {
    return ++this.#lastHandle as SocketHandle;
  }
}

/** Of a connection that was refused: nobody is interested in how it ends. */
function ignore(): void {}
