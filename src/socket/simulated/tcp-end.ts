/**
 * One end of a connection as its kernel has it: send buffer, window, receive buffer, and when it gives up.
 *
 * - Acknowledgements and window updates are notes with a moment from which the sender may know them (`Credits`). It looks when
 *   it writes; only a sender that waits for room is woken.
 * - The other end's process is never called from inside a call of ours, but from an action: what one does shows at the other later.
 * - Nothing watches a connection that gets on. A timer for the user timeout and keep-alive is set when the path is cut, or
 *   when bytes wait for a window.
 */
import type { SchedulerAction, Subscription } from 'rxjs';
import type { TcpSocketOptions } from '../options.js';
import { ByteList } from './byte-list.js';
import { Credits } from './credits.js';
import { type Destination, Flight, type FlightOptions, type Segment } from './flight.js';
import { keepAliveDeadlineMs, keepAliveProbeMs, retransmitMs, userTimeoutDeadlineMs } from './kernel-timers.js';
import type { LinkUser } from './link.js';
import { ReceiveBuffer } from './receive-buffer.js';
import { Watch, type Watched } from './watch.js';

/** Who has the descriptor. */
export interface EndOwner {
  /** Bytes or a FIN arrived, or the connection failed. */
  readable(): void;
  /** There may be room in the send buffer. */
  writable(): void;
  /** Bytes that wait for that room. */
  queuedBytes(): number;
  /** The machine vanished. */
  lost(): void;
}

/** `link` leads to the other end. */
export interface EndOptions extends FlightOptions {
  readonly sendBufferBytes: number;
  readonly receiveBufferBytes: number;
  readonly keepAlive: TcpSocketOptions['keepAlive'];
  readonly userTimeoutMs: number | 'system';
}

export type Failure = 'ECONNRESET' | 'EPIPE' | 'ETIMEDOUT';

export class TcpEnd implements LinkUser, Destination, Watched {
  /** `undefined`: the descriptor is closed. */
  owner: EndOwner | undefined;
  /** Of an end that waits for the third segment of its handshake. */
  onEstablished: (() => void) | undefined;
  failure: Failure | undefined;
  finArrived = false;
  finSent = false;
  /** The peer's FIN had come before ours went. */
  finSecond = false;
  sentBytes = 0;
  readonly received = new ReceiveBuffer();
  readonly credits = new Credits();

  #peer!: TcpEnd;
  readonly #flight: Flight;
  readonly #unsent = new ByteList();
  #finQueued = false;
  /** No kernel state is left: what arrives is answered with RST. */
  #gone = false;
  /** The machine is gone: nothing is answered at all. */
  #silent = false;
  #heardMs: number;
  /** Since when nothing of what we sent, or want to send, got on. */
  #progressMs: number;
  #creditTimer: Subscription | undefined;
  readonly #watch: Watch;

  constructor(readonly options: EndOptions) {
    this.#heardMs = this.#progressMs = options.time.now();
    this.#flight = new Flight(options);
    this.#watch = new Watch(options.time, this);
    this.#flight.held = options.link.down;
    options.link.users.add(this);
  }

  /** Makes two ends one connection. */
  static join(one: TcpEnd, other: TcpEnd): void {
    one.#peer = one.#flight.destination = other;
    other.#peer = other.#flight.destination = one;
  }

  /** Nothing is known of the connection here any more. */
  get gone(): boolean {
    return this.#gone;
  }

  /** Our FIN has arrived at the peer. */
  get finIsThere(): boolean {
    return this.#peer.finArrived;
  }

  get notSentBytes(): number {
    return this.#unsent.length;
  }

  get heardMs(): number {
    return Math.max(this.#heardMs, this.credits.knownMs);
  }

  get roundTripMs(): number {
    return this.options.link.conditions.latencyMs + this.#peer.options.link.conditions.latencyMs;
  }

  /** What the peer offers, as far as we know. */
  get windowBytes(): number {
    return this.#peer.options.receiveBufferBytes - (this.sentBytes - this.credits.readBytes);
  }

  // What the process does.

  /** The third segment of the handshake. */
  sendAck(): void {
    this.#flight.put('ACK');
  }

  /** @returns how many bytes the send buffer took; they were copied. */
  send(bytes: Uint8Array): number {
    if (this.#gone || this.#finQueued) return 0;
    this.#markProgress();
    const room = this.options.sendBufferBytes - this.#unsent.length - (this.sentBytes - this.credits.arrivedBytes);
    const taken = Math.min(bytes.byteLength, room);
    if (taken <= 0) return 0;
    const copy = new Uint8Array(taken); // not `slice`, which makes a view of a Buffer
    copy.set(taken === bytes.byteLength ? bytes : bytes.subarray(0, taken));
    this.#unsent.push(copy);
    this.#transmit();
    return taken;
  }

  /** `writable` will be called. */
  awaitRoom(): void {
    this.#awaitCredit();
  }

  /** Our FIN, behind all that was sent. */
  finish(): void {
    if (this.#gone || this.#finQueued) return;
    this.#markProgress();
    this.#finQueued = true;
    this.#transmit();
  }

  /** Reads on while nobody takes: the bytes leave the kernel, so the window opens. */
  readAhead(bytesMax: number): void {
    if (this.received.readAhead(bytesMax) > 0) this.#tellSender();
  }

  /** @returns at most `bytesMax` bytes; there must be one. */
  take(bytesMax: number): Uint8Array {
    const { readBytes } = this.received;
    const bytes = this.received.take(bytesMax);
    if (this.received.readBytes > readBytes) this.#tellSender();
    return bytes;
  }

  /** RST at once; what is not under way is dropped. */
  reset(): void {
    if (this.#gone) return;
    this.#flight.put('RST');
    this.#forget();
  }

  /** close(2): what was sent still goes out, and a FIN behind it; an RST instead if bytes were not read (RFC 2525, 2.17). */
  close(): void {
    this.owner = undefined;
    if (this.received.unreadBytes > 0) this.reset();
    else this.finish();
    this.#endIfOver();
  }

  /** The machine goes, without a word. */
  vanish(): void {
    const { owner } = this;
    this.owner = undefined;
    this.#forget();
    this.#silent = true;
    this.#peer.pathChanged();
    this.#endIfOver();
    owner?.lost();
  }

  /** The machine is there again, and knows nothing of the connection. */
  revive(): void {
    if (!this.#silent) return;
    this.#silent = false;
    this.#peer.pathChanged();
  }

  pathChanged(): void {
    const blocked = this.options.link.down || this.#peer.#silent;
    if (blocked && !this.#flight.held) {
      this.#flight.hold();
      if (this.#gone) this.#flight.clear(); // an RST that is lost is not sent again
      this.#peer.credits.lose();
    } else if (!blocked && this.#flight.held) this.#unblock();
    this.#watch.update();
    this.#peer.#watch.update();
  }

  // Sending.

  #markProgress(): void {
    if (!this.#hasOutstanding()) this.#progressMs = this.options.time.now();
  }

  #transmit(): void {
    while (this.#unsent.length > 0) {
      // A window that opened a little is not worth a segment: the silly window, RFC 9293, 3.8.6.2.
      const half = this.#peer.options.receiveBufferBytes / 2;
      const { windowBytes } = this;
      if (windowBytes < Math.min(this.#unsent.length, this.options.mssBytes, half)) break;
      this.sentBytes += this.#flight.putBytes(this.#unsent, windowBytes);
    }
    if (this.#finQueued && !this.finSent && this.#unsent.length === 0) {
      this.finSent = true;
      this.finSecond = this.finArrived;
      this.#flight.put('FIN');
    }
    if (this.#unsent.length > 0 || this.#isCut) this.#watch.update();
  }

  // Receiving.

  segmentArrives({ kind, bytes }: Segment): void {
    if (this.#gone) {
      if (kind !== 'RST' && !this.#peer.#gone) this.#flight.put('RST');
      return;
    }
    this.#heardMs = this.options.time.now();
    switch (kind) {
      case 'ACK':
        return this.onEstablished?.();
      case 'DATA':
        if (this.owner === undefined) return this.reset(); // RFC 9293, 3.6.1: nobody is there to read it
        this.received.push(bytes!);
        return this.#tellSender();
      case 'FIN':
        this.finArrived = true;
        return;
      case 'RST':
        // In CLOSE-WAIT the reader has its end of file, and a writer gets EPIPE: net/ipv4/tcp_input.c, `tcp_reset`.
        return this.#fail(this.finArrived && !this.finSent ? 'EPIPE' : 'ECONNRESET');
    }
  }

  segmentsArrived(): void {
    this.owner?.readable();
  }

  /** Lets the sender know, in due time, what arrived and what was read. */
  #tellSender(): void {
    if (this.#flight.held) this.#peer.credits.lost = true;
    else this.#tellSenderAt(this.options.time.now() + this.options.link.conditions.latencyMs);
  }

  #tellSenderAt(dueMs: number): void {
    const sender = this.#peer;
    if (sender.#gone) return;
    sender.#settleCredits();
    sender.credits.add(dueMs, this.received.arrivedBytes, this.received.readBytes);
    if (sender.#wantsRoom()) sender.#awaitCredit();
  }

  // Acknowledged.

  #wantsRoom(): boolean {
    return this.#unsent.length > 0 || (this.owner !== undefined && this.owner.queuedBytes() > 0);
  }

  #awaitCredit(): void {
    const dueMs = this.credits.nextMs;
    if (dueMs === undefined || this.#creditTimer !== undefined) return;
    const { time } = this.options;
    this.#creditTimer = time.schedule(takeCredit, Math.max(0, dueMs - time.now()), this);
  }

  /** Of `takeCredit` alone. */
  creditArrived(): void {
    this.#creditTimer = undefined;
    this.#settleCredits();
    this.#transmit();
    this.owner?.writable();
    if (!this.#gone && this.#wantsRoom()) this.#awaitCredit();
  }

  #settleCredits(): void {
    const { credits } = this;
    const { arrivedBytes, readBytes } = credits;
    credits.settle(this.options.time.now());
    if (credits.arrivedBytes > arrivedBytes || credits.readBytes > readBytes) this.#progressMs = credits.knownMs;
  }

  #hasOutstanding(): boolean {
    this.#settleCredits();
    const unacked = this.sentBytes > this.credits.arrivedBytes || (this.finSent && !this.#peer.finArrived);
    return unacked || this.#unsent.length > 0;
  }

  // Ends.

  #fail(failure: Failure): void {
    this.failure = failure;
    this.#forget();
    this.#flight.clear();
  }

  /** The kernel lets go of the connection; what has arrived can still be read. */
  #forget(): void {
    this.#gone = true;
    this.#unsent.clear();
    this.#creditTimer?.unsubscribe();
    this.#creditTimer = undefined;
    this.#watch.update();
  }

  /** Nobody has a descriptor of it any more. */
  #endIfOver(): void {
    if (this.owner !== undefined || this.#peer.owner !== undefined) return;
    for (const end of [this, this.#peer] as const) {
      end.#forget();
      end.#flight.clear();
      end.received.clear();
      end.options.link.users.delete(end);
    }
  }

  // A path that is cut.

  get #isCut(): boolean {
    return this.#flight.held || this.#peer.#flight.held;
  }

  #unblock(): void {
    const nowMs = this.options.time.now();
    const { latencyMs } = this.options.link.conditions;
    this.#settleCredits();
    this.#flight.release(retransmitMs(this.#progressMs, this.roundTripMs, nowMs) + latencyMs);
    const sender = this.#peer;
    if (!sender.credits.lost) return;
    sender.credits.lost = false;
    // It sends again what we have, and we tell it so.
    this.#tellSenderAt(retransmitMs(sender.#progressMs, this.roundTripMs, nowMs) + this.roundTripMs);
  }

  /** Of `Watch` alone. */
  expired(): void {
    const isAnswered = !this.#isCut && this.#peer.#gone; // by RST
    this.#fail(isAnswered ? 'ECONNRESET' : 'ETIMEDOUT');
    this.owner?.readable();
  }

  /** When this end, which cannot get on, gives up. */
  deadlineMs(): number {
    if (this.#gone || this.owner === undefined) return Infinity;
    const { keepAlive, userTimeoutMs, time } = this.options;
    const isCut = this.#isCut;
    if (this.#hasOutstanding() && (isCut || this.#unsent.length > 0)) {
      return userTimeoutDeadlineMs(this.#progressMs, this.roundTripMs, userTimeoutMs);
    }
    if (keepAlive === false) return Infinity;
    if (isCut) return keepAliveDeadlineMs(this.heardMs, keepAlive, userTimeoutMs);
    const isHalfOpen = this.#peer.#gone && this.#flight.isEmpty && this.#peer.#flight.isEmpty;
    return isHalfOpen ? keepAliveProbeMs(this.heardMs, keepAlive, time.now()) : Infinity;
  }
}

function takeCredit(this: SchedulerAction<TcpEnd>, end?: TcpEnd): void {
  end!.creditArrived();
}
