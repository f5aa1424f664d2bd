/**
 * One page: what it has subscribed to, and what it was told last.
 *
 * Nothing that a page does, or leaves undone, may grow: it has each topic once, what waits for it is bounded, and when its socket does not
 * take what was sent, nothing more is put into it. After 5 s of that it is dropped; it comes back by itself and begins anew.
 */
import { Allowance } from '../allowance.js';
import type { Place, SessionChart } from '../feed.js';
import { FeedError } from '../feed.js';
import { LIMITS, type PageMessage, type Pairs, type RecordingFile, type ServerMessage } from './messages.js';
import type { LogEntry } from './messages.js';
import { MessageError, readMessage } from './read-message.js';
import { rowOf, type ShownSource } from './shown-source.js';
import { Table } from './table.js';
import { textOf } from './visualizer-error.js';
import { Wall } from './wall.js';
import { SessionView } from './session-view.js';
import type { Command, Outcome } from './commands.js';

/** What a page's socket has to be. */
export interface PageSocket {
  send(data: string | Buffer): void;
  /** Sent, and not with the kernel yet, in bytes. */
  readonly bufferedAmount: number;
  /** Without waiting for the other end. */
  terminate(): void;
}

/** What a page needs of the whole. */
export interface ViewerParts {
  readonly number: number;
  readonly source: (name: string) => ShownSource | undefined;
  readonly command: (viewer: number, command: Command) => Promise<Outcome>;
  /** One that was not even looked at, for the log. */
  readonly noteRefused: (viewer: number, command: Command, text: string) => void;
  readonly logAfter: (n: number) => readonly LogEntry[];
  /** As looked at last; `undefined`: not yet. The same list as long as nothing has changed. */
  readonly recordings: () => readonly RecordingFile[] | undefined;
  readonly nowMs: () => number;
  readonly failed: (error: unknown) => void;
}

/** More than that in its socket: it gets no ticks. */
const BUFFERED_MAX = 262_144;
/** More than that, by answers to what it asks for and does not read: it is dropped. */
const BUFFERED_LIMIT = 4 * 2 ** 20;
const BEHIND_MS = 5_000;
/** Of one page, each second; a page that scrolls sends 60. */
const MESSAGES_PER_SECOND = 200;
/** An overview says at least that often what time it is: each second. All that is timed in ticks is half a tick shorter, so that it waits for none. */
const CLOCK_MS = 950;
const ENDED_MS = 950;
/** Looks at all sessions for the table of one page, each second: one that types a filter needs some. */
const ORDERS_PER_SECOND = 10;
/** Between two answers to a page that scrolls. */
const TABLE_MS = 50;
/** Sessions that have ended, of `ended`: the newest. */
const ENDED_MAX = 500;

interface Overview {
  readonly shown: ShownSource;
  sentAtMs: number;
  hasSamples: boolean;
  places: readonly [owner: Place, sweeper: Place, shared: string] | undefined;
  readonly counts: Record<SessionChart, Int32Array>;
  readonly entered: Record<SessionChart, Float64Array>;
}

interface Ended {
  readonly shown: ShownSource;
  sentAtMs: number;
  text: string;
}

export class Viewer {
  readonly number: number;
  readonly #parts: ViewerParts;
  readonly #socket: PageSocket;
  #isPaused = false;
  #behindSinceMs: number | undefined;
  #isOver = false;
  #overview: Overview | undefined;
  #table: Table | undefined;
  /** When its last question for rows was answered. */
  #tableAtMs = -Infinity;
  #wall: Wall | undefined;
  #ended: Ended | undefined;
  readonly #watched = new Map<string, SessionView>();
  /** Number of the last entry that was sent. */
  #log: number | undefined;
  #wantsRecordings = false;
  #recordings: readonly RecordingFile[] | undefined;
  readonly #messages: Allowance;
  readonly #commands: Allowance;
  readonly #orders: Allowance;

  constructor(socket: PageSocket, parts: ViewerParts) {
    this.number = parts.number;
    this.#socket = socket;
    this.#parts = parts;
    this.#messages = new Allowance(MESSAGES_PER_SECOND);
    this.#commands = new Allowance(LIMITS.commands);
    this.#orders = new Allowance(ORDERS_PER_SECOND);
  }

  /** Whose ages it wants to see. */
  get overviewOf(): ShownSource | undefined {
    return this.#isPaused ? undefined : this.#overview?.shown;
  }

  get wantsRecordings(): boolean {
    return this.#wantsRecordings;
  }

  send(message: ServerMessage): void {
    this.#put(JSON.stringify(message));
  }

  /** For several pages: the same text for all of those that are not behind. */
  sendTick(text: string): void {
    if (!this.#isPaused && !this.#isBehind) this.#put(text);
  }

  /** @param text `undefined`: of a binary message, which says nothing to us, and counts all the same */
  receive(text: string | undefined): void {
    const { failed, nowMs } = this.#parts;
    if (this.#isOver) return;
    if (!this.#messages.take(nowMs())) return this.drop();
    if (text === undefined) return;
    try {
      const message = readMessage(text);
      if (message) this.#obey(message);
    } catch (error) {
      if (!(error instanceof MessageError) && !(error instanceof FeedError)) failed(error);
      this.send({ type: 'error', text: textOf(error) });
    }
  }

  /** Ten times a second. */
  tick(): void {
    if (this.#isOver) return;
    const nowMs = this.#parts.nowMs();
    if (this.#isBehind) {
      this.#behindSinceMs ??= nowMs;
      if (nowMs - this.#behindSinceMs >= BEHIND_MS) this.drop();
      return;
    }
    this.#behindSinceMs = undefined;
    if (this.#isPaused) return;
    // What fails in one topic is no fault of the others.
    this.#try(() => this.#tickOverview(nowMs));
    this.#try(() => this.#table?.tick(nowMs));
    this.#try(() => this.#tickWall());
    this.#try(() => this.#tickEnded(nowMs));
    this.#try(() => this.#tickLog());
    this.#try(() => this.#tickRecordings());
    for (const [key, watched] of this.#watched) {
      const goesOn = this.#try(() => watched.tick(nowMs));
      if (goesOn === true) continue;
      watched.end();
      this.#watched.delete(key);
    }
  }

  /** Lets go of everything. */
  end(): void {
    this.#isOver = true;
    this.#overview = this.#table = this.#ended = undefined;
    this.#wall?.end();
    this.#wall = undefined;
    for (const watched of this.#watched.values()) this.#try(() => watched.end());
    this.#watched.clear();
  }

  drop(): void {
    this.end();
    this.#socket.terminate();
  }

  get #isBehind(): boolean {
    return this.#socket.bufferedAmount > BUFFERED_MAX;
  }

  #put(data: string | Buffer): void {
    if (this.#isOver) return;
    if (this.#socket.bufferedAmount > BUFFERED_LIMIT) return this.drop();
    this.#socket.send(data);
  }

  /** @returns `undefined` when it failed, or returned that */
  #try<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      this.#parts.failed(error);
      return undefined;
    }
  }

  #obey(message: PageMessage): void {
    switch (message.type) {
      case 'subscribe':
        return this.#subscribe(message);
      case 'unsubscribe':
        return this.#unsubscribe(message);
      case 'pause':
        this.#isPaused = message.on;
        return;
      case 'who': {
        const { source, number } = message;
        const session = this.#shown(source).feed.numbered(number);
        return this.send({ type: 'who', source, number, row: session ? rowOf(session) : null });
      }
      case 'command':
        return this.#command(message);
      case 'ping':
        return this.send({ type: 'pong' });
    }
  }

  #subscribe(message: Extract<PageMessage, { type: 'subscribe' }>): void {
    const nowMs = this.#parts.nowMs();
    switch (message.topic) {
      case 'overview':
        this.#overview = overviewOf(this.#shown(message.source));
        if (!this.#isPaused && !this.#isBehind) this.#tickOverview(nowMs);
        return;
      case 'table': {
        const shown = this.#shown(message.source);
        if (!this.#table?.show(shown, message.view))
          this.#table = new Table(shown, message.view, {
            send: (rows) => this.send(rows),
            mayOrder: () => this.#orders.take(this.#parts.nowMs()),
          });
        // At once, unless it asks faster than anybody can read: then with the next tick.
        if (this.#isBehind || nowMs - this.#tableAtMs < TABLE_MS) return;
        this.#tableAtMs = nowMs;
        this.#table.answer(nowMs);
        return;
      }
      case 'wall': {
        const shown = this.#shown(message.source);
        this.#wall?.end();
        this.#wall = new Wall(shown, message.chart);
        return;
      }
      case 'session':
        return this.#watchSession(message, nowMs);
      case 'ended':
        this.#ended = { shown: this.#shown(message.source), sentAtMs: -Infinity, text: '' };
        return;
      case 'log':
        this.#log = 0;
        // Also when it is empty: the page need not wait.
        this.send({ type: 'log', entries: this.#newEntries() });
        return;
      case 'recordings':
        this.#wantsRecordings = true;
        this.#recordings = undefined;
        return;
    }
  }

  #unsubscribe(message: Extract<PageMessage, { type: 'unsubscribe' }>): void {
    switch (message.topic) {
      case 'overview':
        this.#overview = undefined;
        return;
      case 'table':
        this.#table = undefined;
        return;
      case 'wall':
        this.#wall?.end();
        this.#wall = undefined;
        return;
      case 'ended':
        this.#ended = undefined;
        return;
      case 'log':
        this.#log = undefined;
        return;
      case 'recordings':
        this.#wantsRecordings = false;
        return;
      case 'session': {
        const key = keyOf(message);
        this.#watched.get(key)?.end();
        this.#watched.delete(key);
        return;
      }
    }
  }

  #watchSession(message: { readonly source: string; readonly id: string }, nowMs: number): void {
    const shown = this.#shown(message.source);
    const key = keyOf(message);
    this.#watched.get(key)?.end();
    this.#watched.delete(key);
    if (this.#watched.size >= LIMITS.watched)
      throw new MessageError(`a page looks at ${LIMITS.watched} sessions at most`);
    const watched = new SessionView(shown, message.id, nowMs, (answer) => this.send(answer));
    // Its answer may have been one too many: then the page is gone.
    if (this.#isOver) watched.end();
    else this.#watched.set(key, watched);
  }

  #command(command: Command): void {
    const { command: carryOut, noteRefused, nowMs, failed } = this.#parts;
    if (!this.#commands.take(nowMs())) {
      const text = `too many commands: a page may give ${LIMITS.commands} each second`;
      if (this.#commands.beginsBurst) noteRefused(this.number, command, text);
      return this.send({ type: 'result', ref: command.ref, outcome: 'refused', text });
    }
    carryOut(this.number, command).then(
      (outcome) => this.send({ type: 'result', ref: command.ref, ...outcome }),
      (error: unknown) => {
        failed(error);
        this.send({ type: 'result', ref: command.ref, outcome: 'failed', text: textOf(error) });
      },
    );
  }

  #tickOverview(nowMs: number): void {
    const overview = this.#overview;
    if (!overview) return;
    const { shown } = overview;
    const { feed } = shown;
    const { owner, sweeper, shared } = feed.places;
    const sharedText = JSON.stringify(shared);
    const isElsewhere =
      overview.places?.[0] !== owner || overview.places[1] !== sweeper || overview.places[2] !== sharedText;
    const counts = changesOf(feed.population('session').counts, overview.counts.session);
    const protocolCounts = changesOf(feed.population('protocol').counts, overview.counts.protocol);
    const entered = changesOf(feed.population('session').entered, overview.entered.session);
    const protocolEntered = changesOf(feed.population('protocol').entered, overview.entered.protocol);
    const hasCounts = counts.length + protocolCounts.length > 0;
    const hasEntered = entered.length + protocolEntered.length > 0;
    if (!isElsewhere && !hasCounts && !hasEntered && nowMs - overview.sentAtMs < CLOCK_MS) return;
    overview.places = [owner, sweeper, sharedText];
    overview.sentAtMs = nowMs;
    this.send({
      type: 'overview',
      source: shown.name,
      atMs: feed.nowMs(),
      sessions: feed.size,
      ...(isElsewhere && { places: { owner, sweeper, shared } }),
      ...(hasCounts && { counts: { session: counts, protocol: protocolCounts } }),
      ...(hasEntered && { entered: { session: entered, protocol: protocolEntered } }),
    });
    if (overview.hasSamples) return;
    overview.hasSamples = true;
    this.send(shown.samples());
  }

  #tickWall(): void {
    const frame = this.#wall?.frame();
    if (frame) this.#put(frame);
  }

  #tickEnded(nowMs: number): void {
    const ended = this.#ended;
    if (!ended || nowMs - ended.sentAtMs < ENDED_MS) return;
    ended.sentAtMs = nowMs;
    const { shown } = ended;
    const text = JSON.stringify({ source: shown.name, sessions: shown.feed.recent.slice(-ENDED_MAX) });
    if (text === ended.text) return;
    ended.text = text;
    this.#put(`{"type":"ended",${text.slice(1)}`);
  }

  #tickLog(): void {
    if (this.#log === undefined) return;
    const entries = this.#newEntries();
    if (entries.length > 0) this.send({ type: 'log', entries });
  }

  #newEntries(): readonly LogEntry[] {
    const entries = this.#parts.logAfter(this.#log!);
    this.#log = entries.at(-1)?.n ?? this.#log;
    return entries;
  }

  #tickRecordings(): void {
    if (!this.#wantsRecordings) return;
    const files = this.#parts.recordings();
    if (files === undefined || files === this.#recordings) return;
    this.#recordings = files;
    this.send({ type: 'recordings', files });
  }

  #shown(name: string): ShownSource {
    const shown = this.#parts.source(name);
    if (!shown) throw new MessageError(`there is no ${name}`);
    return shown;
  }
}

function keyOf({ source, id }: { readonly source: string; readonly id: string }): string {
  return JSON.stringify([source, id]);
}

function overviewOf(shown: ShownSource): Overview {
  const { session, protocol } = shown.numbers;
  return {
    shown,
    sentAtMs: -Infinity,
    hasSamples: false,
    places: undefined,
    counts: { session: new Int32Array(session.size), protocol: new Int32Array(protocol.size) },
    entered: { session: new Float64Array(session.size), protocol: new Float64Array(protocol.size) },
  };
}

/** @returns what is not as it was, which then is what was */
function changesOf(now: Int32Array | Float64Array, before: Int32Array | Float64Array): Pairs {
  const pairs: number[] = [];
  for (let state = 0; state < before.length; state += 1) {
    const value = now[state]!;
    if (value === before[state]) continue;
    before[state] = value;
    pairs.push(state, value);
  }
  return pairs;
}
