/**
 * What a codec says of its messages, as arbitraries of fast-check: for property tests of a codec or a chart. (`messagesOf` makes a few
 * from the same descriptions, and needs nothing.)
 */
import * as fc from 'fast-check';
import type { Arbitrary } from 'fast-check';
import type { Codec, FieldDescription, MessageDescription, MessageIn, MessageOut } from '../../codec/codec.js';
import { utf8ByteLength } from '../../codec/utf8.js';
import type { MessagesOptions } from '../../explore/samples.js';
import { checkInteger } from '../../socket/check.js';

/** An arbitrary for each type of message. */
export type ArbitrariesByType<C> = {
  readonly [T in (MessageIn<C> | MessageOut<C>)['type']]: Arbitrary<Extract<MessageIn<C> | MessageOut<C>, { type: T }>>;
};

/**
 * Arbitraries for every message that a codec describes, by type.
 *
 * ```ts
 * const { PING } = arbitraryOf(control);
 * fc.assert(fc.property(PING, (ping) => roundTrip(ping)));
 * ```
 *
 * Each field is drawn within its own description. Text is well-formed UTF-8 and has no control characters, because a codec
 * of lines gives those meanings that its description cannot say (a CR at the end of a line).
 * @throws {SocketError} OPTION_INVALID
 */
export function arbitraryOf<C extends Codec<any, any>>(
  codec: C,
  { bytesMax = 64 }: MessagesOptions = {},
): ArbitrariesByType<C> {
  checkInteger('arbitraryOf.bytesMax', bytesMax, { min: 1, max: 1024 * 1024 });
  const all = (codec as Codec).messages.map((one) => [one.type, messageArbitrary(one, bytesMax)] as const);
  return Object.fromEntries(all) as unknown as ArbitrariesByType<C>;
}

function messageArbitrary({ type, fields }: MessageDescription, bytesMax: number): Arbitrary<object> {
  const values = Object.entries(fields).map(([name, field]) => [name, fieldArbitrary(field, bytesMax)] as const);
  const record = fc.record({ type: fc.constant(type), ...Object.fromEntries(values) }, { noNullPrototype: true });
  return record as Arbitrary<object>;
}

function fieldArbitrary(field: FieldDescription, bytesMax: number): Arbitrary<unknown> {
  switch (field.kind) {
    case 'constant':
      return fc.constant(field.value);
    case 'boolean':
      return fc.boolean();
    case 'integer':
      // Beyond 2^31 fast-check's integers still are exact: they may be any safe ones.
      return fc.integer({ min: field.min, max: field.max });
    case 'bigint':
      return fc.bigInt({ min: BigInt(field.min), max: BigInt(field.max) });
    case 'bytes':
      return bytesArbitrary(field, bytesMax);
    case 'text':
      return textArbitrary(field, bytesMax);
  }
}

function bytesArbitrary(
  { min = 0, max = Infinity, excludes = [] }: Extract<FieldDescription, { kind: 'bytes' }>,
  bytesMax: number,
): Arbitrary<Uint8Array> {
  const all = fc.uint8Array({ minLength: min, maxLength: Math.min(max, Math.max(min, bytesMax)) });
  const first = new Set(excludes.map(([byte]) => byte));
  if (first.size === 0) return all;
  // Without the first byte of each excluded sequence there is none; mapping keeps the length, which a filter would have to find.
  const allowed = Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => !first.has(byte));
  return all.map((bytes) => bytes.map((byte) => (first.has(byte) ? allowed[byte % allowed.length]! : byte)));
}

function textArbitrary(
  { min = 0, max = Infinity, excludes = [] }: Extract<FieldDescription, { kind: 'text' }>,
  bytesMax: number,
): Arbitrary<string> {
  const end = Math.min(max, Math.max(min, bytesMax));
  return fc
    .string({ unit: 'grapheme', maxLength: end })
    .map((text) =>
      fitting(
        excludes.reduce((left, part) => left.replaceAll(part, ''), text),
        min,
        end,
      ),
    )
    .filter((text) => !excludes.some((part) => text.includes(part)));
}

/** Cut, or filled with `a`, to the length in bytes of UTF-8 that is asked for. */
function fitting(text: string, min: number, end: number): string {
  let bytes = 0;
  let kept = '';
  for (const letter of text.replace(/\p{Cc}/gu, '')) {
    const size = utf8ByteLength(letter);
    if (bytes + size > end) break;
    bytes += size;
    kept += letter;
  }
  return kept + 'a'.repeat(Math.max(0, min - bytes));
}
