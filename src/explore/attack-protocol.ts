/**
 * Attacks on a protocol, on the simulated network and in virtual time: each one on a server of its own, with healthy peers beside it, and
 * then a look at what is left.
 *
 * What "survived" means is the hard choice, for a server that ends a hostile session does its work, and so does one that bears with it. So
 * what the hostile see decides nothing. It is what all others may rely on: nothing of the protocol's own code or ours has thrown, no
 * session holds more bytes than it may, there are no more sessions than connections, the healthy peers got every answer, and when the attackers
 * have gone, nothing of them is there: no session, no socket, no timer.
 */
import { Generator, seedOf } from '../socket/simulated/generator.js';
import { checkInteger, checkObject, refuseUnknown } from '../socket/check.js';
import { otherEndOf } from '../codec/other-end.js';
import { parseSessionOptions, withDefaults, type SessionOptions } from '../session/options.js';
import type { AnyProtocol } from '../session/protocol.js';
import type { RegistryChange } from '../session/registry.js';
import { AttackRun, type Attack, type AttackBounds, type AttackEndings } from './attack.js';
import { auditedProtocol, type CodecAudit } from './attack-audit.js';
import { framesOf, type HostileFrames } from './attack-frames.js';
import { HealthyPeers } from './attack-healthy.js';
import { AttackServer, HOSTILE } from './attack-server.js';
import { chosenAttacks } from './attacks/attacks.js';
import { ExploreError } from './explore-error.js';
import { probeOf, type Probe } from './probe.js';

export interface AttackProtocolOptions {
  /** All chance comes from it: an integer of at least 0. The same seed gives the same report. */
  readonly seed: number;
  /** Names of the kit's attacks, or attacks of one's own. Default: all of the kit. */
  readonly attacks?: readonly (Attack | string)[];
  /** Virtual seconds of each attack, 1 to 3 600. Default 40: longer than a frame, a write and a close may take by default. */
  readonly seconds?: number;
  /** Hostile connections at once, 1 to 10 000. Default 20. */
  readonly connections?: number;
  /** Healthy peers beside them, 1 to 1 000. Default 3. */
  readonly healthyPeers?: number;
  /** Options of the sessions, above the protocol's own. */
  readonly session?: SessionOptions;
}

/** What one attack led to. */
export interface AttackResult {
  readonly name: string;
  readonly does: string;
  readonly survived: boolean;
  /** Why not: a sentence each; empty when it survived. */
  readonly problems: readonly string[];
  readonly connections: number;
  readonly bytesSent: number;
  /** How the hostile connections ended, as they saw it; `open` are those that lived to the end of the attack. */
  readonly endings: AttackEndings;
  /** Why the hostile sessions ended, as the server saw it, with those that the end of the attack ended. */
  readonly reasons: Readonly<Record<string, number>>;
  /** Most bytes that were held for one session: not yet decoded, or not yet with the kernel. */
  readonly heldBytes: number;
  /** Of the healthy peers. */
  readonly answers: {
    readonly asked: number;
    readonly answered: number;
    readonly lost: number;
    readonly cutOff: number;
  };
}

export interface AttackReport {
  readonly protocol: string;
  readonly seed: number;
  /** All attacks were. */
  readonly survived: boolean;
  /** What the healthy peers ask. `undefined`: they connect, stay and leave, and `probeProblem` says why. */
  readonly probe: Probe | undefined;
  readonly probeProblem: string | undefined;
  readonly attacks: readonly AttackResult[];
  /** Attacks that need frames of the protocol, which nobody could make. */
  readonly skipped: readonly string[];
}

/** Of the server's memory, above `heldBytesMax`: one read of the kernel may come on top of it. */
const READ_BYTES_MAX = 65_536;
const MEBIBYTE = 1024 * 1024;

/**
 * ```ts
 * const report = await attackProtocol(protocol, { seed: 1 });
 * for (const { name, problems } of report.attacks) expect(problems, name).toEqual([]);
 * ```
 *
 * @throws {SocketError} OPTION_INVALID
 * @throws {ExploreError} SERVER_FAILED when the server cannot even be started or stopped
 */
export async function attackProtocol(protocol: AnyProtocol, options: AttackProtocolOptions): Promise<AttackReport> {
  const parsed = parseOptions(options);
  const { seed, session } = parsed;
  const { probe, probeProblem } = await lookForProbe(protocol, seed, session);
  const frames = framesOf(protocol, probe);
  const chosen = parsed.attacks.filter(({ needsFrames }) => frames || needsFrames !== true);
  const results: AttackResult[] = [];
  for (const [index, attack] of chosen.entries()) {
    results.push(await new Trial(protocol, attack, { ...parsed, seed: seedOf(seed, index), probe, frames }).run());
  }
  return {
    protocol: protocol.name,
    seed,
    survived: results.every(({ survived }) => survived),
    probe,
    probeProblem,
    attacks: results,
    skipped: parsed.attacks.filter((attack) => !chosen.includes(attack)).map(({ name }) => name),
  };
}

interface ParsedOptions extends Required<Omit<AttackProtocolOptions, 'attacks'>> {
  readonly attacks: readonly Attack[];
}

function parseOptions(options: AttackProtocolOptions): ParsedOptions {
  const path = 'attackProtocol';
  const names = ['seed', 'attacks', 'seconds', 'connections', 'healthyPeers', 'session'];
  refuseUnknown(path, checkObject(path, options), names);
  const { seed, seconds = 40, connections = 20, healthyPeers = 3, session = {} } = options;
  checkInteger(`${path}.seed`, seed, { min: 0, max: Number.MAX_SAFE_INTEGER });
  checkInteger(`${path}.seconds`, seconds, { min: 1, max: 3_600 });
  checkInteger(`${path}.connections`, connections, { min: 1, max: 10_000 });
  checkInteger(`${path}.healthyPeers`, healthyPeers, { min: 1, max: 1_000 });
  checkObject(`${path}.session`, session);
  const attacks = chosenAttacks(`${path}.attacks`, options.attacks);
  return { seed, seconds, connections, healthyPeers, session, attacks };
}

async function lookForProbe(protocol: AnyProtocol, seed: number, session: SessionOptions) {
  try {
    return { probe: await probeOf(protocol, { seed, session }), probeProblem: undefined };
  } catch (error) {
    if (!(error instanceof ExploreError) || error.code !== 'NO_ANSWER') throw error;
    return { probe: undefined, probeProblem: error.message };
  }
}

interface TrialOptions extends ParsedOptions {
  readonly probe: Probe | undefined;
  readonly frames: HostileFrames | undefined;
}

/** What is there of a server's. */
type Left = Readonly<Record<'sessions' | 'sockets' | 'timers', number>>;

/** One attack on one server. */
class Trial {
  readonly #attack: Attack;
  readonly #options: TrialOptions;
  readonly #audit: CodecAudit;
  readonly #server: AttackServer;
  readonly #healthy: HealthyPeers;
  readonly #run: AttackRun;
  readonly #heldBytesMax: number;
  readonly #closeTimeoutMs: number;
  readonly #reasons: Record<string, number> = {};
  readonly #problems: string[] = [];
  #queuedBytes = 0;
  #sessionsMax = 0;

  constructor(protocol: AnyProtocol, attack: Attack, options: TrialOptions) {
    const { seed, session, probe, frames, healthyPeers } = options;
    this.#attack = attack;
    this.#options = options;
    const { heldBytesMax, closeTimeoutMs } = parseSessionOptions(
      withDefaults(protocol.options as SessionOptions | undefined, session),
      'attackProtocol.session',
    );
    this.#heldBytesMax = heldBytesMax;
    this.#closeTimeoutMs = closeTimeoutMs;
    this.#audit = auditedProtocol(protocol);
    this.#server = new AttackServer({ protocol: this.#audit.protocol, seed, session });
    const { time, address, healthy, hostile } = this.#server;
    this.#healthy = new HealthyPeers({
      peers: healthy,
      address,
      time,
      probe,
      codec: () => otherEndOf(protocol.codecs[protocol.initialCodec] as Parameters<typeof otherEndOf>[0]),
      count: healthyPeers,
      periodMs: 500,
    });
    const generator = new Generator(seedOf(seed, 0));
    this.#run = new AttackRun({ peers: hostile, address, time, generator, frames, bounds: this.#bounds() });
  }

  async run(): Promise<AttackResult> {
    const server = this.#server;
    await server.start();
    await server.run(0);
    const before = this.#left();
    server.server.sessions.changes.subscribe((change) => this.#count(change));
    server.server.events.subscribe(({ socket }) => {
      if (socket.kind === 'server') return;
      this.#queuedBytes = Math.max(this.#queuedBytes, server.layer.queuedBytes(socket));
    });
    this.#healthy.start();
    await server.run(1_000);
    this.#attack.run(this.#run);
    await server.run(this.#run.durationMs);
    this.#run.end();
    const { answers, wereHealthy } = await this.#healthyAfterwards();
    await this.#lookAtWhatIsLeft(before);
    this.#judge(answers, wereHealthy);
    const { connections, bytesSent, endings } = this.#run;
    return {
      name: this.#attack.name,
      does: this.#attack.does,
      survived: this.#problems.length === 0,
      problems: this.#problems,
      connections,
      bytesSent,
      endings,
      reasons: this.#reasons,
      heldBytes: Math.max(this.#queuedBytes, this.#audit.heldBytes),
      answers,
    };
  }

  #bounds(): AttackBounds {
    const { connections, seconds } = this.#options;
    return {
      durationMs: seconds * 1_000,
      connectionsMax: connections,
      connectionsTotalMax: 25 * connections,
      // More than may be held for one session: whoever holds all that comes is found.
      connectionBytesMax: this.#heldBytesMax + MEBIBYTE,
      connectsPerSecond: 100,
      bytesPerSecond: MEBIBYTE,
      framesPerSecond: 1_000,
    };
  }

  #count(change: RegistryChange): void {
    if (change.session.peer.address !== HOSTILE) return;
    if (change.type === 'added') {
      const live = [...this.#server.server.sessions].filter(({ peer }) => peer.address === HOSTILE).length;
      this.#sessionsMax = Math.max(this.#sessionsMax, live);
    }
    if (change.type !== 'removed') return;
    const { reason } = change.record;
    this.#reasons[reason] = (this.#reasons[reason] ?? 0) + 1;
  }

  /** Goes on asking for a second after the attack, then waits for what is owed. */
  async #healthyAfterwards() {
    const server = this.#server;
    await server.run(1_000);
    this.#healthy.pause();
    await server.runUntil(() => this.#healthy.pendingCount === 0, 10_000);
    const wereHealthy = this.#healthy.readyCount > 0 || !this.#options.probe;
    const { asked, answered, lost, cutOff } = this.#healthy.take();
    this.#healthy.stop();
    return { answers: { asked, answered, lost, cutOff }, wereHealthy };
  }

  /** The attackers have reset, and the healthy have sent their FINs: a close and a reset have their deadlines. */
  async #lookAtWhatIsLeft(before: Left): Promise<void> {
    const server = this.#server;
    const isAsBefore = () => {
      const left = this.#left();
      return left.sessions === 0 && left.sockets <= before.sockets && left.timers <= before.timers;
    };
    await server.runUntil(isAsBefore, 2 * this.#closeTimeoutMs + 2_000);
    const left = this.#left();
    for (const what of ['sessions', 'sockets', 'timers'] as const) {
      if (left[what] > before[what])
        this.#problems.push(`${left[what] - before[what]} ${what} are left when all peers have gone`);
    }
    await server.stop();
    const after = this.#left();
    if (after.timers > 0) this.#problems.push(`${after.timers} timers are left when the server has stopped`);
    if (after.sockets > 0) this.#problems.push(`${after.sockets} sockets are left when the server has stopped`);
  }

  #left(): Left {
    const { server, layer, time } = this.#server;
    return { sessions: server.sessions.size, sockets: [...layer.sockets()].length, timers: time.pendingCount };
  }

  #judge(answers: AttackResult['answers'], wereHealthy: boolean): void {
    const { errors, crashes } = this.#server;
    for (const [text, count] of counted([
      ...crashes.map((error) => `thrown into the clock: ${String(error)}`),
      ...errors.filter(({ code }) => code !== 'PEER_FAILED').map(({ code, message }) => `${code}: ${message}`),
    ])) {
      this.#problems.push(count === 1 ? text : `${text} (${count} times)`);
    }
    const { connections } = this.#options;
    if (this.#sessionsMax > 2 * connections) {
      this.#problems.push(`there were ${this.#sessionsMax} sessions of ${connections} connections at once`);
    }
    if (this.#queuedBytes > this.#heldBytesMax) {
      this.#problems.push(
        `${this.#queuedBytes} bytes waited to be sent to one peer; the limit is ${this.#heldBytesMax}`,
      );
    }
    if (this.#audit.heldBytes > this.#heldBytesMax + READ_BYTES_MAX) {
      this.#problems.push(
        `a codec held ${this.#audit.heldBytes} bytes and made no message of them; the limit is ${this.#heldBytesMax}`,
      );
    }
    if (answers.lost > 0) this.#problems.push(`${answers.lost} answers to healthy peers did not come in time`);
    if (answers.cutOff > 0) this.#problems.push(`healthy peers were cut off ${answers.cutOff} times`);
    if (answers.answered === 0 || !wereHealthy) this.#problems.push('no healthy peer was served');
  }
}

/** Each different text, in the order of its first, and how often it is there. */
function counted(texts: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  return counts;
}
