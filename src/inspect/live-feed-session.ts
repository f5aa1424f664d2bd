/** One session as a feed knows it: follows both of its charts, and asks the session itself for all else. */
import { PlaceFollower, type Place } from '../engine/places.js';
import type { Session } from '../session/session.js';
import type { SessionInside } from '../session/tap.js';
import { addressText } from './address-text.js';
import type { FeedSession } from './feed.js';
import type { Masks } from './masks.js';
import type { Tally } from './tally.js';

/** What all sessions of a feed have in common. */
export interface FollowedBy {
  readonly sessionTally: Tally;
  readonly protocolTally: Tally;
  readonly masks: Masks;
  nowMs(): number;
  moved(session: LiveFeedSession): void;
}

/** Of phases that are kept. */
const PHASES_MAX = 8;

export class LiveFeedSession implements FeedSession {
  readonly #feed: FollowedBy;
  readonly #session: SessionChartFollower;
  readonly #protocol: ProtocolChartFollower;
  /** State and time by turns; made anew for each, as a list that grows takes room for sixteen more. */
  #phases: readonly number[];
  #peer: string | undefined = undefined;

  /** @param isNew it starts next; else it is known from now on */
  constructor(
    feed: FollowedBy,
    readonly number: number,
    readonly live: Session & SessionInside,
    isNew: boolean,
  ) {
    this.#feed = feed;
    const nowMs = feed.nowMs();
    this.#session = new SessionChartFollower(this, nowMs);
    this.#protocol = new ProtocolChartFollower(this, nowMs);
    live.follow(this.#session, this.#protocol);
    feed.sessionTally.add(this.session, isNew);
    feed.protocolTally.add(this.protocol, isNew);
    this.#phases = [this.session[0] ?? 0, nowMs];
  }

  get id(): string {
    return this.live.id;
  }

  get key(): string | undefined {
    const { key } = this.live;
    return key && this.#feed.masks.textOf('SET_KEY', 'key', key);
  }

  get peer(): string {
    return (this.#peer ??= addressText(this.live.peer));
  }

  get startedAtMs(): number {
    return this.live.startedAtMs;
  }

  get session(): Place {
    return this.#session.place;
  }

  get protocol(): Place {
    return this.#protocol.place;
  }

  get sessionSinceMs(): number {
    return this.#session.sinceMs;
  }

  get protocolSinceMs(): number {
    return this.#protocol.sinceMs;
  }

  get phases(): readonly (readonly [state: number, atMs: number])[] {
    const phases: [number, number][] = [];
    for (let at = 0; at < this.#phases.length; at += 2) phases.push([this.#phases[at]!, this.#phases[at + 1]!]);
    return phases;
  }

  get bytesReceived(): number {
    return this.live.statistics.bytesReceived;
  }

  get bytesSent(): number {
    return this.live.statistics.bytesSent;
  }

  get waitsEndAtMs(): number | undefined {
    return this.live.waitsEndAtMs;
  }

  get waitTimeoutCountMax(): number {
    return this.live.transportSnapshot.context.waitTimeoutCountMax;
  }

  /** Of the transport's chart. */
  sessionMoved(before: Place): void {
    const { session } = this;
    const nowMs = (this.#session.sinceMs = this.#feed.nowMs());
    this.#feed.sessionTally.move(before, session);
    if (session[0] !== before[0] && session[0] !== undefined) {
      this.#phases = [...this.#phases.slice(-2 * (PHASES_MAX - 1)), session[0], nowMs];
    }
    this.#feed.moved(this);
  }

  protocolMoved(before: Place): void {
    this.#protocol.sinceMs = this.#feed.nowMs();
    this.#feed.protocolTally.move(before, this.protocol);
    this.#feed.moved(this);
  }

  /** It is counted no more; what was known of it last stays. */
  leave(): void {
    this.live.unfollow(this.#session, this.#protocol);
    this.#feed.sessionTally.remove(this.session);
    this.#feed.protocolTally.remove(this.protocol);
  }
}

class SessionChartFollower extends PlaceFollower {
  constructor(
    readonly of: LiveFeedSession,
    /** When the place was another last. */
    public sinceMs: number,
  ) {
    super();
  }

  override moved(before: Place): void {
    this.of.sessionMoved(before);
  }
}

class ProtocolChartFollower extends PlaceFollower {
  constructor(
    readonly of: LiveFeedSession,
    public sinceMs: number,
  ) {
    super();
  }

  override moved(before: Place): void {
    this.of.protocolMoved(before);
  }
}
