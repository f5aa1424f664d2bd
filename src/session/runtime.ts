/**
 * What a server and a client have in common: one clock, one engine, one wheel of waits, one registry, the way from
 * the layer's stream to the sessions, and the place where errors go. The composition roots (`server.ts`, `client.ts`) add
 * the chart that owns it.
 */
import { Subject, type SchedulerLike, type Subscription } from 'rxjs';
import type { AnyStateMachine, EventObject } from 'xstate';
import type { FactType, SocketAddress, SocketEvent } from '../../machines/events.js';
import { createEngine, type Engine, type EngineActor } from '../engine/engine.js';
import type { SocketLayer, SocketRecord, SocketSignal } from '../socket/socket-layer.js';
import { WaitWheel } from '../time/wait-wheel.js';
import { messageOf, RuntimeError } from './errors.js';
import type { ParsedSessionOptions } from './options.js';
import { RESERVED_EVENTS, type AnyProtocol } from './protocol.js';
import { PublicStream } from './public-stream.js';
import type { ParsedSessionRecording } from './record-options.js';
import { SessionRegistry, type RegistryControl } from './registry.js';
import { LiveSession, type SessionHost } from './live-session.js';
import type { Session, SessionRecord, SessionRecording } from './session.js';
import type { SessionInside, TapSession } from './tap.js';
import { SharedActors } from './shared-actors.js';
import { Turns } from './turns.js';

/** One event of one socket, with the session that it belongs to, if any. */
export interface ServerEvent {
  readonly session: Session | undefined;
  readonly socket: SocketRecord;
  readonly event: SocketEvent;
}

/** Told of each session that comes and goes. It may not throw. */
export interface SessionLookout {
  /** It is in the registry, and starts next. */
  came(session: Session & SessionInside): void;
  /** It is over, and no longer in the registry. */
  went(session: Session & SessionInside, record: SessionRecord): void;
}

/** The chart's side of a runtime. */
export interface RuntimeOwner {
  /** An event of a socket that is the owner's own (claimed for it). */
  receive(socket: SocketRecord, event: SocketEvent): void;
  /** `admit` has made it, and starts it next. */
  sessionMade?(session: LiveSession): void;
  sessionEnded(session: LiveSession, record: SessionRecord): void;
  /** A shared actor failed too often. */
  giveUp(): void;
}

export interface RuntimeParts {
  readonly time: SchedulerLike;
  readonly layer: SocketLayer;
  readonly ids: () => string;
  readonly recentMax: number;
  /** How far apart wake-ups for waits may be merged, in ms. */
  readonly waitGranularityMs: number;
  /** Asked for each session before it starts. */
  readonly tapsFor: readonly TapSession[];
  /** Carries out `session.record()`. */
  readonly record: RecordSession;
}

export type RecordSession = (
  session: Session & SessionInside,
  options: ParsedSessionRecording,
  /** It was asked for with options: a recording that there is already will not do. */
  isOwn: boolean,
) => SessionRecording;

/** Totals over all sessions. */
export interface SessionTotals {
  closed: number;
  bytesReceived: number;
  bytesSent: number;
  bytesDropped: number;
  /** Answers of handlers that came after their deadline or their session's end. */
  answersDropped: number;
  /** Events that were dispatched to sessions that had ended. */
  eventsDropped: number;
  /** Ended sessions by reason. */
  reasons: Record<string, number>;
}

export class Runtime implements SessionHost {
  readonly time: SchedulerLike;
  readonly layer: SocketLayer;
  readonly engine: Engine;
  readonly wheel: WaitWheel;
  readonly turns = new Turns();
  readonly registry: RegistryControl;
  readonly facts: ReadonlySet<FactType>;
  /** Types that nobody else sends to a protocol's chart. */
  readonly reservedEvents = RESERVED_EVENTS;
  readonly errors: PublicStream<RuntimeError>;
  readonly events: PublicStream<ServerEvent>;

  readonly #ids: () => string;
  readonly #tapsFor: readonly TapSession[];
  readonly #record: RecordSession;
  readonly #owner: RuntimeOwner;
  readonly #errors = new Subject<RuntimeError>();
  readonly #events = new Subject<ServerEvent>();
  readonly #perAddress = new Map<string, number>();
  readonly #totals: SessionTotals = {
    closed: 0,
    bytesReceived: 0,
    bytesSent: 0,
    bytesDropped: 0,
    answersDropped: 0,
    eventsDropped: 0,
    reasons: {},
  };
  /** Being told, the first one now: what a subscriber of `errors` causes comes after what it was told. */
  readonly #reports: RuntimeError[] = [];
  #watching = false;
  #lookouts: readonly SessionLookout[] = [];
  #shared: SharedActors | undefined;
  #wire: Subscription | undefined;

  constructor(
    readonly protocol: AnyProtocol,
    readonly options: ParsedSessionOptions,
    parts: RuntimeParts,
    owner: RuntimeOwner,
  ) {
    this.time = parts.time;
    this.layer = parts.layer;
    this.#ids = parts.ids;
    this.#tapsFor = parts.tapsFor;
    this.#record = parts.record;
    this.#owner = owner;
    this.facts = new Set(protocol.facts ?? []);
    this.engine = createEngine(parts.time);
    const subscriberFailed = (error: unknown) => this.subscriberFailed(error);
    this.wheel = new WaitWheel(parts.time, {
      actMs: parts.waitGranularityMs,
      onError: (error) => this.#internal(error),
    });
    this.registry = SessionRegistry.create(parts.recentMax, subscriberFailed, (watching) => this.#watch(watching));
    // A subscriber of `errors` that throws is itself an error; reporting that to it again would never end.
    this.errors = new PublicStream(
      (subscriber) => this.#errors.subscribe(subscriber),
      () => {},
    );
    this.events = new PublicStream((subscriber) => this.#events.subscribe(subscriber), subscriberFailed);
  }

  /** Wires the layer's stream to the sessions and makes the shared actors. */
  open(): void {
    this.#wire = this.layer.events.subscribe((signal) => this.#route(signal));
    this.#shared = new SharedActors(this.protocol.shared ?? {}, {
      engine: this.engine,
      time: this.time,
      registry: this.registry.registry,
      report: (error) => this.report(error),
      giveUp: () => this.#owner.giveUp(),
    });
  }

  /** After the last session has ended. */
  close(): void {
    this.#wire?.unsubscribe();
    this.#wire = undefined;
    this.#shared?.stop();
    this.#shared = undefined;
  }

  /** @returns the session, started, or `undefined` when none could be made: reported, and the socket is reset. */
  admit(socket: SocketRecord, peer: SocketAddress): LiveSession | undefined {
    let session: LiveSession;
    try {
      session = new LiveSession(this, this.#ids(), socket, peer);
      this.registry.insert(session);
    } catch (error) {
      this.report(
        new RuntimeError('PROTOCOL_FAILED', `no session could be made: ${messageOf(error)}`, undefined, {
          cause: error,
        }),
      );
      this.refuse(socket);
      return undefined;
    }
    this.#perAddress.set(peer.address, this.sessionsOfAddress(peer.address) + 1);
    if (this.#watching) this.#watchSession(session);
    for (const tapFor of this.#tapsFor) {
      const tap = tapFor(session, session);
      if (tap) session.tap(tap);
    }
    for (const lookout of this.#lookouts) lookout.came(session);
    this.#owner.sessionMade?.(session);
    this.layer.claim(socket, session);
    session.start();
    return session;
  }

  /** Resets a connection that becomes no session, and forgets it. */
  refuse(socket: SocketRecord): void {
    this.layer.carryOut(socket, { type: 'SEND_RST' });
    this.layer.release(socket);
  }

  sessionsOfAddress(address: string): number {
    return this.#perAddress.get(address) ?? 0;
  }

  *sessions(): IterableIterator<LiveSession> {
    for (const session of [...this.registry.registry]) yield session as LiveSession;
  }

  totals(): SessionTotals {
    const totals = { ...this.#totals, reasons: { ...this.#totals.reasons } };
    for (const { statistics } of this.registry.registry) addBytes(totals, statistics);
    return totals;
  }

  /** @returns what ends it */
  lookOut(lookout: SessionLookout): () => void {
    this.#lookouts = [...this.#lookouts, lookout];
    return () => {
      this.#lookouts = this.#lookouts.filter((other) => other !== lookout);
    };
  }

  /** The actor of a shared chart; `undefined` before the start, or when it could not be made. */
  sharedActor(name: string): EngineActor<AnyStateMachine> | undefined {
    return this.#shared?.actor(name);
  }

  sharedSnapshots(): Record<string, unknown> {
    return this.#shared?.snapshots() ?? {};
  }

  // What sessions need (SessionHost)

  report(error: RuntimeError): void {
    if (this.#reports.push(error) > 1) return;
    for (; this.#reports.length > 0; this.#reports.shift()) this.#errors.next(this.#reports[0]!);
  }

  /** Whoever was told of something threw. */
  subscriberFailed(error: unknown): void {
    this.report(
      new RuntimeError('SUBSCRIBER_FAILED', `a subscriber threw: ${messageOf(error)}`, undefined, { cause: error }),
    );
  }

  record(session: LiveSession, options: ParsedSessionRecording, isOwn: boolean): SessionRecording {
    return this.#record(session, options, isOwn);
  }

  tellShared(to: string, event: EventObject, session: string): boolean {
    return this.#shared?.tell(to, event, session) ?? false;
  }

  countDropped(what: 'answers' | 'events'): void {
    this.#totals[`${what}Dropped`] += 1;
  }

  ended(session: LiveSession, record: SessionRecord): void {
    const { address } = session.peer;
    const others = this.sessionsOfAddress(address) - 1;
    if (others > 0) this.#perAddress.set(address, others);
    else this.#perAddress.delete(address);
    this.#totals.closed += 1;
    this.#totals.reasons[record.reason] = (this.#totals.reasons[record.reason] ?? 0) + 1;
    addBytes(this.#totals, record.statistics);
    for (const lookout of this.#lookouts) lookout.went(session, record);
    this.#shared?.sessionClosed(session.id, record.reason);
    this.#owner.sessionEnded(session, record);
  }

  #route({ socket, event }: SocketSignal): void {
    const { owner } = socket;
    const session = owner instanceof LiveSession ? owner : undefined;
    // A layer may serve several runtimes.
    if (session ? this.registry.registry.get(session.id) !== session : owner !== this.#owner) return;
    // Before its consequences, so that whoever looks sees them in order.
    if (this.#events.observed) this.#events.next({ session, socket, event });
    try {
      if (session) session.receive(event);
      else this.#owner.receive(socket, event);
    } catch (error) {
      this.#internal(error);
    }
  }

  #watch(watching: boolean): void {
    this.#watching = watching;
    for (const session of this.sessions()) {
      if (watching) this.#watchSession(session);
      else session.watchStates(undefined);
    }
  }

  #watchSession(session: LiveSession): void {
    session.watchStates(() => this.registry.changed(session));
  }

  #internal(error: unknown): void {
    this.report(new RuntimeError('INTERNAL', messageOf(error), undefined, { cause: error }));
  }
}

function addBytes(
  totals: SessionTotals,
  from: { bytesReceived: number; bytesSent: number; bytesDropped: number },
): void {
  totals.bytesReceived += from.bytesReceived;
  totals.bytesSent += from.bytesSent;
  totals.bytesDropped += from.bytesDropped;
}
