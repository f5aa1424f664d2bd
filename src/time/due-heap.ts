/**
 * What waits for a moment, in the order in which the moments come: a binary heap whose items know their own place.
 *
 * The choice here: an item carries its index, so that a cancelled one is taken out at once in O(log n). Marking it and
 * skipping it later would be simpler, but a wait that is set and cancelled a million times would keep a million items.
 */

/** An item of the heap. Order: `dueMs`, then `rank`, then `sequence`; none may change while the item is in the heap. */
export interface Due {
  /** The moment, in ms of the clock that the heap belongs to; `Infinity` sorts last. */
  dueMs: number;
  /** Which class goes first at the same moment; smaller is earlier. */
  rank: number;
  /** Number of insertion. */
  sequence: number;
  /** Kept by the heap; start it at `NOT_IN_HEAP`. */
  heapIndex: number;
}

export const NOT_IN_HEAP = -1;

/** @returns whether `a` comes before `b`. */
export function comesBefore(a: Due, b: Due): boolean {
  if (a.dueMs !== b.dueMs) return a.dueMs < b.dueMs;
  if (a.rank !== b.rank) return a.rank < b.rank;
  return a.sequence < b.sequence;
}

export class DueHeap<T extends Due> {
  readonly #items: T[] = [];

  get size(): number {
    return this.#items.length;
  }

  /** @returns the item that comes first, left in its place; `undefined` when the heap is empty. */
  peek(): T | undefined {
    return this.#items[0];
  }

  push(item: T): void {
    this.#items.push(item);
    this.#rise(item, this.#items.length - 1);
  }

  /** Takes the item out; one that is not in this heap is left alone. @returns whether it was in. */
  remove(item: T): boolean {
    const index = item.heapIndex;
    if (index < 0 || this.#items[index] !== item) return false;
    item.heapIndex = NOT_IN_HEAP;
    const last = this.#items.pop()!;
    if (last !== item) {
      // The last item fills the gap. It may belong above or below it: it comes from another branch.
      this.#rise(last, index);
      this.#sink(last, last.heapIndex);
    }
    return true;
  }

  /** @returns all items in order, as a new array; the heap is not changed. */
  sorted(): T[] {
    return [...this.#items].sort((a, b) => (comesBefore(a, b) ? -1 : 1));
  }

  #rise(item: T, from: number): void {
    const items = this.#items;
    let index = from;
    while (index > 0) {
      const above = (index - 1) >> 1;
      const parent = items[above]!;
      if (!comesBefore(item, parent)) break;
      items[index] = parent;
      parent.heapIndex = index;
      index = above;
    }
    items[index] = item;
    item.heapIndex = index;
  }

  #sink(item: T, from: number): void {
    const items = this.#items;
    const end = items.length;
    let index = from;
    for (;;) {
      let below = 2 * index + 1;
      if (below >= end) break;
      if (below + 1 < end && comesBefore(items[below + 1]!, items[below]!)) below += 1;
      const child = items[below]!;
      if (!comesBefore(child, item)) break;
      items[index] = child;
      child.heapIndex = index;
      index = below;
    }
    items[index] = item;
    item.heapIndex = index;
  }
}
