/**
 * The table of sessions of one page: which rows are in it and in which order is decided here, over all sessions, and of the rows those
 * alone are sent that the page shows.
 */
import { isIPv4 } from 'node:net';
import type { FeedSession, SessionChart } from '../feed.js';
import type { ServerMessage, TableView } from './messages.js';
import { rowOf, type ShownSource } from './shown-source.js';

/** Between two looks at all sessions: five ticks, less half a one, so that it waits for none. */
const ORDER_MS = 450;
/** Between two looks at the rows that are shown: two ticks. */
const ROWS_MS = 150;

export interface TableParts {
  readonly send: (message: ServerMessage) => void;
  /** All sessions may be looked at once more: a page that asks for another order again and again has to wait for it. */
  readonly mayOrder: () => boolean;
}

export class Table {
  readonly #shown: ShownSource;
  readonly #parts: TableParts;
  #view: TableView;
  /** Numbers of the sessions that match, in order. */
  #order: readonly number[] = [];
  #total = 0;
  #orderedAtMs = -Infinity;
  #rowsAtMs = -Infinity;
  /** The view is another one than the order was made for. */
  #isStale = true;
  /** What the page was told last. */
  #orderText = '';
  #rowTexts = new Map<string, string>();
  /** Ids, for sessions of a held order that are gone. */
  #ids = new Map<number, string>();

  constructor(shown: ShownSource, view: TableView, parts: TableParts) {
    this.#shown = shown;
    this.#view = view;
    this.#parts = parts;
  }

  /** @returns false when it is a table of another server, which is a new one */
  show(shown: ShownSource, view: TableView): boolean {
    if (shown !== this.#shown) return false;
    this.#isStale ||= filterOf(view) !== filterOf(this.#view);
    this.#view = view;
    return true;
  }

  /** The page waits for it. */
  answer(nowMs: number): void {
    this.#look(nowMs, true);
  }

  tick(nowMs: number): void {
    this.#look(nowMs, false);
  }

  #look(nowMs: number, isAsked: boolean): void {
    const isDue = !this.#view.hold && nowMs - this.#orderedAtMs >= ORDER_MS;
    if ((this.#isStale || isDue) && this.#parts.mayOrder()) {
      this.#order = orderOf(this.#shown, this.#view);
      this.#total = this.#shown.feed.size;
      this.#orderedAtMs = nowMs;
      this.#isStale = false;
    }
    if (this.#isStale) return;
    const hasMoved = this.#sendOrder();
    if (!hasMoved && !isAsked && nowMs - this.#rowsAtMs < ROWS_MS) return;
    this.#rowsAtMs = nowMs;
    this.#sendRows();
  }

  get #inView(): readonly number[] {
    return this.#order.slice(this.#view.from, this.#view.from + this.#view.count);
  }

  /** @returns true when the rows in view are others */
  #sendOrder(): boolean {
    const { feed, name } = this.#shown;
    const ids = new Map<number, string>();
    for (const number of this.#inView) {
      const id = feed.numbered(number)?.id ?? this.#ids.get(number);
      if (id !== undefined) ids.set(number, id);
    }
    this.#ids = ids;
    const order = {
      total: this.#total,
      matching: this.#order.length,
      from: this.#view.from,
      ids: [...ids.values()],
    };
    const text = JSON.stringify(order);
    if (text === this.#orderText) return false;
    this.#orderText = text;
    this.#parts.send({ type: 'order', source: name, atMs: feed.nowMs(), ...order });
    return true;
  }

  #sendRows(): void {
    const { feed, name } = this.#shown;
    const texts = new Map<string, string>();
    const rows = [];
    for (const [number, id] of this.#ids) {
      const session = feed.numbered(number);
      const before = this.#rowTexts.get(id);
      if (!session) {
        if (before !== undefined) texts.set(id, before);
        continue;
      }
      const row = rowOf(session);
      const text = JSON.stringify(row);
      texts.set(id, text);
      if (text !== before) rows.push(row);
    }
    this.#rowTexts = texts;
    if (rows.length > 0) this.#parts.send({ type: 'rows', source: name, atMs: feed.nowMs(), rows });
  }
}

/** What decides about the order, and not what of it is shown. */
function filterOf({ sort, descending, text, state, longerThanMs }: TableView): string {
  return JSON.stringify([sort, descending, text, state, longerThanMs]);
}

function orderOf(shown: ShownSource, view: TableView): readonly number[] {
  const { feed } = shown;
  const nowMs = feed.nowMs();
  const text = view.text.trim().toLowerCase();
  const found: FeedSession[] = [];
  for (const session of feed.sessions()) if (matches(session, view, { text, nowMs })) found.push(session);
  const numbers = found.map(({ number }) => number);
  if (view.sort === 'age') {
    // The order of arrival is by age, the oldest first.
    return view.descending ? numbers : numbers.reverse();
  }
  const keys = found.map((session) => keyOf(session, shown, view.sort));
  const places = found.map((_, place) => place);
  const sign = view.descending ? -1 : 1;
  // Equal ones stay in the order of arrival: a sort of its own for each row would make them jump.
  places.sort((a, b) => sign * compare(keys[a]!, keys[b]!) || a - b);
  return places.map((place) => numbers[place]!);
}

function matches(
  session: FeedSession,
  { state, longerThanMs }: TableView,
  { text, nowMs }: { readonly text: string; readonly nowMs: number },
): boolean {
  if (state && !session[state.chart].includes(state.state)) return false;
  if (longerThanMs > 0 && nowMs - sinceOf(session, state?.chart) <= longerThanMs) return false;
  if (text === '') return true;
  const { id, key, peer } = session;
  return (
    id.toLowerCase().includes(text) || peer.toLowerCase().includes(text) || (key?.toLowerCase().includes(text) ?? false)
  );
}

/** Without a chart: since when neither has moved. */
function sinceOf({ sessionSinceMs, protocolSinceMs }: FeedSession, chart: SessionChart | undefined): number {
  if (chart === 'session') return sessionSinceMs;
  return chart === 'protocol' ? protocolSinceMs : Math.max(sessionSinceMs, protocolSinceMs);
}

function keyOf(session: FeedSession, { numbers, feed }: ShownSource, sort: TableView['sort']): number | string {
  switch (sort) {
    case 'id':
      return /^\d{1,15}$/.test(session.id) ? Number(session.id) : session.id;
    case 'peer':
      return addressKey(session);
    case 'state':
      return numbers.session.first(session.session) * 65_536 + numbers.protocol.first(session.protocol);
    case 'stateAge':
      return feed.nowMs() - sinceOf(session, undefined);
    case 'received':
      return session.bytesReceived;
    case 'sent':
      return session.bytesSent;
    case 'waits':
      return session.waitsEndAtMs ?? Infinity;
    case 'age':
      return session.number;
  }
}

/** A session's peer stays the same, and there are thousands to be sorted again and again. */
const addressKeys = new WeakMap<FeedSession, number | string>();

function addressKey(session: FeedSession): number | string {
  let key = addressKeys.get(session);
  if (key === undefined) addressKeys.set(session, (key = makeAddressKey(session.peer)));
  return key;
}

/** `10.0.0.9:80` before `10.0.0.10:80`: its number, below 2^48. */
function makeAddressKey(peer: string): number | string {
  const colon = peer.lastIndexOf(':');
  const address = peer.slice(0, colon);
  if (colon < 0 || !isIPv4(address)) return peer;
  const number = address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
  return number * 65_536 + Number(peer.slice(colon + 1));
}

/** Numbers before texts. */
function compare(a: number | string, b: number | string): number {
  if (a === b) return 0;
  if (typeof a !== typeof b) return typeof a === 'number' ? -1 : 1;
  return a < b ? -1 : 1;
}
