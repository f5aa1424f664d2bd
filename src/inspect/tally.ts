/** How many sessions are in which state of one chart, kept up by what each of them tells of its moves. */
import type { Place } from '../engine/places.js';
import type { Population } from './feed.js';

export class Tally implements Population {
  readonly counts: Int32Array;
  readonly entered: Float64Array;

  /** @param size states of the chart, itself among them */
  constructor(size: number) {
    this.counts = new Int32Array(size);
    this.entered = new Float64Array(size);
  }

  /** @param hasEntered it has just begun, and was not there before anybody counted */
  add(place: Place, hasEntered: boolean): void {
    this.#come(0, hasEntered);
    for (let index = 0; index < place.length; index += 1) this.#come(place[index]!, hasEntered);
  }

  remove(place: Place): void {
    this.counts[0]! -= 1;
    for (let index = 0; index < place.length; index += 1) this.counts[place[index]!]! -= 1;
  }

  /** Both ascend, so that one pass finds what is in one of them alone. */
  move(before: Place, after: Place): void {
    let left = 0;
    let entered = 0;
    while (left < before.length || entered < after.length) {
      const from = left < before.length ? before[left]! : Infinity;
      const to = entered < after.length ? after[entered]! : Infinity;
      if (from < to) this.counts[from]! -= 1;
      else if (to < from) this.#come(to, true);
      if (from <= to) left += 1;
      if (to <= from) entered += 1;
    }
  }

  #come(state: number, hasEntered: boolean): void {
    this.counts[state]! += 1;
    if (hasEntered) this.entered[state]! += 1;
  }
}
