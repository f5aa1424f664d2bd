/** Echo under faults, beside peers that misbehave, and at the edges of its deadlines: answers equal requests, in order. */
import echo from '../../../examples/echo/index.js';
import type { ScriptedPeer } from '../../../src/explore/peer.js';
import type { TcpServer } from '../../../src/server.js';
import { isSameData } from '../../../src/testing/same-data.js';
import type { Scenario } from '../../../src/testing/simulate.js';
import type { WorldServerOptions } from '../../../src/testing/world.js';
import { scenario, type Stage } from '../stage.js';

const frame = (payload: Uint8Array) => ({ type: 'FRAME', payload });

/** A peer that behaves, and what it is owed. */
export class Asker {
  readonly peer: ScriptedPeer;
  readonly #stage: Stage;
  readonly #asked: ReturnType<typeof frame>[] = [];
  #checked = 0;
  #hasSent = false;

  constructor(stage: Stage, server: TcpServer, host?: string) {
    this.#stage = stage;
    this.peer = stage.world.peer(server, host === undefined ? {} : { host });
    this.peer.events.subscribe(({ type }) => {
      if (type === 'SENT') this.#hasSent = true;
    });
  }

  get isLive(): boolean {
    return this.peer.state === 'connected';
  }

  /** @returns whether it left the peer: one whose FIN is out says no more. */
  ask(length: number): boolean {
    const message = frame(this.#stage.bytes(length));
    this.#hasSent = false;
    this.peer.send(message as never);
    if (!this.#hasSent && this.peer.state !== 'connecting') return false;
    this.#asked.push(message);
    return true;
  }

  look(): void {
    const { received, decodeError } = this.peer;
    this.#stage.check(decodeError === undefined, () => `a peer cannot read its answer: ${String(decodeError)}`);
    for (; this.#checked < received.length; this.#checked += 1) {
      const expected = this.#asked[this.#checked];
      const n = this.#checked;
      this.#stage.check(isSameData(received[n], expected), () => `answer ${n} is not request ${n}`);
    }
  }

  get isAnswered(): boolean {
    return this.peer.received.length === this.#asked.length;
  }
}

/** After the faults: whoever comes is served at once, and whoever asks is answered. */
export function checkService(stage: Stage, server: TcpServer): void {
  const asker = new Asker(stage, server);
  asker.ask(3);
  stage.advanceBy(500);
  asker.look();
  stage.check(asker.isAnswered, () => `nobody answers a new peer: it is ${asker.peer.state}`);
}

function play(stage: Stage, server: TcpServer, askers: Asker[], steps: number): void {
  stage.looks.push(() => askers.forEach((asker) => asker.look()));
  for (let step = 0; step < steps; step += 1) {
    for (const asker of askers) if (stage.is(0.3)) asker.ask(stage.below(stage.is(0.1) ? 5_000 : 60));
    if (stage.is(0.2)) askers.push(new Asker(stage, server));
    if (stage.is(0.1)) stage.pick(askers).peer.end();
    stage.advanceBy(1 + stage.below(600));
  }
}

const underFaults = scenario({
  name: 'echo: peers that behave, all kinds of faults',
  world: { latencyMs: 3, jitterMs: 4, splitRate: 0.2, mergeRate: 0.7 },
  async play(stage) {
    const { world } = stage;
    const server = await stage.server(echo, { sweepIntervalMs: 7_000 });
    stage.audit(server).forcesLate = true;
    world.drawFaults({ perSecond: 1, durationMs: 20_000 });
    const askers = Array.from({ length: 6 }, () => new Asker(stage, server));
    play(stage, server, askers, 60);
    stage.calm(10_000, () => askers.forEach((asker) => asker.ask(5)));
    checkService(stage, server);
  },
});

/** Nothing but time: no fault, so nobody who behaves may be ended, and everybody is answered. */
const withoutFaults = scenario({
  name: 'echo: bad weather alone ends nobody',
  world: { latencyMs: 10, jitterMs: 80, splitRate: 0.6, mergeRate: 0.5 },
  async play(stage) {
    const { world } = stage;
    const server = await stage.server(echo, {
      highWaterMarkBytes: 2_000,
      frameTimeoutMs: 3_000,
      socket: SMALL_BUFFERS,
    });
    world.drawFaults({ perSecond: 0.3, durationMs: 15_000, kinds: ['weather', 'stall', 'acceptErrors'] });
    const askers = Array.from({ length: 5 }, () => new Asker(stage, server));
    stage.looks.push(() => askers.forEach((asker) => asker.look()));
    for (let step = 0; step < 40; step += 1) {
      for (const asker of askers) if (stage.is(0.7)) asker.ask(stage.below(stage.is(0.2) ? 4_000 : 40));
      stage.advanceBy(100 + stage.below(400));
    }
    stage.calm(5_000, () => askers.forEach((asker) => asker.ask(5)));
    stage.advanceBy(2_000);
    stage.check(
      askers.every((asker) => asker.isLive && asker.isAnswered),
      () => 'somebody who behaves is ended, or not answered',
    );
    for (const { peer } of askers) peer.end();
    stage.advanceBy(3_000);
    stage.check(
      askers.every(({ peer }) => peer.closedBy === 'fin'),
      () => 'a peer that closed is not closed by FIN',
    );
    stage.check(server.sessions.size === 0, () => 'somebody is left');
    stage.check(
      stage.audit(server).count('peer closed', 'fin') === 5,
      () => `they ended by ${JSON.stringify(world.reasons)}`,
    );
  },
});

export const SMALL_BUFFERS = { sendBufferBytes: 4_096, receiveBufferBytes: 4_096 } as const;

const SMALL: WorldServerOptions = {
  highWaterMarkBytes: 3_000,
  lowWaterMarkBytes: 1_000,
  heldBytesMax: 20_000,
  frameTimeoutMs: 3_000,
  sendTimeoutMs: 4_000,
  closeTimeoutMs: 2_000,
  discardedBytesMax: 3_000,
  sweepIntervalMs: 5_000,
  socket: SMALL_BUFFERS,
};

type Mischief = (stage: Stage, peer: ScriptedPeer) => void;

/** Each does one thing that it should not. `every` repeats it while the peer lives. */
const MISCHIEF: Record<string, Mischief> = {
  garbage: (stage, peer) => peer.write(stage.bytes(1 + stage.below(300))),
  bomb: (stage, peer) => peer.write(Uint8Array.of(0x7f, 0xff, 0xff, stage.below(256))),
  halfFrame: (stage, peer) => peer.write(Uint8Array.of(0, 0, 0, 50, ...stage.bytes(stage.below(40)))),
  finInFrame: (_, peer) => {
    peer.write(Uint8Array.of(0, 0, 0, 9, 1));
    peer.end();
  },
  resetInFrame: (_, peer) => {
    peer.write(Uint8Array.of(0, 0, 1));
    peer.reset();
  },
  byteByByte: (stage, peer) => {
    let at = 0;
    const bytes = Uint8Array.of(0, 0, 0, 20, ...stage.bytes(20));
    stage.every(700, () => {
      if (peer.state !== 'connected' || at === bytes.length) return false;
      peer.write(bytes.subarray(at, (at += 1)));
      return true;
    });
  },
  neverReads: (stage, peer) => {
    peer.pause();
    stage.every(100, () => {
      peer.write(Uint8Array.of(0, 0, 1, 0, ...stage.bytes(256)));
      return peer.state === 'connected';
    });
  },
  readsNow: (stage, peer) => {
    // Slow, but it gets on: nobody may call it stalled.
    peer.pause();
    stage.every(100, () => {
      peer.write(Uint8Array.of(0, 0, 1, 144, ...stage.bytes(400)));
      return peer.state === 'connected';
    });
    stage.every(1_500, () => {
      peer.resume();
      stage.world.time.schedule(() => peer.pause(), 3);
      return peer.state === 'connected';
    });
  },
  keepsItsFin: (stage, peer) => {
    peer.write(Uint8Array.of(0xff, 0xff, 0xff, 0xff));
    if (stage.is(0.5))
      stage.every(100, () => (peer.write(stage.bytes(700)), peer.state === 'connected' || peer.state === 'ended'));
  },
};

const misbehaving = scenario({
  name: 'echo: peers that misbehave beside one that does not',
  world: { latencyMs: 2, jitterMs: 2, splitRate: 0.3 },
  async play(stage) {
    const { world } = stage;
    const server = await stage.server(echo, SMALL);
    const good = new Asker(stage, server, '10.0.1.200');
    const bad: ScriptedPeer[] = [];
    for (let step = 0; step < 25; step += 1) {
      if (stage.is(0.8)) {
        const peer = world.peer(server, { codec: false, answersFin: !stage.is(0.3) });
        bad.push(peer);
        MISCHIEF[stage.pick(Object.keys(MISCHIEF))]!(stage, peer);
      }
      good.ask(stage.below(100));
      stage.advanceBy(500);
      good.look();
      stage.check(good.isLive && good.isAnswered, () => 'a peer that behaves is not answered within 500 ms');
    }
    for (const peer of bad) peer.resume();
    stage.calm(10_000, () => good.ask(1));
    checkService(stage, server);
  },
});

/** The moments themselves, on both sides, wherever in a wait the last byte came. */
const moments = scenario({
  name: 'echo: deadlines to the millisecond',
  async play(stage) {
    const { world } = stage;
    const server = await stage.server(echo, { frameTimeoutMs: 4_000, closeTimeoutMs: 1_000, waitTimeoutCountMax: 20 });
    const audit = stage.audit(server);
    const silent = world.peer(server, { answersFin: stage.is(0.5) });
    stage.advanceBy(1 + stage.below(1_900));
    silent.send(frame(stage.bytes(4)) as never);
    stage.advanceBy(1_999);
    stage.check(
      audit.count('wait timeout') === 0 && silent.state === 'connected',
      () => 'it is ended before 20 waits have passed',
    );
    world.advanceBy(1.1);
    stage.check(silent.state !== 'connected', () => 'it is not ended within 20 waits and a millisecond');
    // One that is slow inside a frame is ended by the frame's deadline, and one that ends its frame is not.
    const [slow, whole] = [world.peer(server, { codec: false }), world.peer(server, { codec: false })];
    stage.advanceBy(1 + stage.below(500));
    const beganMs = world.time.now();
    const bytes = Uint8Array.of(0, 0, 0, 6, 1, 2, 3, 4, 5, 6);
    for (let n = 0; n < bytes.length; n += 1) {
      whole.write(bytes.subarray(n, n + 1));
      slow.write(Uint8Array.of(n < 3 ? 0 : 50));
      stage.advanceBy(380 - stage.below(20));
    }
    whole.write(bytes);
    stage.advanceBy(3_999 - (world.time.now() - beganMs));
    stage.check(slow.state === 'connected', () => 'a frame is given up before its 4 000 ms have passed');
    slow.write(Uint8Array.of(0));
    stage.advanceBy(1.1);
    stage.check(slow.state !== 'connected', () => 'an unfinished frame is not given up after 4 000 ms');
    for (let n = 0; n < 6; n += 1) {
      whole.write(bytes);
      stage.advanceBy(1_000);
    }
    stage.check(
      whole.bytesReceived === 80,
      () => `a peer of whole frames got ${whole.bytesReceived} bytes back instead of 80`,
    );
    stage.check(audit.count('frame timeout') === 1, () => `they ended by ${JSON.stringify(world.reasons)}`);
  },
});

export const ECHO_SCENARIOS: readonly Scenario[] = [underFaults, withoutFaults, misbehaving, moments];
