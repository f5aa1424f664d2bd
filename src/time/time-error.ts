/**
 * Errors of the clock, by code:
 * - `ADVANCE_REENTERED`: the virtual clock was to be moved from inside an action, or while an asynchronous advance is under way.
 * - `CLOCK_STUCK`: actions kept scheduling actions for the same virtual moment, or promises kept changing there, so the clock could never go on.
 * - `NEVER`: what a run was to go on until did not come about.
 * - `PROMISE_PENDING`: the virtual clock was to be moved while the runtime waits for a promise, which it names.
 * - `WHEEL_DISPOSED`: an entry was added to a wheel after its `dispose`.
 */
export class TimeError extends Error {
  override readonly name = 'TimeError';

  constructor(
    readonly code: 'ADVANCE_REENTERED' | 'CLOCK_STUCK' | 'NEVER' | 'PROMISE_PENDING' | 'WHEEL_DISPOSED',
    message: string,
  ) {
    super(message);
  }
}

/** Errors whose texts an `AggregateError` repeats. */
const SHOWN_MAX = 3;

/** Throws what was collected: nothing, the one error as it is, or an `AggregateError` in the order of occurrence. */
export function throwCollected(errors: readonly unknown[], what: string): void {
  if (errors.length === 0) return;
  if (errors.length === 1) throw errors[0];
  const texts = errors.slice(0, SHOWN_MAX).map((error) => (error instanceof Error ? error.message : String(error)));
  const more = errors.length > SHOWN_MAX ? '; ...' : '';
  throw new AggregateError(errors, `${errors.length} ${what} threw: ${texts.join('; ')}${more}`);
}
