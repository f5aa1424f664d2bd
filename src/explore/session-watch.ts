/** Looks into one session of a path: what its charts were told, and what they did. */
import type { AnyMachineSnapshot, AnyTransitionDefinition, EventObject } from 'xstate';
import { ByteQueue } from '../codec/byte-queue.js';
import type { Codec, Message } from '../codec/codec.js';
import { otherEndOf } from '../codec/other-end.js';
import type { ActorTap } from '../engine/engine.js';
import { messageOf } from '../session/errors.js';
import type { AnyProtocol } from '../session/protocol.js';
import type { Session, SessionRecord } from '../session/session.js';
import type { SessionTap } from '../session/tap.js';
import type { CoverageCount } from './coverage.js';
import type { Phase } from './place.js';
import { isEqual } from './protocol-samples.js';
import { describeEvent } from './script.js';

export interface SessionWatchOptions {
  readonly protocol: AnyProtocol;
  readonly coverage: CoverageCount;
  /** Types of what was sent are added to it. */
  readonly sent: Set<string>;
}

export class SessionWatch implements SessionTap {
  /** What its chart was told since the last `forget`, in order. */
  readonly events: EventObject[] = [];
  /** The transitions that it took since then. */
  readonly taken: AnyTransitionDefinition[] = [];
  /** What its peer has sent and it has not decoded; `undefined` when nobody can say any more. */
  expected: Message[] | undefined = [];
  record: SessionRecord | undefined;
  snapshot: AnyMachineSnapshot | undefined;
  codecName = '';
  /** Encodes what its peer sends, always in step with the session's own. */
  peerCodec: Codec<any, any> | undefined;
  /** What the other end could not decode. */
  encodeProblem: { readonly type: string; readonly text: string } | undefined;
  /** What ours decoded as something else, or not at all. */
  decodeProblem: { readonly sent: Message; readonly as: string } | undefined;
  /** While a path fills its output: what is encoded then is nothing that the protocol has sent. */
  isBeingFilled = false;
  /** The path is over: what its chart does while everybody leaves is not foreseen by anybody, and covers nothing. */
  isLeaving = false;

  readonly protocol: ActorTap = {
    event: (event) => {
      if (event.type === 'xstate.init') this.#options.coverage.began();
      else this.events.push(event);
    },
    transitions: (definitions) => {
      this.taken.push(...definitions);
      if (!this.isLeaving) this.#options.coverage.took(definitions);
    },
    snapshot: (snapshot) => {
      this.snapshot = snapshot;
      if (!this.isLeaving) this.#options.coverage.entered(snapshot);
    },
  };

  readonly #options: SessionWatchOptions;
  /** What the peer has not decoded yet. */
  #toPeer = new ByteQueue();

  constructor(
    readonly session: Session,
    options: SessionWatchOptions,
  ) {
    this.#options = options;
    this.codecChanged(options.protocol.initialCodec as string);
  }

  /** How far its connection has come, in the words of the model. */
  get phase(): Phase {
    if (this.record) return 'over';
    const { transportSnapshot: transport } = this.session;
    if (transport.matches('closing') || transport.matches('reset')) return 'closing';
    if (transport.matches({ halfClosed: 'byPeer' })) return 'ended';
    return transport.matches({ halfClosed: 'byUs' }) ? 'ending' : 'open';
  }

  decoded(message: Message): void {
    // With nothing left it follows from what came before: an announced payload of no bytes is over at once.
    const sent = this.expected?.shift();
    if (sent && !isEqual(message, sent)) this.decodeProblem ??= { sent, as: describeEvent(message) };
  }

  decodeFailed(error: unknown): void {
    const sent = this.expected?.[0];
    if (sent) this.decodeProblem ??= { sent, as: messageOf(error) };
  }

  encoded(message: Message, bytes: Uint8Array): void {
    if (!this.isBeingFilled && !this.isLeaving) this.#options.sent.add(message.type);
    if (!this.peerCodec || this.encodeProblem) return;
    this.#toPeer.push(bytes.slice());
    try {
      while (this.peerCodec.decode(this.#toPeer) !== undefined);
    } catch (error) {
      this.encodeProblem = { type: message.type, text: messageOf(error) };
    }
    this.#toPeer.settle();
  }

  ended(record: SessionRecord): void {
    this.record = record;
  }

  codecChanged(name: string): void {
    const factories = this.#options.protocol.codecs as Record<string, () => Codec>;
    this.codecName = name;
    this.#toPeer = new ByteQueue();
    try {
      this.peerCodec = otherEndOf(factories[name]!);
    } catch {
      this.peerCodec = undefined; // what it is sent are bytes alone, as its samples say
    }
  }

  /** The next step begins. */
  forget(): void {
    this.events.length = this.taken.length = 0;
  }
}
