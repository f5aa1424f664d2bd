import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const source = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  resolve: {
    // Examples import the package by its name; in the tests that name is the source, so that there is one copy.
    alias: [
      { find: /^wirechart$/, replacement: source('src/index.ts') },
      { find: /^wirechart\/machines$/, replacement: source('machines/index.ts') },
      {
        find: /^wirechart\/(codec|testing|testing\/fast-check|testing\/vitest|time)$/,
        replacement: source('src/$1/index.ts'),
      },
    ],
  },
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 15_000,
    hookTimeout: 15_000,
    retry: 0,
    maxWorkers: 2,
  },
});
