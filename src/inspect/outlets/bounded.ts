/**
 * Contexts and events as an outlet sends them. Its viewers show everything that they get, so what is secret and what is large never
 * leaves: at most 16 kB of JSON, six levels deep.
 */
import { toPlain, type PlainOptions } from '../plain-data.js';

/** Of the JSON of one context or event. */
export const BYTES_MAX = 16_384;

const LIMITS = { parts: 2_000, length: BYTES_MAX, depth: 6 };

export type BoundedOptions = Omit<PlainOptions, 'limits' | 'leavesOut'>;

/** @returns `value` as JSON can hold it; of what is too long the largest fields are elided, or all of it */
export function boundedPlain(value: unknown, options: BoundedOptions): unknown {
  const plain = toPlain(value, { ...options, limits: LIMITS });
  let bytes = bytesOf(plain);
  if (bytes <= BYTES_MAX) return plain;
  if (typeof plain === 'object' && plain !== null && !Array.isArray(plain)) {
    const fields = Object.entries(plain).map(([name, field]) => ({
      name,
      field: field as unknown,
      bytes: bytesOf(field),
    }));
    for (const field of [...fields].sort((a, b) => b.bytes - a.bytes)) {
      if (bytes <= BYTES_MAX) break;
      const without = elided(field.bytes);
      const saved = field.bytes - bytesOf(without);
      if (saved <= 0) break;
      field.field = without;
      bytes -= saved;
    }
    if (bytes <= BYTES_MAX) return Object.fromEntries(fields.map(({ name, field }) => [name, field]));
  }
  return elided(bytesOf(plain));
}

function elided(bytes: number): unknown {
  return { $elided: `${bytes} bytes` };
}

function bytesOf(plain: unknown): number {
  return Buffer.byteLength(JSON.stringify(plain));
}
