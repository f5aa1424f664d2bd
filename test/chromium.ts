/**
 * The browser of the tests that need one: the system's Chromium, or the one that CHROMIUM names. In CI it has to be there; elsewhere
 * those tests are skipped without it.
 */
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Its path. */
export const chromium = process.env['CHROMIUM'] || found('chromium', 'chromium-browser', 'google-chrome');

/** For `test.skipIf`. */
export const hasNoBrowser = chromium === undefined && process.env['CI'] === undefined;

if (hasNoBrowser) process.stderr.write('skipped: no Chromium in PATH, and CHROMIUM names none\n');

export const CHROMIUM_FLAGS = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
]; // prettier-ignore

function found(...names: readonly string[]): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find((path) => existsSync(path));
}
