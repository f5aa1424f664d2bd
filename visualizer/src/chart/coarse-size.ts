/** Sizes in steps: a chart is laid out anew where its panel has become another one, not with every pixel. */
import type { Size } from './layout-plan.js';

/** Each is so many times the one before. */
const STEP = 1.1;

/** One that still has room is kept until there is clearly more of it: a panel at the edge between two is not laid out to and fro. */
export function coarseSize(room: Size, before: Size | undefined): Size {
  const next = { width: stepBelow(room.width), height: stepBelow(room.height) };
  if (!before) return next;
  const fits = (length: number, kept: number) => kept <= length && length < kept * STEP * STEP;
  return fits(room.width, before.width) && fits(room.height, before.height) ? before : next;
}

function stepBelow(length: number): number {
  const steps = Math.floor(Math.log(Math.max(1, length)) / Math.log(STEP) + 1e-9);
  return Math.floor(STEP ** steps);
}
