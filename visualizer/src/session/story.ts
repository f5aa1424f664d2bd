/**
 * A session's story: the lines of its recording in order and, after each of them, where both charts were, what their contexts held and
 * which arrows had been taken last. The same for a session that is watched live and for a file: only where the lines come from
 * differs.
 *
 * A story never changes: `extendStory` makes a longer one. What a line does not change is shared with the line before, so that every
 * moment is there at once, however long the story is.
 *
 * The transport's chart is called `session` here, as everywhere in the page; recordings call it `transport`.
 */
import type { Chart } from '../../../src/inspect/drawing/chart.js';
import type { Place, RecordingLine, SessionChart } from '../../../src/inspect/feed.js';
import { named } from '../chart/named.js';
import { chartOfDescription, isStateValue, placeOf, type PlainStates, type StateValue } from './places.js';
import { isPlainObject, type PlainObject } from './plain.js';
import { inferTaken } from './taken.js';

export interface ChartPoint {
  /** `undefined`: nothing is known yet. */
  readonly value: StateValue | undefined;
  readonly place: Place;
  readonly context: PlainObject | undefined;
  /** The context is what it was at this moment, and not only at the checkpoint before. */
  readonly isContextExact: boolean;
  /** Top-level keys of the context that the step set or removed. */
  readonly changed: readonly string[];
  /** Ids of the transitions that its last step took; and the number of that step, so that the same arrow can be lit again. */
  readonly taken: readonly string[];
  readonly takenAt: number;
}

export interface Point {
  readonly session: ChartPoint;
  readonly protocol: ChartPoint;
  readonly codec: string | undefined;
}

export interface StoryEntry {
  /** Counts up from 0 over the whole story, also over entries that are not kept any more. */
  readonly number: number;
  readonly line: RecordingLine;
  /** Since the session's start. */
  readonly atMs: number;
  /** Of a step: its chart. */
  readonly chart: SessionChart | undefined;
  /** Type of the event of a step. */
  readonly event: string | undefined;
  /** Of `encoded` and `decoded`: the message, also where the line only refers to the command that has it. */
  readonly message: unknown;
  /** The step left a state. */
  readonly hasMoved: boolean;
  /** Something went wrong here. */
  readonly isError: boolean;
  /** How things are after it. */
  readonly after: Point;
}

export interface StoryHeader {
  readonly protocol: string;
  readonly session: string;
  readonly peer: string;
  readonly startedAtMs: number;
  readonly payloads: boolean;
  readonly masked: PlainObject;
  /** Entries that the recording had to give up before the first that is there. */
  readonly dropped: number;
}

export interface StoryEnd {
  readonly reason: string;
  readonly option: string;
  readonly closedBy: string;
  readonly atMs: number;
  readonly statistics: PlainObject;
}

export interface Story {
  readonly charts: Readonly<Record<SessionChart, Chart | undefined>>;
  /** They have arrows: of an old recording only the states' names are known. */
  readonly hasDrawings: boolean;
  readonly header: StoryHeader | undefined;
  readonly entries: readonly StoryEntry[];
  readonly end: StoryEnd | undefined;
  /** Steps say what they changed in the context. */
  readonly hasContexts: boolean;
  /** Entries that a story of limited length has let go of. */
  readonly forgotten: number;
  /** The file has its last line. */
  readonly isComplete: boolean;
}

const NOWHERE: ChartPoint = {
  value: undefined,
  place: [],
  context: undefined,
  isContextExact: false,
  changed: [],
  taken: [],
  takenAt: -1,
};
export const BEFORE_ALL: Point = { session: NOWHERE, protocol: NOWHERE, codec: undefined };
const CHARTS = { transport: 'session', protocol: 'protocol' } as const;

/** Of a live session, whose charts are known from elsewhere. */
export function liveStory(charts: Story['charts'], lines: readonly RecordingLine[] = []): Story {
  return extendStory({ ...EMPTY, charts, hasDrawings: true, hasContexts: true }, lines);
}

const EMPTY: Story = {
  charts: { session: undefined, protocol: undefined },
  hasDrawings: false,
  header: undefined,
  entries: [],
  end: undefined,
  hasContexts: false,
  forgotten: 0,
  isComplete: false,
};

/** @throws {StoryError} when the text is no recording; one that was cut off in its last line is one as far as it goes */
export function readStory(text: string): Story {
  const texts = text.split('\n');
  const header = parsedLine(texts[0] ?? '', 0);
  if (header?.['format'] !== 'wirechart recording') throw new StoryError('this is no recording of wirechart');
  if (header['version'] !== 1)
    throw new StoryError(`it is of version ${String(header['version'])}, and this page reads version 1`);
  const lines: RecordingLine[] = [];
  texts.slice(1).forEach((one, index) => {
    if (one === '') return;
    const parsed = parsedLine(one, index + 1, index + 2 === texts.length);
    if (parsed) lines.push(parsed as RecordingLine);
  });
  return extendStory(EMPTY, [{ ...header, kind: 'header' }, ...lines]);
}

export class StoryError extends Error {
  override readonly name = 'StoryError';
}

function parsedLine(text: string, index: number, mayBeCut = false): PlainObject | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    if (mayBeCut) return undefined;
    throw new StoryError(index === 0 ? 'this is no recording of wirechart' : `line ${index + 1} is not JSON`);
  }
  if (!isPlainObject(parsed) || (index > 0 && typeof parsed['kind'] !== 'string'))
    throw new StoryError(`line ${index + 1} is no entry of a recording`);
  return parsed;
}

/** @param entriesMax of the longer story: waits in a row become one entry, and the oldest entries are let go of */
export function extendStory(story: Story, lines: readonly RecordingLine[], entriesMax = Infinity): Story {
  if (lines.length === 0) return story;
  const entries = story.entries.slice();
  let next: Story = { ...story, entries };
  for (const line of lines) {
    if (line.kind === 'header') next = { ...next, ...headerParts(line, next) };
    else if (line.kind === 'end') next = { ...next, ...endParts(line, next.header) };
    const entry = entryOf(line, next, entries);
    const last = entries.at(-1);
    if (!entry) continue;
    if (entriesMax < Infinity && last && followsWait(entry, last))
      entries[entries.length - 1] = withWaitsOf(entry, last);
    else entries.push(entry);
  }
  const tooMany = Math.max(0, entries.length - entriesMax);
  entries.splice(0, tooMany);
  return { ...next, forgotten: next.forgotten + tooMany };
}

/** A wait that ended with nothing but a higher count. */
export function isWait({ chart, event, hasMoved }: StoryEntry): boolean {
  return chart !== undefined && event === 'WAIT_TIMEOUT' && !hasMoved;
}

export function waitsOf(line: RecordingLine): number {
  const { waits } = isPlainObject(line['event']) ? line['event'] : {};
  return typeof waits === 'number' ? waits : 1;
}

/** A quiet session has ten of them each second, and they would push out all that was said before. */
function followsWait(entry: StoryEntry, last: StoryEntry): boolean {
  return isWait(entry) && isWait(last) && entry.chart === last.chart;
}

function withWaitsOf(entry: StoryEntry, last: StoryEntry): StoryEntry {
  const event = { type: 'WAIT_TIMEOUT', waits: waitsOf(last.line) + waitsOf(entry.line) };
  return { ...entry, number: last.number, line: { ...entry.line, event } };
}

/** @returns how things were after this entry; before the first one, and where there is none, nothing is known */
export function pointAt({ entries }: Story, number: number): Point {
  return entryAt(entries, number)?.after ?? BEFORE_ALL;
}

/** By its number, in a story that may have let go of earlier ones. */
export function entryAt(entries: readonly StoryEntry[], number: number): StoryEntry | undefined {
  const [first] = entries;
  return first && entries[number - first.number];
}

export function lastNumber({ entries }: Story): number {
  return entries.at(-1)?.number ?? -1;
}

function headerParts(line: RecordingLine, story: Story): Partial<Story> {
  const {
    session = {},
    protocol,
    payloads,
    masked,
    dropped,
    drawings,
    charts,
  } = line as unknown as {
    session?: { id?: unknown; peer?: unknown; startedAtMs?: unknown };
    protocol?: unknown;
    payloads?: unknown;
    masked?: unknown;
    dropped?: unknown;
    drawings?: { transport?: unknown; protocol?: unknown };
    charts?: { transport?: unknown; protocol?: unknown };
  };
  const header: StoryHeader = {
    protocol: typeof protocol === 'string' ? protocol : '',
    session: typeof session.id === 'string' ? session.id : '',
    peer: peerText(session.peer),
    startedAtMs: typeof session.startedAtMs === 'number' ? session.startedAtMs : 0,
    payloads: payloads === true,
    masked: isPlainObject(masked) ? masked : {},
    dropped: typeof dropped === 'number' ? dropped : 0,
  };
  if (story.charts.session) return { header };
  const drawn = { session: drawingOf(drawings?.transport), protocol: drawingOf(drawings?.protocol) };
  const hasDrawings = drawn.session !== undefined && drawn.protocol !== undefined;
  const ofProtocol = drawn.protocol ?? listOf(charts?.protocol);
  return {
    header,
    hasDrawings,
    hasContexts: hasDrawings,
    charts: {
      session: drawn.session ?? listOf(charts?.transport),
      protocol: ofProtocol && named(ofProtocol, header.protocol),
    },
  };
}

function drawingOf(value: unknown): Chart | undefined {
  if (!isPlainObject(value) || value['version'] !== 1) return undefined;
  return Array.isArray(value['states']) && Array.isArray(value['transitions']) && value['states'].length > 0
    ? (value as unknown as Chart)
    : undefined;
}

function listOf(description: unknown): Chart | undefined {
  if (!isPlainObject(description)) return undefined;
  const { id, states } = description;
  return typeof id === 'string' && isPlainObject(states) && Object.values(states).every(isPlainObject)
    ? chartOfDescription(id, states as PlainStates)
    : undefined;
}

/** `10.0.3.7:51514`, `[::1]:4000`, the path of a Unix socket. */
function peerText(peer: unknown): string {
  if (typeof peer === 'string') return peer;
  if (!isPlainObject(peer)) return '';
  const { transport, address, port, family } = peer;
  if (transport === 'unix') return String(address) || 'unix socket';
  return family === 'IPv6' ? `[${String(address)}]:${String(port)}` : `${String(address)}:${String(port)}`;
}

function endParts(line: RecordingLine, header: StoryHeader | undefined): Partial<Story> {
  const { record } = line as { record?: unknown };
  if (!isPlainObject(record)) return { isComplete: true };
  const { reason, option, closedBy, endedAtMs, startedAtMs, statistics } = record;
  const counted = isPlainObject(statistics) && Array.isArray(statistics['$object']) ? statistics['$object'][1] : statistics; // prettier-ignore
  const started = typeof startedAtMs === 'number' ? startedAtMs : (header?.startedAtMs ?? 0);
  return {
    isComplete: true,
    end: {
      reason: String(reason),
      option: String(option),
      closedBy: String(closedBy),
      atMs: typeof endedAtMs === 'number' ? endedAtMs - started : 0,
      statistics: isPlainObject(counted) ? counted : {},
    },
  };
}

function entryOf(line: RecordingLine, story: Story, entries: readonly StoryEntry[]): StoryEntry | undefined {
  if (line.kind === 'header' || (line.kind === 'end' && !story.end)) return undefined;
  const last = entries.at(-1);
  const number = last ? last.number + 1 : 0;
  const before = last?.after ?? BEFORE_ALL;
  const chart = line.kind === 'step' ? CHARTS[line['chart'] as keyof typeof CHARTS] : undefined;
  const after = pointAfter(line, chart, { story, before, number });
  const hasMoved =
    chart !== undefined && before[chart].value !== undefined && after[chart].value !== before[chart].value;
  const atMs = line.kind === 'end' ? story.end!.atMs : typeof line['atMs'] === 'number' ? line['atMs'] : (last?.atMs ?? 0); // prettier-ignore
  return {
    number,
    line,
    atMs,
    chart,
    event: chart && typeOf(line['event']),
    message: messageOf(line, entries),
    hasMoved,
    isError: line.kind === 'error' || line.kind === 'decodeFailed' || line['failure'] !== undefined,
    after,
  };
}

export function typeOf(event: unknown): string {
  if (!isPlainObject(event)) return '?';
  const { type, $elided: elided } = event;
  if (typeof type === 'string') return type;
  // `READ: with its commands about 4096 bytes`: of what was too large the recorder kept the type.
  return typeof elided === 'string' ? elided.split(':')[0]! : '?';
}

function messageOf(line: RecordingLine, entries: readonly StoryEntry[]): unknown {
  if ('message' in line && line.kind !== 'error') return line['message'];
  const { of } = line as { of?: unknown };
  if (!Array.isArray(of)) return undefined;
  const [n, place] = of as [number, number];
  for (let index = entries.length - 1; index >= 0; index -= 1) {
    const { line: other } = entries[index]!;
    if (other['n'] !== n) continue;
    const command = (other['commands'] as unknown[] | undefined)?.[place];
    return isPlainObject(command) ? command['message'] : undefined;
  }
  return undefined;
}

interface Before {
  readonly story: Story;
  readonly before: Point;
  readonly number: number;
}

function pointAfter(line: RecordingLine, chart: SessionChart | undefined, at: Before): Point {
  const { before } = at;
  if (line.kind === 'codec') return { ...before, codec: String(line['name']) };
  if (line.kind === 'checkpoint') return checkpointPoint(line, at);
  return chart ? { ...before, [chart]: steppedPoint(line, chart, at) } : before;
}

function checkpointPoint(line: RecordingLine, { story, before }: Before): Point {
  const { charts, codec } = line as { charts?: { transport?: unknown; protocol?: unknown }; codec?: unknown };
  const of = (name: keyof typeof CHARTS): ChartPoint => {
    const chart = CHARTS[name];
    const snapshot = charts?.[name];
    if (!isPlainObject(snapshot) || !isStateValue(snapshot['value'])) return before[chart];
    const { value, context } = snapshot;
    return {
      ...before[chart],
      ...placed(story.charts[chart], value),
      context: isPlainObject(context) ? context : {},
      isContextExact: true,
      changed: [],
    };
  };
  const name = isPlainObject(codec) ? codec['name'] : undefined;
  return {
    session: of('transport'),
    protocol: of('protocol'),
    codec: typeof name === 'string' ? name : before.codec,
  };
}

function steppedPoint(line: RecordingLine, chart: SessionChart, { story, before, number }: Before): ChartPoint {
  const was = before[chart];
  const { state, taken } = line as { state?: unknown; taken?: unknown };
  const moved = isStateValue(state) ? placed(story.charts[chart], state) : { value: was.value, place: was.place };
  const drawing = story.hasDrawings ? story.charts[chart] : undefined;
  const next = { ...was, ...moved, ...contextAfter(line, was, story.hasContexts) };
  // Lit ten times a second, its arrow would hide what was taken before.
  if (typeOf(line['event']) === 'WAIT_TIMEOUT' && moved.value === was.value) return next;
  return {
    ...next,
    taken: Array.isArray(taken)
      ? (taken as string[])
      : drawing && was.value !== undefined
        ? inferTaken(drawing, { event: typeOf(line['event']), before: was.place, after: moved.place })
        : [],
    takenAt: number,
  };
}

function placed(chart: Chart | undefined, value: StateValue): Pick<ChartPoint, 'value' | 'place'> {
  return { value, place: chart ? placeOf(chart, value) : [] };
}

function contextAfter(
  line: RecordingLine,
  { context }: ChartPoint,
  hasContexts: boolean,
): Pick<ChartPoint, 'context' | 'isContextExact' | 'changed'> {
  const delta = line['context'];
  if (!isPlainObject(delta)) return { context, isContextExact: hasContexts && context !== undefined, changed: [] };
  const set = isPlainObject(delta['set']) ? delta['set'] : {};
  const removed = Array.isArray(delta['removed']) ? (delta['removed'] as string[]) : [];
  const next: Record<string, unknown> = { ...context, ...set };
  for (const key of removed) delete next[key];
  // The first step sets all of it.
  const isAll = typeOf(line['event']) === 'xstate.init';
  return { context: next, isContextExact: isAll || context !== undefined, changed: [...Object.keys(set), ...removed] };
}
