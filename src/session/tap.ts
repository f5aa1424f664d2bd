/**
 * Looks into one session from inside: what reaches its charts and its codec, in order, and what they make of it. A recorder, an
 * explorer and the checks of a simulation are taps; a session without one pays a test for `undefined`. None of these may throw.
 */
import type { Message } from '../codec/codec.js';
import type { ActorTap, PendingTimer } from '../engine/engine.js';
import type { PlaceFollower } from '../engine/places.js';
import type { RuntimeError } from './errors.js';
import type { Session, SessionRecord } from './session.js';

/** Who gives the protocol's chart an event, besides its own timers and the actors that it invoked. */
export type EventOrigin =
  /** A frame of the peer. */
  | 'message'
  /** The transport's chart: PEER_END, CONGESTED ... */
  | 'fact'
  /** A handler of one of its commands. */
  | 'answer'
  /** `session.dispatch`, or a shared actor. */
  | 'dispatch'
  /** The registry: KEY_SET, KEY_TAKEN. */
  | 'key';

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
  /** The event that the protocol's chart is given next comes from there. */
  told?(origin: EventOrigin): void;
  /** A message was made bytes; they are queued, and written at the end of the turn. */
  encoded?(message: Message, bytes: Uint8Array): void;
  /** From now on this codec decodes and encodes. */
  codecChanged?(name: string): void;
  /** What is reported on `errors` of this session. */
  failed?(error: RuntimeError): void;
  ended?(record: SessionRecord): void;
}

/**
 * What a recorder takes down at once, when it begins: all that what follows depends on, besides both charts' snapshots. And what a
 * viewer asks for besides.
 */
export interface SessionInside {
  /** @returns what takes the tap off. */
  tap(tap: SessionTap): () => void;
  readonly transportTimers: readonly PendingTimer[];
  readonly protocolTimers: readonly PendingTimer[];
  readonly codecName: string;
  /** `save()` of the codec; `undefined` of one that keeps no state. */
  codecState(): unknown;
  /** Bytes that no frame has taken yet. */
  readonly inputBytes: number;
  /** A copy of them. */
  copyInput(): Uint8Array;
  /** Commands whose handlers have not answered yet, by type. */
  readonly pendingHandlers: readonly string[];
  /** Written, and not with the kernel yet. */
  readonly queuedBytes: number;
  /** When the session ends if nothing is read; `undefined` while no wait is counted, or none ends it. */
  readonly waitsEndAtMs: number | undefined;
  /** From now on each wait is told as it ends, not many at once. @returns what ends that */
  lookAtWaits(): () => void;
  /** Both are told of changes of their chart's place from now on. @throws {TypeError} when this XState is not one that can be looked into */
  follow(transport: PlaceFollower, protocol: PlaceFollower): void;
  unfollow(transport: PlaceFollower, protocol: PlaceFollower): void;
}

/** @returns the tap of a session that is about to start, if it is to have one. */
export type TapSession = (session: Session, inside: SessionInside) => SessionTap | undefined;
