/**
 * The sweeper with what a server never leaves it unless something of ours is wrong: sockets that were given up and did not close, sessions
 * that outlived theirs, and queues that are longer than a slice. Its chart, its carrying out and its sockets are the real ones.
 */
import { gcSweeperMachine, type GcSweeperCommand } from '../../../machines/gc-sweeper.js';
import { createEngine } from '../../../src/engine/engine.js';
import { SessionRegistry, type RegistryMember } from '../../../src/session/registry.js';
import type { SessionRecord } from '../../../src/session/session.js';
import { Sweeper, SWEEPER } from '../../../src/session/sweeper.js';
import { parseTcpSocketOptions } from '../../../src/socket/options.js';
import type { SocketLayer, SocketRecord } from '../../../src/socket/socket-layer.js';
import { scenario, type Stage } from '../stage.js';
import { checkService } from './echo.js';
import echo from '../../../examples/echo/index.js';

const OPTIONS = parseTcpSocketOptions({}, 'sweeper');

/** A session as far as the sweeper looks. */
class Leftover {
  finishes: string[] = [];
  constructor(
    readonly id: string,
    readonly isEnded: boolean,
  ) {}

  readonly transportSnapshot = { hasTag: (tag: string) => tag === 'ended' && this.isEnded };

  finish(because: string): void {
    this.finishes.push(because);
  }
}

interface Sweep {
  readonly beganMs: number;
  readonly slices: { readonly ms: number; looked: number }[];
}

/** Sockets of all kinds, and what has become of them. */
class Attic {
  readonly input: { readonly sweepIntervalMs: number; readonly sliceMax: number; readonly slicePauseMs: number };
  readonly sweeps: Sweep[] = [];
  readonly sweeper: Sweeper;
  readonly reported: string[] = [];
  readonly sockets: SocketRecord[] = [];
  readonly #layer: SocketLayer;
  readonly #control;
  /** Records by their number, with how many sweeps had begun when they came. */
  readonly #records = new Map<string, number>();
  #count = 0;
  expected = { freed: 0, forced: 0, leaked: 0 };

  constructor(readonly stage: Stage) {
    const { world } = stage;
    this.input = {
      sweepIntervalMs: 500 + stage.below(1_500),
      sliceMax: 1 + stage.below(6),
      slicePauseMs: 1 + stage.below(5),
    };
    this.#layer = world.network.layer('10.0.9.1');
    this.#control = SessionRegistry.create(
      1_000,
      () => {},
      () => {},
    );
    const layer = this.#layer;
    const looked = () => {
      const slice = this.sweeps.at(-1)?.slices.at(-1);
      if (slice) slice.looked += 1;
    };
    const counting: Pick<SocketLayer, 'sockets' | 'release'> = {
      *sockets() {
        for (const socket of layer.sockets()) {
          looked();
          yield socket;
        }
      },
      release: (socket) => {
        this.expected[socket.closed ? 'freed' : 'forced'] += 1;
        layer.release(socket);
      },
    };
    this.sweeper = new Sweeper({
      layer: counting as SocketLayer,
      registry: this.#control,
      report: ({ code, session }) => void this.reported.push(`${code} ${session}`),
    });
    const actor = createEngine(world.time).createActor(gcSweeperMachine, this.input, this.sweeper, {
      ...SWEEPER,
      carryOut: (sweeper: Sweeper, command: GcSweeperCommand) => {
        const nowMs = world.time.now();
        if (command.first) this.#begin(nowMs);
        this.sweeps.at(-1)!.slices.push({ ms: nowMs, looked: 0 });
        SWEEPER.carryOut(sweeper, command);
      },
    });
    this.sweeper.actor = actor;
    actor.start();
  }

  get isIdle(): boolean {
    return this.sweeper.actor!.snapshot.matches('idle');
  }

  get recentCount(): number {
    return this.#control.registry.recent.length;
  }

  /** Those of records that must be shown now: none that was there when the sweep before the last began. */
  get shown(): number {
    return [...this.#records.values()].filter((sweeps) => sweeps >= this.sweeps.length - 1).length;
  }

  addRecord(): void {
    const id = `r${(this.#count += 1)}`;
    const member = { id, key: undefined, groups: [] } as unknown as RegistryMember;
    this.#control.insert(member);
    this.#control.remove(member, { id } as SessionRecord);
    this.#records.set(id, this.sweeps.length);
  }

  addSocket(): void {
    const { stage } = this;
    const socket = this.#layer.openClient({ host: '10.0.9.2', port: 7_000 }, OPTIONS);
    this.sockets.push(socket);
    const owner = new Leftover(`s${(this.#count += 1)}`, stage.is(0.3));
    const hasOwner = stage.is(0.8);
    this.#layer.claim(socket, hasOwner ? owner : {});
    if (stage.is(0.4)) this.#layer.carryOut(socket, { type: 'SEND_RST' }); // closed soon
    if (stage.is(0.4)) socket.markedDeleted = true;
  }

  send(): void {
    this.sweeper.actor!.send({ type: 'ACCEPT', nowMs: this.stage.world.time.now() });
  }

  #begin(nowMs: number): void {
    const last = this.sweeps.at(-1);
    if (last && nowMs - last.beganMs < this.input.sweepIntervalMs - 0.01) {
      this.stage.fail(
        `a sweep began ${nowMs - last.beganMs} ms after the last, and ${this.input.sweepIntervalMs} ms are between two`,
      );
    }
    this.sweeps.push({ beganMs: nowMs, slices: [] });
  }

  /** All that is in the attic, by what has to become of it. */
  get left(): { readonly given: SocketRecord[]; readonly leaks: Leftover[]; readonly others: SocketRecord[] } {
    const here = [...this.#layer.sockets()];
    const isLeak = ({ closed, owner, markedDeleted }: SocketRecord) =>
      !markedDeleted && closed && owner instanceof Leftover && !owner.isEnded;
    return {
      given: here.filter(({ markedDeleted }) => markedDeleted),
      leaks: here.filter(isLeak).map(({ owner }) => owner as Leftover),
      others: here.filter((socket) => !socket.markedDeleted && !isLeak(socket)),
    };
  }

  /** Leaks are the sweeper's to finish; the sockets are their sessions' to release. */
  clearLeaks(): void {
    for (const socket of [...this.#layer.sockets()]) {
      if (socket.owner instanceof Leftover && socket.owner.finishes.length > 0) this.#layer.release(socket);
    }
  }

  clear(): void {
    for (const socket of [...this.#layer.sockets()]) this.#layer.release(socket);
  }
}

const attic = scenario({
  name: 'sweeper: whatever was left behind is found within one sweep, in slices',
  play(stage) {
    const attic = new Attic(stage);
    const { sweepIntervalMs, slicePauseMs } = attic.input;
    const { world } = stage;
    for (let n = stage.below(30); n > 0; n -= 1) attic.addSocket();
    world.advanceBy(1);
    attic.sweeper.actor!.send({ type: 'SWEEP', nowMs: world.time.now() });
    stage.check(attic.sweeps.length === 1, () => 'it does not sweep at its start');
    for (let round = 0; round < 6; round += 1) {
      // To the end of the sweep, slice by slice.
      for (let n = 0; !attic.isIdle; n += 1) {
        world.advanceBy(slicePauseMs);
        stage.check(n < 200, () => 'a sweep has no end');
      }
      checkSweep(stage, attic);
      attic.clearLeaks();
      for (let n = stage.below(25); n > 0; n -= 1) attic.addSocket();
      for (let n = stage.below(8); n > 0; n -= 1) attic.addRecord();
      const before = attic.sweeps.length;
      const { beganMs } = attic.sweeps.at(-1)!;
      world.advanceBy(1); // what was reset has closed
      attic.send(); // not due
      stage.check(attic.sweeps.length === before, () => 'an accept made it sweep before it was due');
      // The moment it is due is counted from the last one's beginning by an accept, from its end by its own timer.
      world.advanceTo(Math.max(world.time.now(), beganMs + sweepIntervalMs));
      if (attic.sweeps.length === before && stage.is(0.5)) {
        attic.send();
        stage.check(attic.sweeps.length === before + 1, () => 'an accept does not make it sweep when it is due');
      }
      const sweptMs = attic.sweeps.at(-1)!.slices.length * slicePauseMs;
      world.advanceTo(
        Math.max(
          world.time.now(),
          beganMs + sweepIntervalMs + (attic.sweeps[before - 1]!.slices.length - 1) * slicePauseMs,
        ),
      );
      stage.check(
        attic.sweeps.length === before + 1,
        () => `${sweepIntervalMs} ms after the end of its last sweep it does not sweep (${sweptMs})`,
      );
      stage.check(
        attic.recentCount === attic.shown,
        () => `${attic.recentCount} records are shown instead of ${attic.shown}`,
      );
      attic.send(); // while it sweeps: ignored
      stage.check(attic.sweeps.length === before + 1, () => 'an accept in a sweep begins another');
    }
    // Stopped, it leaves nothing that was given up.
    for (let n = 0; n < 10; n += 1) attic.addSocket();
    if (stage.is(0.5)) attic.sweeper.actor!.send({ type: 'STOP' });
    attic.sweeper.finish();
    stage.check(attic.left.given.length === 0, () => 'what was given up is not forced at the end');
    const { length } = attic.sweeps;
    world.advanceBy(3 * sweepIntervalMs);
    stage.check(attic.sweeps.length === length, () => 'it sweeps after its end');
    attic.clear();
  },
});

function checkSweep(stage: Stage, attic: Attic): void {
  const { slices } = attic.sweeps.at(-1)!;
  const { sliceMax, slicePauseMs } = attic.input;
  const { given, leaks, others } = attic.left;
  stage.check(given.length === 0, () => `${given.length} sockets that were given up are left after a sweep`);
  for (const { id, finishes } of leaks)
    stage.check(
      finishes.join() === 'swept',
      () => `leak ${id} was finished ${finishes.length} times: ${finishes.join()}`,
    );
  for (const { owner } of others)
    stage.check(
      !(owner instanceof Leftover) || owner.finishes.length === 0,
      () => 'a session that is none of its business was finished',
    );
  attic.expected.leaked += leaks.length;
  const { freedCount, forcedCount, leakedCount } = attic.sweeper.actor!.snapshot.context;
  stage.check(
    leakedCount === attic.expected.leaked && attic.reported.length === leakedCount,
    () => `it counts ${leakedCount} leaks of ${attic.expected.leaked}, and reports ${attic.reported.length}`,
  );
  stage.check(
    forcedCount === attic.expected.forced,
    () => `it counts ${forcedCount} forced instead of ${attic.expected.forced}`,
  );
  stage.check(
    freedCount >= attic.expected.freed,
    () => `it counts ${freedCount} freed, and freed ${attic.expected.freed}`,
  );
  slices.forEach(({ ms, looked }, n) => {
    stage.check(looked <= sliceMax, () => `a slice looked at ${looked}, and ${sliceMax} are the most`);
    const before = slices[n - 1];
    stage.check(
      !before || Math.abs(ms - before.ms - slicePauseMs) < 0.01,
      () => `a slice came ${ms - before!.ms} ms after the one before`,
    );
  });
}

/** In a server: at its start, each interval, and also where accepts go on all the time. Records are shown for a whole interval, and no longer than two. */
const serving = scenario({
  name: 'sweeper: each interval of a server, whatever comes',
  world: { latencyMs: 1 },
  async play(stage) {
    const { world } = stage;
    const sweepIntervalMs = 1_000 + stage.below(2_000);
    const server = await stage.server(echo, { sweepIntervalMs });
    const startMs = world.time.now();
    world.drawFaults({ perSecond: 1, durationMs: 15_000, kinds: ['scan', 'reset', 'fin', 'weather'] });
    const endedMs = new Map<string, number>();
    stage.watch(
      server.sessions.changes,
      (change) => void (change.type === 'removed' && endedMs.set(change.record.id, world.time.now())),
    );
    for (let step = 0; step < 40; step += 1) {
      const peer = world.peer(server);
      if (stage.is(0.7)) world.time.schedule(() => peer.end(), stage.below(3_000));
      stage.advanceBy(1 + stage.below(800));
      const { sweeps } = server.statistics.value;
      const due = Math.floor((world.time.now() - startMs) / sweepIntervalMs) + 1;
      stage.check(sweeps <= due && sweeps >= due - 1, () => `${sweeps} sweeps instead of ${due}`);
      const recent = new Set(server.sessions.recent.map(({ id }) => id));
      for (const [id, ms] of endedMs) {
        const ageMs = world.time.now() - ms;
        if (ageMs < sweepIntervalMs)
          stage.check(recent.has(id), () => `session ${id} is shown no more, ${ageMs} ms after its end`);
        if (ageMs > 2 * sweepIntervalMs + 10)
          stage.check(!recent.has(id), () => `session ${id} is still shown, ${ageMs} ms after its end`);
      }
    }
    stage.calm(8_000);
    const { leaked, forced } = server.statistics.value;
    stage.check(leaked + forced === 0, () => `${leaked} leaks, ${forced} forced`);
    checkService(stage, server);
  },
});

export const SWEEPER_SCENARIOS = [attic, serving];
