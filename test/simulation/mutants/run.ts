/**
 * `npm run mutants`: does the simulation suite find what is broken on purpose?
 *
 * - A mutant is a copy of the project's sources and tests in a folder of its own (packages linked), with one text changed. The unchanged
 *   copy comes first, and must pass: a suite that fails anyway finds everything.
 * - Found is what the simulation suite finds: the scenarios with few seeds, then `test/simulation`, then, of the network, its own properties
 *   and the parity with the real one. Chart tests and the like are not asked.
 * - A mutant that runs without end is found as well: nothing may take longer than its limit.
 */
import { spawn } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { MUTANTS, type Mutant } from './list.js';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const COPIED = ['machines', 'src', 'examples', 'test', 'docs', 'package.json', 'tsconfig.json', 'vitest.config.ts'];
const AT_ONCE = 2;

interface Step {
  readonly name: string;
  readonly command: readonly string[];
  readonly limitMs: number;
}

const TSX = ['node_modules/tsx/dist/cli.mjs', '--tsconfig', 'test/tsconfig.json', 'test/simulation/run.ts'];
const VITEST = ['node_modules/vitest/vitest.mjs', 'run', '--maxWorkers', '1'];

/** Cheapest first. */
function stepsFor(part: Mutant['part'] | undefined): readonly Step[] {
  return [
    { name: 'npm run simulate -- --seeds 81', command: [...TSX, '--seeds', '81'], limitMs: 150_000 },
    { name: 'test/simulation', command: [...VITEST, 'test/simulation'], limitMs: 400_000 },
    ...(part === 'network' || part === undefined
      ? [
          {
            name: 'test/socket (simulated)',
            command: [...VITEST, 'test/socket/simulated', 'test/socket/parity.test.ts'],
            limitMs: 120_000,
          },
        ]
      : []),
  ];
}

interface Verdict {
  readonly name: string;
  /** The step that failed, and its first words on why; `undefined`: all passed. */
  readonly foundBy: string | undefined;
  readonly tookMs: number;
}

const say = (text: string) => process.stdout.write(`${text}\n`);

process.exitCode = await main(process.argv.slice(2));

/** @returns exit code: 0 when every mutant is found and the unchanged copy is not, 2 when the arguments make no sense */
async function main(args: readonly string[]): Promise<number> {
  let only: readonly string[] | undefined;
  try {
    only = parseArgs({ args: [...args], options: { only: { type: 'string', multiple: true } } }).values.only;
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\nnpm run mutants -- [--only PART|NAME]...\n`);
    return 2;
  }
  const isChosen = ({ name, part }: Mutant) =>
    only === undefined || only.some((one) => name.includes(one) || part === one);
  const chosen = MUTANTS.filter(isChosen);
  if (chosen.length === 0) {
    process.stderr.write(`--only: no mutant has ${JSON.stringify(only)} in its name\n`);
    return 2;
  }
  const unchanged = await judge(undefined);
  say(
    `unchanged: ${unchanged.foundBy === undefined ? 'passes' : `FAILS ${unchanged.foundBy}`} (${seconds(unchanged.tookMs)} s)`,
  );
  if (unchanged.foundBy !== undefined) return 1;
  const waiting = [...chosen];
  const survivors: Mutant[] = [];
  const worker = async () => {
    for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
      const { name, part, breaks } = mutant;
      const { foundBy, tookMs } = await judge(mutant);
      if (foundBy === undefined) survivors.push(mutant);
      say(
        `${part}: ${name} (${breaks})\n  ${foundBy === undefined ? 'NOT FOUND' : `found by ${foundBy}`} (${seconds(tookMs)} s)`,
      );
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  say(
    `\n${chosen.length - survivors.length} of ${chosen.length} mutants are found${survivors.map(({ name }) => `\n  NOT FOUND: ${name}`).join('')}`,
  );
  return survivors.length === 0 ? 0 : 1;
}

function seconds(ms: number): string {
  return (ms / 1_000).toFixed(1);
}

async function judge(mutant: Mutant | undefined): Promise<Verdict> {
  const beganMs = Date.now();
  const name = mutant?.name ?? 'unchanged';
  const folder = await mkdtemp(join(tmpdir(), 'wirechart-mutant-'));
  try {
    for (const part of COPIED) await cp(join(ROOT, part), join(folder, part), { recursive: true });
    await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    if (mutant) await change(join(folder, mutant.file), mutant);
    for (const step of stepsFor(mutant?.part)) {
      const problem = await run(step, folder);
      if (problem !== undefined) return { name, foundBy: `${step.name}: ${problem}`, tookMs: Date.now() - beganMs };
    }
    return { name, foundBy: undefined, tookMs: Date.now() - beganMs };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function change(path: string, { name, from, to }: Mutant): Promise<void> {
  const text = await readFile(path, 'utf8');
  const count = text.split(from).length - 1;
  if (count !== 1) throw new Error(`${name}: its text stands ${count} times in ${path}, and once is what it takes`);
  await writeFile(
    path,
    text.replace(from, () => to),
  );
}

/** @returns what failed, in a line; `undefined` when nothing did */
function run({ command, limitMs }: Step, folder: string): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, command, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    let output = '';
    child.stdout.on('data', (bytes: Buffer) => (output += String(bytes)));
    child.stderr.on('data', (bytes: Buffer) => (output += String(bytes)));
    const timer = setTimeout(() => {
      output = `it did not end within ${limitMs / 1_000} s`;
      process.kill(-child.pid!, 'SIGKILL'); // with the processes that it started
    }, limitMs);
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve(code === 0 ? undefined : firstWords(output));
    });
  });
}

/** The line that says what was broken. */
function firstWords(output: string): string {
  const lines = output
    .replace(new RegExp(`${String.fromCharCode(27)}\\[[\\d;]*m`, 'g'), '')
    .split('\n')
    .map((line) => line.trim());
  const told =
    lines.find((line) => line.startsWith('FAILED ') && line.includes(', seed ')) ??
    lines.find((line) => /^(FAIL|×|Error|AssertionError|it did not)/.test(line));
  return (told ?? lines.find((line) => line !== '') ?? 'it failed').slice(0, 240);
}
