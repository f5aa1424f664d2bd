/**
 * `npm start`: a server of each example, and live peers that end their sessions in every way there is, again and again until
 * Ctrl-C (SIGINT) or SIGTERM, which drains. The visualizer shows them, and a client that keeps coming back. `--once` plays each scenario once and says how each session ended.
 */
import { parseArgs } from 'node:util';
import { firstValueFrom, ReplaySubject, takeUntil, timer } from 'rxjs';
import { createVisualizer, type Visualizer } from 'wirechart/inspect';
import { RealTime } from 'wirechart/time';
import { Lines, Table, type Account, type Row, type Totals } from './demo/account.js';
import type { Peer } from './demo/peer.js';
import { Player, type Demo } from './demo/player.js';
import { examples } from './demo/scenarios.js';
import { Served } from './demo/served.js';
import { Visit } from './demo/visitor.js';

/** Between two runs of a scenario, in ms: calm enough to be read. */
const REST_MS = 3_000;

class LiveDemo implements Demo {
  readonly time = new RealTime();
  readonly peers = new Set<Peer>();
  readonly #once: boolean;
  readonly #served = examples.map((example) => new Served(example, this.time));
  readonly #players = this.#served.flatMap((served) =>
    served.example.scenarios.map((scenario) => new Player(this, served, scenario)),
  );
  readonly #stop = new ReplaySubject<void>(1);
  /** Without `--once`. */
  #visit: Visit | undefined;
  #visualizer: Visualizer | undefined;
  #account: Account | undefined;
  isStopping = false;

  constructor(once: boolean) {
    this.#once = once;
  }

  async start(): Promise<void> {
    for (const { server } of this.#served) await server.start();
    const address = this.#once ? undefined : await this.#visualize();
    const titles = new Map(this.#served.map((served) => [served.server.protocol.name, titleOf(served)]));
    const rows = this.#players.map(({ row }) => row);
    const isTerminal = process.stdout.isTTY && process.env['TERM'] !== 'dumb';
    if (isTerminal)
      this.#account = new Table(process.stdout, this.time, { rows, titles, address, totals: () => this.#totals() });
    else this.#account = new Lines(process.stdout, this.time);
    if (isTerminal) return;
    for (const [name, title] of titles) say(`${name}: ${title}`);
    if (address !== undefined) say(`visualizer: ${address}`);
  }

  /** @returns when each scenario was played once, or when it was stopped. */
  async play(): Promise<void> {
    await Promise.all(this.#players.map((player, i) => this.#playOn(player, i)));
  }

  /** The first time it drains; then it resets what is left. */
  stop(): void {
    const option = this.isStopping ? 'force' : 'graceful';
    this.isStopping = true;
    this.#stop.next();
    void this.drain(option);
  }

  /** No more connections; sessions are closed, and their peers, which read again, see it. @returns when all have ended. */
  async drain(option: 'graceful' | 'force' = 'graceful'): Promise<void> {
    const stopped = this.#served.map(({ server }) => server.stop({ option }));
    if (this.#visit) stopped.push(this.#visit.stop(option));
    for (const peer of this.peers) peer.socket.resume();
    await Promise.all(stopped);
    for (const peer of this.peers) peer.socket.destroy();
  }

  /** The last run of each scenario went as it should. */
  get isGood(): boolean {
    return this.#players.every(({ good }) => good);
  }

  /** Gives the terminal back, and says how it went. */
  async end(): Promise<void> {
    this.#account?.end();
    await this.#visualizer?.stop();
    for (const { row } of this.#players) {
      const outcome = row.count === 0 ? 'not played to its end' : `${row.last}${row.saw}`;
      say(`${row.example.padEnd(13)}  ${row.scenario.padEnd(15)}  ${String(row.count).padStart(3)}  ${outcome}`);
    }
    const { ended, errors } = this.#totals();
    say(`${ended} sessions have ended, none is left; ${errors} errors`);
  }

  async pause(ms: number): Promise<void> {
    // A run that is played once need not be followed by eye.
    const pauseMs = this.#once ? ms / 10 : ms;
    await firstValueFrom(timer(pauseMs, this.time).pipe(takeUntil(this.#stop)), { defaultValue: 0 });
  }

  changed(row: Row, what: 'peer' | 'session' | 'end'): void {
    this.#account?.changed(row, what);
  }

  /** @returns where to look */
  async #visualize(): Promise<string> {
    this.#visit = new Visit(this.time);
    const client = await this.#visit.start();
    const servers = [...this.#served.map(({ server }) => server), this.#visit.server];
    this.#visualizer = createVisualizer([...servers, client], { control: true });
    await this.#visualizer.start();
    return this.#visualizer.url;
  }

  async #playOn(player: Player, index: number): Promise<void> {
    // Not all at the same moment: there is always something to look at.
    await this.pause(index * 400);
    for (let run = 1; !this.isStopping; run += 1) {
      await player.play(`${index}-${run}`);
      if (this.#once) return;
      await this.pause(REST_MS);
    }
  }

  #totals(): Totals {
    const totals = { live: 0, ended: 0, bytesReceived: 0, bytesSent: 0, errors: 0 };
    for (const { server, errorCount } of this.#served) {
      const { sessions, closed, bytesReceived, bytesSent } = server.statistics.value;
      totals.live += sessions;
      totals.ended += closed;
      totals.bytesReceived += bytesReceived;
      totals.bytesSent += bytesSent;
      totals.errors += errorCount;
    }
    return totals;
  }
}

function titleOf({ server, example }: Served): string {
  return `127.0.0.1:${server.address()!.port}, ${example.note}`;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function main(): Promise<number> {
  let once: boolean;
  try {
    ({ once } = parseArgs({ options: { once: { type: 'boolean', default: false } } }).values);
  } catch (error) {
    process.stderr.write(`demo: ${(error as Error).message.split('\n')[0]} (there is --once)\n`);
    return 2;
  }
  const demo = new LiveDemo(once);
  let signals = 0;
  const onSignal = () => {
    signals += 1;
    demo.stop();
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  process.stdout.on('error', () => demo.isStopping || demo.stop()); // nobody reads any more
  try {
    await demo.start();
    await demo.play();
    await demo.drain();
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
    await demo.end();
  }
  return signals > 1 || (signals === 0 && !demo.isGood) ? 1 : 0;
}

process.exitCode = await main();
