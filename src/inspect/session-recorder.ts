/**
 * Takes down what goes into one session and what comes out of it, in a ring that begins with a checkpoint.
 *
 * - Entries refer to the events, messages and snapshots themselves, which nobody changes; they become text when a file is wanted. Bytes
 *   from the socket do change, and are copied (`payloads`) or counted.
 * - The ring is two segments, each with a checkpoint in front and at most half of what may be kept. When the second one is full, the first
 *   is dropped. So a ring that has lost its start still replays, and one checkpoint is made for half a ring of entries.
 * - A checkpoint needs a moment between two steps of the charts, and outside of the codec: that is when a chart is about to take an
 *   event, neither chart is inside a step, and the event is not the message that a codec has just made. Waiting for the end of the whole
 *   turn, as one might, would gain nothing: commands that were emitted and not carried out yet show as what they lead to.
 * - What alone is larger than half the ring is replaced by its size. It cannot be replayed, so a new segment begins as soon as possible.
 */
import type { AnyMachineSnapshot, AnyTransitionDefinition, EventObject, StateValue } from 'xstate';
import type { SchedulerLike } from 'rxjs';
import type { ActorTap } from '../engine/engine.js';
import type { ParsedSessionRecording } from '../session/record-options.js';
import type { Session, SessionRecord } from '../session/session.js';
import type { EventOrigin, SessionInside, SessionTap } from '../session/tap.js';
import { estimateBytes } from './data-size.js';
import { ByteCount, Elided } from './plain-data.js';
import type { ChartName, ContextChange, RecordedBytes, RecordedTimer, Step } from './recording.js';

export interface RecorderParts {
  readonly session: Session;
  readonly inside: SessionInside;
  readonly options: ParsedSessionRecording;
  readonly time: SchedulerLike;
  /** Both charts have yet to start. */
  readonly isStart: boolean;
  readonly onEnd?: (recorder: SessionRecorder) => void;
  /** Told of each entry that is complete, in the order of the entries. */
  readonly onEntry?: (entry: LiveEntry) => void;
  /** Steps have the transitions that they took, which costs as much as the steps themselves. */
  readonly withTransitions?: boolean;
}

/** As in a recording, with what the chart has; nothing of it is masked. */
export interface LiveStep extends Omit<Step, 'context'> {
  readonly context?: LiveContextChange;
  /** With `withTransitions` alone: those of the microsteps, in order. */
  readonly taken?: readonly AnyTransitionDefinition[];
}

export interface LiveContextChange extends ContextChange {
  /** The context's own field `type`: what a protocol calls secret may be named of it. */
  readonly type: unknown;
}

/** As in a recording; with a session's own snapshots. */
export interface LiveCheckpoint {
  readonly kind: 'checkpoint';
  readonly atMs: number;
  readonly charts: Readonly<Record<ChartName, AnyMachineSnapshot>> | undefined;
  readonly timers: readonly RecordedTimer[];
  readonly codec: { readonly name: string; readonly state: unknown };
  readonly input: RecordedBytes;
  readonly pendingHandlers: readonly string[];
}

/** What happened outside of a chart. */
interface Fact {
  readonly kind: 'received' | 'decoded' | 'decodeFailed' | 'encoded' | 'codec' | 'error';
  readonly atMs: number;
  readonly [part: string]: unknown;
}

export type LiveEntry = LiveStep | LiveCheckpoint | Fact;

interface Segment {
  readonly checkpoint: LiveCheckpoint;
  readonly entries: LiveEntry[];
  bytes: number;
}

/** A step that is being filled. */
type OpenStep = { -readonly [K in keyof LiveStep]: LiveStep[K] } & {
  commands: unknown[];
  taken?: AnyTransitionDefinition[];
  bytes: number;
};

/** Of an entry besides what it refers to (measured: an object of eight fields, its place in the list, its times). */
const ENTRY_BYTES = 120;

export class SessionRecorder implements SessionTap {
  readonly transport: ActorTap;
  readonly protocol: ActorTap;
  /** How the session ended. */
  record: SessionRecord | undefined;
  /** An error of it was reported. */
  hasFailed = false;

  #older: Segment | undefined;
  #current: Segment;
  #dropped = 0;
  #isStale = false;
  readonly #open: Record<ChartName, OpenStep[]> = { transport: [], protocol: [] };
  readonly #states: Record<ChartName, StateValue | undefined> = { transport: undefined, protocol: undefined };
  readonly #contexts: Record<ChartName, unknown> = { transport: undefined, protocol: undefined };
  #origin: EventOrigin | undefined;
  /** Its entry waits to become a step. */
  #decoded: { readonly message: unknown; readonly atEnd: boolean } | undefined;

  readonly session: Session;
  readonly options: ParsedSessionRecording;
  readonly #inside: SessionInside;
  readonly #time: SchedulerLike;
  readonly #onEnd: ((recorder: SessionRecorder) => void) | undefined;
  readonly #onEntry: ((entry: LiveEntry) => void) | undefined;
  /** Of the present segment: entries that `onEntry` was told. */
  #toldCount = 0;

  constructor({ session, inside, options, time, isStart, onEnd, onEntry, withTransitions = false }: RecorderParts) {
    this.transport = this.#tapOf('transport', withTransitions);
    this.protocol = this.#tapOf('protocol', withTransitions);
    this.session = session;
    this.options = options;
    this.#inside = inside;
    this.#time = time;
    this.#onEnd = onEnd;
    this.#onEntry = onEntry;
    this.#current = this.#segment(isStart);
  }

  /** Entries that were dropped to make room. */
  get dropped(): number {
    return this.#dropped;
  }

  /** No chart is inside a step, so that all entries are complete. */
  get isBetweenSteps(): boolean {
    return this.#open.transport.length === 0 && this.#open.protocol.length === 0;
  }

  /** All that is kept, checkpoints among it. */
  get entries(): readonly LiveEntry[] {
    this.#settleDecoded();
    const segments = this.#older ? [this.#older, this.#current] : [this.#current];
    return segments.flatMap(({ checkpoint, entries }) => [checkpoint, ...entries]);
  }

  // SessionTap

  received(bytes: Uint8Array): void {
    this.#add({ kind: 'received', atMs: this.#nowMs(), bytes: this.#bytesOf(bytes) }, this.#kept(bytes));
  }

  decoded(message: unknown, atEnd: boolean): void {
    this.#settleDecoded();
    this.#decoded = { message, atEnd };
  }

  decodeFailed(error: unknown, atEnd: boolean): void {
    this.#add({ kind: 'decodeFailed', atMs: this.#nowMs(), error, ...(atEnd && { atEnd }) }, 200);
  }

  told(origin: EventOrigin): void {
    this.#origin = origin;
  }

  encoded(message: unknown, bytes: Uint8Array): void {
    const { byteLength } = bytes;
    const isKept = byteLength <= this.#halfBytes;
    const entry = {
      kind: 'encoded' as const,
      atMs: this.#nowMs(),
      message: isKept ? message : new Elided(`a message of ${byteLength} bytes`),
      bytes: this.#bytesOf(bytes),
    };
    // The message takes about as much as its bytes. Mostly it is that of a SEND, and counted there as well.
    this.#add(entry, this.#kept(bytes) + (isKept ? byteLength : 0));
  }

  codecChanged(name: string): void {
    this.#add({ kind: 'codec', atMs: this.#nowMs(), name }, 0);
  }

  failed({ code, message }: { readonly code: string; readonly message: string }): void {
    this.hasFailed = true;
    this.#add({ kind: 'error', atMs: this.#nowMs(), code, message }, message.length);
  }

  ended(record: SessionRecord): void {
    this.#settleDecoded();
    this.#tellEntries(true);
    this.record = record;
    this.#onEnd?.(this);
  }

  #tapOf(chart: ChartName, withTransitions: boolean): ActorTap {
    return {
      ...(withTransitions && { transitions: (taken) => this.#take(chart, taken) }),
      event: (event) => this.#begin(chart, event),
      command: (command) => this.#addCommand(chart, command),
      snapshot: (snapshot) => this.#finish(chart, snapshot),
      failed: (error) => this.#fail(chart, error),
    };
  }

  #begin(chart: ChartName, event: EventObject): void {
    if (event.type !== 'xstate.init' && this.#isOver(chart)) return;
    const decoded = this.#decoded?.message === event ? this.#decoded : undefined;
    if (decoded) this.#decoded = undefined;
    else {
      this.#settleDecoded();
      this.#rotateIfFull();
    }
    const origin = this.#originOf(chart, event);
    const kept = chart === 'transport' ? withoutBytes(event) : event;
    const bytes = ENTRY_BYTES + estimateBytes(kept);
    const step: OpenStep = {
      kind: 'step',
      atMs: this.#nowMs(),
      chart,
      origin,
      event: kept,
      commands: [],
      state: undefined,
      bytes,
    };
    if (decoded?.atEnd) step.atEnd = true;
    this.#current.entries.push(step);
    this.#open[chart].push(step);
  }

  #originOf(chart: ChartName, { type }: EventObject): Step['origin'] {
    const origin = this.#origin;
    if (chart === 'protocol') this.#origin = undefined;
    if (type === 'xstate.init') return 'start';
    if (chart === 'transport')
      return type.startsWith('xstate.after.') || type === 'FRAME_TIMEOUT' ? 'timer' : 'session';
    if (origin !== undefined) return origin;
    return /^xstate\.(done|error|snapshot)\./.test(type) ? 'actor' : 'timer';
  }

  #addCommand(chart: ChartName, command: unknown): void {
    const step = this.#open[chart][0];
    if (!step) return; // of a step that had begun before this
    const kept = chart === 'transport' ? withoutBytes(command) : command;
    step.commands.push(kept);
    step.bytes += estimateBytes(kept);
  }

  #take(chart: ChartName, transitions: readonly AnyTransitionDefinition[]): void {
    const step = this.#open[chart][0];
    if (step && transitions.length > 0) (step.taken ??= []).push(...transitions);
  }

  #finish(chart: ChartName, { value, context }: AnyMachineSnapshot): void {
    const step = this.#open[chart].shift();
    const before = this.#contexts[chart];
    this.#contexts[chart] = context as unknown;
    if (!step) return;
    if (!isSameState(value, this.#states[chart])) step.state = this.#states[chart] = value;
    const change = contextChange(before, context);
    if (change) this.#addContext(step, change);
    this.#close(step);
    this.#forgetIfOver(chart);
  }

  /** A step whose event is small stays whole, however much its context has grown. */
  #addContext(step: OpenStep, { set, removed, type }: LiveContextChange): void {
    const bytes = estimateBytes(set);
    const fits = step.bytes + bytes <= this.#halfBytes;
    const why = new Elided(`with the other fields that were set about ${Math.round(bytes)} bytes`);
    const kept = fits ? set : Object.fromEntries(Object.keys(set).map((key) => [key, why]));
    step.context = { set: kept, removed, type };
    if (fits) step.bytes += bytes;
  }

  #fail(chart: ChartName, error: unknown): void {
    const step = this.#open[chart].shift();
    if (!step) return;
    step.failure = error;
    this.#close(step);
    this.#forgetIfOver(chart);
  }

  #isOver(chart: ChartName): boolean {
    const { transportSnapshot, protocolSnapshot } = this.session;
    return (chart === 'transport' ? transportSnapshot : protocolSnapshot).status !== 'active';
  }

  /** A chart that is over does not process what waited for it: nothing will finish those steps, and the ring must go on. */
  #forgetIfOver(chart: ChartName): void {
    if (this.#open[chart].length === 0 || !this.#isOver(chart)) return;
    this.#open[chart] = [];
    this.#tellEntries();
  }

  #close(step: OpenStep): void {
    const { bytes } = step;
    if (bytes > this.#halfBytes) {
      const { type } = step.event as EventObject;
      step.event = new Elided(`${type}: with its commands about ${Math.round(bytes)} bytes`);
      step.commands = [];
      this.#isStale = true;
    }
    this.#current.bytes += Math.min(bytes, this.#halfBytes);
    this.#tellEntries();
  }

  /** In their order: what is complete waits for the steps before it that are not. */
  #tellEntries(isEnd = false): void {
    if (!this.#onEntry) return;
    const { entries } = this.#current;
    const open =
      isEnd || this.isBetweenSteps ? undefined : new Set<unknown>([...this.#open.transport, ...this.#open.protocol]);
    while (this.#toldCount < entries.length) {
      const entry = entries[this.#toldCount]!;
      if (open?.has(entry)) return;
      this.#toldCount += 1;
      this.#onEntry(entry);
    }
  }

  /** A message that no step has taken: the chart was over. */
  #settleDecoded(): void {
    if (!this.#decoded) return;
    const { message, atEnd } = this.#decoded;
    this.#decoded = undefined;
    this.#add({ kind: 'decoded', atMs: this.#nowMs(), message, ...(atEnd && { atEnd }) }, estimateBytes(message));
  }

  #add(entry: Fact, bytes: number): void {
    this.#settleDecoded();
    this.#current.entries.push(entry);
    this.#current.bytes += ENTRY_BYTES + bytes;
    this.#tellEntries();
  }

  get #halfBytes(): number {
    return this.options.bytesMax / 2;
  }

  #rotateIfFull(): void {
    const { entries, bytes } = this.#current;
    const isFull = this.#isStale || entries.length >= this.options.entriesMax / 2 || bytes >= this.#halfBytes;
    if (!isFull || !this.isBetweenSteps) return;
    this.#isStale = false;
    this.#dropped += this.#older?.entries.length ?? 0;
    this.#older = this.#current;
    this.#current = this.#segment(false);
  }

  #segment(isStart: boolean): Segment {
    const { session } = this;
    const inside = this.#inside;
    const charts = isStart ? undefined : { transport: session.transportSnapshot, protocol: session.protocolSnapshot };
    this.#states.transport = charts?.transport.value;
    this.#states.protocol = charts?.protocol.value;
    this.#contexts.transport = charts?.transport.context as unknown;
    this.#contexts.protocol = charts?.protocol.context as unknown;
    const timers = isStart ? [] : [...this.#timersOf('transport'), ...this.#timersOf('protocol')];
    const { payloads } = this.options;
    const input = payloads ? this.#bytesOf(inside.copyInput()) : new ByteCount(inside.inputBytes);
    const codec = { name: inside.codecName, state: payloads ? stateOf(inside) : undefined };
    const { pendingHandlers } = inside;
    const atMs = this.#nowMs();
    const checkpoint: LiveCheckpoint = { kind: 'checkpoint', atMs, charts, timers, codec, input, pendingHandlers };
    this.#toldCount = 0;
    this.#onEntry?.(checkpoint);
    return { checkpoint, entries: [], bytes: input instanceof Uint8Array ? input.byteLength : 0 };
  }

  #timersOf(chart: ChartName): RecordedTimer[] {
    const timers = chart === 'transport' ? this.#inside.transportTimers : this.#inside.protocolTimers;
    return timers.map(({ event, delayMs, dueMs }) => ({
      chart,
      event,
      delayMs,
      dueMs: dueMs === undefined ? undefined : dueMs - this.session.startedAtMs,
    }));
  }

  #bytesOf(bytes: Uint8Array): RecordedBytes {
    if (!this.options.payloads) return new ByteCount(bytes.byteLength);
    if (bytes.byteLength <= this.#halfBytes) return bytes.slice();
    this.#isStale = true;
    return new Elided(`${bytes.byteLength} bytes`);
  }

  /** Of memory. */
  #kept({ byteLength }: Uint8Array): number {
    return this.options.payloads && byteLength <= this.#halfBytes ? byteLength : 0;
  }

  #nowMs(): number {
    return this.#time.now() - this.session.startedAtMs;
  }
}

/** The transport's charts see no more of bytes than their number, and recordings have them where the codec takes and makes them. */
function withoutBytes<T>(value: T): T {
  const { bytes } = value as { bytes?: unknown };
  return bytes instanceof Uint8Array ? { ...value, bytes: new ByteCount(bytes.byteLength) } : value;
}

function stateOf(inside: SessionInside): unknown {
  try {
    return inside.codecState();
  } catch {
    return new Elided('save() of the codec threw');
  }
}

/** @param before `undefined`: the chart had none. @returns `undefined` for none, and of a context whose fields cannot be looked at */
function contextChange(before: unknown, after: unknown): LiveContextChange | undefined {
  if (before === after) return undefined;
  try {
    return fieldChange(fieldsOf(before), fieldsOf(after));
  } catch {
    return undefined; // a getter that throws
  }
}

function fieldsOf(context: unknown): Readonly<Record<string, unknown>> {
  return typeof context === 'object' && context !== null ? (context as Record<string, unknown>) : {};
}

function fieldChange(
  earlier: Readonly<Record<string, unknown>>,
  after: Readonly<Record<string, unknown>>,
): LiveContextChange | undefined {
  const fields = Object.keys(after).filter(
    (key) => !Object.hasOwn(earlier, key) || !Object.is(earlier[key], after[key]),
  );
  const removed = Object.keys(earlier).filter((key) => !Object.hasOwn(after, key));
  if (fields.length === 0 && removed.length === 0) return undefined;
  return { set: Object.fromEntries(fields.map((key) => [key, after[key]])), removed, type: after['type'] };
}

function isSameState(a: StateValue, b: StateValue | undefined): boolean {
  if (a === b) return true;
  if (typeof a === 'string' || typeof b !== 'object') return false;
  for (const key in a) if (!(key in b) || !isSameState(a[key]!, b[key])) return false;
  for (const key in b) if (!(key in a)) return false;
  return true;
}
