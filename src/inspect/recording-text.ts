/**
 * A recording as text, and back: JSON Lines, because a person can read it, `grep` finds things in it, and a file that was cut off in
 * the middle is right as far as it goes. Reading trusts nothing: it checks each line, and what it makes is data.
 */
import type { AnyMachineSnapshot } from 'xstate';
import type { AnyProtocol } from '../session/protocol.js';
import type { SessionRecord } from '../session/session.js';
import { sessionMachine } from '../../machines/session.js';
import { describeChart } from './chart-description.js';
import { Masks, type MaskTree } from './masks.js';
import { fromPlain, toPlain } from './plain-data.js';
import { RecordingError } from './recording-error.js';
import {
  RECORDING_VERSION,
  type ChartName,
  type ChartSnapshot,
  type Recording,
  type RecordingEntry,
  type RecordingHeader,
  type Step,
} from './recording.js';
import type { LiveCheckpoint, LiveEntry, SessionRecorder } from './session-recorder.js';

const FORMAT = 'wirechart recording';

/** @param packageVersion of this package, for the header */
export function writeRecording(recorder: SessionRecorder, protocol: AnyProtocol, packageVersion: string): string {
  const { session, options, record } = recorder;
  const secrets = options.payloads ? {} : (protocol.secrets ?? {});
  const masks = new Masks(secrets);
  const header: RecordingHeader & { readonly format: string } = {
    format: FORMAT,
    version: RECORDING_VERSION,
    package: packageVersion,
    protocol: protocol.name,
    session: { id: session.id, peer: session.peer, startedAtMs: session.startedAtMs },
    payloads: options.payloads,
    masked: secrets,
    dropped: recorder.dropped,
    charts: {
      transport: describeChart(sessionMachine),
      protocol: describeChart(protocol.machine),
    },
  };
  const sent: Sent = new Map();
  const { entries } = recorder;
  const lines = [
    header,
    ...entries.map((entry, index) => entryLine(entry, { index, masks, sent })),
    endLine(record, masks),
  ];
  return `${lines.map((line) => JSON.stringify(line)).join('\n')}\n`;
}

/** Messages that a step's command holds, by where: `[entry, command]`. They need not be written twice. */
type Sent = Map<unknown, readonly [number, number]>;

interface LinePlace {
  readonly index: number;
  readonly masks: Masks;
  readonly sent: Sent;
}

function entryLine(entry: LiveEntry, { index, masks, sent }: LinePlace): unknown {
  const { kind, atMs, ...parts } = entry as { kind: string; atMs: number };
  const head = { n: index, atMs: Math.round(atMs * 1_000) / 1_000, kind };
  if (kind === 'checkpoint') return { ...head, ...checkpointParts(entry as LiveCheckpoint, masks) };
  if (kind === 'step') noteSent(entry as Step, index, sent);
  if (kind === 'encoded') {
    const { message, bytes } = entry as { message?: unknown; bytes?: unknown };
    const of = sent.get(message);
    if (of) return { ...head, of, bytes: toPlain(bytes) };
  }
  const plain: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(parts)) {
    const isEmpty =
      value === undefined ||
      (name === 'commands' && (value as unknown[]).length === 0) ||
      (name === 'bytes' && kind === 'step');
    if (isEmpty) continue;
    // One by one: of what cannot be looked at the others are no worse for it, and a list stays a list.
    if (name === 'commands') plain[name] = (value as unknown[]).map((command) => toPlain(command, { masks }));
    else plain[name] = toPlain(value, { masks, tree: treeOfPart(entry, name, masks) });
  }
  return { ...head, ...plain };
}

function noteSent({ commands }: Step, index: number, sent: Sent): void {
  commands.forEach((command, place) => {
    const { message } = (command ?? {}) as { message?: unknown };
    if (typeof message === 'object' && message !== null) sent.set(message, [index, place]);
  });
}

/** The text of an error is masked with all else, whatever was thrown; and the input of the protocol's chart becomes its context. */
function treeOfPart(entry: LiveEntry, name: string, masks: Masks): MaskTree | undefined {
  const { kind, chart, [name]: value } = entry as unknown as Record<string, unknown>;
  if (kind === 'error') return name === 'message' && masks.hasAny ? true : undefined;
  if (name === 'failure' || name === 'error') return treeOfThrown(value, masks);
  if (name !== 'event' || chart !== 'protocol') return undefined;
  const { type, error } = value as { type?: unknown; error?: unknown };
  if (type === 'xstate.init') return masks.context && new Map([['input', masks.context]]);
  const thrown = typeof type === 'string' && type.startsWith('xstate.error.') ? treeOfThrown(error, masks) : undefined;
  return thrown && new Map([['error', thrown]]);
}

/** An error keeps its name and code, and its text is masked in any case. */
function treeOfThrown(thrown: unknown, masks: Masks): true | undefined {
  return masks.hasAny && !(thrown instanceof Error) ? true : undefined;
}

function checkpointParts({ charts, timers, codec, input, pendingHandlers }: LiveCheckpoint, masks: Masks): object {
  const tree = { transport: undefined, protocol: masks.context };
  const chart = (name: ChartName) => charts && snapshotParts(charts[name], masks, tree[name]);
  return {
    ...(charts && { charts: { transport: chart('transport'), protocol: chart('protocol') } }),
    timers: timers.map((timer) => toPlain(timer, { masks })),
    codec: toPlain(codec.state === undefined ? { name: codec.name } : codec),
    input: toPlain(input),
    pendingHandlers,
  };
}

function snapshotParts(
  { status, value, context, historyValue, children }: AnyMachineSnapshot,
  masks: Masks,
  tree: MaskTree | undefined,
): unknown {
  const history = Object.entries(historyValue as Record<string, readonly { readonly id: string }[]>);
  return {
    status,
    value,
    context: toPlain(context, { masks, tree }),
    history: Object.fromEntries(history.map(([id, nodes]) => [id, nodes.map((node) => node.id)])),
    children: Object.keys(children as object),
  };
}

function endLine(record: SessionRecord | undefined, masks: Masks): unknown {
  const tree = masks.ofType('SET_KEY');
  return { kind: 'end', record: record ? toPlain(record, { masks, tree }) : null };
}

/**
 * @returns what the text of a recording says
 * @throws {RecordingError} FORMAT_INVALID with the line at fault; VERSION_UNKNOWN. A text that ends early is no error: see `isComplete`.
 */
export function readRecording(text: string): Recording {
  const lines = text.split('\n');
  const header = readHeader(lines[0] ?? '');
  const entries: RecordingEntry[] = [];
  let end: SessionRecord | undefined;
  let isComplete = false;
  for (let index = 1; index < lines.length; index += 1) {
    const line = lines[index]!;
    if (line === '') continue;
    if (isComplete) throw broken(index, 'there is more after the last line');
    // What was cut off in the middle of a line has no end of line.
    const isCut = index === lines.length - 1;
    let parsed: Record<string, unknown>;
    try {
      parsed = readLine(line);
    } catch (error) {
      if (isCut) break;
      throw broken(index, (error as Error).message, error);
    }
    if (parsed['kind'] === 'end') {
      isComplete = true;
      end = (parsed['record'] ?? undefined) as SessionRecord | undefined;
      continue;
    }
    findMessage(parsed, entries);
    entries.push(checkEntry(parsed, index));
  }
  if (entries[0]?.kind !== 'checkpoint') throw broken(1, 'the first entry is no checkpoint');
  return { header, entries, end, isComplete, firstLine: 2 };
}

function readHeader(line: string): RecordingHeader {
  let header: Partial<RecordingHeader> & { readonly format?: unknown };
  try {
    header = JSON.parse(line) as typeof header;
  } catch (error) {
    throw broken(0, 'this is no recording of wirechart', error);
  }
  if (header?.format !== FORMAT) throw broken(0, 'this is no recording of wirechart');
  if (header.version !== RECORDING_VERSION) {
    throw new RecordingError(
      'VERSION_UNKNOWN',
      `line 1: the recording is of version ${JSON.stringify(header.version)}, and this package reads version ${RECORDING_VERSION}`,
      1,
    );
  }
  const { protocol, session, payloads, masked, dropped, charts } = header;
  const areCharts = isChart(charts?.transport) && isChart(charts?.protocol);
  if (typeof protocol !== 'string') throw broken(0, 'it names no protocol');
  if (typeof session?.id !== 'string') throw broken(0, 'it names no session');
  if (typeof payloads !== 'boolean' || !areSecrets(masked) || !Number.isInteger(dropped)) {
    throw broken(0, 'it does not say what is in it: payloads, masked, dropped');
  }
  if (!areCharts) throw broken(0, 'it does not describe both charts');
  return header as RecordingHeader;
}

function areSecrets(masked: unknown): boolean {
  const isName = (name: unknown) => typeof name === 'string';
  return (
    isObject(masked) &&
    Object.values(masked).every((names) => Array.isArray(names) && names.length > 0 && names.every(isName))
  );
}

function isChart(chart: unknown): boolean {
  const { id, hash, states, code } = (chart ?? {}) as Record<string, unknown>;
  return typeof id === 'string' && typeof hash === 'string' && isObject(states) && isObject(code);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function readLine(line: string): Record<string, unknown> {
  const parsed = fromPlain(JSON.parse(line));
  if (!isObject(parsed)) throw new TypeError('it is no object');
  return parsed;
}

/** Of a message that stands in a command: see `Sent`. */
function findMessage(parsed: Record<string, unknown>, entries: readonly RecordingEntry[]): void {
  if (parsed['kind'] !== 'encoded' || !Array.isArray(parsed['of'])) return;
  const [index, place] = parsed['of'] as [number, number];
  const step = entries[index];
  const command = step?.kind === 'step' ? step.commands[place] : undefined;
  if (typeof command === 'object' && command !== null && 'message' in command) parsed['message'] = command.message;
  delete parsed['of'];
}

/** What each kind of entry has to have; the rest is whatever a chart or codec had. */
const HAS: Record<string, (entry: Record<string, unknown>) => boolean> = {
  step: ({ chart, event, commands, origin }) =>
    (chart === 'transport' || chart === 'protocol') &&
    typeof event === 'object' &&
    event !== null &&
    typeof origin === 'string' &&
    (commands === undefined || Array.isArray(commands)),
  checkpoint: ({ charts, timers, codec, input, pendingHandlers }) =>
    (charts === undefined || (isObject(charts) && isSnapshot(charts['transport']) && isSnapshot(charts['protocol']))) &&
    Array.isArray(timers) &&
    typeof (codec as { name?: unknown } | undefined)?.name === 'string' &&
    isBytes(input) &&
    Array.isArray(pendingHandlers),
  received: ({ bytes }) => isBytes(bytes),
  decoded: (entry) => 'message' in entry,
  decodeFailed: (entry) => 'error' in entry,
  encoded: ({ bytes, ...entry }) => isBytes(bytes) && 'message' in entry,
  codec: ({ name }) => typeof name === 'string',
  error: ({ code, message }) => typeof code === 'string' && typeof message === 'string',
};

function isSnapshot(value: unknown): value is ChartSnapshot {
  const { value: state, status, history, children } = (value ?? {}) as Record<string, unknown>;
  const isState = typeof state === 'string' || isObject(state);
  return isState && typeof status === 'string' && isObject(history) && Array.isArray(children);
}

function isBytes(value: unknown): boolean {
  return typeof value === 'object' && value !== null && ('byteLength' in value || 'why' in value);
}

function checkEntry(entry: Record<string, unknown>, index: number): RecordingEntry {
  const { kind, atMs } = entry;
  const has = typeof kind === 'string' && Object.hasOwn(HAS, kind) ? HAS[kind] : undefined;
  if (!has) throw broken(index, `there is no entry of kind ${JSON.stringify(kind)}`);
  if (typeof atMs !== 'number') throw broken(index, 'it has no time (`atMs`)');
  if (!has(entry)) throw broken(index, `an entry of kind ${kind as string} lacks a part of it`);
  if (kind === 'step') entry['commands'] ??= [];
  return entry as unknown as RecordingEntry;
}

/** @param index of the line, from 0 on */
function broken(index: number, why: string, cause?: unknown): RecordingError {
  return new RecordingError('FORMAT_INVALID', `line ${index + 1}: ${why}`, index + 1, { cause });
}
