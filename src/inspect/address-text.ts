/** Addresses as a person writes them. */
import type { SocketAddress } from '../../machines/events.js';

/** `10.0.3.7:51514`, `[::1]:4000`, or the path of a Unix socket (empty for a peer without one). */
export function addressText({ address, port, family }: SocketAddress): string {
  if (family === 'unix') return address;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
