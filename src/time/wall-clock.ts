/** The time of day, for names of files and for people. Nothing is timed by it: it may jump. */

/** @returns ms since 1970 */
export function wallClockMs(): number {
  return Date.now();
}
