/**
 * `npm run simulate`: many seeds of all scenarios.
 *
 * - The seeds are numbered through: seed n plays scenario n modulo their number, so that `--first 1 --seeds 500` gives each its share and
 *   a longer run plays all of a shorter one's. With `--scenario` all of them play that one: a failing seed is repeated so.
 * - Two processes share the work, a scenario at a time; what is printed at the end is in the scenarios' order, and the summary hash is
 *   over their digests in that order, so it does not depend on who was faster.
 * - The repeated run of each seed is `simulate`'s own: half of the time is spent on making sure that a seed says everything.
 */
import { fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { simulate, type Scenario, type SimulationReport } from '../../src/testing/simulate.js';
import { SCENARIOS } from './scenarios/list.js';

const USAGE = `npm run simulate -- [--seeds N] [--first S] [--scenario NAME] [--json]
  --seeds N        how many seeds, spread over the scenarios; default 300
  --first S        the first of them; default 1
  --scenario NAME  this one alone, by its name or by a part of it that no other has
  --json           the report as JSON`;

interface Order {
  readonly scenario: string;
  readonly firstSeed: number;
  readonly seedCount: number;
}

type Outcome = Omit<SimulationReport, 'failures'> & {
  readonly realMs: number;
  readonly failures: readonly { readonly seed: number; readonly message: string }[];
};

const say = (text: string) => process.stdout.write(`${text}\n`);
const note = (text: string) => process.stderr.write(`${text}\n`);

process.exitCode = process.send ? await work() : await main(process.argv.slice(2)).catch(stopped);

/** Somebody has ended it, or a child: a word, and no stack trace. */
function stopped(error: Error): number {
  note(error.message);
  return 1;
}

/** @returns exit code: 0, 1 when a seed fails, 2 when the arguments make no sense */
async function main(args: readonly string[]): Promise<number> {
  let options: ReturnType<typeof parse>;
  try {
    options = parse(args);
  } catch (error) {
    note(`${(error as Error).message}\n${USAGE}`);
    return 2;
  }
  if (options.help) {
    say(USAGE);
    return 0;
  }
  for (const [signal, code] of [['SIGINT', 130], ['SIGTERM', 143]] as const) process.once(signal, () => process.exit(code)); // prettier-ignore
  const beganMs = Date.now();
  const orders = options.orders;
  const outcomes = await carryOut(orders, (outcome, done) => note(`  ${done} of ${orders.length}: ${lineOf(outcome)}`));
  const hash = createHash('sha256');
  for (const { scenario, seedCount, digest } of outcomes) hash.update(`${scenario} ${seedCount} ${digest}\n`);
  const failures = outcomes.flatMap(({ scenario, failures: each }) =>
    each.map((failure) => ({ scenario, ...failure, repeat: repeatOf(scenario, failure.seed) })),
  );
  const sum = (of: (outcome: Outcome) => number) => outcomes.reduce((total, outcome) => total + of(outcome), 0);
  const summary = {
    seeds: sum(({ seedCount }) => seedCount),
    sessions: sum(({ sessionCount }) => sessionCount),
    virtualMs: sum(({ virtualMs }) => virtualMs),
    realMs: Date.now() - beganMs,
    hash: hash.digest('hex'),
  };
  if (options.json) say(JSON.stringify({ ...summary, scenarios: outcomes, failures }, null, 2));
  else {
    for (const outcome of outcomes) say(lineOf(outcome));
    for (const { message, repeat } of failures) say(`\nFAILED ${message}\nrepeat it with: ${repeat}`);
    const ratio = (2 * summary.virtualMs) / summary.realMs; // each seed is played twice
    say(
      `\n${summary.seeds} seeds, ${summary.sessions} sessions, ${seconds(summary.virtualMs)} s of virtual time, each played twice in ${seconds(summary.realMs)} s: ` +
        `${ratio.toFixed(0)} times as fast as real time\n${failures.length === 0 ? 'no property was broken' : `${failures.length} seeds failed`}\nsummary hash ${summary.hash}`,
    );
  }
  return failures.length === 0 ? 0 : 1;
}

function parse(args: readonly string[]) {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seeds: { type: 'string', default: '300' },
      first: { type: 'string', default: '1' },
      scenario: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const seeds = integer('--seeds', values.seeds, 1);
  const first = integer('--first', values.first, 0);
  const { scenario, json, help } = values;
  const orders =
    scenario === undefined
      ? SCENARIOS.flatMap(({ name }, index) => shareOf(name, index, first, seeds))
      : [{ scenario: named(scenario).name, firstSeed: first, seedCount: seeds }];
  return { orders, json, help };
}

/** Of the seeds `first` to `first + seeds - 1`, those that are this scenario's: they follow each other when they are divided by the scenarios' number. */
function shareOf(scenario: string, index: number, first: number, seeds: number): Order[] {
  const count = SCENARIOS.length;
  const firstSeed = Math.ceil((first - index) / count);
  const seedCount = Math.ceil((first + seeds - index) / count) - firstSeed;
  return seedCount > 0 ? [{ scenario, firstSeed, seedCount }] : [];
}

function named(name: string): Scenario {
  const found = SCENARIOS.filter((one) => one.name === name);
  const near = found.length > 0 ? found : SCENARIOS.filter((one) => one.name.includes(name));
  if (near.length === 1) return near[0]!;
  const list = SCENARIOS.map((one) => `\n  ${one.name}`).join('');
  throw new TypeError(
    `--scenario: expected the name of one scenario, got ${JSON.stringify(name)}, which ${near.length} have:${list}`,
  );
}

function integer(option: string, text: string, min: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= min) return value;
  throw new TypeError(`${option}: expected a whole number of at least ${min}, got ${text}`);
}

function lineOf({ scenario, seedCount, sessionCount, virtualMs, realMs, reasons, failures }: Outcome): string {
  const ends = Object.entries(reasons)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([reason, count]) => `${reason} ${count}`)
    .join(', ');
  const state = failures.length > 0 ? 'FAILED ' : '';
  return `${state}${scenario}: ${seedCount} seeds, ${sessionCount} sessions, ${seconds(virtualMs)} s in ${seconds(realMs)} s (${ends})`;
}

function seconds(ms: number): string {
  return (ms / 1_000).toFixed(ms < 10_000 ? 1 : 0);
}

function repeatOf(scenario: string, seed: number): string {
  return `npm run simulate -- --scenario ${JSON.stringify(scenario)} --first ${seed} --seeds 1`;
}

/** @returns the outcomes in the order of their orders. */
async function carryOut(
  orders: readonly Order[],
  progress: (outcome: Outcome, done: number) => void,
): Promise<Outcome[]> {
  const outcomes = new Map<Order, Outcome>();
  const waiting = [...orders];
  const worker = async () => {
    const child = fork(fileURLToPath(import.meta.url), [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    try {
      for (let order = waiting.shift(); order !== undefined; order = waiting.shift()) {
        const outcome = await ask(child, order);
        outcomes.set(order, outcome);
        progress(outcome, outcomes.size);
      }
    } finally {
      if (child.connected) child.disconnect();
    }
  };
  await Promise.all(Array.from({ length: Math.min(2, availableParallelism(), orders.length) }, worker));
  return orders.map((order) => outcomes.get(order)!);
}

function ask(child: ReturnType<typeof fork>, order: Order): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const gone = (code: number | null, signal: string | null) =>
      reject(new Error(`the process that played ${order.scenario} was ended (${signal ?? `exit code ${code}`})`));
    child.once('exit', gone);
    child.once('message', (outcome) => {
      child.off('exit', gone);
      resolve(outcome as Outcome);
    });
    child.send(order);
  });
}

/** A child: plays what it is told to, until its parent lets it go. */
function work(): Promise<number> {
  return new Promise((resolve) => {
    process.on('message', (order: Order) => void play(order));
    process.on('disconnect', () => resolve(0));
  });
}

async function play({ scenario, firstSeed, seedCount }: Order): Promise<void> {
  const beganMs = Date.now();
  const report = await simulate(named(scenario), { firstSeed, seedCount });
  const failures = report.failures.map(({ seed, message }) => ({ seed, message }));
  // Whoever has asked may be gone.
  if (process.connected) process.send!({ ...report, failures, realMs: Date.now() - beganMs } satisfies Outcome);
}
