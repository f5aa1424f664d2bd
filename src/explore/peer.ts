/**
 * The other end of a connection, in the hands of a script: it says what it is told to, and writes down what it sees. It runs on
 * any socket layer, so the same script plays on a simulated network and against a real port.
 *
 * - A peer is no session: it has no chart, no deadline and no mercy. What it does is the script's, and so are its mistakes.
 * - One subscription per layer, not per peer (`Peers`): with a thousand peers each event would be looked at a thousand times.
 * - What it says before it is connected goes out as soon as it is.
 * - Messages need a codec, that of the other end (`otherEndOf`); bytes need none, and what a codec cannot read is kept as `decodeError`.
 */
import { filter, map, Subject, type Observable, type Subscription } from 'rxjs';
import type { SocketAddress, SocketCommand, SocketEvent } from '../../machines/events.js';
import { ByteQueue } from '../codec/byte-queue.js';
import type { Codec, Message } from '../codec/codec.js';
import { parseTcpSocketOptions, type TcpSocketUserOptions } from '../socket/options.js';
import type { ListenAddress, SocketLayer, SocketRecord } from '../socket/socket-layer.js';

export interface PeerOptions {
  /** The other end's codec; without one the peer sends and sees bytes alone. */
  readonly codec?: Codec<any, any>;
  /** Sends its own FIN once it has seen the server's. Default true; a script that wants to be rude says false. */
  readonly answersFin?: boolean;
  /** Reads from the start. Default true; false: `resume()` starts it. */
  readonly reads?: boolean;
  /** Keeps what it receives (`received`, `text`). Default true; a load of many peers says false, and subscribes. */
  readonly keeps?: boolean;
  readonly socket?: TcpSocketUserOptions;
}

/**
 * What a peer has seen of its connection so far: `refused` never had one (see `failure`), `ended` has seen the server's FIN,
 * `closed` is over (see `closedBy`).
 */
export type PeerState = 'connecting' | 'refused' | 'connected' | 'ended' | 'closed';

/** What a peer does and sees. */
export type PeerEvent =
  | { readonly type: 'CONNECT' }
  /** Bytes that it gave to its kernel. */
  | { readonly type: 'SENT'; readonly bytes: Uint8Array }
  | { readonly type: 'BYTES'; readonly bytes: Uint8Array }
  | { readonly type: 'MESSAGE'; readonly message: Message }
  /** The server's FIN. */
  | { readonly type: 'END' }
  | { readonly type: 'ERROR'; readonly code: string }
  | { readonly type: 'CLOSE'; readonly closedBy: 'fin' | 'rst' };

/** @typeParam Sends what its codec encodes: the server's incoming messages. @typeParam Receives what it decodes */
export class ScriptedPeer<Sends extends Message = any, Receives extends Message = any> {
  state: PeerState = 'connecting';
  /** How the connection ended, as this end saw it; `undefined` while it lives, and for one that was refused. */
  closedBy: 'fin' | 'rst' | undefined;
  /** The system's code of an error, `ECONNRESET` or `ECONNREFUSED` say. */
  failure: string | undefined;
  /** What the codec threw at the server's bytes: nothing is decoded after it. */
  decodeError: unknown;
  /** Messages, in order, unless it keeps none. */
  readonly received: Receives[] = [];
  /** Bytes, in order, unless it keeps none. */
  readonly bytes = new ByteQueue();
  bytesReceived = 0;
  messagesReceived = 0;

  readonly #events = new Subject<PeerEvent>();
  readonly #input = new ByteQueue();
  /** What was said before there is a connection. */
  #early: SocketCommand[] = [];
  #finSent = false;

  /** @param socket of `layer`, claimed for this peer by `Peers` */
  constructor(
    readonly layer: SocketLayer,
    readonly socket: SocketRecord,
    private readonly options: PeerOptions,
  ) {}

  /** All that it does and sees, hot. */
  get events(): Observable<PeerEvent> {
    return this.#events;
  }

  /** Decoded messages alone, hot. */
  get messages(): Observable<Receives> {
    return this.#events.pipe(
      filter((event) => event.type === 'MESSAGE'),
      map(({ message }) => message as Receives),
    );
  }

  /** Our own address, once it is known: the server's session has it as `peer`. */
  get address(): SocketAddress | undefined {
    return this.socket.local;
  }

  /** What it received and kept, as text. */
  get text(): string {
    return new TextDecoder().decode(this.bytes.peek(this.bytes.byteLength));
  }

  /** @throws what the codec throws at a message that it cannot encode; {TypeError} when there is no codec. */
  send(...messages: Sends[]): void {
    const { codec } = this.options;
    if (!codec) {
      throw new TypeError(
        'this peer has no codec, so it sends bytes alone: use write (a codec whose messages go one way needs a peer())',
      );
    }
    this.write(joined(messages.map((message) => codec.encode(message))));
  }

  /** Bytes as they are, in one write; text is sent as UTF-8. Ignored once the connection is over. @throws {TypeError} for anything else */
  write(bytes: Uint8Array | string): void {
    if (typeof bytes !== 'string' && !(bytes instanceof Uint8Array))
      throw new TypeError(`write: expected bytes (a Uint8Array) or text, got ${typeof bytes}`);
    this.#carryOut({ type: 'WRITE', bytes: typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes });
  }

  /** FIN behind what was sent; it reads on. */
  end(): void {
    this.#carryOut({ type: 'SEND_FIN' });
  }

  /** RST at once; an attempt that is not connected yet is given up. */
  reset(): void {
    this.#early = [];
    if (!this.socket.closed) this.layer.carryOut(this.socket, { type: 'SEND_RST' });
  }

  /** Reads nothing more: the kernel's buffers fill, and the server comes under back-pressure. */
  pause(): void {
    this.#carryOut({ type: 'PAUSE' });
  }

  resume(): void {
    this.#carryOut({ type: 'RESUME' });
  }

  /** Of `Peers` alone: its machine is gone, and nobody is told. */
  vanished(): void {
    this.#events.complete();
    this.layer.release(this.socket);
  }

  /** Of `Peers` alone. */
  receive(event: SocketEvent): void {
    switch (event.type) {
      case 'CONNECT':
        this.#connected();
        return;
      case 'READ':
        this.#read(event.bytes);
        return;
      case 'PEER_END':
        this.state = 'ended';
        this.#events.next({ type: 'END' });
        if (this.options.answersFin !== false) this.end();
        return;
      case 'ERROR':
        this.failure = event.code;
        this.#events.next({ type: 'ERROR', code: event.code });
        return;
      case 'CLOSE':
        this.#close(event.byReset);
        return;
      default: // WRITE and FLUSHED: a script does not wait for its kernel
    }
  }

  #read(bytes: Uint8Array): void {
    this.bytesReceived += bytes.byteLength;
    if (this.options.keeps !== false) this.bytes.push(bytes.slice());
    this.#events.next({ type: 'BYTES', bytes });
    const { codec } = this.options;
    if (!codec || this.decodeError !== undefined) return;
    this.#input.push(bytes);
    try {
      for (let next = codec.decode(this.#input); next !== undefined; next = codec.decode(this.#input)) {
        this.#take(next as Receives);
      }
    } catch (error) {
      this.decodeError = error;
    }
    this.#input.settle();
  }

  #take(message: Receives): void {
    this.messagesReceived += 1;
    if (this.options.keeps !== false) this.received.push(message);
    this.#events.next({ type: 'MESSAGE', message });
  }

  #close(byReset: boolean): void {
    const wasConnected = this.state !== 'connecting';
    this.state = wasConnected ? 'closed' : 'refused';
    this.closedBy = !wasConnected ? undefined : byReset ? 'rst' : 'fin';
    if (this.closedBy) this.#events.next({ type: 'CLOSE', closedBy: this.closedBy });
    this.#events.complete();
    this.layer.release(this.socket);
  }

  #connected(): void {
    this.state = 'connected';
    this.#events.next({ type: 'CONNECT' });
    const early = this.#early;
    this.#early = [];
    for (const command of early) this.#carryOut(command);
  }

  #carryOut(command: SocketCommand): void {
    if (this.socket.closed) return;
    if (this.state === 'connecting' && (command.type === 'WRITE' || command.type === 'SEND_FIN')) {
      this.#early.push(command);
      return;
    }
    if (command.type === 'WRITE') {
      if (this.#finSent) return;
      this.#events.next({ type: 'SENT', bytes: command.bytes });
    }
    if (command.type === 'SEND_FIN') {
      if (this.#finSent) return;
      this.#finSent = true;
    }
    this.layer.carryOut(this.socket, command);
  }
}

/** The peers on one layer. */
export class Peers {
  readonly #wire: Subscription;
  readonly #live = new Set<ScriptedPeer>();

  constructor(readonly layer: SocketLayer) {
    this.#wire = layer.events.subscribe(({ socket, event }) => {
      const { owner } = socket;
      if (!(owner instanceof ScriptedPeer)) return;
      owner.receive(event);
      if (event.type === 'CLOSE') this.#live.delete(owner);
    });
  }

  /** Peers whose connections are not over. */
  get live(): readonly ScriptedPeer[] {
    return [...this.#live];
  }

  get liveCount(): number {
    return this.#live.size;
  }

  /** @throws {SocketError} OPTION_INVALID for an address or a socket option that is none */
  connect(address: ListenAddress, options: PeerOptions = {}): ScriptedPeer {
    const { layer } = this;
    const socket = layer.openClient(address, parseTcpSocketOptions(options.socket, 'peer.socket'));
    const peer = new ScriptedPeer(layer, socket, options);
    this.#live.add(peer);
    layer.claim(socket, peer);
    layer.carryOut(socket, { type: 'CONNECT' });
    if (options.reads !== false) layer.carryOut(socket, { type: 'RESUME' });
    return peer;
  }

  /** Its connection was taken away without an event. */
  forget(peer: ScriptedPeer): void {
    if (this.#live.delete(peer)) peer.vanished();
  }

  /** Gives all connections up, without a word. */
  close(): void {
    for (const peer of this.#live) this.forget(peer);
    this.#wire.unsubscribe();
  }
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  if (pieces.length === 1) return pieces[0]!;
  const bytes = new Uint8Array(pieces.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let offset = 0;
  for (const piece of pieces) {
    bytes.set(piece, offset);
    offset += piece.byteLength;
  }
  return bytes;
}
