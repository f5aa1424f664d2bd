/** Explores a protocol: paths are found in the model, carried out by real servers, and what they cover is counted. */
import type { AnyStateMachine } from 'xstate';
import { parseSessionOptions, withDefaults } from '../session/options.js';
import { isProtocol, type AnyProtocol, type CommandHandler } from '../session/protocol.js';
import { Generator, seedOf } from '../socket/simulated/generator.js';
import { SocketError } from '../socket/socket-layer.js';
import { handles, mapChart, type ChartMap } from './chart-map.js';
import { CoverageCount, type Coverage } from './coverage.js';
import { parseExploreOptions, type ExploreOptions, type ParsedExploreOptions } from './explore-options.js';
import { Findings, type Finding } from './findings.js';
import { judge, reaches } from './judge.js';
import { KnownAnswers } from './known-answers.js';
import { Model } from './model.js';
import { isUnforeseen, runPath, type PathRunOptions } from './path-run.js';
import { placesTo, stepsTo, type Place } from './place.js';
import { samplesOf, type Sample } from './protocol-samples.js';
import { PureCharts } from './pure-chart.js';
import { describeScript, type Script, type Step } from './script.js';
import { planPaths, Search } from './search.js';

export interface Exploration {
  readonly protocol: string;
  readonly seed: number;
  /** Nothing was found but what is accepted, and each share reaches its threshold. */
  readonly passes: boolean;
  readonly coverage: Coverage;
  /** Those with `accepted` do not count. */
  readonly findings: readonly Finding[];
  /** What was looked at, and what it was bounded by. */
  readonly bounds: ExplorationBounds;
  /** Paths that were carried out, in order. */
  readonly paths: readonly ExploredPath[];
}

/** A path is a script: it can be given to `scripts`, and is carried out again. */
export interface ExploredPath extends Script {
  /** For people: each step, and what it has led to. */
  readonly lines: readonly string[];
}

export interface ExplorationBounds {
  readonly places: number;
  readonly placesMax: number;
  readonly depthMax: number;
  readonly paths: number;
  readonly pathsMax: number;
  readonly steps: number;
  /** Paths that ended early, because something came that the model does not foresee. */
  readonly cutShort: readonly string[];
  /** The bounds that were reached: what lies beyond was not looked at. */
  readonly reached: readonly ReachedBound[];
  /** Most peers at one time. */
  readonly peersMax: number;
}

/** `rounds`: after so many searches with what was learned of handlers' answers, they still answered something new. */
export type ReachedBound = 'placesMax' | 'depthMax' | 'pathsMax' | 'rounds';

/** Searches with what was learned of handlers' answers, at most. */
const ROUNDS_MAX = 8;
/** Steps that a real session is sent on, at most; and which part of the seed they are drawn from. */
const STEPS_ON_MAX = 8;
const WALKS_ON = 1_000_000;

/**
 * Finds paths through a protocol's chart and carries each out: real codec, real sessions, a real server, on a simulated network and a
 * virtual clock. The same seed gives the same result.
 *
 * ```ts
 * const { passes, findings, coverage } = await exploreProtocol(echo);
 * ```
 *
 * @returns what was covered and what was found; a fault of the protocol is a finding, never thrown.
 * @throws {SocketError} OPTION_INVALID
 * @throws {ExploreError} SERVER_FAILED when a server cannot be started.
 */
export async function exploreProtocol(protocol: AnyProtocol, options: ExploreOptions = {}): Promise<Exploration> {
  if (!isProtocol(protocol))
    throw new SocketError('OPTION_INVALID', 'exploreProtocol: expected what defineProtocol returned');
  return new Explorer(protocol, parseExploreOptions(protocol, options)).explore();
}

class Explorer {
  readonly #protocol: AnyProtocol;
  readonly #options: ParsedExploreOptions;
  readonly #chart: ChartMap;
  readonly #coverage: CoverageCount;
  readonly #findings = new Findings();
  readonly #known = new KnownAnswers();
  readonly #sent = new Set<string>();
  readonly #paths: ExploredPath[] = [];
  readonly #cutShort: string[] = [];
  /** What led to each of those: from there on only real sessions know the way. */
  readonly #cutSteps: (readonly Step[])[] = [];
  readonly #boundsReached = new Set<ReachedBound>();
  /** Of the last search: what a missed transition was tried with, and where a session may stay. */
  #search: Search | undefined;
  #placeCount = 0;
  #stepCount = 0;
  #peersMax = 1;

  constructor(protocol: AnyProtocol, options: ParsedExploreOptions) {
    this.#protocol = protocol;
    this.#options = options;
    this.#chart = mapChart(protocol.machine as AnyStateMachine);
    this.#coverage = new CoverageCount(this.#chart, (protocol.handlers ?? {}) as Record<string, CommandHandler>);
  }

  async explore(): Promise<Exploration> {
    const samples = this.#samples();
    for (const script of this.#options.scripts) {
      const cutShort = await this.#carryOut(script, []);
      if (cutShort !== undefined) this.#findings.add('script', script.name, `${script.name}, ${cutShort}`);
    }
    await this.#exploreWith(samples, 1);
    if (this.#coverage.missing.size > 0 && this.#mayNeedAnother()) await this.#exploreWith(samples, 2);
    await this.#walkOn(samples);
    return this.#result();
  }

  #samples(): Record<string, readonly Sample[]> {
    const all: Record<string, readonly Sample[]> = {};
    for (const name of Object.keys(this.#protocol.codecs as object)) {
      const { samples, problems } = samplesOf(this.#protocol, name);
      all[name] = samples;
      for (const { type, kind, text } of problems)
        this.#findings.add(kind === 'unsent' ? 'noSample' : 'codec', type, text);
    }
    return all;
  }

  /** Rounds of searching and carrying out, as long as handlers answer what was not known before. */
  async #exploreWith(samples: Record<string, readonly Sample[]>, peersMax: number): Promise<void> {
    this.#peersMax = peersMax;
    const { seed, placesMax, depthMax, walks, serialize, handlers } = this.#options;
    const protocolOptions = withDefaults(this.#protocol.options, this.#options.options);
    const model = new Model({
      protocol: this.#protocol,
      chart: this.#chart,
      charts: new PureCharts(),
      options: parseSessionOptions(protocolOptions, 'exploreProtocol.options'),
      drainTimeoutMs: 30_000,
      known: this.#known,
      simulated: handlers,
      samples,
      peersMax,
    });
    const attempts = new Map<string, number>();
    for (let round = 0; round < ROUNDS_MAX; round += 1) {
      const missing = this.#coverage.missing;
      // With a second peer there are many more places, and no other ones for one session to stay in.
      const stopsEarly = peersMax > 1;
      const search = new Search(model, this.#chart, missing, {
        seed,
        placesMax,
        depthMax,
        walks,
        serialize,
        stopsEarly,
      });
      search.run();
      this.#noteSearch(search);
      const knownBefore = this.#known.size;
      await this.#carryOutAll(search, attempts);
      if (this.#known.size === knownBefore) return;
      model.forget();
    }
    this.#boundsReached.add('rounds');
  }

  async #carryOutAll(search: Search, attempts: Map<string, number>): Promise<void> {
    for (;;) {
      const paths = planPaths(search, this.#coverage.missing, attempts);
      for (const place of paths) await this.#carryOutPath(place);
      if (paths.length > 0) continue;
      for (const place of [...search.unanswered.values(), ...search.throwing.values()]) await this.#carryOutPath(place);
      return;
    }
  }

  /** Where the model was no guide (an actor that the chart invokes has answered), real sessions are sent on at random, seeded. */
  async #walkOn(samples: Record<string, readonly Sample[]>): Promise<void> {
    const { seed, walks, pathsMax } = this.#options;
    const sends = Object.values(samples).flatMap((all) => all.map(({ step }): Step => step));
    for (let walk = 0; walk < walks && this.#cutSteps.length > 0 && this.#coverage.missing.size > 0; walk += 1) {
      if (this.#paths.length >= pathsMax) return void this.#boundsReached.add('pathsMax');
      const chance = new Generator(seedOf(seed, WALKS_ON + walk));
      const steps = [...this.#cutSteps[chance.below(this.#cutSteps.length)]!];
      for (let left = 1 + chance.below(STEPS_ON_MAX); left > 0; left -= 1) {
        const step = sends[chance.below(sends.length + 2)] ?? { do: 'wait' as const };
        steps.push(step);
      }
      await this.#carryOut({ name: `walk ${walk + 1}`, steps }, []);
    }
  }

  async #carryOutPath(place: Place): Promise<void> {
    const { pathsMax } = this.#options;
    if (this.#paths.length >= pathsMax) {
      this.#boundsReached.add('pathsMax');
      return;
    }
    const script = { name: `path ${this.#paths.length + 1}`, steps: stepsTo(place) };
    const cutShort = await this.#carryOut(script, placesTo(place));
    if (cutShort !== undefined) {
      this.#cutShort.push(`${script.name}, ${cutShort}`);
      if (isUnforeseen(cutShort)) this.#cutSteps.push(script.steps.slice(0, this.#paths.at(-1)!.lines.length));
    }
  }

  /** @returns why it ended early, if it did */
  async #carryOut(script: Script, places: readonly Place[]): Promise<string | undefined> {
    const { seed, options, handlers } = this.#options;
    const of: PathRunOptions = {
      protocol: this.#protocol,
      options,
      seed: seedOf(seed, this.#paths.length),
      simulated: handlers,
      known: this.#known,
      coverage: this.#coverage,
      findings: this.#findings,
      sent: this.#sent,
    };
    const { notes, cutShort } = await runPath(script, places, of);
    this.#paths.push({ ...script, lines: describeScript(script, notes) });
    this.#stepCount += notes.length;
    return cutShort;
  }

  #noteSearch(search: Search): void {
    this.#placeCount = Math.max(this.#placeCount, search.placeCount);
    for (const bound of search.bounds) this.#boundsReached.add(bound);
    const stepsOf = (place: Place) => describeScript({ name: '', steps: stepsTo(place) });
    for (const [path, place] of search.withoutDeadline) {
      const why = 'a session may stay there for ever: nothing is due, and its waits are off or stand still';
      this.#findings.add('noDeadline', path, `${path}: ${why}`, stepsOf(place));
    }
    for (const [path, place] of search.withoutExit) {
      const why = 'not final, and handles nothing: a session just stays there';
      this.#findings.add('noExit', path, `${path} is ${why}`, stepsOf(place));
    }
    this.#search = search;
  }

  /** Only through what sessions share can one of them see another. */
  #mayNeedAnother(): boolean {
    const { peersMax } = this.#options;
    if (peersMax !== undefined) return peersMax > 1;
    const { machine } = this.#chart;
    return Object.keys(this.#protocol.shared ?? {}).length > 0 || handles(machine, 'KEY_TAKEN');
  }

  #result(): Exploration {
    const { ignore, thresholds, seed, placesMax, depthMax, pathsMax } = this.#options;
    const { shares, ...rest } = judge({
      protocol: this.#protocol,
      chart: this.#chart,
      count: this.#coverage,
      search: this.#search!,
      sent: this.#sent,
      findings: this.#findings,
      hasSkippedPaths: this.#boundsReached.has('pathsMax'),
    });
    const findings = this.#findings.list(ignore);
    const passes =
      findings.every(({ finding, accepted }) => finding === 'notCovered' || accepted !== undefined) &&
      reaches(this.#chart, this.#coverage, findings, thresholds);
    return {
      protocol: this.#protocol.name as string,
      seed,
      passes,
      coverage: { ...rest, shares },
      findings,
      bounds: {
        places: this.#placeCount,
        placesMax,
        depthMax,
        paths: this.#paths.length,
        pathsMax,
        steps: this.#stepCount,
        cutShort: this.#cutShort,
        reached: [...this.#boundsReached],
        peersMax: this.#peersMax,
      },
      paths: this.#paths,
    };
  }
}
