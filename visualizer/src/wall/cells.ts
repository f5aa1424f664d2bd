/**
 * The sessions of the wall, in the order of their arrival, each with its state. A cell keeps its place as long as its session lives; that of a
 * session that is gone stays empty until enough are, since cells that move under the pointer cannot be pointed at.
 */
import { WALL } from '../../../src/inspect/visualizer/messages.js';

/** Gaps close when they are more than this part of all cells ... */
const GAPS_SHARE_MAX = 0.25;
/** ... and more than a few. */
const GAPS_MIN = 64;

export const EMPTY = WALL.gone;

export class Cells {
  /** Cells, gaps included. */
  length = 0;
  live = 0;
  /** Nothing is known until a frame has told all. */
  isKnown = false;
  /** Number of the session in each cell. */
  numbers = new Uint32Array(1_024);
  /** Its state, or `EMPTY`. */
  states = new Uint16Array(1_024);
  readonly counts = new Map<number, number>();
  readonly #cellOf = new Map<number, number>();

  /** @returns cells that have changed; `all` when they have changed their places, or there are others */
  take(frame: DataView): readonly number[] | 'all' {
    const isWhole = frame.getUint8(0) === WALL.all;
    if (isWhole) this.clear();
    if (!this.isKnown && !isWhole) return [];
    this.isKnown = true;
    const length = frame.getUint32(4, true);
    const changed: number[] = [];
    for (let n = 0, at: number = WALL.headerBytes; n < length; n += 1, at += WALL.cellBytes) {
      const cell = this.#set(frame.getUint32(at, true), frame.getUint16(at + 4, true));
      if (cell >= 0) changed.push(cell);
    }
    return this.#closeGaps() || isWhole ? 'all' : changed;
  }

  clear(): void {
    this.length = 0;
    this.live = 0;
    this.isKnown = false;
    this.counts.clear();
    this.#cellOf.clear();
  }

  /** -1: it is not there. */
  cellOf(number: number): number {
    return this.#cellOf.get(number) ?? -1;
  }

  /** @returns the cell; -1 when it was not there and does not come */
  #set(number: number, state: number): number {
    let cell = this.#cellOf.get(number);
    if (cell === undefined) {
      if (state === EMPTY) return -1;
      cell = this.length;
      if (cell === this.numbers.length) this.#grow();
      this.length += 1;
      this.live += 1;
      this.#cellOf.set(number, cell);
      this.numbers[cell] = number;
    } else {
      this.#count(this.states[cell]!, -1);
    }
    this.states[cell] = state;
    if (state === EMPTY) {
      this.#cellOf.delete(number);
      this.live -= 1;
    } else {
      this.#count(state, 1);
    }
    return cell;
  }

  #count(state: number, by: number): void {
    this.counts.set(state, (this.counts.get(state) ?? 0) + by);
  }

  #grow(): void {
    const [numbers, states] = [this.numbers, this.states];
    this.numbers = new Uint32Array(numbers.length * 2);
    this.states = new Uint16Array(states.length * 2);
    this.numbers.set(numbers);
    this.states.set(states);
  }

  #closeGaps(): boolean {
    const gaps = this.length - this.live;
    if (gaps <= GAPS_MIN || gaps <= this.length * GAPS_SHARE_MAX) return false;
    let to = 0;
    for (let cell = 0; cell < this.length; cell += 1) {
      const state = this.states[cell]!;
      if (state === EMPTY) continue;
      const number = this.numbers[cell]!;
      this.numbers[to] = number;
      this.states[to] = state;
      this.#cellOf.set(number, to);
      to += 1;
    }
    this.length = to;
    return true;
  }
}
