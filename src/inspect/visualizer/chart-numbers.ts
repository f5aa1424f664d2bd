/** What the numbers of a chart's states mean: which are innermost, and which one stands for a session where only one can be shown. */
import type { Chart } from '../drawing/chart.js';
import type { Place } from '../feed.js';

interface Leaves {
  /** Of the first region; 0 where nothing is active. */
  readonly first: number;
  readonly all: readonly number[];
}

export class ChartNumbers {
  readonly size: number;
  readonly #parents: readonly number[];
  readonly #isLeaf: readonly boolean[];
  /** A feed has one array for each place that there is. */
  readonly #leaves = new WeakMap<Place, Leaves>();

  constructor({ states }: Chart) {
    const numbers = new Map(states.map(({ id }, number) => [id, number]));
    this.size = states.length;
    this.#parents = states.map(({ parent }) => (parent === null ? -1 : numbers.get(parent)!));
    this.#isLeaf = states.map(({ type }) => type === 'atomic' || type === 'final');
  }

  /** The innermost state of the first region. */
  first(place: Place): number {
    return this.#of(place).first;
  }

  /** The innermost states of all regions. */
  leaves(place: Place): readonly number[] {
    return this.#of(place).all;
  }

  #of(place: Place): Leaves {
    let leaves = this.#leaves.get(place);
    if (!leaves) {
      let first = 0;
      // A state comes after those around it, and the first region before the second.
      for (const state of place) if (this.#parents[state] === first) first = state;
      leaves = { first, all: place.filter((state) => this.#isLeaf[state]) };
      this.#leaves.set(place, leaves);
    }
    return leaves;
  }
}
