/**
 * Room for encoded messages.
 *
 * The choice here: messages above 64 bytes are cut from a shared buffer of 8 KiB, as Node's Buffers are, because an
 * ArrayBuffer of their own costs more than all else in encoding (0.8 us of 0.9 us, measured on Node 20). Given up: while one of
 * them waits for a slow peer, its whole 8 KiB stays. What a peer sends is never kept that way: see `ByteQueue.slice`.
 */

const SLAB_BYTES = 8_192;

/** Typed arrays up to this size live in V8's own heap and are cheap, in bytes. */
const HEAP_MAX = 64;

/** A message above this share of the slab gets a buffer of its own. */
const SLAB_MESSAGE_MAX = SLAB_BYTES / 4;

let slab = new ArrayBuffer(0);
let used = 0;

/** `byteLength` zero bytes that nobody else uses; `.buffer` may be shared, so mind `byteOffset`. */
export function allocate(byteLength: number): Uint8Array {
  if (byteLength <= HEAP_MAX || byteLength > SLAB_MESSAGE_MAX) return new Uint8Array(byteLength);
  if (used + byteLength > slab.byteLength) {
    slab = new ArrayBuffer(SLAB_BYTES);
    used = 0;
  }
  const bytes = new Uint8Array(slab, used, byteLength);
  // Starting at a multiple of 8 leaves room for those who lay a typed array of wider numbers over it.
  used += (byteLength + 7) & ~7;
  return bytes;
}
