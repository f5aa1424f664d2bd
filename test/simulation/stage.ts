/** A world with its servers' audits, and what the scenarios have in common: steps, crowds of peers, the end. */
import { type Observable, Subscription } from 'rxjs';
import type { TcpServer } from '../../src/server.js';
import type { AnyProtocol } from '../../src/session/protocol.js';
import type { World, WorldServerOptions } from '../../src/testing/world.js';
import { WorldError } from '../../src/testing/world-error.js';
import type { Scenario } from '../../src/testing/simulate.js';
import { Audit, STEP_MS } from './audit.js';

export interface Play {
  readonly name: string;
  readonly world?: Scenario['world'];
  readonly play: (stage: Stage) => void | Promise<void>;
}

/** A scenario that is played on a stage, and stopped and looked at when it is over. */
export function scenario({ name, world, play }: Play): Scenario {
  return {
    name,
    ...(world && { world }),
    async play(made) {
      const stage = new Stage(made);
      await play(stage);
      await stage.end();
    },
  };
}

export class Stage {
  readonly audits: Audit[] = [];
  /** Looked at after each step, besides the audits. */
  readonly looks: (() => void)[] = [];
  readonly #timers = new Subscription();
  readonly #wires = new Subscription();

  constructor(readonly world: World) {}

  async server(protocol: AnyProtocol, options: WorldServerOptions = {}): Promise<TcpServer> {
    const server = await this.world.server(protocol, options);
    this.audits.push(new Audit(this.world, server, options));
    return server;
  }

  audit(server: TcpServer): Audit {
    return this.audits.find((audit) => audit.server === server)!;
  }

  advanceBy(ms: number): void {
    for (let left = ms; left > 0; left -= STEP_MS) {
      this.world.advanceBy(Math.min(left, STEP_MS));
      this.look();
    }
  }

  /** Where the runtime has promises under way: starts, stops, clients. */
  async advanceByAsync(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= STEP_MS) {
      await this.world.advanceByAsync(Math.min(left, STEP_MS));
      this.look();
    }
  }

  look(): void {
    for (const audit of this.audits) audit.look();
    for (const look of this.looks) look();
  }

  /** Does `act` each `periodMs` while it says so. */
  every(periodMs: number, act: () => boolean): void {
    this.#timers.add(
      this.world.time.schedule(function () {
        if (act()) this.schedule(undefined, periodMs);
      }, periodMs),
    );
  }

  /** Servers stop, watched to the end: the world itself looks for what is left behind. */
  async end(): Promise<void> {
    const { world } = this;
    this.#timers.unsubscribe();
    for (const peer of world.peers) peer.resume();
    const stops = this.audits.map(({ server }) => server.stop());
    await this.advanceByAsync(1_000);
    for (const peer of world.peers) peer.end();
    for (let n = 0; n < 60 && this.audits.some(({ server }) => server.state.value !== 'closed'); n += 1) {
      await this.advanceByAsync(1_000);
    }
    await Promise.all(stops);
    for (const audit of this.audits) {
      this.check(audit.server.sessions.size === 0, () => 'a server has stopped, and sessions live on');
      audit.end();
    }
    this.#wires.unsubscribe();
  }

  /** Of the world's own streams: until the end. */
  watch<T>(stream: Observable<T>, look: (value: T) => void): void {
    this.#wires.add(stream.subscribe(look));
  }

  /** The faults stop. `meanwhile` is done every 250 ms. @throws {WorldError} NOT_LIVE as of the world's own `calm` */
  calm(ms = 10_000, meanwhile: () => void = () => {}): void {
    const timer = this.world.time.schedule(function () {
      meanwhile();
      this.schedule(undefined, STEP_MS);
    }, 1);
    this.world.calm(ms);
    timer.unsubscribe();
    this.look();
  }

  /** An integer from 0 to below `count`, by chance. */
  below(count: number): number {
    return this.world.chance.below(count);
  }

  is(rate: number): boolean {
    return this.world.chance.next() < rate;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  fail(text: string): never {
    const tail = this.world.trace.slice(-10).map((line) => `\n  ${line}`);
    throw new WorldError(
      'PROPERTY_BROKEN',
      `${text} (seed ${this.world.seed}, at ${this.world.time.now()} ms)${tail.join('')}`,
    );
  }

  check(holds: boolean, text: () => string): void {
    if (!holds) this.fail(text());
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.below(256));
  }
}
