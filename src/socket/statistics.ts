/**
 * What a socket counts, one object each: plain fields, since there may be 100 000 of them and a READ adds to them.
 * `bytesSent` alone is asked for when it is read, because only the layer knows how far a pending write has come.
 */

/** Tells how many of the written bytes the kernel has not taken yet. */
export interface OutputQueue {
  queuedBytes(): number;
}

export class TcpSocketStatistics {
  bytesReceived = 0;
  /** Given to the layer by WRITE, and not ignored. */
  bytesWritten = 0;
  /** Writes that the kernel did not take at once. On Windows no write is taken at once. */
  sendRetries = 0;
  /** Waits that ended without a READ. */
  receiveRetries = 0;
  /** Given to be sent, and never with the kernel: queued at a reset, or written after our FIN. */
  bytesDropped = 0;

  #queue: OutputQueue | undefined;
  #bytesSent = 0;

  constructor(queue?: OutputQueue) {
    this.#queue = queue;
  }

  /** Bytes that the kernel has taken. Never falls, and grows also while one large write is pending. */
  get bytesSent(): number {
    if (this.#queue !== undefined) {
      this.#bytesSent = Math.max(this.#bytesSent, this.bytesWritten - this.#queue.queuedBytes());
    }
    return this.#bytesSent;
  }

  /** Of the layer alone: the socket is closed, so that nothing changes any more and the queue is let go. */
  close(bytesDropped: number): void {
    this.#queue = undefined;
    this.bytesDropped += bytesDropped;
    this.#bytesSent = Math.max(this.#bytesSent, this.bytesWritten - bytesDropped);
  }

  /** Plain data, for reports: `JSON.stringify` uses it. */
  toJSON(): Record<
    'bytesReceived' | 'bytesWritten' | 'bytesSent' | 'sendRetries' | 'receiveRetries' | 'bytesDropped',
    number
  > {
    const { bytesReceived, bytesWritten, bytesSent, sendRetries, receiveRetries, bytesDropped } = this;
    return { bytesReceived, bytesWritten, bytesSent, sendRetries, receiveRetries, bytesDropped };
  }
}
