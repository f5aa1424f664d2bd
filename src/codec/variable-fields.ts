import type { FieldDescription } from './codec.js';
import { type Field, IntegerField } from './fields.js';
import { checkInteger, show } from './options.js';
import { decodeUtf8, utf8ByteLength, writeUtf8 } from './utf8.js';

const restOfPayload = {
  minBytes: 0,
  takesRest: true,
  measure: (_buffer: unknown, _offset: number, available: number) => available,
};

/**
 * Bytes as they are: exactly `byteLength` of them (above 0), or whatever is left of the payload.
 * @throws {RangeError} `byteLength` is not a whole number above 0.
 */
export function bytes(byteLength?: number): Field<Uint8Array> {
  if (byteLength === undefined) return restOfBytes;
  checkInteger('byteLength', byteLength, 1);
  return {
    ...restOfBytes,
    description: { kind: 'bytes', min: byteLength, max: byteLength },
    minBytes: byteLength,
    takesRest: false,
    measure: () => byteLength,
    sizeOf(value, name) {
      if (checkBytes(value, name).byteLength === byteLength) return byteLength;
      throw new TypeError(`${name} has ${value.byteLength} bytes, expected ${byteLength}`);
    },
  };
}

const restOfBytes: Field<Uint8Array> = {
  ...restOfPayload,
  description: { kind: 'bytes' },
  read: (buffer, offset, byteLength) => buffer.slice(offset, byteLength),
  sizeOf: (value, name) => checkBytes(value, name).byteLength,
  write: (into, offset, value) => into.set(value, offset),
};

/** UTF-8 text: whatever is left of the payload. Bytes that are not UTF-8 are invalid; a lone surrogate is sent as U+FFFD. */
export function utf8(): Field<string> {
  return restOfText;
}

const restOfText: Field<string> = {
  ...restOfPayload,
  description: { kind: 'text' },
  read: (buffer, offset, byteLength, name) => decodeUtf8(buffer.view(offset, byteLength), name),
  sizeOf(value, name) {
    if (typeof value !== 'string') throw new TypeError(`${name} is ${show(value)}, expected a string`);
    return utf8ByteLength(value);
  },
  write(into, offset, value) {
    writeUtf8(into, offset, value, utf8ByteLength(value));
  },
};

/**
 * A field of varying size with its size in bytes in front, so that more fields can follow: `prefixed(u8, utf8())`.
 * @throws {TypeError} `length` is not an unsigned integer field, or `field` is one that would not take whatever is left.
 */
export function prefixed<Value>(length: IntegerField, field: Field<Value>): Field<Value> {
  if (!(length instanceof IntegerField) || length.signed) throw new TypeError('length is no unsigned integer field');
  if (!field.takesRest) throw new TypeError('field has a size of its own, expected one that takes what is left');
  const lengthBytes = length.minBytes;
  return {
    description: limited(field.description, length.max, length.min),
    minBytes: lengthBytes + length.min,
    takesRest: false,
    measure: (buffer, offset, available, name) =>
      available < lengthBytes
        ? lengthBytes
        : lengthBytes + length.read(buffer, offset, lengthBytes, `length of ${name}`),
    read: (buffer, offset, byteLength, name) =>
      field.read(buffer, offset + lengthBytes, byteLength - lengthBytes, name),
    sizeOf: (value, name) => lengthBytes + field.sizeOf(value, name),
    write(into, offset, value, name) {
      length.write(into, offset, field.sizeOf(value, name), `length of ${name}`);
      field.write(into, offset + lengthBytes, value, name);
    },
  };
}

/** The description of bytes or text, with `min` bytes at least, if that is above 0, and `max` at most. */
export function limited(description: FieldDescription, max: number, min = 0): FieldDescription {
  if (description.kind !== 'bytes' && description.kind !== 'text') return description;
  return { ...description, ...(min > 0 && { min }), max: Math.min(max, description.max ?? max) };
}

function checkBytes(value: unknown, name: string): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw new TypeError(`${name} is ${show(value)}, expected a Uint8Array`);
}
