/** The descriptors of one simulated process: always the lowest free number, as POSIX asks of open(2), socket(2) and accept(2). */
import type { DescriptorUse } from '../socket-layer.js';

/** Standard input, output and error. */
const FIRST = 3;

export class DescriptorTable {
  /** Freed numbers below `#next`, smallest first: a binary heap. */
  readonly #freed: number[] = [];
  #next = FIRST;

  /** @param limit the soft limit; it may be changed while descriptors are in use, and then binds what is opened next. */
  constructor(public limit: number) {}

  get use(): DescriptorUse {
    return { limit: this.limit, used: this.#next - this.#freed.length };
  }

  /** @returns the lowest free number; `undefined` when the limit leaves none. */
  take(): number | undefined {
    const lowest = this.#freed[0] ?? this.#next;
    if (lowest >= this.limit) return undefined;
    if (this.#freed.length > 0) this.#popFreed();
    else this.#next += 1;
    return lowest;
  }

  free(descriptor: number): void {
    const heap = this.#freed;
    let index = heap.length;
    heap.push(descriptor);
    while (index > 0) {
      const above = (index - 1) >> 1;
      if (heap[above]! <= descriptor) break;
      heap[index] = heap[above]!;
      index = above;
    }
    heap[index] = descriptor;
  }

  #popFreed(): void {
    const heap = this.#freed;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let index = 0;
    for (;;) {
      let below = 2 * index + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && heap[below + 1]! < heap[below]!) below += 1;
      if (heap[below]! >= last) break;
      heap[index] = heap[below]!;
      index = below;
    }
    heap[index] = last;
  }
}
