import { show } from './options.js';

/**
 * A count of bytes out of what a codec's `save` returned.
 * @throws {TypeError} when `state` is not such data: it was saved by another codec, or changed.
 */
export function restoredCount(state: unknown, name: string): number {
  const value: unknown =
    typeof state === 'object' && state !== null ? (state as Record<string, unknown>)[name] : undefined;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new TypeError(`saved ${name} is ${show(value)}, expected a whole number from 0 up`);
}
