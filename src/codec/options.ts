/**
 * Checks of options, once, where they enter. Each error names the option, what it was, and what was expected.
 */

/** @throws {RangeError} unless `value` is a safe integer from `min` to `max`. */
export function checkInteger(option: string, value: unknown, min: number, max = Number.MAX_SAFE_INTEGER): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max) return value;
  const range = max === Number.MAX_SAFE_INTEGER ? `from ${min} up` : `from ${min} to ${max}`;
  throw new RangeError(`${option} is ${show(value)}, expected a whole number ${range}`);
}

/** @throws {RangeError} unless `value` is one of `allowed`. */
export function checkOneOf<Value>(option: string, value: Value, allowed: readonly Value[]): Value {
  if (allowed.includes(value)) return value;
  throw new RangeError(`${option} is ${show(value)}, expected ${allowed.map(show).join(' or ')}`);
}

/** @throws {TypeError} unless `value` is `true` or `false`. */
export function checkBoolean(option: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw new TypeError(`${option} is ${show(value)}, expected true or false`);
}

/** A value as an error message shows it: strings quoted and escaped, objects by kind alone. */
export function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'an array' : 'an object';
  if (typeof value === 'function') return 'a function';
  return typeof value === 'bigint' ? `${value}n` : String(value);
}
