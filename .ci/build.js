// Compiles machines/, src/ and examples/ into dist/, and bundles the visualizer's page into dist/visualizer. It starts from an empty
// folder, so that a file that was deleted or renamed in the sources cannot live on in the package.
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const root = fileURLToPath(new URL('..', import.meta.url));
rmSync(`${root}dist`, { recursive: true, force: true });
const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
const { status } = spawnSync(process.execPath, [tsc, '-p', root], { stdio: 'inherit' });
process.exitCode = status ?? 1;
if (status === 0) await build({ configFile: `${root}visualizer/vite.config.ts`, logLevel: 'warn' });
