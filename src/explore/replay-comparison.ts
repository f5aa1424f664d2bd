/** Compares values as a recording holds them (`toPlain`). */

/**
 * @param expected as recorded. What was elided there may be anything now; of an actor nothing is known but that there is one; an object of
 *   a class is compared by its fields.
 */
export function isSamePlain(expected: unknown, actual: unknown): boolean {
  if (Object.is(expected, actual)) return true;
  if (typeof expected !== 'object' || typeof actual !== 'object' || expected === null || actual === null) {
    return isTagged(expected, '$elided');
  }
  if (isTagged(expected, '$elided')) return true;
  if (isTagged(expected, '$actor')) return isTagged(actual, '$actor');
  if (isTagged(expected, '$object')) return isSamePlain((expected['$object'] as unknown[])[1], actual);
  if (isTagged(actual, '$object')) return isSamePlain(expected, (actual['$object'] as unknown[])[1]);
  if (Array.isArray(expected) || Array.isArray(actual)) {
    if (!Array.isArray(expected) || !Array.isArray(actual) || expected.length !== actual.length) return false;
    return expected.every((item, index) => isSamePlain(item, actual[index]));
  }
  return isSameFields(expected as Record<string, unknown>, actual as Record<string, unknown>);
}

/** A field that holds `undefined` is as good as none. */
function isSameFields(expected: Record<string, unknown>, actual: Record<string, unknown>): boolean {
  const keys = new Set([...Object.keys(expected), ...Object.keys(actual)]);
  const valueOf = (fields: Record<string, unknown>, key: string) =>
    Object.hasOwn(fields, key) ? fields[key] : UNDEFINED;
  return [...keys].every((key) => isSamePlain(valueOf(expected, key), valueOf(actual, key)));
}

const UNDEFINED = { $undefined: true };

function isTagged<Tag extends string>(value: unknown, tag: Tag): value is Record<Tag, unknown> {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, tag);
}
