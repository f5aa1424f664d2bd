/**
 * A recording as text, and back: JSON Lines, because a person can read it, `grep` finds things in it, and a file that was cut off in
 * the middle is right as far as it goes. Reading trusts nothing: it checks each line, and what it makes is data.
 */
import type { AnyMachineSnapshot, AnyTransitionDefinition } from 'xstate';
import type { AnyProtocol, Secrets } from '../session/protocol.js';
import type { Session, SessionRecord } from '../session/session.js';
import { sessionMachine } from '../../machines/session.js';
import { describeChart } from './chart-description.js';
import { readChart, transitionId } from './drawing/chart.js';
import { bothTrees, Masks, type MaskTree } from './masks.js';
import { ByteCount, fromPlain, toPlain, type PlainOptions } from './plain-data.js';
import { RecordingError } from './recording-error.js';
import {
  RECORDING_VERSION,
  type ChartName,
  type ChartSnapshot,
  type Recording,
  type RecordingEntry,
  type RecordingHeader,
} from './recording.js';
import type { LiveCheckpoint, LiveEntry, LiveStep, SessionRecorder } from './session-recorder.js';

const FORMAT = 'wirechart recording';

/** @param packageVersion of this package, for the header */
export function writeRecording(recorder: SessionRecorder, protocol: AnyProtocol, packageVersion: string): string {
  const { session, options, record, dropped } = recorder;
  const writer = new RecordingLines(protocol, { payloads: options.payloads });
  const header = writer.header(session, { packageVersion, dropped });
  const lines = [header, ...recorder.entries.map((entry) => writer.entry(entry)), writer.end(record)];
  return `${lines.map((line) => JSON.stringify(line)).join('\n')}\n`;
}

/** A line as JSON, before it is text. */
export type RecordingJson = Readonly<Record<string, unknown>>;

/** Makes the lines of one recording, in order. */
export interface LinesOptions extends Pick<PlainOptions, 'limits' | 'countsBytes'> {
  /** Bytes are written as far as they were kept, and nothing is masked. */
  readonly payloads: boolean;
  /** Number of the first entry. */
  readonly from?: number;
}

export class RecordingLines {
  readonly #protocol: AnyProtocol;
  readonly #payloads: boolean;
  readonly #secrets: Secrets;
  readonly #masks: Masks;
  readonly #plain: Pick<PlainOptions, 'limits' | 'countsBytes'>;
  #count: number;
  /** Messages that a step's command holds, by where: `[entry, command]`. They need not be written twice. */
  #sent = new Map<unknown, readonly [number, number]>();

  constructor(protocol: AnyProtocol, { payloads, from = 0, ...plain }: LinesOptions) {
    this.#plain = plain;
    this.#protocol = protocol;
    this.#payloads = payloads;
    this.#secrets = payloads ? {} : (protocol.secrets ?? {});
    this.#masks = new Masks(this.#secrets);
    this.#count = from;
  }

  header(
    { id, peer, startedAtMs }: Pick<Session, 'id' | 'peer' | 'startedAtMs'>,
    { packageVersion, dropped }: { readonly packageVersion: string; readonly dropped: number },
  ): RecordingJson {
    const { name, machine } = this.#protocol;
    const header: RecordingHeader & { readonly format: string } = {
      format: FORMAT,
      version: RECORDING_VERSION,
      package: packageVersion,
      protocol: name,
      session: { id, peer, startedAtMs },
      payloads: this.#payloads,
      masked: this.#secrets,
      dropped,
      charts: { transport: describeChart(sessionMachine), protocol: describeChart(machine) },
      drawings: { transport: readChart(sessionMachine), protocol: readChart(machine) },
    };
    return { ...header };
  }

  entry(entry: LiveEntry): RecordingJson {
    const n = this.#count;
    this.#count += 1;
    const { kind, atMs } = entry;
    const head = { n, atMs: Math.round(atMs * 1_000) / 1_000, kind };
    if (kind === 'checkpoint') {
      // What comes before it may be dropped.
      this.#sent.clear();
      return { ...head, ...this.#checkpointParts(entry) };
    }
    if (kind === 'step') this.#noteSent(entry, n);
    if (kind === 'encoded') {
      const { message, bytes } = entry as { message?: unknown; bytes?: unknown };
      const of = this.#sent.get(message);
      if (of) return { ...head, of, bytes: this.#bytes(bytes) };
    }
    const masks = this.#masks;
    const plain: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(entry) as [string, unknown][]) {
      const isEmpty =
        value === undefined ||
        (name === 'commands' && (value as unknown[]).length === 0) ||
        (name === 'bytes' && kind === 'step');
      if (isEmpty || name in head) continue;
      // One by one: of what cannot be looked at the others are no worse for it, and a list stays a list.
      if (name === 'commands')
        plain[name] = (value as unknown[]).map((command) => toPlain(command, { masks, ...this.#plain }));
      else if (name === 'context') plain[name] = this.#contextPart(entry as LiveStep);
      else if (name === 'taken') plain[name] = (value as AnyTransitionDefinition[]).flatMap(idsOf);
      else if (name === 'bytes') plain[name] = this.#bytes(value);
      else plain[name] = toPlain(value, { masks, tree: treeOfPart(entry, name, masks), ...this.#plain });
    }
    return { ...head, ...plain };
  }

  end(record: SessionRecord | undefined): RecordingJson {
    const tree = this.#masks.ofType('SET_KEY');
    return { kind: 'end', record: record ? toPlain(record, { masks: this.#masks, tree }) : null };
  }

  #noteSent({ commands }: LiveStep, n: number): void {
    commands.forEach((command, place) => {
      const { message } = (command ?? {}) as { message?: unknown };
      if (typeof message === 'object' && message !== null) this.#sent.set(message, [n, place]);
    });
  }

  /** A recorder may have kept them for a reader who is to see them. */
  #bytes(bytes: unknown): unknown {
    return toPlain(bytes instanceof Uint8Array && !this.#payloads ? new ByteCount(bytes.byteLength) : bytes, {
      ...this.#plain,
    });
  }

  /** Masked as if it stood in the whole context. */
  #contextPart({ chart, context }: LiveStep): unknown {
    const { set, removed, type } = context!;
    const masks = this.#masks;
    const tree = bothTrees(chart === 'protocol' ? masks.context : undefined, masks.ofType(type));
    // One by one: of what cannot be looked at the others are no worse for it.
    const fields = Object.keys(set).map((key) => {
      const own = tree === true ? tree : tree?.get(key);
      return [key.startsWith('$') ? `$${key}` : key, toPlain(set[key], { masks, tree: own, ...this.#plain })];
    });
    return { set: Object.fromEntries(fields) as object, removed };
  }

  #checkpointParts({ charts, timers, codec, input, pendingHandlers }: LiveCheckpoint): object {
    const masks = this.#masks;
    const tree = { transport: undefined, protocol: masks.context };
    const chart = (name: ChartName) =>
      charts && snapshotParts(charts[name], { masks, tree: tree[name], ...this.#plain });
    const hasState = codec.state !== undefined && this.#payloads;
    return {
      ...(charts && { charts: { transport: chart('transport'), protocol: chart('protocol') } }),
      timers: timers.map((timer) => toPlain(timer, { masks, ...this.#plain })),
      codec: toPlain(hasState ? codec : { name: codec.name }, this.#plain),
      input: this.#bytes(input),
      pendingHandlers,
    };
  }
}

/** None of what stands in no chart: the beginning of one. */
function idsOf(definition: AnyTransitionDefinition): string[] {
  const id = transitionId(definition);
  return id === undefined ? [] : [id];
}

/** The text of an error is masked with all else, whatever was thrown. */
function treeOfPart(entry: LiveEntry, name: string, masks: Masks): MaskTree | undefined {
  const { kind, chart, [name]: value } = entry as unknown as Record<string, unknown>;
  if (kind === 'error') return name === 'message' && masks.hasAny ? true : undefined;
  if (name === 'failure' || name === 'error') return masks.ofThrown(value);
  return name === 'event' && chart === 'protocol' ? masks.ofOwnEvent(value as object) : undefined;
}

function snapshotParts(
  { status, value, context, historyValue, children }: AnyMachineSnapshot,
  options: PlainOptions,
): unknown {
  const history = Object.entries(historyValue as Record<string, readonly { readonly id: string }[]>);
  return {
    status,
    value,
    context: toPlain(context, options),
    history: Object.fromEntries(history.map(([id, nodes]) => [id, nodes.map((node) => node.id)])),
    children: Object.keys(children as object),
  };
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
  const { protocol, session, payloads, masked, dropped, charts, drawings } = header;
  const areCharts = isChart(charts?.transport) && isChart(charts?.protocol);
  if (typeof protocol !== 'string') throw broken(0, 'it names no protocol');
  if (typeof session?.id !== 'string') throw broken(0, 'it names no session');
  if (typeof payloads !== 'boolean' || !areSecrets(masked) || !Number.isInteger(dropped)) {
    throw broken(0, 'it does not say what is in it: payloads, masked, dropped');
  }
  if (!areCharts) throw broken(0, 'it does not describe both charts');
  const areDrawings = drawings === undefined || (isDrawing(drawings?.transport) && isDrawing(drawings?.protocol));
  if (!areDrawings) throw broken(0, 'its `drawings` are not those of both charts');
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

/** What a viewer walks; a chart that is wrong in itself is drawn wrong, and nothing else. */
function isDrawing(drawing: unknown): boolean {
  const { version, id, states, transitions } = (drawing ?? {}) as Record<string, unknown>;
  const areParts = (parts: unknown, ...names: string[]) =>
    Array.isArray(parts) &&
    parts.every((part) => isObject(part) && names.every((name) => typeof part[name] === 'string'));
  return (
    version === 1 &&
    typeof id === 'string' &&
    areParts(states, 'id', 'key', 'path', 'type') &&
    (states as unknown[]).length > 0 &&
    areParts(transitions, 'id', 'source', 'kind', 'label')
  );
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
  step: ({ chart, event, commands, origin, context }) =>
    (chart === 'transport' || chart === 'protocol') &&
    typeof event === 'object' &&
    event !== null &&
    typeof origin === 'string' &&
    (commands === undefined || Array.isArray(commands)) &&
    (context === undefined || isContextChange(context)),
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

function isContextChange(value: unknown): boolean {
  const { set, removed } = (value ?? {}) as Record<string, unknown>;
  return isObject(set) && Array.isArray(removed) && removed.every((name) => typeof name === 'string');
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
