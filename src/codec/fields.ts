import type { ByteQueue } from './byte-queue.js';
import { type FieldDescription, PeerError } from './codec.js';
import { checkInteger, show } from './options.js';
import { writeUint } from './write-uint.js';

/**
 * One field of a command's payload: how its value stands on the wire. `name` is for errors alone.
 * Own fields implement this; a value that breaks a field's own rules is a `PeerError` FRAME_INVALID when it is read,
 * and a `TypeError` when it is to be written.
 */
export interface Field<Value> {
  readonly description: FieldDescription;
  /** Fewest bytes the field takes. */
  readonly minBytes: number;
  /** Whether it takes whatever is left of the payload: allowed for the last field only. */
  readonly takesRest: boolean;
  /** Bytes the field takes at `offset`, where `available` bytes of the payload are left; more than that means it is cut off. */
  measure(buffer: ByteQueue, offset: number, available: number, name: string): number;
  /** The value in the `byteLength` bytes at `offset`, which are all there. Takes nothing off the queue. */
  read(buffer: ByteQueue, offset: number, byteLength: number, name: string): Value;
  /** Bytes that `write` will need. */
  sizeOf(value: Value, name: string): number;
  write(bytes: Uint8Array, offset: number, value: Value, name: string): void;
}

/** The value type of a field: `number` for `u8`. */
export type ValueOf<F> = F extends Field<infer Value> ? Value : never;

/** A whole number of 1, 2 or 4 bytes. */
export class IntegerField implements Field<number> {
  readonly takesRest = false;

  readonly minBytes: 1 | 2 | 4;
  readonly min: number;
  readonly max: number;
  readonly littleEndian: boolean;
  readonly signed: boolean;

  constructor(format: Pick<IntegerField, 'minBytes' | 'min' | 'max' | 'littleEndian' | 'signed'>) {
    this.minBytes = format.minBytes;
    this.min = format.min;
    this.max = format.max;
    this.littleEndian = format.littleEndian;
    this.signed = format.signed;
  }

  get description(): FieldDescription {
    return { kind: 'integer', min: this.min, max: this.max };
  }

  /**
   * The same field for values from `min` to `max` only: `u8.between(1, 2)`.
   * @throws {RangeError} a limit outside of this field's own, or `max` below `min`.
   */
  between(min: number, max: number): IntegerField {
    checkInteger('min', min, this.min, this.max);
    checkInteger('max', max, min, this.max);
    return new IntegerField({ ...this, min, max });
  }

  measure(): number {
    return this.minBytes;
  }

  read(buffer: ByteQueue, offset: number, _byteLength: number, name: string): number {
    const value = this.readUnlimited(buffer, offset);
    if (value < this.min || value > this.max) {
      throw new PeerError('FRAME_INVALID', `${name} is ${value}, expected ${this.min} to ${this.max}`);
    }
    return value;
  }

  /** The number at `offset` as it stands there, whatever the limits are. */
  readUnlimited(buffer: ByteQueue, offset: number): number {
    const unsigned = buffer.uint(offset, this.minBytes, this.littleEndian);
    if (!this.signed) return unsigned;
    // Moving the sign bit to bit 31 and back spreads it.
    const unusedBits = 32 - 8 * this.minBytes;
    return (unsigned << unusedBits) >> unusedBits;
  }

  sizeOf(): number {
    return this.minBytes;
  }

  write(bytes: Uint8Array, offset: number, value: number, name: string): void {
    if (!Number.isInteger(value) || value < this.min || value > this.max) {
      throw new TypeError(`${name} is ${show(value)}, expected a whole number from ${this.min} to ${this.max}`);
    }
    writeUint(bytes, offset, this.minBytes, this.littleEndian, value);
  }
}

/** A whole number of 8 bytes, as a bigint. */
export class BigIntField implements Field<bigint> {
  readonly minBytes = 8;
  readonly takesRest = false;
  readonly min: bigint;
  readonly max: bigint;
  readonly littleEndian: boolean;
  readonly signed: boolean;

  constructor(format: Pick<BigIntField, 'min' | 'max' | 'littleEndian' | 'signed'>) {
    this.min = format.min;
    this.max = format.max;
    this.littleEndian = format.littleEndian;
    this.signed = format.signed;
  }

  get description(): FieldDescription {
    return { kind: 'bigint', min: String(this.min), max: String(this.max) };
  }

  /**
   * The same field for values from `min` to `max` only: `u64be.between(1n, 10n)`.
   * @throws {RangeError} a limit outside of this field's own, or `max` below `min`.
   */
  between(min: bigint, max: bigint): BigIntField {
    if (typeof min !== 'bigint' || typeof max !== 'bigint' || min < this.min || max > this.max || max < min) {
      throw new RangeError(
        `limits are ${show(min)} to ${show(max)}, expected them within ${this.min}n to ${this.max}n`,
      );
    }
    return new BigIntField({ ...this, min, max });
  }

  measure(): number {
    return 8;
  }

  read(buffer: ByteQueue, offset: number, _byteLength: number, name: string): bigint {
    const unsigned = buffer.bigUint(offset, this.littleEndian);
    const value = this.signed ? BigInt.asIntN(64, unsigned) : unsigned;
    if (value < this.min || value > this.max) {
      throw new PeerError('FRAME_INVALID', `${name} is ${value}, expected ${this.min} to ${this.max}`);
    }
    return value;
  }

  sizeOf(): number {
    return 8;
  }

  write(bytes: Uint8Array, offset: number, value: bigint, name: string): void {
    if (typeof value !== 'bigint' || value < this.min || value > this.max) {
      throw new TypeError(`${name} is ${show(value)}, expected a bigint from ${this.min} to ${this.max}`);
    }
    const high = Number(BigInt.asUintN(32, value >> 32n));
    const low = Number(BigInt.asUintN(32, value));
    writeUint(bytes, offset, 4, this.littleEndian, this.littleEndian ? low : high);
    writeUint(bytes, offset + 4, 4, this.littleEndian, this.littleEndian ? high : low);
  }
}

function integer(minBytes: 1 | 2 | 4, signed: boolean, littleEndian: boolean): IntegerField {
  const count = 2 ** (8 * minBytes);
  const min = signed ? -count / 2 : 0;
  return new IntegerField({ minBytes, signed, littleEndian, min, max: min + count - 1 });
}

function bigInteger(signed: boolean, littleEndian: boolean): BigIntField {
  const min = signed ? -(2n ** 63n) : 0n;
  return new BigIntField({ signed, littleEndian, min, max: min + 2n ** 64n - 1n });
}

/** Whole numbers: `u` unsigned, `i` two's complement, then the size in bits, `be` highest byte first, `le` lowest byte first. */
export const u8 = integer(1, false, false);
export const i8 = integer(1, true, false);
export const u16be = integer(2, false, false);
export const u16le = integer(2, false, true);
export const i16be = integer(2, true, false);
export const i16le = integer(2, true, true);
export const u32be = integer(4, false, false);
export const u32le = integer(4, false, true);
export const i32be = integer(4, true, false);
export const i32le = integer(4, true, true);
/** 8 bytes; the value is a `bigint`, since a `number` is exact up to 2^53 only. */
export const u64be = bigInteger(false, false);
export const u64le = bigInteger(false, true);
export const i64be = bigInteger(true, false);
export const i64le = bigInteger(true, true);

/** One byte, 0 for `false` and 1 for `true`; any other is invalid. */
export const boolean: Field<boolean> = {
  description: { kind: 'boolean' },
  minBytes: 1,
  takesRest: false,
  measure: () => 1,
  read(buffer, offset, _byteLength, name) {
    const value = buffer.byteAt(offset);
    if (value > 1) throw new PeerError('FRAME_INVALID', `${name} is ${value}, expected 0 or 1`);
    return value === 1;
  },
  sizeOf: () => 1,
  write(bytes, offset, value, name) {
    if (typeof value !== 'boolean') throw new TypeError(`${name} is ${show(value)}, expected true or false`);
    bytes[offset] = value ? 1 : 0;
  },
};
