/**
 * When Linux's TCP tries again, and when it gives up. Pure, so that nothing runs while a connection works: the moments are
 * looked up when a path was cut or a window stays shut.
 */
import type { KeepAliveOptions } from '../options.js';

/** Shortest retransmission timeout: TCP_RTO_MIN of linux/net/tcp.h. */
const RETRANSMIT_MIN_MS = 200;
/** Longest: TCP_RTO_MAX. */
const RETRANSMIT_MAX_MS = 120_000;
/** `net.ipv4.tcp_retries2` of 15 is a timeout of 924.6 s (kernel.org, ip-sysctl). */
const RETRIES_MS = 924_600;
/** `net.ipv4.tcp_syn_retries` of 6 after an initial timeout of 1 s: given up after 127 s (kernel.org, ip-sysctl). */
const SYN_RETRY_COUNT = 6;

/** @returns when what was first sent at `sentMs` is sent again, at `nowMs` or later: the timeout doubles each time. */
export function retransmitMs(sentMs: number, roundTripMs: number, nowMs: number): number {
  let timeoutMs = RETRANSMIT_MIN_MS + roundTripMs;
  let dueMs = sentMs + timeoutMs;
  while (dueMs < nowMs) {
    timeoutMs = Math.min(2 * timeoutMs, RETRANSMIT_MAX_MS);
    dueMs += timeoutMs;
  }
  return dueMs;
}

/** @returns ms from SYN number `count` (the first is 1) to the next one, or to giving up. */
export function synTimeoutMs(count: number): number {
  return 1_000 * 2 ** (count - 1);
}

/** @returns whether SYN number `count` was the last. */
export function isLastSyn(count: number): boolean {
  return count > SYN_RETRY_COUNT;
}

/**
 * @returns when data without progress since `sinceMs` ends the connection. TCP_USER_TIMEOUT counts from the first retransmission
 *   or window probe, not from the write: net/ipv4/tcp_timer.c, `retransmits_timed_out` and `tcp_probe_timer`.
 */
export function userTimeoutDeadlineMs(sinceMs: number, roundTripMs: number, userTimeoutMs: number | 'system'): number {
  if (userTimeoutMs === 'system') return sinceMs + RETRIES_MS;
  return sinceMs + RETRANSMIT_MIN_MS + roundTripMs + userTimeoutMs;
}

/**
 * @returns when an idle connection whose peer answers no probe ends. With a user timeout the count of probes does not matter, but
 *   the time without an answer, and there must have been one probe: net/ipv4/tcp_timer.c, `tcp_keepalive_timer`.
 */
export function keepAliveDeadlineMs(
  heardMs: number,
  { idleMs, intervalMs, count }: KeepAliveOptions,
  userTimeoutMs: number | 'system',
): number {
  const probes = userTimeoutMs === 'system' ? count : Math.max(1, Math.ceil((userTimeoutMs - idleMs) / intervalMs));
  return heardMs + idleMs + probes * intervalMs;
}

/** @returns when the next probe is due, at `nowMs` or later. */
export function keepAliveProbeMs(heardMs: number, { idleMs, intervalMs }: KeepAliveOptions, nowMs: number): number {
  const firstMs = heardMs + idleMs;
  if (firstMs >= nowMs) return firstMs;
  return firstMs + Math.ceil((nowMs - firstMs) / intervalMs) * intervalMs;
}
