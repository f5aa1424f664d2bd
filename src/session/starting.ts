/** What the start of a server and of a client have in common: where to, and how it fails. */
import { SocketError, type ListenAddress } from '../socket/socket-layer.js';

/** A server or client could not be started. `code` is the system's (`EADDRINUSE`, `EADDRNOTAVAIL`, `EACCES`, `ENOTFOUND` ...), or one of ours. */
export class StartError extends Error {
  override readonly name = 'StartError';
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

export function sharedFailed(): StartError {
  return new StartError('SHARED_FAILED', 'a shared chart failed again and again at its start: see `errors`');
}

/** @throws {SocketError} OPTION_INVALID */
export function parseAddress(
  at: string,
  { host, port, path }: { host: unknown; port: number; path: unknown },
): ListenAddress {
  if (path !== undefined) {
    if (typeof path === 'string' && path !== '') return { path };
    throw new SocketError(
      'OPTION_INVALID',
      `${at}.path: expected the path of a Unix socket, got ${JSON.stringify(path)}`,
    );
  }
  if (typeof host === 'string' && host !== '') return { host, port };
  throw new SocketError('OPTION_INVALID', `${at}.host: expected an address or a name, got ${JSON.stringify(host)}`);
}

/** What a person can do about it. */
export function explain(code: string, message: string, address: ListenAddress): string {
  const where = 'path' in address ? address.path : `${address.host}:${address.port}`;
  const host = 'path' in address ? address.path : address.host;
  switch (code) {
    case 'EADDRINUSE':
      return `${where} is in use by another process`;
    case 'EADDRNOTAVAIL':
      return `${host} is not an address of this machine`;
    case 'EACCES':
      // For a Unix socket libuv says so of a folder that does not exist, too.
      return `no permission to listen on ${where}${'path' in address ? ', or there is no such folder' : ''}`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `the name ${host} is not known, or no name server answers (${code})`;
    default:
      return `cannot listen on ${where}: ${message}`;
  }
}
