/** The socket layer of one process on a simulated network: keeps the records, and hands commands and events to and from them. */
import type { Observable } from 'rxjs';
import type { SocketCommand, SocketEvent, SocketHandle } from '../../../machines/events.js';
import { checkAddress, type ListenAddress } from '../address.js';
import type { EventRouter } from '../event-router.js';
import type { TcpSocketOptions } from '../options.js';
import type { DescriptorUse, SocketLayer, SocketRecord, SocketSignal, WaitOptions } from '../socket-layer.js';
import type { TcpInfo } from '../tcp-info.js';
import { Connecting } from './connecting.js';
import { SimulatedConnection } from './connection.js';
import type { Process } from './process.js';
import { type Incoming, SimulatedServerSocket } from './server-socket.js';
import { tcpInfoOf } from './tcp-info-of.js';

export type SimulatedSocket = SimulatedConnection | SimulatedServerSocket;

export class SimulatedLayer implements SocketLayer {
  readonly events: Observable<SocketSignal>;
  readonly #process: Process;
  readonly #router: EventRouter;
  readonly #records: Map<SocketHandle, SimulatedSocket>;
  #lastHandle = 0;

  /** @param records where the process's router finds its sockets. */
  constructor(process: Process, records: Map<SocketHandle, SimulatedSocket>) {
    this.#process = process;
    this.#router = process.router;
    this.#records = records;
    this.events = this.#router.events;
  }

  /** @throws {SocketError} OPTION_INVALID when `address` is none. */
  openServer(address: ListenAddress, options: TcpSocketOptions): SocketRecord {
    checkAddress('openServer.address', address);
    const context = { address, options, process: this.#process, accept: this.#accept };
    return this.#keep(new SimulatedServerSocket(this.#newHandle(), context));
  }

  /** @throws {SocketError} OPTION_INVALID when `address` is none. */
  openClient(address: ListenAddress, options: TcpSocketOptions): SocketRecord {
    checkAddress('openClient.address', address);
    const connection = new SimulatedConnection(this.#newHandle(), 'client', this.#process);
    connection.connecting = new Connecting(connection, { address, options, process: this.#process });
    return this.#keep(connection);
  }

  claim(socket: SocketRecord, owner: object): void {
    this.#router.claim(socket as SimulatedSocket, owner);
  }

  carryOut(socket: SocketRecord, command: SocketCommand): void {
    (socket as SimulatedSocket).carryOut(command);
  }

  get(handle: SocketHandle): SocketRecord | undefined {
    return this.#records.get(handle);
  }

  sockets(): IterableIterator<SocketRecord> {
    return this.#records.values();
  }

  release(socket: SocketRecord): void {
    if (!this.#records.delete(socket.handle)) return;
    const record = socket as SimulatedSocket;
    if (!record.closed) record.discard();
    this.#router.forget(record);
  }

  queuedBytes(socket: SocketRecord): number {
    return socket instanceof SimulatedConnection ? socket.queuedBytes() : 0;
  }

  tcpInfo(socket: SocketRecord): TcpInfo | undefined {
    if (!(socket instanceof SimulatedConnection) || socket.peer?.transport !== 'tcp') return undefined;
    return socket.end === undefined ? undefined : tcpInfoOf(socket.end);
  }

  descriptors(): DescriptorUse {
    return this.#process.descriptors.use;
  }

  waitEvents(handle: SocketHandle | null | undefined, options?: WaitOptions): Observable<SocketEvent> {
    return this.#router.waitEvents(handle, options);
  }

  readonly #accept = (server: SimulatedServerSocket, { end, peer, local }: Incoming, descriptor: number): void => {
    if (this.#router.isFull(server)) {
      this.#process.descriptors.free(descriptor);
      if (peer.transport === 'tcp') end.reset();
      end.close();
      return;
    }
    const connection = this.#keep(new SimulatedConnection(this.#newHandle(), 'acceptedClient', this.#process));
    connection.local = local;
    connection.peer = peer;
    connection.descriptor = descriptor;
    connection.adopt(end);
    this.#process.deliver(server, { type: 'ACCEPT', socket: connection.handle, peer, descriptor });
  };

  #keep<Socket extends SimulatedSocket>(socket: Socket): Socket {
    this.#records.set(socket.handle, socket);
    return socket;
  }

  #newHandle(): SocketHandle {
    return ++this.#lastHandle as SocketHandle;
  }
}
