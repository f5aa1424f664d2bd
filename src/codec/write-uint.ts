/** Writes the low `size` bytes of a whole number below 2^53 (negative ones as two's complement, up to 4 bytes) at `offset`. */
export function writeUint(bytes: Uint8Array, offset: number, size: number, littleEndian: boolean, value: number): void {
  if (size === 8) {
    const high = Math.floor(value / 0x1_0000_0000);
    writeUint(bytes, offset, 4, littleEndian, littleEndian ? value : high);
    writeUint(bytes, offset + 4, 4, littleEndian, littleEndian ? high : value);
    return;
  }
  // Bit operators take a number modulo 2^32, so the high part of an 8-byte number falls away by itself.
  for (let i = 0; i < size; i++) {
    bytes[offset + (littleEndian ? i : size - 1 - i)] = value >>> (8 * i);
  }
}
