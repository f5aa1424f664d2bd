/**
 * What a visualizer can know of one server or client, without a word of XState: charts as data, how many sessions are in which state,
 * each session's place, and, of those that somebody watches, every step.
 *
 * - A state is its number: its index in `states` of its `Chart`. A place is the list of all active states, from the outermost to the
 *   innermost, the chart itself (number 0) left out: one list for a compound state and for regions side by side.
 * - Times are in ms of the server's clock, whatever that is.
 * - Nothing here decides when to look: whoever asks pays. Counts alone are kept all the time.
 */
import type { Observable } from 'rxjs';
import type { CloseOption } from '../../machines/events.js';
import type { TcpInfo } from '../socket/tcp-info.js';
import type { Chart } from './drawing/chart.js';

export type Place = readonly number[];

/** Which chart of a session. */
export type SessionChart = 'session' | 'protocol';

export interface FeedCharts {
  /** Of the server socket, or of the client. */
  readonly owner: Chart;
  /** Of servers alone. */
  readonly sweeper: Chart | undefined;
  /** The transport's chart of each session. */
  readonly session: Chart;
  readonly protocol: Chart;
  /** By the names that the protocol gave them. */
  readonly shared: Readonly<Record<string, Chart>>;
}

export interface FeedPlaces {
  readonly owner: Place;
  readonly sweeper: Place;
  readonly shared: Readonly<Record<string, Place>>;
}

/** Kept up by the feed; read it, and copy what has to last. */
export interface Population {
  /** Live sessions in each state, by its number; of number 0, the chart itself, all of them. */
  readonly counts: Int32Array;
  /**
   * How often each state was entered since the feed began, as seen between two steps: a state that is left and entered again by one step
   * (a transition to itself) was not, and neither was one that a step only passes through.
   */
  readonly entered: Float64Array;
}

/** Totals since the server was made, sessions that live now included. */
export interface FeedTotals {
  readonly accepted: number;
  readonly refused: number;
  readonly closed: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly bytesDropped: number;
  /** Ended sessions by reason. */
  readonly reasons: Readonly<Record<string, number>>;
  /** Reported on `errors`, since the feed began. */
  readonly errors: number;
  readonly sweeps: number;
}

/** One session, live. All but the constants may change at any time. */
export interface FeedSession {
  /** 1, 2, 3 ... in the order of arrival, of this feed. */
  readonly number: number;
  readonly id: string;
  readonly key: string | undefined;
  /** `10.0.3.7:51514`, `[::1]:4000`, or the path of a Unix socket. */
  readonly peer: string;
  readonly startedAtMs: number;
  readonly session: Place;
  readonly protocol: Place;
  /** When the place was another last; where the feed came later than that, when it came. */
  readonly sessionSinceMs: number;
  readonly protocolSinceMs: number;
  /** The outermost states of the transport's chart that it has been in, with when: at most the last 8. */
  readonly phases: readonly (readonly [state: number, atMs: number])[];
  readonly bytesReceived: number;
  readonly bytesSent: number;
  /** When its waits for a READ will have ended it, if none comes; `undefined` while they are not counted. */
  readonly waitsEndAtMs: number | undefined;
  /** Waits in a row that end it; 0: none do. */
  readonly waitTimeoutCountMax: number;
}

export type FeedChange = {
  readonly type: 'added' | 'moved' | 'removed';
  readonly session: FeedSession;
};

/** A session that has ended and is not swept yet. */
export interface EndedSession {
  readonly id: string;
  readonly key: string | undefined;
  readonly peer: string;
  readonly reason: string;
  readonly option: CloseOption;
  readonly closedBy: 'fin' | 'rst';
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
}

/** A line of a recording, as JSON: `kind` is `header`, `checkpoint`, `step`, `received`, `encoded` ...; see docs/recording.md. */
export type RecordingLine = { readonly kind: string } & Readonly<Record<string, unknown>>;

/** What is asked of a session again and again while somebody looks at it. JSON. */
export interface Vitals {
  readonly atMs: number;
  readonly session: Place;
  readonly protocol: Place;
  readonly waits: {
    /** Waits in a row that end the session; 0: none do. */
    readonly max: number;
    /** Ended so far. */
    readonly count: number;
    /** Of one, in ms. */
    readonly eachMs: number;
    /** As in `FeedSession`; `null` while they stand still. */
    readonly endAtMs: number | null;
  };
  readonly timers: readonly {
    readonly chart: SessionChart;
    /** `FRAME_TIMEOUT`, `after closeTimeout` ... */
    readonly label: string;
    readonly delayMs: number;
    /** `null`: it was set before anybody looked. */
    readonly dueAtMs: number | null;
  }[];
  readonly codec: string;
  /** Received, and not taken by a frame yet. */
  readonly inputBytes: number;
  /** Written, and not with the kernel yet. */
  readonly queuedBytes: number;
  readonly pendingHandlers: readonly string[];
  readonly groups: readonly string[];
  readonly statistics: Readonly<Record<string, number>>;
  /** `null` where the system does not tell. */
  readonly tcp: TcpInfo | null;
  /** Event types that the protocol's chart would take now, those of XState and of its own timers left out. */
  readonly can: readonly string[];
}

/** A session that somebody looks at: its waits come one by one, and each step is told. */
export interface Watch {
  /**
   * What happened before: the header, and from the last checkpoint that is kept all lines up to now. Without payloads, and masked as
   * the protocol's `secrets` say, unless the feed was made with `payloads`.
   */
  readonly lines: readonly RecordingLine[];
  vitals(): Vitals;
  /** Nobody looks any more. */
  stop(): void;
}

export interface WatchListener {
  /**
   * One more line. Those of steps have, besides what a recording has, `taken`: ids of the transitions of the `Chart` that were taken,
   * in order.
   */
  line(line: RecordingLine): void;
  /** It has ended; `line` was told the `end` before. */
  ended(): void;
}

/** Why a session or a chart does not do what it was asked. */
export class FeedError extends Error {
  override readonly name = 'FeedError';
  constructor(
    readonly code: 'SESSION_UNKNOWN' | 'EVENT_INVALID' | 'EVENT_NOT_TAKEN' | 'WATCHERS_TOO_MANY' | 'RECORD_FAILED',
    message: string,
  ) {
    super(message);
  }
}

export interface Feed {
  readonly kind: 'server' | 'client';
  /** Of the protocol. */
  readonly protocol: string;
  /** Where it listens or connects to, as a person writes it; `undefined` before it does. */
  readonly address: string | undefined;
  readonly charts: FeedCharts;
  /** One wait, in ms. */
  readonly waitTimeoutMs: number;
  nowMs(): number;
  readonly places: FeedPlaces;
  population(chart: SessionChart): Population;
  /** Walks all live sessions: not at each tick of a screen. */
  totals(): FeedTotals;
  /** Live ones. */
  readonly size: number;
  /** Live ones, in the order of arrival. */
  sessions(): Iterable<FeedSession>;
  session(id: string): FeedSession | undefined;
  /** By `number`. */
  numbered(number: number): FeedSession | undefined;
  readonly recent: readonly EndedSession[];
  /** Hot. Nothing is made for it while nobody subscribes. */
  readonly changes: Observable<FeedChange>;
  /** @throws {FeedError} SESSION_UNKNOWN; WATCHERS_TOO_MANY (64 watched sessions) */
  watch(id: string, listener: WatchListener): Watch;
  /** Asks the session to end. @throws {FeedError} SESSION_UNKNOWN */
  closeSession(id: string, option: CloseOption): void;
  /**
   * Gives the protocol's chart an event.
   * @throws {FeedError} SESSION_UNKNOWN; EVENT_INVALID (no `type`, one of XState's own or of the runtime's); EVENT_NOT_TAKEN, with those that it
   *   would take now
   */
  sendEvent(id: string, event: { readonly type: string; readonly [field: string]: unknown }): void;
  /** Records it from now on. @returns what ends that, with the text of the file. @throws {FeedError} SESSION_UNKNOWN, RECORD_FAILED */
  recordSession(id: string): { text(): string; stop(): void };
  /** Lets go of everything: nothing is counted any more. */
  end(): void;
}
