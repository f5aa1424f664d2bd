/**
 * Attacks on a port of this machine, with healthy peers beside them that measure how long their answers take.
 *
 * - Slices: the healthy alone, then beside one attack, then alone again, and so on. What else the machine does meanwhile hits
 *   both sides, so their ratio says something where the figures themselves do not.
 * - The load is paced, and the healthy peers may work in another process (`healthy`): what is measured is the server, and neither
 *   the attackers' own work nor a machine without a free core.
 * - Loopback addresses alone, a number of connections that the descriptors allow, and a time that ends.
 */
import { firstValueFrom, fromEvent, merge, take, timer, type SchedulerLike } from 'rxjs';
import { otherEndOf } from '../codec/other-end.js';
import type { AnyProtocol } from '../session/protocol.js';
import { checkInteger, checkObject, refuseUnknown } from '../socket/check.js';
import { createNetLayer } from '../socket/net/net-layer.js';
import { Generator, seedOf } from '../socket/simulated/generator.js';
import type { ListenAddress, SocketLayer } from '../socket/socket-layer.js';
import { RealTime } from '../time/real-time.js';
import { AttackRun, type Attack, type AttackBounds, type AttackEndings } from './attack.js';
import { loopbackAddressOf } from './attack-address.js';
import { framesOf, type HostileFrames } from './attack-frames.js';
import type { HealthyCounts } from './attack-healthy.js';
import { NetLoad, type HealthyLoad } from './attack-load.js';
import { chosenAttacks } from './attacks/attacks.js';
import { ExploreError } from './explore-error.js';
import { Peers } from './peer.js';
import { probeOf, type Probe } from './probe.js';

export interface AttackPortOptions {
  /** 1 to 65 535. */
  readonly port: number;
  /** A loopback address, or a name that leads to nothing else. Default `127.0.0.1`. */
  readonly host?: string;
  /** Whose frames are sent. Without it raw attacks alone are tried, and the healthy peers connect, stay and leave. */
  readonly protocol?: AnyProtocol;
  /** All chance comes from it. Default 1. */
  readonly seed?: number;
  /** Default: all of the kit that can be made of what is known. */
  readonly attacks?: readonly (Attack | string)[];
  /** Seconds in all, half of them with attacks, 1 to 300. Default 10. */
  readonly seconds?: number;
  /** Hostile connections at once, 1 to 10 000, and never more than the descriptors of this process allow. Default 200. */
  readonly connections?: number;
  /** Ends it early: what was found until then is the report. */
  readonly signal?: AbortSignal;
  /** Healthy peers elsewhere. Default: in this process. */
  readonly healthy?: (probe: Probe | undefined, address: ListenAddress) => HealthyLoad;
  /** What can be seen of the server besides its port. */
  readonly watch?: ServerWatch;
  /** Told of each attack when it is over. */
  readonly onAttack?: (result: PortAttackResult) => void;
}

/** The server's process, for whoever has it. */
export interface ServerWatch {
  /** What has happened that ends everything: `the server has ended`. */
  problem(): string | undefined;
  /** Descriptors that are open. `undefined`: nobody can tell. */
  descriptors(): number | undefined;
}

export interface Latency {
  /** Answers. */
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly worstMs: number;
}

export interface PortAttackResult {
  readonly name: string;
  readonly does: string;
  readonly survived: boolean;
  readonly problems: readonly string[];
  readonly connections: number;
  readonly bytesSent: number;
  readonly endings: AttackEndings;
  readonly answers: {
    readonly asked: number;
    readonly answered: number;
    readonly lost: number;
    readonly cutOff: number;
  };
  /** Of the healthy peers, while it was on. */
  readonly latency: Latency;
}

export interface PortReport {
  readonly address: { readonly host: string; readonly port: number };
  readonly survived: boolean;
  /** What concerns no single attack. */
  readonly problems: readonly string[];
  readonly probe: Probe | undefined;
  readonly probeProblem: string | undefined;
  readonly attacks: readonly PortAttackResult[];
  readonly skipped: readonly string[];
  /** Hostile connections at once, at most. */
  readonly connections: number;
  /** Of the healthy peers: in the slices without an attack, and in those with one. */
  readonly alone: Latency;
  readonly attacked: Latency;
  /** p99 with attacks to p99 without; `undefined` when one of them had no answer. */
  readonly ratio: number | undefined;
}

/** Descriptors that are left to the rest of this process. */
const DESCRIPTOR_RESERVE = 64;
/** A server may have opened some for itself meanwhile: a log, a timer, a file that a handler reads. */
const DESCRIPTOR_SLACK = 16;
/** Before the first slice, for each second that all takes: code that has just been loaded is slow, with and without attacks. */
const WARM_UP_MS_PER_SECOND = 50;
/** After an attack, in ms: at least, and at most while its connections go. */
const SETTLE_MS = 30;
const SETTLE_MAX_MS = 3_000;

/**
 * @throws {SocketError} OPTION_INVALID
 * @throws {ExploreError} NOT_LOOPBACK, before anything is sent; UNREACHABLE when no healthy peer is served there
 */
export async function attackPort(options: AttackPortOptions): Promise<PortReport> {
  const parsed = parseOptions(options);
  const host = await loopbackAddressOf(options.host ?? '127.0.0.1');
  const { probe, probeProblem } = await lookForProbe(options.protocol);
  const frames = options.protocol && framesOf(options.protocol, probe);
  const attack = new PortAttack({ ...parsed, probe, frames }, { host, port: options.port });
  const report = await attack.run();
  return { ...report, probe, probeProblem };
}

function parseOptions(options: AttackPortOptions) {
  const path = 'attackPort';
  refuseUnknown(path, checkObject(path, options), [
    'port', 'host', 'protocol', 'seed', 'attacks', 'seconds', 'connections', 'signal', 'healthy', 'watch', 'onAttack',
  ]); // prettier-ignore
  const { port, seed = 1, seconds = 10, connections = 200 } = options;
  checkInteger(`${path}.port`, port, { min: 1, max: 65_535 });
  checkInteger(`${path}.seed`, seed, { min: 0, max: Number.MAX_SAFE_INTEGER });
  checkInteger(`${path}.seconds`, seconds, { min: 1, max: 300 });
  checkInteger(`${path}.connections`, connections, { min: 1, max: 10_000 });
  return { ...options, seed, seconds, connections, attacks: chosenAttacks(`${path}.attacks`, options.attacks) };
}

async function lookForProbe(protocol: AnyProtocol | undefined) {
  if (!protocol) return { probe: undefined, probeProblem: undefined };
  try {
    return { probe: await probeOf(protocol), probeProblem: undefined };
  } catch (error) {
    if (!(error instanceof ExploreError) || error.code !== 'NO_ANSWER') throw error;
    return { probe: undefined, probeProblem: error.message };
  }
}

type PortAttackOptions = ReturnType<typeof parseOptions> & {
  readonly probe: Probe | undefined;
  readonly frames: HostileFrames | undefined;
};

class PortAttack {
  readonly #options: PortAttackOptions;
  readonly #address: { readonly host: string; readonly port: number };
  readonly #time: SchedulerLike = new RealTime();
  readonly #layer: SocketLayer;
  readonly #peers: Peers;
  readonly #healthy: HealthyLoad;
  readonly #attacks: readonly Attack[];
  readonly #connections: number;
  readonly #aloneMs: number[] = [];
  readonly #attackedMs: number[] = [];
  readonly #problems: string[] = [];
  #descriptorsBefore: number | undefined;

  constructor(options: PortAttackOptions, address: { readonly host: string; readonly port: number }) {
    this.#options = options;
    this.#address = address;
    this.#layer = createNetLayer({ time: this.#time });
    this.#peers = new Peers(this.#layer);
    const { probe, protocol, healthy, frames } = options;
    const factory = protocol && (protocol.codecs[protocol.initialCodec] as Parameters<typeof otherEndOf>[0]);
    const codec = factory && (() => otherEndOf(factory));
    this.#healthy = healthy?.(probe, address) ?? new NetLoad({ address, time: this.#time, probe, codec });
    this.#attacks = options.attacks.filter(({ needsFrames }) => frames || needsFrames !== true);
    const descriptors = this.#layer.descriptors();
    const free = descriptors ? descriptors.limit - descriptors.used - DESCRIPTOR_RESERVE : Infinity;
    this.#connections = Math.max(1, Math.min(options.connections, free));
  }

  async run(): Promise<Omit<PortReport, 'probe' | 'probeProblem'>> {
    const results: PortAttackResult[] = [];
    try {
      await this.#healthy.start();
      await this.#wait(this.#options.seconds * WARM_UP_MS_PER_SECOND);
      this.#addLosses(await this.#healthy.take());
      this.#descriptorsBefore = this.#options.watch?.descriptors();
      for (const [index, attack] of this.#attacks.entries()) {
        if (this.#isOver) break;
        const result = await this.#runOne(attack, index);
        results.push(result);
        this.#options.onAttack?.(result);
      }
      if (!this.#isOver) await this.#healthy.finish();
      this.#addLosses(await this.#healthy.take());
    } finally {
      this.#healthy.stop();
      this.#peers.close();
    }
    const problem = this.#options.watch?.problem();
    if (problem !== undefined) this.#problems.push(problem);
    const [alone, attacked] = [latencyOf(this.#aloneMs), latencyOf(this.#attackedMs)];
    return {
      address: this.#address,
      survived: this.#problems.length === 0 && results.every(({ survived }) => survived),
      problems: this.#problems,
      attacks: results,
      skipped: this.#options.attacks.filter((one) => !this.#attacks.includes(one)).map(({ name }) => name),
      connections: this.#connections,
      alone,
      attacked,
      ratio: alone.count > 0 && attacked.count > 0 ? attacked.p99Ms / alone.p99Ms : undefined,
    };
  }

  get #isOver(): boolean {
    return this.#options.signal?.aborted === true || this.#options.watch?.problem() !== undefined;
  }

  /** A slice without the attack, one with it, and a moment for its connections to go. */
  async #runOne(attack: Attack, index: number): Promise<PortAttackResult> {
    const { seconds, seed, frames } = this.#options;
    const sliceMs = (seconds * 1_000) / (2 * this.#attacks.length);
    await this.#wait(sliceMs);
    const alone = await this.#healthy.take();
    this.#aloneMs.push(...alone.latenciesMs);
    this.#addLosses(alone);
    const run = new AttackRun({
      peers: this.#peers,
      address: this.#address,
      time: this.#time,
      generator: new Generator(seedOf(seed, index)),
      frames,
      bounds: this.#bounds(sliceMs),
    });
    let during: HealthyCounts;
    try {
      attack.run(run);
      await this.#wait(sliceMs);
      during = await this.#healthy.take();
    } finally {
      run.end(); // also where the healthy peers are gone: nobody may be attacked after the report
    }
    this.#attackedMs.push(...during.latenciesMs);
    const leftOver = await this.#settle();
    const after = await this.#healthy.take();
    const answers = { asked: 0, answered: 0, lost: 0, cutOff: 0 };
    for (const key of ['asked', 'answered', 'lost', 'cutOff'] as const) answers[key] = during[key] + after[key];
    const problems = [...lossesOf(answers), ...leftOver];
    return {
      name: attack.name,
      does: attack.does,
      survived: problems.length === 0,
      problems,
      connections: run.connections,
      bytesSent: run.bytesSent,
      endings: run.endings,
      answers,
      latency: latencyOf(during.latenciesMs),
    };
  }

  #bounds(durationMs: number): AttackBounds {
    const connectsPerSecond = 300;
    return {
      durationMs,
      connectionsMax: this.#connections,
      connectionsTotalMax: this.#connections + Math.ceil((durationMs * connectsPerSecond) / 1_000),
      connectionBytesMax: 5 * 1024 * 1024,
      connectsPerSecond,
      bytesPerSecond: 1024 * 1024,
      framesPerSecond: 1_000,
    };
  }

  /** @returns what is wrong: the server still has descriptors of connections that are gone. */
  async #settle(): Promise<string[]> {
    const { watch } = this.#options;
    const before = this.#descriptorsBefore;
    for (let waitedMs = 0; waitedMs < SETTLE_MAX_MS && !this.#isOver; waitedMs += SETTLE_MS) {
      await this.#wait(SETTLE_MS);
      const now = watch?.descriptors();
      if (before === undefined || now === undefined || now <= before + DESCRIPTOR_SLACK) break;
    }
    const problem = watch?.problem();
    if (problem !== undefined) return [problem];
    const now = watch?.descriptors();
    if (before === undefined || now === undefined || now <= before + DESCRIPTOR_SLACK) return [];
    return [`the server has ${now} descriptors when all attackers are gone, and had ${before} before`];
  }

  #addLosses(counts: HealthyCounts): void {
    this.#problems.push(...lossesOf(counts).map((text) => `${text}, when no attack was on`));
  }

  async #wait(ms: number): Promise<void> {
    const { signal } = this.#options;
    if (signal?.aborted) return;
    const over = timer(ms, this.#time);
    await firstValueFrom(signal ? merge(over, fromEvent(signal, 'abort')).pipe(take(1)) : over);
  }
}

function lossesOf({ lost, cutOff }: Pick<HealthyCounts, 'lost' | 'cutOff'>): string[] {
  return [
    ...(lost > 0 ? [`${lost} answers to healthy peers did not come in time`] : []),
    ...(cutOff > 0 ? [`healthy peers were cut off ${cutOff} times`] : []),
  ];
}

function latencyOf(ms: readonly number[]): Latency {
  const sorted = [...ms].sort((one, other) => one - other);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
  return { count: sorted.length, p50Ms: at(0.5), p99Ms: at(0.99), worstMs: at(1) };
}
