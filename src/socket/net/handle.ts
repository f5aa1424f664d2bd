/**
 * The one place that looks behind `net`'s public face. Node has no public way to a descriptor or to the progress of a pending
 * write; `_handle` has had these properties since Node 8 and has them in 24. Each may be missing: then what it serves is
 * reported as unknown, and nothing else fails.
 */
import type net from 'node:net';

export interface Handle {
  /** -1 or missing: no descriptor of ours (Windows, a cluster worker whose primary accepts). */
  readonly fd?: number;
  /** Bytes handed to libuv. */
  readonly bytesWritten?: number;
  /** Of those, what the kernel has not taken yet: libuv counts it down as parts of a write go out. */
  readonly writeQueueSize?: number;
}

export function handleOf(socket: net.Socket | net.Server): Handle | undefined {
  return (socket as unknown as { _handle?: Handle | null })._handle ?? undefined;
}

/** @returns `undefined` when there is none. */
export function descriptorOf(socket: net.Socket | net.Server): number | undefined {
  const fd = handleOf(socket)?.fd;
  return typeof fd === 'number' && fd >= 0 ? fd : undefined;
}

/** Bytes that the kernel has taken. It stays readable for a moment after the socket was destroyed by an error. @returns `undefined` when unknown. */
export function bytesTakenBy(handle: Handle): number | undefined {
  const { bytesWritten, writeQueueSize } = handle;
  return typeof bytesWritten === 'number' && typeof writeQueueSize === 'number'
    ? bytesWritten - writeQueueSize
    : undefined;
}
