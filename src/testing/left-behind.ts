/** What a test that is over must not leave on its clock. */
import type { VirtualTime } from '../time/virtual-time.js';
import { WorldError } from './world-error.js';

/** @throws {WorldError} LEFT_BEHIND when something is still pending on the clock, or the runtime still waits for a promise: it names them. */
export function checkNothingLeft(time: VirtualTime): void {
  const timers = time.pending.map(({ dueMs, kind }) => `a ${kind} that is due at ${dueMs} ms`);
  const promises = time.heldPromises.map((name) => `a promise: ${name}`);
  const left = [...promises, ...timers];
  if (left.length === 0) return;
  throw new WorldError('LEFT_BEHIND', `at ${time.now()} ms the test has ended, and left behind: ${left.join('; ')}`);
}
