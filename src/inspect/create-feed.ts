/** The feed of a server or client, on the charts as XState executes them. */
import { Subject, type Observable, type Subscription } from 'rxjs';
import type { AnyStateMachine } from 'xstate';
import type { CloseOption } from '../../machines/events.js';
import { gcSweeperMachine } from '../../machines/gc-sweeper.js';
import { sessionMachine } from '../../machines/session.js';
import { NOWHERE, placesOf } from '../engine/places.js';
import type { Session, SessionRecord } from '../session/session.js';
import type { SessionInside } from '../session/tap.js';
import { addressText } from './address-text.js';
import { readChart } from './drawing/chart.js';
import {
  FeedError,
  type EndedSession,
  type Feed,
  type FeedChange,
  type FeedCharts,
  type FeedPlaces,
  type FeedSession,
  type FeedTotals,
  type Population,
  type SessionChart,
  type Vitals,
  type Watch,
  type WatchListener,
} from './feed.js';
import { insideOf, type Inside } from './inside.js';
import { LiveFeedSession, type FollowedBy } from './live-feed-session.js';
import { Masks } from './masks.js';
import { Tally } from './tally.js';
import { takenEvents, vitalsOf } from './vitals.js';
import { WatchedSession } from './watched-session.js';

export interface FeedOptions {
  /** Watched and recorded sessions show their bytes, and nothing of them is masked. Default false. */
  readonly payloads?: boolean;
}

/** Sessions that are watched at a time, at most. */
const WATCHED_MAX = 64;

/**
 * Begins to count: sessions that live now, and those that come, until `end`. The server need not have started.
 * @throws {TypeError} when it is neither a server nor a client of this package, or when this XState cannot be looked into.
 */
export function createFeed(of: object, { payloads = false }: FeedOptions = {}): Feed {
  return new LiveFeed(insideOf(of), payloads);
}

class LiveFeed implements Feed, FollowedBy {
  readonly charts: FeedCharts;
  readonly sessionTally: Tally;
  readonly protocolTally: Tally;
  readonly changes: Observable<FeedChange>;
  readonly masks: Masks;

  readonly #inside: Inside;
  readonly #payloads: boolean;
  readonly #byId = new Map<string, LiveFeedSession>();
  readonly #byNumber = new Map<number, LiveFeedSession>();
  readonly #changes = new Subject<FeedChange>();
  readonly #watched = new Map<LiveFeedSession, WatchedSession>();
  readonly #recordings = new Set<() => void>();
  readonly #errorsWire: Subscription;
  readonly #endLookout: () => void;
  #lastNumber = 0;
  #errors = 0;

  constructor(inside: Inside, payloads: boolean) {
    this.#inside = inside;
    this.#payloads = payloads;
    const { runtime, owner, kind } = inside;
    const { machine, shared = {}, secrets = {} } = runtime.protocol;
    this.masks = new Masks(payloads ? {} : secrets);
    this.charts = {
      owner: readChart(owner.snapshot.machine as AnyStateMachine),
      sweeper: kind === 'server' ? readChart(gcSweeperMachine) : undefined,
      session: readChart(sessionMachine),
      protocol: readChart(machine),
      shared: Object.fromEntries(
        Object.entries(shared).map(([name, definition]) => [name, readChart(definition.machine as AnyStateMachine)]),
      ),
    };
    this.sessionTally = new Tally(placesOf(sessionMachine).size);
    this.protocolTally = new Tally(placesOf(machine).size);
    this.changes = this.#changes.asObservable();
    for (const session of runtime.sessions()) this.#add(session, false);
    this.#errorsWire = runtime.errors.subscribe(() => (this.#errors += 1));
    this.#endLookout = runtime.lookOut({
      came: (session) => this.#came(session),
      went: (session) => this.#went(session),
    });
  }

  get kind(): Feed['kind'] {
    return this.#inside.kind;
  }

  get protocol(): string {
    return this.#inside.runtime.protocol.name;
  }

  get address(): string | undefined {
    return this.#inside.address();
  }

  get waitTimeoutMs(): number {
    return this.#inside.runtime.options.waitTimeoutMs;
  }

  nowMs(): number {
    return this.#inside.runtime.time.now();
  }

  get places(): FeedPlaces {
    const { runtime, owner } = this.#inside;
    const names = Object.keys(this.charts.shared);
    return {
      owner: owner.place,
      sweeper: this.#inside.sweeper()?.place ?? NOWHERE,
      shared: Object.fromEntries(names.map((name) => [name, runtime.sharedActor(name)?.place ?? NOWHERE])),
    };
  }

  population(chart: SessionChart): Population {
    return chart === 'session' ? this.sessionTally : this.protocolTally;
  }

  totals(): FeedTotals {
    const { closed, bytesReceived, bytesSent, bytesDropped, reasons } = this.#inside.runtime.totals();
    return { ...this.#inside.totals(), closed, bytesReceived, bytesSent, bytesDropped, reasons, errors: this.#errors };
  }

  get size(): number {
    return this.#byId.size;
  }

  sessions(): Iterable<FeedSession> {
    return this.#byId.values();
  }

  session(id: string): FeedSession | undefined {
    return this.#byId.get(id);
  }

  numbered(number: number): FeedSession | undefined {
    return this.#byNumber.get(number);
  }

  get recent(): readonly EndedSession[] {
    return this.#inside.runtime.registry.registry.recent.map((record) => endedSession(record, this.masks));
  }

  watch(id: string, listener: WatchListener): Watch {
    const session = this.#find(id);
    const watched = this.#watched.get(session) ?? this.#startWatch(session);
    // Of one who watches twice, each stops for itself.
    const own: WatchListener = { line: (line) => listener.line(line), ended: () => listener.ended() };
    const lines = watched.listen(own);
    return { lines, vitals: () => this.#vitals(session), stop: () => watched.leave(own) };
  }

  closeSession(id: string, option: CloseOption): void {
    this.#find(id).live.close(option);
  }

  sendEvent(id: string, event: { readonly type: string; readonly [field: string]: unknown }): void {
    const { live } = this.#find(id);
    const { reservedEvents } = this.#inside.runtime;
    const { type } = event;
    const isOwn = typeof type === 'string' && type !== '' && !/^(xstate|done)\.|\*/.test(type);
    if (!isOwn || reservedEvents.has(type))
      throw new FeedError('EVENT_INVALID', `${JSON.stringify(type)} is no type of an event that can be sent`);
    const snapshot = live.protocolSnapshot;
    let why: string | undefined;
    try {
      if (snapshot.status !== 'active' || !snapshot.can(event)) why = `the chart does not take ${type} now`;
    } catch (error) {
      const text = String((error as Error | null)?.message ?? error);
      // It may quote what is secret, as texts of errors in recordings may.
      why = `a guard cannot judge this ${type}: ${this.masks.hasAny ? '*'.repeat(text.length) : text}`;
    }
    if (why !== undefined) {
      const taken = takenEvents(snapshot, reservedEvents).join(', ') || 'none';
      throw new FeedError('EVENT_NOT_TAKEN', `${why}; it would take: ${taken}`);
    }
    live.dispatch(event);
  }

  recordSession(id: string): { text(): string; stop(): void } {
    const { live } = this.#find(id);
    try {
      const recording = live.record({ payloads: this.#payloads });
      const stop = () => {
        this.#recordings.delete(stop);
        recording.stop();
      };
      this.#recordings.add(stop);
      return { text: () => recording.text(), stop };
    } catch (error) {
      throw new FeedError('RECORD_FAILED', `the session cannot be recorded: ${(error as Error).message}`);
    }
  }

  end(): void {
    this.#endLookout();
    this.#errorsWire.unsubscribe();
    for (const watched of [...this.#watched.values()]) watched.stop();
    for (const stop of [...this.#recordings]) stop();
    for (const session of this.#byId.values()) session.leave();
    this.#byId.clear();
    this.#byNumber.clear();
    this.#changes.complete();
  }

  /** Of one of its sessions. */
  moved(session: LiveFeedSession): void {
    if (this.#changes.observed) this.#changes.next({ type: 'moved', session });
  }

  #came(live: Session & SessionInside): void {
    const session = this.#add(live, true);
    if (this.#changes.observed) this.#changes.next({ type: 'added', session });
  }

  #add(live: Session & SessionInside, isNew: boolean): LiveFeedSession {
    const number = (this.#lastNumber += 1);
    const session = new LiveFeedSession(this, number, live, isNew);
    this.#byId.set(live.id, session);
    this.#byNumber.set(number, session);
    return session;
  }

  #went(live: Session & SessionInside): void {
    const session = this.#byId.get(live.id);
    if (session?.live !== live) return;
    session.leave();
    this.#byId.delete(live.id);
    this.#byNumber.delete(session.number);
    if (this.#changes.observed) this.#changes.next({ type: 'removed', session });
  }

  #find(id: string): LiveFeedSession {
    const session = this.#byId.get(id);
    if (session) return session;
    throw new FeedError('SESSION_UNKNOWN', `no live session has the id ${JSON.stringify(id)}`);
  }

  #startWatch(session: LiveFeedSession): WatchedSession {
    if (this.#watched.size >= WATCHED_MAX)
      throw new FeedError('WATCHERS_TOO_MANY', `${WATCHED_MAX} sessions are watched already`);
    const { runtime, recorders } = this.#inside;
    const watched = new WatchedSession({
      session: session.live,
      protocol: runtime.protocol,
      recorders,
      time: runtime.time,
      payloads: this.#payloads,
      failed: (error) => runtime.subscriberFailed(error),
      over: () => this.#watched.delete(session),
    });
    this.#watched.set(session, watched);
    return watched;
  }

  #vitals(session: LiveFeedSession): Vitals {
    const { runtime } = this.#inside;
    return vitalsOf(session, {
      waitTimeoutMs: this.waitTimeoutMs,
      reservedEvents: runtime.reservedEvents,
      masks: this.masks,
      nowMs: this.nowMs(),
    });
  }
}

function endedSession({ peer, statistics, ...record }: SessionRecord, masks: Masks): EndedSession {
  const { id, reason, option, closedBy, startedAtMs, endedAtMs } = record;
  const { bytesReceived, bytesSent } = statistics;
  const text = addressText(peer);
  const key = record.key && masks.textOf('SET_KEY', 'key', record.key);
  return { id, key, peer: text, reason, option, closedBy, startedAtMs, endedAtMs, bytesReceived, bytesSent };
}
