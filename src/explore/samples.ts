/**
 * Messages made from what a codec says of them, without chance: the ends of each field's range and its middle. They are what a
 * path through a chart is made of, so there are few, and always the same ones.
 *
 * The hard choice: one field is varied at a time, and the others keep their middle. All combinations would find what two
 * fields do together, and would make ten thousand messages of five fields; what a guard needs beyond that is said by a
 * protocol's `samples`.
 */
import type { Codec, FieldDescription, Message, MessageDescription, MessageIn, MessageOut } from '../codec/codec.js';
import { checkInteger } from '../socket/check.js';

export interface MessagesOptions {
  /** Longest text or bytes that are made, in bytes, unless the field's own minimum is above it. 1 to 1 048 576. Default 64. */
  readonly bytesMax?: number;
}

/** What a codec's messages look like, by type. */
export type MessagesByType<C> = {
  readonly [T in (MessageIn<C> | MessageOut<C>)['type']]: readonly Extract<MessageIn<C> | MessageOut<C>, { type: T }>[];
};

/**
 * Samples of every message that a codec describes, by type; no two are the same.
 *
 * ```ts
 * const dice = commands({ in: { BET: { command: 1, fields: { face: u8.between(1, 6) } } }, out: {} });
 * messagesOf(dice).BET; // face 3, 1 and 6
 * ```
 *
 * Each holds for its fields alone: a codec may still refuse a message for what its fields say together.
 * @throws {SocketError} OPTION_INVALID
 */
export function messagesOf<C extends Codec<any, any>>(
  codec: C,
  { bytesMax = 64 }: MessagesOptions = {},
): MessagesByType<C> {
  checkInteger('messagesOf.bytesMax', bytesMax, { min: 1, max: 1024 * 1024 });
  const all = (codec as Codec).messages.map((one) => [one.type, variationsOf(one, bytesMax)] as const);
  return Object.fromEntries(all) as unknown as MessagesByType<C>;
}

function variationsOf({ type, fields }: MessageDescription, bytesMax: number): Message[] {
  const values = Object.entries(fields).map(([name, field]) => [name, valuesOf(field, bytesMax)] as const);
  const middle: Message = { type, ...Object.fromEntries(values.map(([name, [first]]) => [name, first])) };
  const varied = values.flatMap(([name, [, ...others]]) => others.map((value) => ({ ...middle, [name]: value })));
  return [middle, ...varied];
}

/** The middle one first; the ends follow, where they are others. */
function valuesOf(field: FieldDescription, bytesMax: number): unknown[] {
  switch (field.kind) {
    case 'constant':
      return [field.value];
    case 'boolean':
      return [false, true];
    case 'integer':
      return distinct([Math.floor((field.min + field.max) / 2), field.min, field.max]);
    case 'bigint': {
      const [min, max] = [BigInt(field.min), BigInt(field.max)];
      return distinct([(min + max) / 2n, min, max]);
    }
    case 'bytes': {
      const byte = allowedByte(field.excludes ?? []);
      return lengthsOf(field, bytesMax).map((length) => new Uint8Array(length).fill(byte));
    }
    case 'text': {
      const letter = allowedLetter(field.excludes ?? []);
      return lengthsOf(field, bytesMax).map((length) => letter.repeat(length));
    }
  }
}

function lengthsOf({ min = 0, max = Infinity }: { min?: number; max?: number }, bytesMax: number): number[] {
  const end = Math.min(max, Math.max(min, bytesMax));
  return distinct([Math.floor((min + end) / 2), min, end]);
}

function distinct<T>(values: readonly T[]): T[] {
  return [...new Set(values)];
}

/** One that begins no excluded sequence: it can be repeated at will. */
function allowedByte(excludes: readonly (readonly number[])[]): number {
  const first = new Set(excludes.map(([byte]) => byte));
  for (let offset = 0; offset < 256; offset += 1) {
    const byte = (0x61 + offset) % 256;
    if (!first.has(byte)) return byte;
  }
  throw new TypeError('a field of bytes excludes a sequence for every byte: nothing can stand in it');
}

/** A letter of one byte, so that a text has as many bytes as letters. */
function allowedLetter(excludes: readonly string[]): string {
  for (let code = 0x61; code < 0x7f; code += 1) {
    const letter = String.fromCharCode(code);
    if (!excludes.some((text) => text.startsWith(letter))) return letter;
  }
  throw new TypeError('a field of text excludes every letter from a to ~: give `samples` for its message');
}
