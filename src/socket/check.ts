/**
 * Checks of options, made once, where they enter. Each error names the option, what it is, and what was expected:
 * `socket.backlog: expected an integer from 1 to 65535, got "many"`.
 */
import { SocketError } from './errors.js';

export { SocketError };

export interface IntegerRange {
  readonly min: number;
  readonly max: number;
}

/** @returns the value. @throws {SocketError} OPTION_INVALID unless it is an integer in the range, both ends included. */
export function checkInteger(path: string, value: unknown, { min, max }: IntegerRange): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
  throw invalid(path, `an integer from ${min} to ${max}`, value);
}

/** @returns the value. @throws {SocketError} OPTION_INVALID unless it is true or false. */
export function checkBoolean(path: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw invalid(path, 'true or false', value);
}

/** @returns the value. @throws {SocketError} OPTION_INVALID unless it is a string with something in it. */
export function checkString(path: string, value: unknown): string {
  if (typeof value === 'string' && value !== '') return value;
  throw invalid(path, 'a string that is not empty', value);
}

/** @returns the value. @throws {SocketError} OPTION_INVALID unless it is one of `allowed`. */
export function checkOneOf<const Value>(path: string, value: unknown, allowed: readonly Value[]): Value {
  if ((allowed as readonly unknown[]).includes(value)) return value as Value;
  throw invalid(path, allowed.map(shown).join(' or '), value);
}

/** @returns the value. @throws {SocketError} OPTION_INVALID unless it is an object of options. */
export function checkObject(path: string, value: unknown): object {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw invalid(path, 'an object', value);
}

/**
 * Refuses names that are no options: a misspelt option would be ignored without a word.
 * @throws {SocketError} OPTION_INVALID; the message offers the nearest known name, if there is one close by.
 */
export function refuseUnknown(path: string, object: object, names: readonly string[]): void {
  for (const name of Object.keys(object)) {
    if (names.includes(name)) continue;
    const near = nearest(name, names);
    const hint = near === undefined ? `known are ${names.join(', ')}` : `did you mean ${near}?`;
    throw new SocketError('OPTION_INVALID', `${path}.${name}: there is no such option; ${hint}`);
  }
}

/** For checks of one's own. */
export function invalid(path: string, expected: string, value: unknown): SocketError {
  return new SocketError('OPTION_INVALID', `${path}: expected ${expected}, got ${shown(value)}`);
}

/** A value as a message shows it: strings quoted, objects by kind alone, since they may be large or secret. */
function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}...` : value);
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'an array' : 'an object';
  return String(value);
}

/** Within 2, or a third of the name's length, in letters that were changed, added or left out. */
function nearest(name: string, names: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of names) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let line = 1; line <= from.length; line += 1) {
    const next = [line];
    for (let column = 1; column <= to.length; column += 1) {
      const changed = row[column - 1]! + (from[line - 1] === to[column - 1] ? 0 : 1);
      next.push(Math.min(changed, row[column]! + 1, next[column - 1]! + 1));
    }
    row = next;
  }
  return row[to.length]!;
}
