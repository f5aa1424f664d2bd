/**
 * Are two values the same data? For what a test compares outside of a test runner: messages, commands, states. A test runner's
 * asymmetric matchers (`expect.objectContaining`) may stand anywhere in what is expected, and decide for themselves.
 */

interface AsymmetricMatcher {
  asymmetricMatch(actual: unknown): boolean;
}

/** Keys that hold `undefined` count as absent, as they do in JSON and for most who write an expectation. */
export function isSameData(actual: unknown, expected: unknown): boolean {
  if (isMatcher(expected)) return expected.asymmetricMatch(actual);
  if (Object.is(actual, expected)) return true;
  if (typeof actual !== 'object' || typeof expected !== 'object' || actual === null || expected === null) return false;
  if (expected instanceof Error) return actual instanceof Error && isSameError(actual, expected);
  if (Object.getPrototypeOf(actual) !== Object.getPrototypeOf(expected) && !areBytes(actual, expected)) return false;
  if (isDate(expected)) return Object.is(actual.valueOf(), expected.valueOf());
  if (expected instanceof Map) return isSameList([...(actual as Map<unknown, unknown>)], [...expected]);
  if (expected instanceof Set) return isSameList([...(actual as Set<unknown>)], [...expected]);
  if (areBytes(expected, actual)) return isSameList([...(actual as Uint8Array)], [...expected]);
  if (Array.isArray(expected)) return isSameList(actual as unknown[], expected);
  return isSameRecord(actual, expected);
}

function isMatcher(value: unknown): value is AsymmetricMatcher {
  return typeof (value as Partial<AsymmetricMatcher> | null | undefined)?.asymmetricMatch === 'function';
}

/** By its tag: the clock of a date is not for this file, and its class is the clock's. */
function isDate(value: object): boolean {
  return Object.prototype.toString.call(value) === '[object Date]';
}

/** A Buffer is bytes like any others. */
function areBytes(a: unknown, b: unknown): a is Uint8Array {
  return a instanceof Uint8Array && b instanceof Uint8Array;
}

function isSameError(actual: Error, expected: Error): boolean {
  return actual.name === expected.name && actual.message === expected.message;
}

function isSameList(actual: readonly unknown[], expected: readonly unknown[]): boolean {
  return actual.length === expected.length && expected.every((item, index) => isSameData(actual[index], item));
}

function isSameRecord(actual: object, expected: object): boolean {
  const [ours, theirs] = [definedIn(actual), definedIn(expected)];
  return (
    ours.size === theirs.size && [...theirs].every(([key, value]) => ours.has(key) && isSameData(ours.get(key), value))
  );
}

function definedIn(value: object): Map<string, unknown> {
  return new Map(Object.entries(value).filter(([, held]) => held !== undefined));
}
