import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const source = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Folders whose tests leave nothing behind in their process: they share one, which saves a third of their time. */
const SHARED = ['codec', 'engine', 'explore', 'inspect', 'machines', 'session', 'simulation', 'socket', 'testing'];
/** Of those, the ones that put other modules in place of ours. */
const MOCKING = [
  'test/testing/watched-session.test.ts',
  'test/socket/net-options.test.ts',
  'test/socket/net-connecting.test.ts',
];
const all = readdirSync(source('test'), { recursive: true, encoding: 'utf8' })
  .map((file) => `test/${file}`)
  .filter((file) => file.endsWith('.test.ts'));
const shared = all.filter((file) => SHARED.includes(file.split('/')[1]!) && !MOCKING.includes(file));

export default defineConfig({
  resolve: {
    // Examples import the package by its name; in the tests that name is the source, so that there is one copy.
    alias: [
      { find: /^wirechart$/, replacement: source('src/index.ts') },
      { find: /^wirechart\/machines$/, replacement: source('machines/index.ts') },
      {
        find: /^wirechart\/(codec|inspect|testing|testing\/fast-check|testing\/vitest|time)$/,
        replacement: source('src/$1/index.ts'),
      },
    ],
  },
  test: {
    // For what hangs: a machine that does other things besides is slower by three and more, and no test is about that.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 30_000 } },
    retry: 0,
    maxWorkers: 2,
    projects: [
      { extends: true, test: { name: 'shared', include: shared, isolate: false } },
      { extends: true, test: { name: 'apart', include: all.filter((file) => !shared.includes(file)) } },
    ],
  },
});
