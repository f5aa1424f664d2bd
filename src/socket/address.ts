/** Where a socket listens or connects to. */
import { checkInteger, checkObject, checkString, refuseUnknown } from './check.js';

/** Where a server socket listens: a TCP host and port (0: any free one), or the path of a Unix socket. */
export type ListenAddress = { readonly host: string; readonly port: number } | { readonly path: string };

/** @returns the address. @throws {SocketError} OPTION_INVALID unless it is a path, or a host with a port. */
export function checkAddress(path: string, address: ListenAddress): ListenAddress {
  checkObject(path, address);
  if ('path' in address) {
    refuseUnknown(path, address, ['path']);
    checkString(`${path}.path`, address.path);
  } else {
    refuseUnknown(path, address, ['host', 'port']);
    checkString(`${path}.host`, address.host);
    checkInteger(`${path}.port`, address.port, { min: 0, max: 65_535 });
  }
  return address;
}
