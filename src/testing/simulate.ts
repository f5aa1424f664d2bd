/**
 * Many seeds of one scenario. Each seed is played twice, and both runs must have the same trace to the byte: what depends on anything
 * but the seed is a defect, too. Of a seed that fails, the faults that do not matter are taken away one by one while it still fails
 * in the same way: what is printed is the seed, the faults that are left, and the trace of the session that it is about.
 */
import { createHash } from 'node:crypto';
import { checkInteger, checkObject, invalid, refuseUnknown } from '../socket/check.js';
import { messageOf } from '../session/errors.js';
import type { ScheduledFault } from './faults.js';
import { createWorld, type World, type WorldOptions } from './world.js';
import { WorldError } from './world-error.js';

/** What is played, the same for each seed; all that differs comes from the world's chance. */
export interface Scenario {
  /** Shown to people, and what a failing seed is repeated by. */
  readonly name: string;
  /** Of each world, besides its seed. */
  readonly world?: Omit<WorldOptions, 'seed' | 'keepsFault'>;
  /** Plays it. The world is ended, and looked at for leftovers, when it is done. */
  play(world: World): void | Promise<void>;
}

export interface SimulateOptions {
  /** Of the first world. Default 1; the others follow. */
  readonly firstSeed?: number;
  /** How many worlds. Default 100. */
  readonly seedCount?: number;
  /** Failing seeds after which it stops. Default 1. */
  readonly failuresMax?: number;
  /** Told after each seed. */
  readonly onSeed?: (seed: number, failure: SimulationFailure | undefined) => void;
}

export interface SimulationFailure {
  readonly scenario: string;
  readonly seed: number;
  readonly error: unknown;
  /** Those that it still fails with, and does not without. */
  readonly faults: readonly ScheduledFault[];
  /** For people: what is broken, the seed, the faults, the trace. */
  readonly message: string;
}

export interface SimulationReport {
  readonly scenario: string;
  readonly seedCount: number;
  readonly failures: readonly SimulationFailure[];
  /** Virtual time of all worlds together, each counted once, in ms. */
  readonly virtualMs: number;
  /** Sessions that lived in them. */
  readonly sessionCount: number;
  /** Ended sessions by reason. */
  readonly reasons: Readonly<Record<string, number>>;
  /** SHA-256 over the traces of all worlds: equal for equal seeds and equal code. */
  readonly digest: string;
}

/** Runs that are spent on taking faults away from one failing seed. */
const SHRINK_RUNS_MAX = 200;

interface Run {
  readonly digest: string;
  readonly virtualMs: number;
  readonly reasons: Readonly<Record<string, number>>;
  readonly faults: readonly ScheduledFault[];
  readonly failure: { readonly error: unknown } | undefined;
}

/**
 * ```ts
 * const report = await simulate(
 *   {
 *     name: 'echo under faults',
 *     async play(world) {
 *       const server = await world.server(echo);
 *       world.drawFaults({ perSecond: 1, durationMs: 10_000 });
 *       for (let n = 0; n < 5; n += 1) world.peer(server).send({ type: 'FRAME', payload: Uint8Array.of(n) });
 *       world.advanceBy(10_000);
 *       world.calm();
 *     },
 *   },
 *   { seedCount: 20 },
 * );
 * report.failures; // []
 * ```
 *
 * @throws {SocketError} OPTION_INVALID. A scenario that fails does not throw: it is in `failures`.
 */
export async function simulate(scenario: Scenario, options: SimulateOptions = {}): Promise<SimulationReport> {
  checkObject('simulate.scenario', scenario);
  const { play } = scenario as { readonly play?: unknown };
  if (typeof play !== 'function') throw invalid('simulate.scenario.play', 'a function that takes a world', play);
  refuseUnknown('simulate', checkObject('simulate', options), ['firstSeed', 'seedCount', 'failuresMax', 'onSeed']);
  const { firstSeed = 1, seedCount = 100, failuresMax = 1, onSeed } = options;
  checkInteger('simulate.firstSeed', firstSeed, { min: 0, max: Number.MAX_SAFE_INTEGER });
  checkInteger('simulate.seedCount', seedCount, { min: 1, max: 2 ** 31 - 1 });
  checkInteger('simulate.failuresMax', failuresMax, { min: 1, max: 2 ** 31 - 1 });
  const hash = createHash('sha256');
  const failures: SimulationFailure[] = [];
  const reasons: Record<string, number> = {};
  let virtualMs = 0;
  let played = 0;
  for (let seed = firstSeed; played < seedCount && failures.length < failuresMax; seed += 1) {
    const run = await playSeed(scenario, seed);
    played += 1;
    virtualMs += run.virtualMs;
    hash.update(run.digest);
    for (const [reason, count] of Object.entries(run.reasons)) reasons[reason] = (reasons[reason] ?? 0) + count;
    const failure = run.failure ? await explain(scenario, seed, run) : await repeat(scenario, seed, run);
    if (failure) failures.push(failure);
    onSeed?.(seed, failure);
  }
  return {
    scenario: scenario.name,
    seedCount: played,
    failures,
    virtualMs,
    sessionCount: Object.values(reasons).reduce((sum, count) => sum + count, 0),
    reasons,
    digest: hash.digest('hex'),
  };
}

async function playSeed(scenario: Scenario, seed: number, keepsFault?: (index: number) => boolean): Promise<Run> {
  const world = createWorld({ ...scenario.world, seed, ...(keepsFault && { keepsFault }) });
  let failure: Run['failure'];
  try {
    await scenario.play(world);
    await world.end();
  } catch (error) {
    failure = { error };
  }
  return {
    digest: world.digest,
    virtualMs: world.time.now(),
    reasons: world.reasons,
    faults: world.scheduledFaults,
    failure,
  };
}

/** The second run of a seed. @returns the failure that it is to have another trace */
async function repeat(scenario: Scenario, seed: number, first: Run): Promise<SimulationFailure | undefined> {
  const second = await playSeed(scenario, seed);
  if (second.failure === undefined && second.digest === first.digest) return undefined;
  const problem = second.failure ? `the second failed: ${messageOf(second.failure.error)}` : 'their traces differ';
  const error = new WorldError('NOT_DETERMINISTIC', `two runs of seed ${seed} are not the same: ${problem}`);
  return { scenario: scenario.name, seed, error, faults: first.faults, message: `${scenario.name}: ${error.message}` };
}

/** Takes faults away, in pieces that get smaller, while what is left still fails in the same way; single ones until none of them can go. */
async function explain(scenario: Scenario, seed: number, first: Run): Promise<SimulationFailure> {
  let kept = first.faults.map((_, index) => index);
  let { error } = first.failure!;
  const kind = kindOf(error);
  let runs = 0;
  for (let size = Math.ceil(kept.length / 2), before = Infinity; size > 1 || kept.length < before;) {
    before = kept.length;
    for (let from = 0; from < kept.length && runs < SHRINK_RUNS_MAX; runs += 1) {
      const fewer = [...kept.slice(0, from), ...kept.slice(from + size)];
      const set = new Set(fewer);
      const { failure } = await playSeed(scenario, seed, (index) => set.has(index));
      if (failure && kindOf(failure.error) === kind) {
        kept = fewer;
        ({ error } = failure);
      } else from += size;
    }
    // One that mattered while another was there may not matter without it: the last round is one that took nothing away.
    if (size > 1) [size, before] = [Math.ceil(size / 2), Infinity];
  }
  const faults = kept.map((index) => first.faults[index]!);
  const list = faults.map((fault) => `\n  ${JSON.stringify(fault)}`).join('');
  const which = faults.length === 0 ? 'without any fault' : `with these faults alone:${list}`;
  const message = `${scenario.name}, seed ${seed}: ${messageOf(error)}\nIt fails ${which}`;
  return { scenario: scenario.name, seed, error, faults, message };
}

/** Two failures of one kind are taken for the same. Numbers in a message differ from run to run. */
function kindOf(error: unknown): string {
  if (error instanceof WorldError) return `${error.code} ${firstLine(error).replace(/[\d.]+/g, '0')}`;
  return `${error instanceof Error ? error.name : typeof error} ${firstLine(error).replace(/[\d.]+/g, '0')}`;
}

function firstLine(error: unknown): string {
  return messageOf(error).split('\n', 1)[0]!;
}
