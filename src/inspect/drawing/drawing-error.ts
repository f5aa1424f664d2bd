/** A chart cannot be drawn. */

export type DrawingErrorCode =
  /** An option is none, or has a value that it cannot have. */
  | 'OPTION_INVALID'
  /** What was to be drawn is neither an XState machine nor a `Chart`. */
  | 'CHART_INVALID'
  /** No place was found for its states: a fault of the layout library. `cause` has its own words. */
  | 'LAYOUT_FAILED';

export class DrawingError extends Error {
  override readonly name = 'DrawingError';
  constructor(
    readonly code: DrawingErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
