/** The wall of one page: the state of every session, in six bytes each. */
import type { Subscription } from 'rxjs';
import type { FeedSession, SessionChart } from '../feed.js';
import { WALL } from './messages.js';
import type { ShownSource } from './shown-source.js';

/** Changes that wait for a slow page; beyond that all cells at once are cheaper, and bounded. */
const CHANGES_MAX = 100_000;

export class Wall {
  readonly #shown: ShownSource;
  readonly #chart: SessionChart;
  readonly #changed = new Map<number, number>();
  readonly #changes: Subscription;
  #needsAll = true;

  constructor(shown: ShownSource, chart: SessionChart) {
    this.#shown = shown;
    this.#chart = chart;
    this.#changes = shown.feed.changes.subscribe(({ type, session }) => {
      if (this.#needsAll) return;
      this.#changed.set(session.number, type === 'removed' ? WALL.gone : this.#stateOf(session));
      if (this.#changed.size > CHANGES_MAX) this.#startOver();
    });
  }

  get isOf(): { readonly shown: ShownSource; readonly chart: SessionChart } {
    return { shown: this.#shown, chart: this.#chart };
  }

  /** @returns `undefined` when nothing has changed */
  frame(): Buffer | undefined {
    if (this.#needsAll) {
      this.#needsAll = false;
      const cells = new Map<number, number>();
      for (const session of this.#shown.feed.sessions()) cells.set(session.number, this.#stateOf(session));
      return frameOf(WALL.all, cells);
    }
    if (this.#changed.size === 0) return undefined;
    const frame = frameOf(WALL.changed, this.#changed);
    this.#changed.clear();
    return frame;
  }

  end(): void {
    this.#changes.unsubscribe();
    this.#changed.clear();
  }

  #startOver(): void {
    this.#changed.clear();
    this.#needsAll = true;
  }

  #stateOf(session: FeedSession): number {
    return this.#shown.numbers[this.#chart].first(session[this.#chart]);
  }
}

function frameOf(kind: number, cells: ReadonlyMap<number, number>): Buffer {
  const frame = Buffer.alloc(WALL.headerBytes + cells.size * WALL.cellBytes);
  frame.writeUInt8(kind, 0);
  frame.writeUInt32LE(cells.size, 4);
  let at: number = WALL.headerBytes;
  for (const [number, state] of cells) {
    frame.writeUInt32LE(number, at);
    frame.writeUInt16LE(state, at + 4);
    at += WALL.cellBytes;
  }
  return frame;
}
