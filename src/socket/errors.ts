/** The one error class of the socket layer. What the network does wrong is no error of this kind but an ERROR event. */

export type SocketErrorCode =
  'HANDLE_NULL' | 'HANDLE_UNKNOWN' | 'HANDLE_IN_USE' | 'SOCKET_DELETED' | 'SOCKET_STOPPED' | 'OPTION_INVALID';

/** A misuse of the layer by its caller, or an option that cannot be. */
export class SocketError extends Error {
  override readonly name = 'SocketError';
  constructor(
    readonly code: SocketErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
