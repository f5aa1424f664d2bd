/** What goes wrong at run time and is nobody's to catch: reported on `errors`, never thrown into the process. */

export type RuntimeErrorCode =
  /** A chart, handler or factory of a protocol threw; its session has ended. */
  | 'PROTOCOL_FAILED'
  /** The peer broke the protocol, or its bytes; its session has ended. */
  | 'PEER_FAILED'
  /** A shared chart threw; it was started again, or the server drains. */
  | 'SHARED_FAILED'
  /** A subscriber of a public stream threw; the stream goes on. */
  | 'SUBSCRIBER_FAILED'
  /** The server socket: could not listen again, a connection could not be accepted. */
  | 'SOCKET_FAILED'
  /** No descriptors are left: connections are refused until one is free. Reported once each time. */
  | 'DESCRIPTORS_LOW'
  /** A recording could not be written, or no more are written because there are `filesMax`; its session is not at fault. */
  | 'RECORDING_FAILED'
  /** Our own bug; the session that met it has ended. */
  | 'INTERNAL';

/** `session`: the id of the session at fault, where it is one session's. */
export class RuntimeError extends Error {
  override readonly name = 'RuntimeError';
  constructor(
    readonly code: RuntimeErrorCode,
    message: string,
    readonly session?: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The text of whatever was thrown. */
export function messageOf(error: unknown): string {
  if (error instanceof Error) return error.message;
  try {
    return String(error);
  } catch {
    return 'a thrown value that has no text';
  }
}
