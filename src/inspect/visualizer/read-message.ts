/**
 * What a page sends, checked field by field: a page is a program of ours in a browser of somebody's, so what comes may be anything. What is
 * made here has exactly the fields that `PageMessage` has.
 */
import { LIMITS, type CommandKind, type PageMessage, type SortKey, type TableView } from './messages.js';

/** Of names and ids, in characters. */
const NAME_MAX = 512;
/** Of a filter. */
const TEXT_MAX = 200;
/** Sessions of one command. */
const IDS_MAX = 1_000;

const SORT_KEYS: readonly SortKey[] = ['age', 'id', 'peer', 'state', 'stateAge', 'received', 'sent', 'waits'];
const COMMANDS: readonly CommandKind[] = ['close', 'reset', 'send', 'record', 'stopRecording'];

type Fields = Readonly<Record<string, unknown>>;

/** The page sent what no page of ours sends: the text says what. */
export class MessageError extends Error {
  override readonly name = 'MessageError';
}

/** @returns `undefined` for a type that is not known, which is ignored. @throws {MessageError} */
export function readMessage(text: string): PageMessage | undefined {
  let fields: unknown;
  try {
    fields = JSON.parse(text);
  } catch {
    throw new MessageError('this is no JSON');
  }
  if (!isObject(fields)) throw new MessageError('a message is an object');
  switch (fields['type']) {
    case 'subscribe':
      return readSubscribe(fields);
    case 'unsubscribe':
      return readUnsubscribe(fields);
    case 'pause':
      return { type: 'pause', on: check(fields, 'on', (on) => typeof on === 'boolean') as boolean };
    case 'who':
      return { type: 'who', source: nameOf(fields, 'source'), number: wholeOf(fields, 'number', 2 ** 32 - 1) };
    case 'command':
      return readCommand(fields);
    case 'ping':
      return { type: 'ping' };
    default:
      return undefined;
  }
}

function readSubscribe(fields: Fields): PageMessage | undefined {
  const { topic } = fields;
  switch (topic) {
    case 'overview':
    case 'ended':
      return { type: 'subscribe', topic, source: nameOf(fields, 'source') };
    case 'table':
      return { type: 'subscribe', topic, source: nameOf(fields, 'source'), view: readView(fields['view']) };
    case 'wall':
      return { type: 'subscribe', topic, source: nameOf(fields, 'source'), chart: chartOf(fields) };
    case 'session':
      return { type: 'subscribe', topic, source: nameOf(fields, 'source'), id: nameOf(fields, 'id') };
    case 'log':
    case 'recordings':
      return { type: 'subscribe', topic };
    default:
      return undefined;
  }
}

function readUnsubscribe(fields: Fields): PageMessage | undefined {
  const { topic } = fields;
  switch (topic) {
    case 'session':
      return { type: 'unsubscribe', topic, source: nameOf(fields, 'source'), id: nameOf(fields, 'id') };
    case 'overview':
    case 'table':
    case 'wall':
    case 'log':
    case 'recordings':
    case 'ended':
      return { type: 'unsubscribe', topic };
    default:
      return undefined;
  }
}

function readView(view: unknown): TableView {
  if (!isObject(view)) throw new MessageError('view is an object');
  const { state } = view;
  if (state !== null && !isObject(state)) throw new MessageError('view.state is an object, or null');
  return {
    from: wholeOf(view, 'from', Number.MAX_SAFE_INTEGER),
    count: wholeOf(view, 'count', LIMITS.rows),
    sort: check(view, 'sort', (sort) => SORT_KEYS.includes(sort as SortKey)) as SortKey,
    descending: check(view, 'descending', (value) => typeof value === 'boolean') as boolean,
    text: check(view, 'text', (text) => typeof text === 'string' && text.length <= TEXT_MAX) as string,
    state: state && { chart: chartOf(state), state: wholeOf(state, 'state', 65_534) },
    longerThanMs: check(view, 'longerThanMs', (ms) => typeof ms === 'number' && ms >= 0) as number,
    hold: check(view, 'hold', (value) => typeof value === 'boolean') as boolean,
  };
}

function readCommand(fields: Fields): PageMessage {
  const { event, confirm } = fields;
  const isIds = (ids: unknown) =>
    Array.isArray(ids) && ids.length > 0 && ids.length <= IDS_MAX && ids.every((id) => isName(id));
  if (event !== undefined && !(isObject(event) && typeof event['type'] === 'string'))
    throw new MessageError('event is an object with a type');
  if (confirm !== undefined && !isName(confirm)) throw new MessageError('confirm is a text');
  return {
    type: 'command',
    ref: check(fields, 'ref', (ref) => typeof ref === 'number') as number,
    what: check(fields, 'what', (what) => COMMANDS.includes(what as CommandKind)) as CommandKind,
    source: nameOf(fields, 'source'),
    // Each once: two of the same would be counted as two.
    ids: [...new Set(check(fields, 'ids', isIds) as string[])],
    ...(event !== undefined && { event: event as { readonly type: string } }),
    ...(confirm !== undefined && { confirm }),
  };
}

function chartOf(fields: Fields): 'session' | 'protocol' {
  return check(fields, 'chart', (chart) => chart === 'session' || chart === 'protocol') as 'session' | 'protocol';
}

function nameOf(fields: Fields, field: string): string {
  return check(fields, field, isName) as string;
}

function wholeOf(fields: Fields, field: string, max: number): number {
  return check(
    fields,
    field,
    (value) => Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) <= max,
  ) as number;
}

function check(fields: Fields, field: string, isRight: (value: unknown) => boolean): unknown {
  const value = fields[field];
  if (isRight(value)) return value;
  throw new MessageError(`${field} is not what it has to be`);
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value.length <= NAME_MAX;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
