/**
 * What a recording is, in memory and as it is read from a file: a header, checkpoints, what went in and what came out, in order,
 * and how the session ended. `docs/recording.md` describes the file.
 *
 * The unit is a step: one event that a chart processed, with the commands that it emitted and the state that it reached. So a line
 * of the file says cause and effect together, and a step can be checked by itself. (The alternative, inputs and outputs as entries of
 * their own, has three lines for one and needs to be put together again by each reader.)
 */
import type { EventObject, StateValue } from 'xstate';
import type { EventOrigin } from '../session/tap.js';
import type { Secrets } from '../session/protocol.js';
import type { SessionRecord } from '../session/session.js';
import type { ChartDescription } from './chart-description.js';
import type { Chart } from './drawing/chart.js';
import type { ByteCount, Elided } from './plain-data.js';

export const RECORDING_VERSION = 1;

export type ChartName = 'transport' | 'protocol';

/** Besides those that the session gives it: the chart's start, its own timers, and the actors that it invoked. */
export type StepOrigin = EventOrigin | 'start' | 'timer' | 'actor' | 'session';

export interface Step {
  readonly kind: 'step';
  /** Since the session's start, in ms, as of all entries. */
  readonly atMs: number;
  readonly chart: ChartName;
  readonly origin: StepOrigin;
  readonly event: EventObject | Elided;
  readonly commands: readonly unknown[];
  /** `undefined`: as before. */
  readonly state: StateValue | undefined;
  /** The chart threw this. */
  readonly failure?: unknown;
  /** The codec's `end` made the message. */
  readonly atEnd?: true;
  /** Absent: the context is as before, or the package that wrote this did not take it down. */
  readonly context?: ContextChange;
}

/** Of the outermost fields of a context: those that are another value now (at the chart's start: all), and those that are gone. */
export interface ContextChange {
  readonly set: Readonly<Record<string, unknown>>;
  readonly removed: readonly string[];
}

export type RecordedBytes = Uint8Array | ByteCount | Elided;

export type RecordingEntry =
  | Step
  | Checkpoint
  /** To the codec's queue. */
  | { readonly kind: 'received'; readonly atMs: number; readonly bytes: RecordedBytes }
  /** The codec made it, and the chart was not there to take it any more. */
  | { readonly kind: 'decoded'; readonly atMs: number; readonly message: unknown; readonly atEnd?: true }
  | { readonly kind: 'decodeFailed'; readonly atMs: number; readonly error: unknown; readonly atEnd?: true }
  | { readonly kind: 'encoded'; readonly atMs: number; readonly message: unknown; readonly bytes: RecordedBytes }
  | { readonly kind: 'codec'; readonly atMs: number; readonly name: string }
  /** Reported on `errors` of this session. */
  | { readonly kind: 'error'; readonly atMs: number; readonly code: string; readonly message: string };

/** All that what follows depends on. */
export interface Checkpoint {
  readonly kind: 'checkpoint';
  readonly atMs: number;
  /** `undefined`: at the session's start, both charts begin next. */
  readonly charts: Readonly<Record<ChartName, ChartSnapshot>> | undefined;
  readonly timers: readonly RecordedTimer[];
  readonly codec: { readonly name: string; readonly state: unknown };
  /** Bytes that no frame has taken yet. */
  readonly input: RecordedBytes;
  /** Commands whose handlers had not answered, by type. */
  readonly pendingHandlers: readonly string[];
}

export interface RecordedTimer {
  readonly chart: ChartName;
  readonly event: EventObject;
  readonly delayMs: number;
  /** Since the session's start; `undefined` where it was set before the recording began. */
  readonly dueMs: number | undefined;
}

export interface ChartSnapshot {
  readonly status: 'active' | 'done' | 'error' | 'stopped';
  readonly value: StateValue;
  readonly context: unknown;
  /** Ids of states, by the id of the history state that remembers them. */
  readonly history: Readonly<Record<string, readonly string[]>>;
  /** Ids of the actors that it has invoked or spawned. */
  readonly children: readonly string[];
}

export interface RecordingHeader {
  readonly version: number;
  /** Of the package that wrote it. */
  readonly package: string;
  readonly protocol: string;
  readonly session: { readonly id: string; readonly peer: unknown; readonly startedAtMs: number };
  /** Bytes are in it, and nothing is masked. */
  readonly payloads: boolean;
  /** What was masked, as the protocol's `secrets` said it; empty with payloads. */
  readonly masked: Secrets;
  /** Entries that were dropped to make room, before the first that is there. */
  readonly dropped: number;
  readonly charts: Readonly<Record<ChartName, ChartDescription>>;
  /** Both charts as they can be drawn; absent in recordings of earlier packages. */
  readonly drawings?: Readonly<Record<ChartName, Chart>>;
}

export interface Recording {
  readonly header: RecordingHeader;
  /** The first one is a checkpoint. */
  readonly entries: readonly RecordingEntry[];
  /** `undefined`: the session lived when this was written. */
  readonly end: SessionRecord | undefined;
  /** The file has its last line. Without it, it was cut off, and what is there is right. */
  readonly isComplete: boolean;
  /** Line of the file where `entries[0]` is; each is one line. */
  readonly firstLine: number;
}
