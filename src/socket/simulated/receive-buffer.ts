/**
 * What has arrived and nobody has taken: the kernel's receive buffer and, in front of it, what Node has read ahead. A paused
 * `net.Socket` goes on reading into its stream buffer up to that one's high-water mark, which gives the sender as much more room.
 */
import { ByteList } from './byte-list.js';

export class ReceiveBuffer {
  arrivedBytes = 0;
  /** Read from the kernel. */
  readBytes = 0;
  /** Of those, what still waits in the process. */
  aheadBytes = 0;
  readonly #bytes = new ByteList();

  /** In the process or in the kernel. */
  get length(): number {
    return this.#bytes.length;
  }

  /** In the kernel. */
  get unreadBytes(): number {
    return this.arrivedBytes - this.readBytes;
  }

  push(bytes: Uint8Array): void {
    this.arrivedBytes += bytes.byteLength;
    this.#bytes.push(bytes);
  }

  /** @returns how many bytes left the kernel. */
  readAhead(bytesMax: number): number {
    const count = Math.min(bytesMax, this.unreadBytes);
    this.aheadBytes += count;
    this.readBytes += count;
    return count;
  }

  /** @returns at most `bytesMax` bytes; there must be one. */
  take(bytesMax: number): Uint8Array {
    const bytes = this.#bytes.take(bytesMax);
    const ahead = Math.min(this.aheadBytes, bytes.byteLength);
    this.aheadBytes -= ahead;
    this.readBytes += bytes.byteLength - ahead;
    return bytes;
  }

  clear(): void {
    this.#bytes.clear();
    this.aheadBytes = 0;
    this.readBytes = this.arrivedBytes;
  }
}
