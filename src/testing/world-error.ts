/** What a world finds wrong. */

export type WorldErrorCode =
  /** Something that always holds did not: the message names it, and where. */
  | 'PROPERTY_BROKEN'
  /** The faults have stopped, and something that was closing is still not closed. */
  | 'NOT_LIVE'
  /** The world has ended, and timers, subscriptions, sessions, sockets or promises are still there. */
  | 'LEFT_BEHIND'
  /** One seed gave two traces. */
  | 'NOT_DETERMINISTIC';

/** The message has the seed and the end of the trace in it. */
export class WorldError extends Error {
  override readonly name = 'WorldError';
  constructor(
    readonly code: WorldErrorCode,
    message: string,
    /** Id of the session that it is about, if it is one's. */
    readonly session?: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
