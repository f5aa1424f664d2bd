/**
 * A story as a sequence diagram: peer at the left, server at the right. What a row does not show is folded: waits in a row, and
 * silence, with their length; steps of the transport, unless they are asked for, but for those that change its state.
 */
import type { RecordingLine } from '../../../src/inspect/feed.js';
import { innermost, placeText } from './places.js';
import { bytesOf, isPlainObject, plainText } from './plain.js';
import { isWait, pointAt, typeOf, waitsOf, type Story, type StoryEntry } from './story.js';

/** Silence from here on is folded, in ms. */
export const SILENCE_MS = 2_000;

export interface Row {
  /** Unique in the story, and the same as long as its entry is there. */
  readonly key: string;
  readonly kind: 'in' | 'out' | 'inner' | 'silence' | 'end';
  /** Of the entry that it shows; of silence the last one inside of it. */
  readonly number: number;
  /** The first one: other than `number` where several are folded. */
  readonly from: number;
  readonly atMs: number;
  readonly label: string;
  /** What is smaller beside it: how many bytes, where an event came from. */
  readonly note: string;
  readonly detail: string;
  /** The state that was reached, when another one was. */
  readonly state: string | undefined;
  readonly chart: StoryEntry['chart'];
  readonly tone: 'plain' | 'timer' | 'end' | 'bad';
}

export interface RowOptions {
  /** Steps of the transport's chart, bytes on their way to the codec, and checkpoints too. */
  readonly isAll: boolean;
}

export function rowsOf(story: Story, { isAll }: RowOptions): readonly Row[] {
  const rows: Row[] = [];
  let waits: StoryEntry[] = [];
  let last: StoryEntry | undefined;
  const settle = (untilMs: number): void => {
    const silence = silenceRow({ waits, last, untilMs, isAll });
    if (silence) rows.push(silence);
    waits = [];
  };
  for (const entry of story.entries) {
    if (isWait(entry)) waits.push(entry);
    else if (!isHidden(entry, isAll)) {
      settle(entry.atMs);
      rows.push(...rowsOfEntry(story, entry));
      last = entry;
    }
  }
  settle(waits.at(-1)?.atMs ?? last?.atMs ?? 0);
  return rows;
}

function isHidden(entry: StoryEntry, isAll: boolean): boolean {
  const { line, chart, hasMoved, isError } = entry;
  if (line.kind === 'checkpoint') return !isAll;
  if (isAll || isError || entry.event === 'xstate.init') return false;
  if (line.kind === 'received') return true;
  if (chart !== 'session') return false;
  return !hasMoved && !wireCommand(line) && !['PEER_END', 'ERROR', 'CLOSE'].includes(entry.event ?? '');
}

/** Entries never change, and a live story is drawn anew ten times a second. */
const made = new WeakMap<StoryEntry, readonly Row[]>();

function rowsOfEntry(story: Story, entry: StoryEntry): readonly Row[] {
  let rows = made.get(entry);
  if (!rows) made.set(entry, (rows = makeRows(story, entry)));
  return rows;
}

function makeRows(story: Story, entry: StoryEntry): Row[] {
  switch (entry.line.kind) {
    case 'step':
      return entry.chart === 'session' ? transportRows(story, entry) : [protocolRow(story, entry)];
    case 'received':
      return [row(entry, 'in', { label: 'bytes', note: lengthText(entry.line['bytes']) })];
    case 'encoded':
      return [
        row(entry, 'out', {
          label: entry.message === undefined ? 'bytes' : typeOf(entry.message),
          note: previewOf(entry.message) || lengthText(entry.line['bytes']),
          detail: `${plainText(entry.message)}, ${lengthText(entry.line['bytes'])}`,
        }),
      ];
    case 'decoded':
      return [
        row(entry, 'in', {
          label: typeOf(entry.message),
          note: 'not taken any more',
          detail: plainText(entry.message),
        }),
      ];
    case 'decodeFailed':
      return [row(entry, 'inner', { label: 'not decoded', detail: plainText(entry.line['error']), tone: 'bad' })];
    case 'codec':
      return [row(entry, 'inner', { label: `codec ${String(entry.line['name'])}` })];
    case 'error':
      return [
        row(entry, 'inner', {
          label: String(entry.line['code']),
          detail: String(entry.line['message']),
          tone: 'bad',
        }),
      ];
    case 'checkpoint':
      return [row(entry, 'inner', { label: 'checkpoint' })];
    case 'end':
      return [
        row(entry, 'end', {
          label: story.end ? `ended: ${story.end.reason}` : 'ended',
          note: story.end ? `${story.end.option}, ${story.end.closedBy.toUpperCase()}` : '',
          tone: 'end',
        }),
      ];
    default:
      return [row(entry, 'inner', { label: entry.line.kind, detail: plainText(entry.line) })];
  }
}

function row(entry: StoryEntry, kind: Row['kind'], parts: Partial<Row> & { readonly label: string }): Row {
  const { number, atMs, chart } = entry;
  return {
    key: `${number}${kind}`,
    kind,
    number,
    from: number,
    atMs,
    note: '',
    detail: '',
    state: undefined,
    chart,
    tone: entry.isError ? 'bad' : 'plain',
    ...parts,
  };
}

/** The states that were entered, by their last two names: where a chart has regions, the others are as before. */
function reached(story: Story, { chart, hasMoved, number, after }: StoryEntry): string | undefined {
  const drawing = chart && story.charts[chart];
  if (!hasMoved || !drawing) return undefined;
  const { place } = after[chart];
  const before = pointAt(story, number - 1)[chart].place;
  const entered = innermost(drawing, place).filter((state) => !before.includes(state));
  const names = entered.map((state) => drawing.states[state]!.path.split('.').slice(-2).join('.'));
  return names.join(' · ') || placeText(drawing, place);
}

const ORIGINS: Readonly<Record<string, string>> = {
  fact: 'transport',
  answer: 'handler',
  dispatch: 'dispatched',
  key: 'registry',
  timer: 'timer',
  actor: 'actor',
};

function protocolRow(story: Story, entry: StoryEntry): Row {
  const { line, event = '?' } = entry;
  const origin = String(line['origin']);
  const state = reached(story, entry);
  const detail = failureText(line) ?? plainText(line['event']);
  const note = previewOf(line['event']);
  if (origin === 'message') return row(entry, 'in', { label: event, note, detail, state });
  if (event === 'xstate.init') return row(entry, 'inner', { label: 'start', note: 'protocol', state: startState(story, entry) }); // prettier-ignore
  return row(entry, 'inner', {
    label: eventText(event),
    note: ORIGINS[origin] ?? origin,
    detail,
    state,
    tone: entry.isError ? 'bad' : origin === 'timer' ? 'timer' : 'plain',
  });
}

/** What a message says besides its type: of one field the value, of more than one with their names. */
function previewOf(message: unknown): string {
  if (!isPlainObject(message)) return '';
  const fields = Object.entries(message).filter(([name]) => name !== 'type' && !name.startsWith('$'));
  const [only] = fields;
  if (fields.length === 1) return plainText(only![1], 60);
  return fields
    .map(([name, value]) => `${name} ${plainText(value, 24)}`)
    .join(', ')
    .slice(0, 80);
}

function startState(story: Story, { chart, after }: StoryEntry): string | undefined {
  return chart && placeText(story.charts[chart], after[chart].place);
}

function transportRows(story: Story, entry: StoryEntry): Row[] {
  const { line, event = '?' } = entry;
  const state = reached(story, entry);
  const detail = failureText(line) ?? plainText(line['event']);
  const sent = wireCommand(line);
  const wire = wireEvent(line, event);
  const rows: Row[] = [];
  if (event === 'xstate.init')
    rows.push(row(entry, 'inner', { label: 'start', note: 'session', state: startState(story, entry) })); // prettier-ignore
  else if (wire) rows.push(row(entry, 'in', { label: wire, note: noteOf(line, event), detail, state }));
  else
    rows.push(
      row(entry, 'inner', {
        label: eventText(event),
        note: noteOf(line, event) || 'session',
        detail,
        state,
        tone: entry.isError ? 'bad' : line['origin'] === 'timer' || event === 'WAIT_TIMEOUT' ? 'timer' : 'plain',
      }),
    );
  if (sent) rows.push(row(entry, 'out', { label: sent, tone: sent === 'RST' ? 'bad' : 'end' }));
  return rows;
}

/** What of a step went over the wire by itself, without a message. */
function wireCommand(line: RecordingLine): 'FIN' | 'RST' | undefined {
  if (line.kind !== 'step' || line['chart'] !== 'transport' || !Array.isArray(line['commands'])) return undefined;
  const types = line['commands'].map(typeOf);
  return types.includes('SEND_RST') ? 'RST' : types.includes('SEND_FIN') ? 'FIN' : undefined;
}

function wireEvent(line: RecordingLine, event: string): string | undefined {
  if (event === 'PEER_END') return 'FIN';
  if (event === 'READ') return 'READ';
  const { code } = isPlainObject(line['event']) ? line['event'] : {};
  return event === 'ERROR' && code === 'ECONNRESET' ? 'RST' : undefined;
}

function noteOf(line: RecordingLine, event: string): string {
  const fields = isPlainObject(line['event']) ? line['event'] : {};
  if (event === 'STOP') return wordOf(fields['reason']);
  if (event === 'ERROR') return wordOf(fields['code']);
  if (event === 'CLOSE') return fields['byReset'] === true ? 'by RST' : 'by FIN';
  if (event === 'WAIT_TIMEOUT') return 'last wait';
  return lengthText(fields['bytes']);
}

function wordOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** `after closeTimeout` for XState's `xstate.after.closeTimeout.session.closing`. */
export function eventText(event: string): string {
  const after = /^xstate\.after\.([^.]+)\./.exec(event);
  if (after) return /^\d+$/.test(after[1]!) ? `after ${after[1]} ms` : `after ${after[1]}`;
  return event.replace(/^xstate\./, '').replace(/^done\.(actor|state)\./, 'done ');
}

function failureText(line: RecordingLine): string | undefined {
  return line['failure'] === undefined ? undefined : `threw ${plainText(line['failure'])}`;
}

function lengthText(bytes: unknown): string {
  const found = bytesOf(bytes);
  return found ? `${found.length}\u00a0B` : '';
}

interface Silence extends RowOptions {
  readonly waits: readonly StoryEntry[];
  /** What was shown before it. */
  readonly last: StoryEntry | undefined;
  readonly untilMs: number;
}

function silenceRow({ waits, last, untilMs, isAll }: Silence): Row | undefined {
  const [first] = waits;
  const begin = last ?? first;
  if (!begin) return undefined;
  const lengthMs = untilMs - begin.atMs;
  // A few waits between two messages are as usual.
  if (lengthMs < SILENCE_MS && !(isAll && first)) return undefined;
  const count = waits.filter(({ chart }) => chart === 'session').reduce((sum, { line }) => sum + waitsOf(line), 0);
  return {
    key: `${(first ?? begin).number}silence`,
    kind: 'silence',
    number: (waits.at(-1) ?? begin).number,
    from: (first ?? begin).number,
    atMs: begin.atMs,
    label: `${silenceText(lengthMs)} silent`,
    note: count > 0 ? `${count} ${count === 1 ? 'wait' : 'waits'}` : '',
    detail: '',
    state: undefined,
    chart: undefined,
    tone: 'timer',
  };
}

function silenceText(ms: number): string {
  return `${(ms / 1_000).toFixed(1)}\u00a0s`;
}
