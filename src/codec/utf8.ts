import { PeerError } from './codec.js';

// A byte order mark is text like any other: dropping it would make what is decoded differ from what was sent.
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const lenient = new TextDecoder('utf-8', { fatal: false, ignoreBOM: true });

const encoder = new TextEncoder();

/** ASCII up to this many characters is written in a loop: below it a call of the encoder costs more (measured). */
const LOOP_MAX = 256;

/**
 * The text of UTF-8 bytes.
 * @throws {PeerError} FRAME_INVALID when they are not UTF-8; `name` says what they should have been.
 */
export function decodeUtf8(bytes: Uint8Array, name: string): string {
  try {
    return strict.decode(bytes);
  } catch (cause) {
    throw new PeerError('FRAME_INVALID', `${name} is not valid UTF-8`, { cause });
  }
}

/** The text of bytes; what is not UTF-8 becomes U+FFFD. */
export function replaceInvalidUtf8(bytes: Uint8Array): string {
  return lenient.decode(bytes);
}

/**
 * Writes `text` at `offset`, where `byteLength` (its `utf8ByteLength`) bytes are free. A lone surrogate, which UTF-8 cannot express,
 * becomes U+FFFD.
 */
export function writeUtf8(bytes: Uint8Array, offset: number, text: string, byteLength: number): void {
  if (byteLength > LOOP_MAX || byteLength !== text.length) {
    encoder.encodeInto(text, bytes.subarray(offset, offset + byteLength));
    return;
  }
  for (let i = 0; i < byteLength; i++) bytes[offset + i] = text.charCodeAt(i);
}

/** Bytes that `text` takes in UTF-8. */
export function utf8ByteLength(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    if (unit < 0x800) bytes += 1;
    else if (unit < 0xd800 || unit > 0xdfff || !isPair(unit, text.charCodeAt(i + 1))) bytes += 2;
    else {
      bytes += 2; // two units, four bytes
      i++;
    }
  }
  return bytes;
}

function isPair(high: number, low: number): boolean {
  return high < 0xdc00 && low >= 0xdc00 && low <= 0xdfff;
}
