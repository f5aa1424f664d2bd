/**
 * A socket layer in memory for tests of the wiring: a test plays the peer and the kernel by hand, on any scheduler. It has
 * nothing of a network (no latency, no segments): what it is told to report, it reports at once.
 */
import type { SchedulerLike } from 'rxjs';
import type { SocketAddress, SocketCommand, SocketEvent, SocketHandle, SocketKind } from '../../machines/events.js';
import { EventRouter, type RoutedSocket } from '../../src/socket/event-router.js';
import type { ListenAddress, SocketLayer, SocketRecord } from '../../src/socket/socket-layer.js';
import { TcpSocketStatistics } from '../../src/socket/statistics.js';

export class FakeSocket implements RoutedSocket {
  readonly options = [];
  local: SocketAddress | undefined = address(7000);
  owner: object | undefined;
  markedDeleted = false;
  closed = false;
  pending: SocketEvent[] | undefined;
  waiting: RoutedSocket['waiting'];
  readonly statistics: TcpSocketStatistics;
  /** Commands in the order in which they came. */
  readonly commands: SocketCommand[] = [];
  /** The kernel takes what is written at once; false: it queues. */
  takes = true;
  queued = 0;
  /** The peer answers our FIN with its own; false: it keeps its side open. */
  answersFin = true;
  /** CLOSE is reported once both sides have sent FIN; false: the test closes it. */
  closesItself = true;
  /** Our RST closes it at once; false: nothing is heard of it any more. */
  closesOnRst = true;
  paused = true;
  #finSent = false;
  #peerEnded = false;

  constructor(
    readonly layer: FakeLayer,
    readonly handle: SocketHandle,
    readonly kind: SocketKind,
    readonly peer: SocketAddress | undefined,
  ) {
    this.statistics = new TcpSocketStatistics({ queuedBytes: () => this.queued });
  }

  holdReading(): void {}

  /** Bytes that the kernel was given, as text. */
  get written(): string {
    return Buffer.concat(
      this.commands.flatMap((command) => (command.type === 'WRITE' ? [command.bytes] : [])),
    ).toString();
  }

  get types(): string[] {
    return this.commands.map(({ type }) => type);
  }

  report(event: SocketEvent): void {
    if (event.type === 'READ') this.statistics.bytesReceived += event.bytes.byteLength;
    this.layer.router.deliver(this, event);
  }

  /** The peer sends. */
  read(bytes: Uint8Array | string): void {
    this.report({ type: 'READ', bytes: typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes });
  }

  peerEnds(): void {
    this.#peerEnded = true;
    this.report({ type: 'PEER_END' });
    this.#closeWhenBothEnded();
  }

  peerResets(): void {
    this.report({ type: 'ERROR', code: 'ECONNRESET', message: 'read ECONNRESET' });
    this.close(true);
  }

  /** The kernel takes all that is queued. */
  drain(): void {
    this.queued = 0;
    this.report({ type: 'WRITE' });
  }

  close(byReset: boolean): void {
    if (this.closed) return;
    this.closed = true;
    this.report({ type: 'CLOSE', byReset, bytesDropped: this.queued });
  }

  carryOut(command: SocketCommand): void {
    if (this.closed) return;
    this.commands.push(command);
    if (command.type === this.layer.unanswered) return;
    switch (command.type) {
      case 'WRITE':
        this.statistics.bytesWritten += command.bytes.byteLength;
        if (!this.takes) this.queued += command.bytes.byteLength;
        return;
      case 'FLUSH':
        if (this.queued === 0) this.report({ type: 'FLUSHED' });
        return;
      case 'SEND_FIN':
        this.#finSent = true;
        if (this.answersFin && !this.#peerEnded) this.peerEnds();
        else this.#closeWhenBothEnded();
        return;
      case 'SEND_RST':
        if (this.closesOnRst) this.close(true);
        return;
      case 'PAUSE':
      case 'RESUME':
        this.paused = command.type === 'PAUSE';
        return;
      case 'RESOLVE':
        this.report({ type: 'RESOLVED', address: '127.0.0.1' });
        return;
      case 'LISTEN':
        if (this.layer.listenFailure) this.report({ type: 'ERROR', ...this.layer.listenFailure });
        else this.report({ type: 'LISTENING', local: address(7000) });
        return;
      case 'CONFIGURE':
        this.report({ type: 'CONFIGURED' });
        return;
      case 'STOP_LISTENING':
        this.report({ type: 'STOPPED_LISTENING' });
        return;
      case 'CONNECT':
        this.layer.connects.push(this);
        return;
    }
  }

  #closeWhenBothEnded(): void {
    if (this.closesItself && this.#finSent && this.#peerEnded) this.close(false);
  }
}

export class FakeLayer implements SocketLayer {
  readonly router: EventRouter;
  readonly #sockets = new Map<SocketHandle, FakeSocket>();
  /** Client sockets that were asked to connect, in order. */
  readonly connects: FakeSocket[] = [];
  server: FakeSocket | undefined;
  /** A command of the server socket that nothing answers. */
  unanswered: string | undefined;
  listenFailure: { code: string; message: string } | undefined;
  use: { limit: number; used: number } | undefined;
  #lastHandle = 0;

  constructor(time: SchedulerLike) {
    this.router = new EventRouter({ time, waitQueueMax: 64, find: (handle) => this.#sockets.get(handle) });
  }

  get events() {
    return this.router.events;
  }

  openServer(_address: ListenAddress): SocketRecord {
    return (this.server = this.#open('server', undefined));
  }

  openClient(_address: ListenAddress): SocketRecord {
    return this.#open('client', address(7000));
  }

  /** A peer connects. */
  connect(
    from: Partial<SocketAddress> = {},
    descriptor = 10,
    behaviour: Partial<Pick<FakeSocket, 'takes' | 'answersFin' | 'closesItself' | 'closesOnRst'>> = {},
  ): FakeSocket {
    const peer = { ...address(50_000 + this.#lastHandle), ...from };
    const socket = Object.assign(this.#open('acceptedClient', peer), behaviour);
    this.server!.report({ type: 'ACCEPT', socket: socket.handle, peer, descriptor });
    return socket;
  }

  claim(socket: SocketRecord, owner: object): void {
    this.router.claim(socket as FakeSocket, owner);
  }

  carryOut(socket: SocketRecord, command: SocketCommand): void {
    (socket as FakeSocket).carryOut(command);
  }

  get(handle: SocketHandle): FakeSocket | undefined {
    return this.#sockets.get(handle);
  }

  sockets(): IterableIterator<SocketRecord> {
    return this.#sockets.values();
  }

  get size(): number {
    return this.#sockets.size;
  }

  release(socket: SocketRecord): void {
    this.#sockets.delete(socket.handle);
    (socket as FakeSocket).closed = true;
    this.router.forget(socket as FakeSocket);
  }

  queuedBytes(socket: SocketRecord): number {
    return (socket as FakeSocket).queued;
  }

  tcpInfo(): undefined {
    return undefined;
  }

  descriptors() {
    return this.use;
  }

  waitEvents: SocketLayer['waitEvents'] = (handle, options) => this.router.waitEvents(handle, options);

  #open(kind: SocketKind, peer: SocketAddress | undefined): FakeSocket {
    const handle = (this.#lastHandle += 1) as SocketHandle;
    const socket = new FakeSocket(this, handle, kind, peer);
    this.#sockets.set(handle, socket);
    return socket;
  }
}

function address(port: number): SocketAddress {
  return { transport: 'tcp', address: '127.0.0.1', port, family: 'IPv4' };
}
