/** What is said to a viewer's socket, and what has to be kept to where it is. */
import type { OutletSocket } from './outlet.js';

/** What is sent cannot be left out, as the next one builds on it: so a viewer that does not read is let go. */
const BUFFERED_MAX = 8 * 1024 * 1024;
/** RFC 6455, 5.5: a control frame has 125 bytes, and two of them are the code. */
const REASON_MAX = 123;

/** @returns why it could not be sent, and will not be later */
export function sendTo(socket: OutletSocket, text: string): string | undefined {
  if (socket.bufferedAmount > BUFFERED_MAX) return 'it reads too slowly';
  try {
    socket.send(text);
    return undefined;
  } catch {
    return 'it cannot be sent to any more';
  }
}

/** @returns as much of a text as fits a close, without half a character at its end */
export function closeReason(text: string): string {
  const bytes = Buffer.from(text);
  if (bytes.byteLength <= REASON_MAX) return text;
  let end = REASON_MAX;
  while ((bytes[end]! & 0xc0) === 0x80) end -= 1;
  return bytes.subarray(0, end).toString();
}

/** Whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : 'something was thrown that is no error';
}
