import fc from 'fast-check';
import { expect, test } from 'vitest';
import { comesBefore, DueHeap, NOT_IN_HEAP, type Due } from '../../src/time/due-heap.js';

const item = (dueMs: number, sequence: number, rank = 0): Due => ({ dueMs, rank, sequence, heapIndex: NOT_IN_HEAP });

test('an item that is not in the heap, or is in another one, is left alone', () => {
  const heap = new DueHeap<Due>();
  const other = new DueHeap<Due>();
  const there = item(1, 0);
  other.push(there);
  heap.push(item(2, 1));
  expect([heap.remove(item(3, 2)), heap.remove(there)]).toEqual([false, false]);
  expect([heap.size, other.size]).toEqual([1, 1]);
});

test('up to 200 items, some removed in any order, come out by due time, rank and number of insertion', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(50), fc.nat(1)), { maxLength: 200, size: 'max' }),
      fc.array(fc.nat(199), { maxLength: 200, size: 'max' }),
      (inputs, removals) => {
        const heap = new DueHeap<Due>();
        const items = inputs.map(([dueMs, rank], sequence) => item(dueMs, sequence, rank));
        for (const each of items) heap.push(each);
        const left = new Set(items);
        for (const index of removals) {
          const each = items[index];
          if (each !== undefined) expect(heap.remove(each)).toBe(left.delete(each));
        }
        const expected = [...left].sort((a, b) => (comesBefore(a, b) ? -1 : 1));
        expect(heap.sorted()).toEqual(expected);
        const drained: Due[] = [];
        for (let first = heap.peek(); first !== undefined; first = heap.peek()) {
          drained.push(first);
          heap.remove(first);
        }
        expect(drained).toEqual(expected);
      },
    ),
  );
});
