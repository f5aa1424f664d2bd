/** One session of a world, and all that must hold for it. Tells what is broken; it never throws, because a tap may not. */
import type { SocketEvent } from '../../machines/events.js';
import type { Message } from '../codec/codec.js';
import type { ScriptedPeer } from '../explore/peer.js';
import type { Session, SessionRecord } from '../session/session.js';
import type { SessionTap } from '../session/tap.js';
import type { ExpectedMessages } from './expected-messages.js';
import { StreamCheck } from './stream-check.js';

export interface WatchedSessionOptions {
  /** Of this session, if it is a scripted one. */
  readonly peer: ScriptedPeer | undefined;
  readonly expected: ExpectedMessages | undefined;
  /** What the peer has sent already. */
  readonly incoming: StreamCheck | undefined;
  readonly closeTimeoutMs: number;
  readonly waitTimeoutMs: number;
  readonly now: () => number;
  /** How long the server's process has stood still so far: its deadlines are late by that. */
  readonly stalledMs: () => number;
  readonly broken: (property: string) => void;
  /** Its chart asked to be told of the peer's FIN, and decides itself when it has heard enough. */
  readonly decidesItsEnd: boolean;
}

/** The clock is exact; a division of floating-point moments is not. */
const TOLERANCE_MS = 0.001;

export class WatchedSession implements SessionTap {
  record: SessionRecord | undefined;
  /** From here to its peer. */
  readonly outgoing = new StreamCheck();

  /** Bytes that its codec was given. */
  #takenBytes = 0;
  #discardedBytes = 0;
  #lastReadMs: number;
  #closing: { readonly sinceMs: number; readonly stalledMs: number } | undefined;

  constructor(
    readonly session: Session,
    private readonly options: WatchedSessionOptions,
  ) {
    this.#lastReadMs = options.now();
  }

  get peer(): ScriptedPeer | undefined {
    return this.options.peer;
  }

  get isClosing(): boolean {
    return this.#closing !== undefined;
  }

  /** An event of its socket, before its consequences. */
  event(event: SocketEvent): void {
    const { incoming, broken } = this.options;
    if (this.record !== undefined) broken(`${event.type} is processed after the end`);
    const read = event.type === 'READ' ? event.bytes : undefined;
    this.#countBytes(read?.byteLength ?? 0);
    if (read === undefined) return;
    this.#lastReadMs = this.options.now();
    if (incoming === undefined) return;
    const problem = incoming.arrived(read);
    if (problem !== undefined) broken(`what the session reads is not what its peer sent: ${problem}`);
  }

  /** Its state has changed. */
  moved(): void {
    const { transportSnapshot: snapshot } = this.session;
    const closes = snapshot.matches('closing') || snapshot.matches('reset');
    if (!closes || this.#closing !== undefined) return;
    const { now, stalledMs, waitTimeoutMs, broken } = this.options;
    this.#closing = { sinceMs: now(), stalledMs: stalledMs() };
    const { reason, waitTimeoutCountMax } = snapshot.context;
    if (reason !== 'wait timeout') return;
    const silentMs = now() - this.#lastReadMs;
    if (silentMs + TOLERANCE_MS < waitTimeoutCountMax * waitTimeoutMs) {
      broken(
        `it ends by wait timeout after ${silentMs} ms of silence, before ${waitTimeoutCountMax} waits have passed`,
      );
    }
  }

  /** Between two events: closing and reset have a deadline each, and no byte is under way. */
  look(): void {
    if (this.record === undefined) this.#countBytes(0);
    if (this.#closing === undefined || this.record !== undefined) return;
    const { now, stalledMs, closeTimeoutMs, broken } = this.options;
    const lateMs = stalledMs() - this.#closing.stalledMs;
    const closingMs = now() - this.#closing.sinceMs;
    if (closingMs > 2 * closeTimeoutMs + lateMs + TOLERANCE_MS) {
      broken(
        `it has been closing for ${closingMs} ms, with a deadline of ${closeTimeoutMs} ms for the close and one for the reset`,
      );
    }
  }

  // Of the tap

  received(bytes: Uint8Array): void {
    this.#livesFor('bytes for its codec');
    this.#takenBytes += bytes.byteLength;
  }

  decoded(message: Message, atEnd: boolean): void {
    this.#livesFor('a message');
    const problem = this.options.expected?.decoded(message, atEnd);
    if (problem !== undefined) this.options.broken(`what it decodes is not what its peer sent: ${problem}`);
  }

  decodeFailed(_error: unknown, atEnd: boolean): void {
    const problem = this.options.expected?.failed(atEnd);
    if (problem !== undefined) this.options.broken(`its codec failed at what is valid: ${problem}`);
  }

  encoded(_message: Message, bytes: Uint8Array): void {
    this.#livesFor('a message to be sent');
    if (this.options.peer !== undefined) this.outgoing.sent(bytes);
  }

  ended(record: SessionRecord): void {
    const { broken, expected, decidesItsEnd } = this.options;
    if (this.record !== undefined) {
      broken(`it ends twice: ${this.record.reason}, then ${record.reason}`);
      return;
    }
    this.look();
    this.record = record;
    // A record always has one: where its chart has none, it is made up.
    if (this.session.transportSnapshot.context.reason === undefined) broken('it ended without a reason');
    const heardAll = record.reason === 'peer closed' && record.closedBy === 'fin' && !decidesItsEnd;
    if (heardAll && expected !== undefined && expected.pendingCount > 0) {
      broken(`it ended as its peer closed, with ${expected.pendingCount} of the peer's messages not delivered`);
    }
    this.peerEnded();
  }

  /** Both ends are over: what was sent gracefully must have arrived. */
  peerEnded(): void {
    const { peer, broken } = this.options;
    if (this.record?.closedBy !== 'fin' || peer?.closedBy !== 'fin') return;
    const { bytesDropped } = this.record.statistics;
    if (bytesDropped === 0 && this.outgoing.pendingBytes > 0) {
      broken(`both ends closed by FIN, and ${this.outgoing.pendingBytes} bytes that it sent never arrived`);
    }
  }

  #livesFor(what: string): void {
    if (this.record !== undefined) this.options.broken(`${what} after its end`);
  }

  /** Bytes in = bytes for the codec + bytes discarded, and those with a reason. @param underWay not processed yet */
  #countBytes(underWay: number): void {
    const { bytesReceived } = this.session.statistics;
    const discarded = bytesReceived - underWay - this.#takenBytes;
    if (discarded === this.#discardedBytes) return;
    if (discarded < this.#discardedBytes) {
      this.options.broken(`its codec was given ${this.#takenBytes} bytes, and only ${bytesReceived} were received`);
    }
    if (this.session.transportSnapshot.hasTag('open')) {
      this.options.broken(`${discarded - this.#discardedBytes} bytes were discarded without a reason`);
    }
    this.#discardedBytes = discarded;
  }
}
