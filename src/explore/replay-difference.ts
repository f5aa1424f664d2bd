/** Where a replay and its recording part. */
import type { ChartName } from '../inspect/recording.js';

export type DifferenceKind =
  | `${ChartName} state`
  | `${ChartName} command`
  | `${ChartName} context`
  | `${ChartName} failure`
  | 'codec'
  | 'decoded message'
  | 'encoded bytes';

/** Thrown inside of a replay by whatever meets the first one; never leaves it. */
export class Difference extends Error {
  override readonly name = 'Difference';
  constructor(
    readonly what: DifferenceKind,
    /** As recorded; `undefined`: nothing. */
    readonly expected: unknown,
    /** As replayed. */
    readonly actual: unknown,
  ) {
    super(what);
  }
}
