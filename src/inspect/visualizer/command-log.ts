/** Who asked for what, and what became of it: the last 500 entries, also of what was refused. */
import type { LogEntry } from './messages.js';

export const LOG_MAX = 500;
/** Ids of one entry. */
const IDS_MAX = 10;

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
    const { ids } = entry;
    this.#n += 1;
    const whole = { ...entry, n: this.#n, ids: ids.slice(0, IDS_MAX).map((id) => id.slice(0, 200)), count: ids.length };
    this.#entries = [...this.#entries.slice(1 - LOG_MAX), whole];
    return whole;
  }
}
