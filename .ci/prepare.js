// Runs after `npm ci` and before `npm pack`: leaves a built package. Where the dev dependencies were
// left out there is no compiler, and the install goes on without a build.
import { createRequire } from 'node:module';

try {
  createRequire(import.meta.url).resolve('typescript/bin/tsc');
} catch {
  console.log('wirechart: dev dependencies are absent, so nothing was built');
  process.exit(0);
}
await import('./build.js');
