/** A recording cannot be read, or not be kept. */

export type RecordingErrorCode =
  /** It is no recording, or a line of it is broken: `line` says which. */
  | 'FORMAT_INVALID'
  /** It is of a version that this package does not read. */
  | 'VERSION_UNKNOWN'
  /** There is no folder of that name, and none could be made, or it cannot be written to. */
  | 'FOLDER_UNUSABLE';

/** `line`: of the file, from 1 on, where it is one line's fault. */
export class RecordingError extends Error {
  override readonly name = 'RecordingError';
  constructor(
    readonly code: RecordingErrorCode,
    message: string,
    readonly line?: number,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
