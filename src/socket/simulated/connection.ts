/**
 * One connection as a process on Node has it, on a simulated kernel: which events come, and in which order.
 *
 * What happens is written down in flags; `#run`, which is only called from the scheduler, turns flags into events, always in one
 * order: connect, read, failure, write, close. So nothing that a process does is answered before its call returns.
 *
 * As Node really does it (probed on Node 20, FAULTS.md 3; `test/socket/parity.test.ts`):
 * - A paused socket reads on into its stream buffer, and so learns of an RST at once (what was in the buffer is lost with it); before
 *   its first RESUME it reads nothing and learns of nothing.
 * - Bytes and an RST that are found together are read as bytes and an end of file.
 * - A FIN behind unread bytes is not seen before they are read. After the end of file nobody looks at the socket any more: an RST
 *   then shows with the next write alone, or with one that is pending.
 */
import type { SchedulerAction, Subscription } from 'rxjs';
import type { SocketAddress, SocketCommand, SocketEvent, SocketHandle } from '../../../machines/events.js';
import type { RoutedSocket, Wait } from '../event-router.js';
import type { AppliedOption } from '../options.js';
import { TcpSocketStatistics } from '../statistics.js';
import { ByteList } from './byte-list.js';
import type { Process } from './process.js';
import type { EndOwner, TcpEnd } from './tcp-end.js';

/** What libuv reads at once. */
const READ_BYTES_MAX = 65_536;
const NO_OPTIONS: readonly AppliedOption[] = [];

export interface ConnectionFailure {
  readonly code: string;
  readonly message: string;
}

export class SimulatedConnection implements RoutedSocket, EndOwner {
  options = NO_OPTIONS;
  local: SocketAddress | undefined;
  peer: SocketAddress | undefined;
  readonly statistics = new TcpSocketStatistics(this);
  markedDeleted = false;
  closed = false;
  owner: object | undefined;
  pending: SocketEvent[] | undefined;
  waiting: Wait | undefined;

  /** Starts and gives up what comes before a client's connection. */
  connecting: { start(): void; abandon(): void } | undefined;
  /** Of the process's table; given back at the close. */
  descriptor: number | undefined;
  /** Of the host, for a client; given back at the close. */
  clientPort: number | undefined;

  #end: TcpEnd | undefined;
  readonly #queue = new ByteList();
  #connects = false;
  #wantsReading = false;
  #heldByQueue = false;
  /** Has been resumed once. */
  #polls = false;
  #endOfFile = false;
  #peerEnded = false;
  /** WRITE is owed. */
  #congested = false;
  /** FLUSHED is owed. */
  #flushing = false;
  #finAsked = false;
  #finOut = false;
  #resetAfterFin = false;
  /** CLOSE is all that will come. */
  #ends = false;
  #failure: ConnectionFailure | undefined;
  #byReset = false;
  #bytesDropped = 0;
  #wake: Subscription | undefined;

  constructor(
    readonly handle: SocketHandle,
    readonly kind: 'client' | 'acceptedClient',
    private readonly process: Process,
  ) {}

  /** The kernel's side of it; `undefined` before the connection and after the close. */
  get end(): TcpEnd | undefined {
    return this.#end;
  }

  /** Takes over the end of a connection that is made. */
  adopt(end: TcpEnd): void {
    this.#end = end;
    end.owner = this;
    if (this.kind === 'acceptedClient') return;
    this.connecting = undefined;
    this.#connects = true;
    this.#later();
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
        return;
      case 'RESUME':
        this.#wantsReading = true;
        return this.#readLater();
      case 'CONNECT':
        return this.connecting?.start();
      default: // the commands of a server socket mean nothing here
    }
  }

  queuedBytes(): number {
    return this.#queue.length;
  }

  holdReading(held: boolean): void {
    this.#heldByQueue = held;
    this.#readLater();
  }

  /** Destroys it without a word: nobody is there to hear its events. */
  discard(): void {
    this.#letGo(this.#queue.length);
  }

  /** The end of a client that never had a connection: the attempt failed, or was given up. */
  closeUnconnected(failure?: ConnectionFailure): void {
    this.#abandonConnecting();
    this.#connects = false;
    this.#failure = failure;
    this.#ends = true;
    this.#later();
  }

  // What the kernel and the scheduler call.

  readable(): void {
    this.#run();
  }

  writable(): void {
    this.#run();
  }

  awake(): void {
    this.#run();
  }

  /** The machine is gone, and with it whoever could hear of it. */
  lost(): void {
    this.discard();
  }

  /** Of `wake` alone. */
  woken(): void {
    this.#wake = undefined;
    this.#run();
  }

  /** And CONNECT was reported. */
  get #isConnected(): boolean {
    return this.#end !== undefined && !this.#connects;
  }

  get #flows(): boolean {
    return this.#wantsReading && !this.#heldByQueue;
  }

  #write(bytes: Uint8Array): void {
    const end = this.#end;
    if (end === undefined || !this.#isConnected || this.#finAsked || this.#ends) {
      this.statistics.bytesDropped += bytes.byteLength;
      return;
    }
    if (bytes.byteLength === 0) return;
    this.statistics.bytesWritten += bytes.byteLength;
    const taken = this.#queue.length === 0 ? end.send(bytes) : 0;
    if (taken === bytes.byteLength) return;
    this.#queue.push(bytes.subarray(taken));
    this.statistics.sendRetries += 1;
    this.#congested = true;
    if (end.failure === undefined) end.awaitRoom();
    else this.#later();
  }

  #flush(): void {
    if (this.#ends) return;
    if (this.#queue.length === 0) this.#deliver({ type: 'FLUSHED' });
    else this.#flushing = true;
  }

  #sendFin(): void {
    if (this.#finAsked || this.#ends) return;
    if (!this.#isConnected) return this.closeUnconnected();
    this.#finAsked = true;
    if (this.#queue.length > 0) return;
    this.#end?.finish();
    this.#later();
  }

  #sendRst(): void {
    if (this.#ends || this.#resetAfterFin) return;
    if (!this.#isConnected) return this.closeUnconnected();
    // Node cannot reset while its shutdown is under way.
    if (this.#finAsked && this.#queue.length === 0 && !this.#finOut) this.#resetAfterFin = true;
    else this.#resetNow();
  }

  #resetNow(): void {
    this.#bytesDropped = this.#queue.length;
    this.#ends = true;
    if (this.peer?.transport !== 'unix') {
      this.#byReset = true;
      this.#end?.reset();
    }
    this.#later();
  }

  #readLater(): void {
    const end = this.#end;
    if (end === undefined || !this.#flows) return;
    this.#polls = true;
    if (end.received.length > 0 || end.finArrived || end.failure !== undefined) this.#later();
  }

  #later(): void {
    this.#wake ??= this.process.fabric.time.schedule(wake, 0, this);
  }

  #run(): void {
    if (this.closed) return;
    if (this.process.host.isStalled) return this.process.host.onAwake(this);
    if (this.#connects) {
      this.#connects = false;
      if (this.#flows) this.#polls = true;
      this.#deliver({ type: 'CONNECT' });
    }
    const end = this.#end;
    if (end !== undefined) {
      this.#read(end);
      this.#noticeFailure(end);
      this.#send(end);
    }
    if (this.#finOut && this.#peerEnded) this.#ends = true;
    if (this.#ends) this.#close();
  }

  #read(end: TcpEnd): void {
    const { received } = end;
    const { unreadBytes } = received;
    while (this.#flows && received.length > 0 && !this.#isOver) {
      const bytes = end.take(READ_BYTES_MAX);
      this.statistics.bytesReceived += bytes.byteLength;
      this.#deliver({ type: 'READ', bytes });
    }
    if (!this.#polls || this.#isOver) return;
    while (this.#readsOn(end) && received.unreadBytes > 0) end.readAhead(READ_BYTES_MAX);
    if (received.unreadBytes === 0 && this.#readsOn(end)) {
      // libuv: a read that did not fill its buffer, on a socket that has hung up, is the end of the file (`uv__stream_io`).
      const hungUp = end.failure !== undefined && unreadBytes % READ_BYTES_MAX > 0;
      if (end.finArrived || hungUp) this.#endOfFile = true;
    }
    if (!this.#endOfFile || this.#peerEnded || !this.#flows || received.length > 0) return;
    this.#peerEnded = true;
    this.#deliver({ type: 'PEER_END' });
  }

  /** Node reads from the kernel: while bytes flow, or the stream buffer is not full. */
  #readsOn(end: TcpEnd): boolean {
    if (this.#endOfFile) return false;
    return this.#flows || end.received.aheadBytes < this.process.fabric.options.streamBufferBytes;
  }

  #noticeFailure(end: TcpEnd): void {
    const { failure, received } = end;
    if (failure === undefined || this.#isOver) return;
    const isRead = this.#polls && this.#readsOn(end) && received.unreadBytes === 0;
    if (!isRead && this.#queue.length === 0) return;
    this.#ends = true;
    this.#byReset = failure !== 'ETIMEDOUT';
    this.#bytesDropped = this.#queue.length;
    this.#failure = { code: failure, message: `${isRead ? 'read' : 'write'} ${failure}` };
  }

  #send(end: TcpEnd): void {
    if (this.#isOver) return;
    const queue = this.#queue;
    while (queue.length > 0) {
      const taken = end.send(queue.peek());
      if (taken === 0) return end.awaitRoom();
      queue.takePiece(taken);
    }
    if (this.#finAsked && !this.#finOut) {
      end.finish();
      this.#finOut = true;
    }
    this.#emptied();
    // With the peer's FIN read as well there is nothing left to reset: the socket closes by itself.
    if (this.#resetAfterFin && !this.#peerEnded && !this.#isOver) this.#resetNow();
  }

  #emptied(): void {
    const wasCongested = this.#congested;
    this.#congested = false;
    if (this.#flushing) {
      this.#flushing = false;
      this.#deliver({ type: 'FLUSHED' });
    }
    if (wasCongested && !this.#congested && !this.#isOver) this.#deliver({ type: 'WRITE' });
  }

  get #isOver(): boolean {
    return this.#ends || this.closed;
  }

  #close(): void {
    if (this.#failure !== undefined) this.#deliver({ type: 'ERROR', ...this.#failure });
    if (this.closed) return; // released by whoever heard of the failure
    const bytesDropped = this.#bytesDropped;
    this.#letGo(bytesDropped);
    this.#deliver({ type: 'CLOSE', byReset: this.#byReset, bytesDropped });
  }

  #deliver(event: SocketEvent): void {
    this.process.deliver(this, event);
  }

  #abandonConnecting(): void {
    const { connecting } = this;
    this.connecting = undefined;
    connecting?.abandon();
  }

  #letGo(bytesDropped: number): void {
    this.#abandonConnecting();
    this.closed = true;
    this.#wake?.unsubscribe();
    this.#wake = undefined;
    this.statistics.close(bytesDropped);
    this.#queue.clear();
    const end = this.#end;
    this.#end = undefined;
    end?.close();
    this.process.freed(this);
  }
}

function wake(this: SchedulerAction<SimulatedConnection>, connection?: SimulatedConnection): void {
  connection!.woken();
}
