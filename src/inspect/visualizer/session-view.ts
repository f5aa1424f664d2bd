/** A session that one page looks at: what happens in it, line by line, and its vital signs. */
import type { RecordingLine, Watch } from '../feed.js';
import { LIMITS, type ServerMessage } from './messages.js';
import { rowOf, type ShownSource } from './shown-source.js';

/** Between two looks at the vital signs while nothing happens: five ticks, less half a one. */
const VITALS_MS = 450;

export class SessionView {
  readonly #shown: ShownSource;
  readonly #id: string;
  readonly #send: (message: ServerMessage) => void;
  readonly #watch: Watch | undefined;
  /** Not sent yet. A page that is slow, or hidden, misses the oldest: lines are numbered, so it can see that. */
  #lines: RecordingLine[] = [];
  #isOver = false;
  #vitalsAtMs: number;

  /** @throws {FeedError} WATCHERS_TOO_MANY */
  constructor(shown: ShownSource, id: string, nowMs: number, send: (message: ServerMessage) => void) {
    this.#shown = shown;
    this.#id = id;
    this.#send = send;
    this.#vitalsAtMs = nowMs;
    const session = shown.feed.session(id);
    if (!session) {
      this.#isOver = true;
      this.#sayGone();
      return;
    }
    this.#watch = shown.feed.watch(id, { line: (line) => this.#take(line), ended: () => (this.#isOver = true) });
    const lines = lastOf(this.#watch.lines).map(withinBounds);
    send({ type: 'detail', source: shown.name, id, row: rowOf(session), lines, vitals: this.#watch.vitals() });
  }

  /** @returns false when there is no more to come */
  tick(nowMs: number): boolean {
    const { name } = this.#shown;
    const id = this.#id;
    const hasLines = this.#lines.length > 0;
    if (hasLines) this.#send({ type: 'lines', source: name, id, lines: this.#lines.splice(0).map(withinBounds) });
    if (this.#isOver) {
      if (this.#watch) this.#sayGone();
      return false;
    }
    if (hasLines || nowMs - this.#vitalsAtMs >= VITALS_MS) {
      this.#vitalsAtMs = nowMs;
      this.#send({ type: 'vitals', source: name, id, vitals: this.#watch!.vitals() });
    }
    return true;
  }

  end(): void {
    this.#watch?.stop();
    this.#lines = [];
  }

  #take(line: RecordingLine): void {
    this.#lines.push(line);
    if (this.#lines.length > LIMITS.lines) this.#lines.shift();
  }

  #sayGone(): void {
    const ended = this.#shown.feed.recent.findLast(({ id }) => id === this.#id) ?? null;
    this.#send({ type: 'gone', source: this.#shown.name, id: this.#id, ended });
  }
}

/** Fields that say what a line is about: never left out. */
const KEPT = ['n', 'atMs', 'kind', 'chart', 'origin', 'state', 'taken', 'code', 'name'];
/** Of one of those, in characters. */
const KEPT_MAX = 2_000;

/** @returns the line, or, when it is longer than `LIMITS.lineBytes`, what it is about, with sizes for the rest */
function withinBounds(line: RecordingLine): RecordingLine {
  const text = JSON.stringify(line);
  // Its length in characters is at most its length in bytes, and at least a third of it.
  if (text.length <= LIMITS.lineBytes / 3 || Buffer.byteLength(text) <= LIMITS.lineBytes) return line;
  const bounded = Object.entries(line).map(([field, value]) => {
    const size = (JSON.stringify(value) ?? '').length;
    if (KEPT.includes(field) && size <= KEPT_MAX) return [field, value];
    if (size <= 200) return [field, value];
    const type = (value as { type?: unknown } | null)?.type;
    const named = field === 'event' && typeof type === 'string' ? { type: type.slice(0, 200) } : {};
    return [field, { ...named, $elided: `${size} characters` }];
  });
  return Object.fromEntries(bounded) as RecordingLine;
}

/** Header and checkpoint say what the others are about: of too many lines those in between are left out. */
function lastOf(lines: readonly RecordingLine[]): readonly RecordingLine[] {
  return lines.length <= LIMITS.lines ? lines : [...lines.slice(0, 2), ...lines.slice(2 - LIMITS.lines)];
}
