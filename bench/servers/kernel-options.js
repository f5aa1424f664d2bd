/**
 * The kernel options of the notes for a bare server, set where the framework sets its own: on the listening descriptor, from
 * which Linux hands them down to accepted sockets (tcp(7), socket(7)). Read back on both sides, so that a comparison of
 * unequal sockets is refused instead of printed.
 */
import { createRequire } from 'node:module';

/** @typedef {'system' | 'notes'} KernelOptions */
/** @typedef {{ sendBufferBytes: number, receiveBufferBytes: number, maxSegmentBytes: number }} ReadBack */

const BUFFER_BYTES = 16_384;
/** MTU 1 500 less the headers of IPv4 and TCP (RFC 9293, 3.7.1). */
const MAX_SEGMENT_BYTES = 1_460;

/** What the framework is told. Keep-alive and the user timeout are off, as they are on a bare server.
 *  @param {KernelOptions} options */
export function socketOptionsOf(options) {
  const notes = options === 'notes';
  return {
    sendBufferBytes: notes ? BUFFER_BYTES : /** @type {const} */ ('system'),
    receiveBufferBytes: notes ? BUFFER_BYTES : /** @type {const} */ ('system'),
    mtuBytes: notes ? 1_500 : /** @type {const} */ ('system'),
    userTimeoutMs: /** @type {const} */ ('system'),
    keepAlive: /** @type {const} */ (false),
  };
}

// Linux: asm-generic/socket.h, linux/tcp.h
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const IPPROTO_TCP = 6;
const TCP_MAXSEG = 2;

const calls = load();

/** Can options be set and read here? */
export const canSetOptions = calls !== undefined;

/** @param {number} fd */
export function setNotesOptions(fd) {
  set(fd, SOL_SOCKET, SO_SNDBUF, BUFFER_BYTES);
  set(fd, SOL_SOCKET, SO_RCVBUF, BUFFER_BYTES);
  set(fd, IPPROTO_TCP, TCP_MAXSEG, MAX_SEGMENT_BYTES);
}

/** @param {number | undefined} fd @returns {ReadBack | undefined} `undefined` where the system does not tell */
export function readBack(fd) {
  if (!calls || fd === undefined || fd < 0) return undefined;
  return {
    sendBufferBytes: get(fd, SOL_SOCKET, SO_SNDBUF),
    receiveBufferBytes: get(fd, SOL_SOCKET, SO_RCVBUF),
    maxSegmentBytes: get(fd, IPPROTO_TCP, TCP_MAXSEG),
  };
}

/** @param {number} fd @param {number} level @param {number} name @param {number} value */
function set(fd, level, name, value) {
  if (calls?.setsockopt(fd, level, name, Int32Array.of(value), 4) !== 0) {
    throw new Error(`setsockopt(${fd}, ${level}, ${name}, ${value}) failed`);
  }
}

/** @param {number} fd @param {number} level @param {number} name */
function get(fd, level, name) {
  const value = new Int32Array(1);
  if (calls?.getsockopt(fd, level, name, value, Uint32Array.of(4)) !== 0) return -1;
  return value[0] ?? -1;
}

/** @returns {{ setsockopt: (...args: unknown[]) => number, getsockopt: (...args: unknown[]) => number } | undefined} */
function load() {
  if (process.platform !== 'linux') return undefined;
  try {
    const process_ = createRequire(import.meta.url)('koffi').load(null);
    return {
      setsockopt: process_.func('setsockopt', 'int', ['int', 'int', 'int', 'void *', 'uint32']),
      getsockopt: process_.func('getsockopt', 'int', ['int', 'int', 'int', 'void *', 'void *']),
    };
  } catch {
    return undefined; // koffi is an optional dependency
  }
}
