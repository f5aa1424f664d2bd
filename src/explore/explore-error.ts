/** What keeps an exploration from being done at all; what it finds in a protocol is a finding, never thrown. */

export type ExploreErrorCode =
  /** The server of a path could not be started or stopped on the simulated network. */
  | 'SERVER_FAILED'
  /** No request of a protocol that was tried got an answer: `probeOf`. */
  | 'NO_ANSWER'
  /** An attack is for loopback addresses of this machine alone. Nothing was sent. */
  | 'NOT_LOOPBACK'
  /** Nobody takes connections where an attack was to go. */
  | 'UNREACHABLE';

export class ExploreError extends Error {
  override readonly name = 'ExploreError';
  constructor(
    readonly code: ExploreErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
