/**
 * Looks into one session from inside: what reaches its charts and its codec, in order, and what they make of it. A recorder, an
 * explorer and the checks of a simulation are taps; a session without one pays a test for `undefined`. None of these may throw.
 */
import type { Message } from '../codec/codec.js';
import type { ActorTap } from '../engine/engine.js';
import type { Session, SessionRecord } from './session.js';

export interface SessionTap {
  /** The transport's chart, and the protocol's. */
  readonly transport?: ActorTap;
  readonly protocol?: ActorTap;
  /** Bytes go to the codec's queue; they may be changed after the call. */
  received?(bytes: Uint8Array): void;
  /** The codec made a message of them, which the protocol's chart is given next. `atEnd`: by its `end`. */
  decoded?(message: Message, atEnd: boolean): void;
  /** It threw instead. */
  decodeFailed?(error: unknown, atEnd: boolean): void;
  /** A message was made bytes; they are queued, and written at the end of the turn. */
  encoded?(message: Message, bytes: Uint8Array): void;
  /** From now on this codec decodes and encodes. */
  codecChanged?(name: string): void;
  ended?(record: SessionRecord): void;
}

/** @returns the tap of a session that is about to start, if it is to have one. */
export type TapSession = (session: Session) => SessionTap | undefined;
