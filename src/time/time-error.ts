/**
 * Errors of the clock, by code:
 * - `ADVANCE_REENTERED`: an action tried to move the virtual clock that is just running it.
 * - `CLOCK_STUCK`: actions kept scheduling actions for the same virtual moment, so the clock could never go on.
 * - `WHEEL_DISPOSED`: an entry was added to a wheel after its `dispose`.
 */
export class TimeError extends Error {
  override readonly name = 'TimeError';

  constructor(
    readonly code: 'ADVANCE_REENTERED' | 'CLOCK_STUCK' | 'WHEEL_DISPOSED',
    message: string,
  ) {
    super(message);
  }
}

/** Throws what was collected: nothing, the one error as it is, or an `AggregateError` in the order of occurrence. */
export function throwCollected(errors: readonly unknown[], what: string): void {
  if (errors.length === 0) return;
  if (errors.length === 1) throw errors[0];
  throw new AggregateError(errors, `${errors.length} ${what} threw`);
}
