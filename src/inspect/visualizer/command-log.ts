/** Who asked for what, and what became of it: the last 500 entries, also of what was refused. */
import type { LogEntry } from './messages.js';

export const LOG_MAX = 500;
/** Ids of one entry. */
const IDS_MAX = 10;
/** Of a name, an id or a type, in characters. */
const NAME_MAX = 200;
/** A chart's refusal may quote what it was sent, and that is as long as a message. */
const TEXT_MAX = 1_000;

export class CommandLog {
  #entries: readonly LogEntry[] = [];
  #n = 0;

  get entries(): readonly LogEntry[] {
    return this.#entries;
  }

  /** Those after number `n`. */
  after(n: number): readonly LogEntry[] {
    return this.#entries.filter((entry) => entry.n > n);
  }

  /** @param ids all of them */
  add(entry: Omit<LogEntry, 'n' | 'count'>): LogEntry {
    const { ids, source, event, text } = entry;
    this.#n += 1;
    const whole = {
      ...entry,
      n: this.#n,
      source: cut(source, NAME_MAX),
      ids: ids.slice(0, IDS_MAX).map((id) => cut(id, NAME_MAX)),
      count: ids.length,
      event: event && cut(event, NAME_MAX),
      text: cut(text, TEXT_MAX),
    };
    this.#entries = withinBound([...this.#entries, whole]);
    return whole;
  }
}

/** One too many costs whoever has the most of them his oldest: nobody talks the others out of the log. */
function withinBound(entries: readonly LogEntry[]): readonly LogEntry[] {
  if (entries.length <= LOG_MAX) return entries;
  const counts = new Map<number, number>();
  for (const { viewer } of entries) counts.set(viewer, (counts.get(viewer) ?? 0) + 1);
  const most = Math.max(...counts.values());
  const oldest = entries.findIndex(({ viewer }) => counts.get(viewer) === most);
  return entries.toSpliced(oldest, 1);
}

function cut(text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, max - 1)}…`;
}
