import type { ByteQueue } from './byte-queue.js';
import { type Codec, type MessageDescription, truncatedUnlessEmpty } from './codec.js';
import { checkedPayload } from './length-prefixed.js';
import { checkInteger } from './options.js';

/** Largest piece of a stream in one message where an option says nothing else, in bytes: 64 KiB, what Node reads at once. */
export const DEFAULT_MAX_CHUNK_BYTES = 65_536;

export interface BytesMessage {
  type: 'BYTES';
  bytes: Uint8Array;
}

export interface RawOptions {
  /** Most bytes in one decoded message, above 0. Default 65 536. Encoding has no limit. */
  readonly maxChunkBytes?: number;
}

/**
 * No frames at all: whatever has arrived, as it arrived. Keeps no state: one codec may serve all sessions.
 *
 * ```ts
 * raw().encode({ type: 'BYTES', bytes: Uint8Array.of(7) }); // 7
 * ```
 *
 * Where one message ends says nothing: the network splits and joins. Encoding hands `bytes` on without a copy. No bytes of
 * a peer are wrong, and a FIN may come anywhere.
 * @throws {RangeError} `maxChunkBytes` out of its range.
 */
export function raw(options: RawOptions = {}): Codec<BytesMessage> {
  const { maxChunkBytes = DEFAULT_MAX_CHUNK_BYTES } = options;
  return new Raw(checkInteger('maxChunkBytes', maxChunkBytes, 1));
}

class Raw implements Codec<BytesMessage> {
  readonly #maxChunkBytes: number;

  constructor(maxChunkBytes: number) {
    this.#maxChunkBytes = maxChunkBytes;
  }

  get messages(): readonly MessageDescription[] {
    const bytes = { kind: 'bytes', min: 1, max: this.#maxChunkBytes } as const;
    return [{ type: 'BYTES', direction: 'both', fields: { bytes } }];
  }

  encode(message: BytesMessage): Uint8Array {
    return checkedPayload(message, 'BYTES', message.bytes, Number.MAX_SAFE_INTEGER);
  }

  decode(buffer: ByteQueue): BytesMessage | undefined {
    const length = Math.min(buffer.byteLength, this.#maxChunkBytes);
    return length === 0 ? undefined : { type: 'BYTES', bytes: buffer.take(length) };
  }

  end(buffer: ByteQueue): undefined {
    return truncatedUnlessEmpty(buffer);
  }
}
