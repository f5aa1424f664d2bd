/**
 * What the visualizer's server and its page say to each other over one WebSocket: JSON, one object a frame, but for the wall, which is
 * binary. Plain types, so that the page has them too.
 *
 * - The page subscribes to topics, and is told of nothing else. It has each topic at most once (sessions: one each), and a second
 *   `subscribe` of a topic takes the place of the first.
 * - What a tick brings are current values of what has changed since this viewer was told last, never increments: a tick that is
 *   skipped, because the page is slow, loses nothing.
 * - States are numbers: see `feed.ts`. The charts that they belong to are sent once, with `hello`.
 * - An unknown type is ignored, in both directions. Another `version` asks for a reload.
 */
import type { Chart } from '../drawing/chart.js';
import type { EndedSession, FeedTotals, Place, RecordingLine, SessionChart, Vitals } from '../feed.js';

export const VISUALIZER_VERSION = 1;

/** Where the WebSocket is. */
export const VISUALIZER_PATH = '/viz';

/** Bounds that both sides keep. */
export const LIMITS = {
  /** Pages at a time. */
  viewers: 8,
  /** Of one message of the page, in bytes. */
  messageBytes: 65_536,
  /** Of one `table`. */
  rows: 200,
  /** Sessions that one page looks at. */
  watched: 8,
  /** Of one page, each second; messages of any kind of another tool's viewer. */
  commands: 20,
  /** Steps of one watched session that a page keeps, and that it is told when it comes. */
  lines: 500,
  /** Of one line, in bytes; what is longer comes as `elided`. */
  lineBytes: 16_384,
  /** Ticks, each second. */
  ticks: 10,
} as const;

/** A server or a client. */
export interface Source {
  /** Unique among the sources, and fit for a URL: the protocol's name, with `-2` for a second one. */
  readonly name: string;
  readonly kind: 'server' | 'client';
  readonly protocol: string;
  /** `127.0.0.1:7000`. */
  readonly address: string | null;
  /** Keys of `charts` of `hello`. */
  readonly charts: {
    readonly owner: string;
    readonly sweeper: string | null;
    readonly session: string;
    readonly protocol: string;
    readonly shared: Readonly<Record<string, string>>;
  };
  readonly waitTimeoutMs: number;
}

/** `[state, count, state, count ...]`. */
export type Pairs = readonly number[];

/** How long live sessions have been in one state, in ms. */
export interface StateAges {
  readonly state: number;
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly oldestMs: number;
}

/** Sessions that have been in a state for much longer than others were. */
export interface Stuck {
  readonly chart: SessionChart;
  readonly state: number;
  /** Sessions that are in it for longer than `limitMs`. */
  readonly count: number;
  readonly oldestMs: number;
  /** What is usual: 99 % of the stays that have ended were shorter. */
  readonly usualMs: number;
  readonly limitMs: number;
}

export interface SessionRow {
  readonly id: string;
  readonly key: string | null;
  readonly peer: string;
  readonly session: Place;
  readonly protocol: Place;
  readonly startedAtMs: number;
  readonly sessionSinceMs: number;
  readonly protocolSinceMs: number;
  readonly phases: readonly (readonly [state: number, atMs: number])[];
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly waitsEndAtMs: number | null;
  readonly waitTimeoutCountMax: number;
}

/** One second of the past; totals as in `FeedTotals`. */
export interface Sample {
  readonly atMs: number;
  readonly sessions: number;
  readonly accepted: number;
  readonly closed: number;
  readonly refused: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly waitTimeouts: number;
  readonly errors: number;
  /** How late the event loop was, in ms: the worst of that second. */
  readonly loopDelayMs: number;
}

export type SortKey = 'age' | 'id' | 'peer' | 'state' | 'stateAge' | 'received' | 'sent' | 'waits';

export interface TableView {
  /** First row, and how many: at most 200. */
  readonly from: number;
  readonly count: number;
  readonly sort: SortKey;
  readonly descending: boolean;
  /** Part of id, key or peer; empty: all. */
  readonly text: string;
  /** Only sessions that are in this state. */
  readonly state: { readonly chart: SessionChart; readonly state: number } | null;
  /** Only sessions that are in their state for longer, in ms. */
  readonly longerThanMs: number;
  /** The order stays as it is: no row moves, comes or goes; values go on. */
  readonly hold: boolean;
}

/** Who asked for what, and what became of it. */
export interface LogEntry {
  readonly n: number;
  /** ms since 1970. */
  readonly wallMs: number;
  /** Number of the page; 0: a viewer of another tool. */
  readonly viewer: number;
  readonly what: CommandKind;
  readonly source: string;
  /** Up to ten of the sessions; `count` says how many there were. */
  readonly ids: readonly string[];
  readonly count: number;
  /** Type of the event that was sent. */
  readonly event: string | null;
  readonly outcome: 'done' | 'refused' | 'failed';
  readonly text: string;
}

export interface RecordingFile {
  readonly name: string;
  readonly protocol: string;
  readonly session: string;
  readonly bytes: number;
  /** ms since 1970. */
  readonly wallMs: number;
  /** Asked for in the visualizer, or why the server kept it: the session's close reason. */
  readonly reason: string;
  /** It grows: the session lives, and is being recorded. */
  readonly isLive: boolean;
}

/** From the server. */
export type ServerMessage =
  | {
      readonly type: 'hello';
      readonly version: typeof VISUALIZER_VERSION;
      /** Number of this page. */
      readonly viewer: number;
      /** Of the package. */
      readonly package: string;
      /** Commands are carried out. */
      readonly control: boolean;
      /** Bytes are shown, and nothing is masked. */
      readonly payloads: boolean;
      /** Empty: there are recordings alone to look at. */
      readonly sources: readonly Source[];
      readonly charts: Readonly<Record<string, Chart>>;
      readonly limits: typeof LIMITS;
    }
  /** A server listens now, or elsewhere. */
  | { readonly type: 'sources'; readonly sources: readonly Source[] }
  | {
      readonly type: 'overview';
      readonly source: string;
      readonly atMs: number;
      readonly sessions: number;
      readonly places?: {
        readonly owner: Place;
        readonly sweeper: Place;
        readonly shared: Readonly<Record<string, Place>>;
      };
      readonly counts?: { readonly session: Pairs; readonly protocol: Pairs };
      readonly entered?: { readonly session: Pairs; readonly protocol: Pairs };
    }
  /** With the first `overview`: up to 120 s of the past; then one each second. */
  | {
      readonly type: 'samples';
      readonly source: string;
      readonly samples: readonly Sample[];
      readonly totals: FeedTotals;
      /** When the server socket's (client's) chart and the sweeper's will have been up, and when it sweeps next. */
      readonly startedAtMs: number;
    }
  /** Every 2 s. */
  | {
      readonly type: 'ages';
      readonly source: string;
      readonly atMs: number;
      readonly session: readonly StateAges[];
      readonly protocol: readonly StateAges[];
      readonly stuck: readonly Stuck[];
    }
  /** Rows `from` on of the `matching` of `total` sessions. */
  | {
      readonly type: 'order';
      readonly source: string;
      readonly atMs: number;
      readonly total: number;
      readonly matching: number;
      readonly from: number;
      readonly ids: readonly string[];
    }
  /** Those of the order that are new or have changed. */
  | { readonly type: 'rows'; readonly source: string; readonly atMs: number; readonly rows: readonly SessionRow[] }
  | { readonly type: 'ended'; readonly source: string; readonly sessions: readonly EndedSession[] }
  /** Answers `who`. */
  | { readonly type: 'who'; readonly source: string; readonly number: number; readonly row: SessionRow | null }
  /** A watched session: what it is, and what is known of its past. */
  | {
      readonly type: 'detail';
      readonly source: string;
      readonly id: string;
      readonly row: SessionRow;
      readonly lines: readonly RecordingLine[];
      readonly vitals: Vitals;
    }
  | { readonly type: 'lines'; readonly source: string; readonly id: string; readonly lines: readonly RecordingLine[] }
  | { readonly type: 'vitals'; readonly source: string; readonly id: string; readonly vitals: Vitals }
  /** It has ended, or there is none. */
  | { readonly type: 'gone'; readonly source: string; readonly id: string; readonly ended: EndedSession | null }
  | { readonly type: 'log'; readonly entries: readonly LogEntry[] }
  | { readonly type: 'recordings'; readonly files: readonly RecordingFile[] }
  /** Answers a command. */
  | {
      readonly type: 'result';
      readonly ref: number;
      readonly outcome: LogEntry['outcome'];
      readonly text: string;
      /** Of `stopRecording`: its name. */
      readonly recording?: string;
    }
  /** The page asked for something that there is not. */
  | { readonly type: 'error'; readonly text: string }
  | { readonly type: 'pong' };

export type CommandKind = 'close' | 'reset' | 'send' | 'record' | 'stopRecording';

/** From the page. */
export type PageMessage =
  | { readonly type: 'subscribe'; readonly topic: 'overview'; readonly source: string }
  | { readonly type: 'subscribe'; readonly topic: 'table'; readonly source: string; readonly view: TableView }
  | { readonly type: 'subscribe'; readonly topic: 'wall'; readonly source: string; readonly chart: SessionChart }
  | { readonly type: 'subscribe'; readonly topic: 'session'; readonly source: string; readonly id: string }
  | { readonly type: 'subscribe'; readonly topic: 'log' | 'recordings' }
  | { readonly type: 'subscribe'; readonly topic: 'ended'; readonly source: string }
  | { readonly type: 'unsubscribe'; readonly topic: 'overview' | 'table' | 'wall' | 'log' | 'recordings' | 'ended' }
  | { readonly type: 'unsubscribe'; readonly topic: 'session'; readonly source: string; readonly id: string }
  /** Nobody sees the page: no ticks until it is off again. */
  | { readonly type: 'pause'; readonly on: boolean }
  | { readonly type: 'who'; readonly source: string; readonly number: number }
  | {
      readonly type: 'command';
      /** Any number; the result has it. */
      readonly ref: number;
      readonly what: CommandKind;
      readonly source: string;
      /** Sessions: one for `send`, `record` and `stopRecording`; up to 1 000 for the others. */
      readonly ids: readonly string[];
      /** Of `send`. */
      readonly event?: { readonly type: string; readonly [field: string]: unknown };
      /** Of `reset`: the id of the session, or how many there are, as typed by the person: the server compares. */
      readonly confirm?: string;
    }
  | { readonly type: 'ping' };

/**
 * A frame of the wall: u8 kind, u8 0, u16 0, u32 length, then length times (u32 number, u16 state), all little-endian. Kind 1: all cells
 * (forget what there was); kind 2: those that have changed. State 65 535: the session is gone. The state is the innermost one of
 * the first region.
 */
export const WALL = { all: 1, changed: 2, gone: 65_535, headerBytes: 8, cellBytes: 6 } as const;
