/** Where an attack may go: to this machine, over its loopback addresses, and nowhere else. */
import { lookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';
import { messageOf } from '../session/errors.js';
import { ExploreError } from './explore-error.js';

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4'); // RFC 1122, 3.2.1.3
LOOPBACK.addAddress('::1', 'ipv6'); // RFC 4291, 2.5.3

export function isLoopback(address: string): boolean {
  const family = isIP(address);
  return family !== 0 && LOOPBACK.check(address, family === 6 ? 'ipv6' : 'ipv4');
}

/**
 * Looks a name up once, and every address that it has must be a loopback one.
 * @returns the address to connect to: a name could lead elsewhere the next time that it is looked up.
 * @throws {ExploreError} NOT_LOOPBACK
 */
export async function loopbackAddressOf(host: string): Promise<string> {
  if (isIP(host) !== 0) {
    if (isLoopback(host)) return host;
    throw notLoopback(host, 'it is an address of something else');
  }
  let addresses: string[];
  try {
    // IPv4 first, whatever the system prefers: a server listens on 127.0.0.1 unless it is told otherwise.
    addresses = (await lookup(host, { all: true, order: 'ipv4first' })).map(({ address }) => address);
  } catch (error) {
    throw notLoopback(host, `it has no address: ${messageOf(error)}`);
  }
  const other = addresses.find((address) => !isLoopback(address));
  if (other !== undefined) throw notLoopback(host, `it is ${other}`);
  const [first] = addresses;
  if (first === undefined) throw notLoopback(host, 'it has no address');
  return first;
}

function notLoopback(host: string, why: string): ExploreError {
  return new ExploreError(
    'NOT_LOOPBACK',
    `attacks go to loopback addresses alone (127.0.0.0/8, ::1), and ${JSON.stringify(host)} is none: ${why}`,
  );
}
