/** What goes wrong with a visualizer, and never with the servers that it shows. */

export type VisualizerErrorCode =
  /** `NODE_ENV` is `production`, and the option `production` is not set. */
  | 'PRODUCTION'
  /** It cannot listen there: the port is in use, or the host is none of this machine's. */
  | 'LISTEN_FAILED'
  /** It runs already. */
  | 'ALREADY_STARTED'
  /** The folder or file of `recordings` cannot be read, or not all of it, or a recording not be written there. */
  | 'RECORDINGS_FAILED'
  /** One recording of the folder has more bytes than a page can show. It is in the list. */
  | 'RECORDING_TOO_LARGE'
  /** A viewer of another tool does not get all that it wants: `message` says what, and why. */
  | 'OUTLET'
  /** Something in it threw: our own bug, or a server's that could not answer. */
  | 'INTERNAL';

export class VisualizerError extends Error {
  override readonly name = 'VisualizerError';
  constructor(
    readonly code: VisualizerErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The text of whatever was thrown. */
export function textOf(error: unknown): string {
  if (error instanceof Error) return error.message;
  try {
    return String(error);
  } catch {
    return 'a thrown value that has no text';
  }
}
