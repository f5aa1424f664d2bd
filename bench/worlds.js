/**
 * Simulated worlds, each measured in a process of its own: how much faster than real time a large one runs, and what a session's life
 * leaves behind.
 *
 * - The ratio is virtual time to CPU time of the process (user and system), not to the wall clock: a world runs on one core, and others
 *   may be busy on it.
 * - 1 % of what the peers do are faults: FIN, RST, gone without a word, a pause. Whoever has gone comes back under a new name.
 * - Nothing that a world looks at is turned off: its checks are part of what its users pay.
 */
import chat from '../dist/examples/chat/index.js';
import echo from '../dist/examples/echo/index.js';
import { createWorld } from '../dist/src/testing/world.js';
import { answerParent, COSTS } from './servers/answering.js';

/** @typedef {import('../dist/src/testing/world.js').World} World */
/** @typedef {import('../dist/src/explore/peer.js').ScriptedPeer} ScriptedPeer */
/** @typedef {import('../dist/src/server.js').TcpServer} TcpServer */

const ROOM_SIZE = 20;
const FAULT_RATE = 0.01;
const PERIOD_MS = 10_000;
const NEW_LINE = 10;
const FRAME = Uint8Array.of(0, 0, 0, 3, 1, 2, 3);

class Talker {
  /** @type {ScriptedPeer} */
  peer;
  deliveries = 0;
  #generation = 0;

  /** @param {World} world @param {TcpServer} server @param {number} number */
  constructor(world, server, number) {
    this.world = world;
    this.server = server;
    this.number = number;
    this.peer = this.#come();
  }

  act() {
    const { peer, world } = this;
    if (peer.state !== 'connected') {
      this.peer = this.#come();
      return;
    }
    if (world.chance.next() >= FAULT_RATE) {
      peer.write('say a line of about forty letters, as usual\n');
      return;
    }
    const end = world.chance.below(4);
    if (end === 0) peer.end();
    else if (end === 1) peer.reset();
    else if (end === 2) world.vanish(peer);
    else {
      peer.pause();
      world.time.schedule(() => peer.resume(), 5_000);
      return;
    }
    world.time.schedule(() => (this.peer = this.#come()), 500);
  }

  #come() {
    const peer = this.world.peer(this.server, { codec: false, keeps: false });
    peer.events.subscribe((event) => {
      if (event.type !== 'BYTES') return;
      for (const byte of event.bytes) if (byte === NEW_LINE) this.deliveries += 1;
    });
    this.#generation += 1;
    peer.write(`nick n${this.number}_${this.#generation}\njoin r${Math.floor(this.number / ROOM_SIZE)}\n`);
    return peer;
  }
}

/** @param {{ seed: number, peers: number, virtualMs: number }} order */
async function measureWorld({ seed, peers, virtualMs }) {
  const world = createWorld({ seed, latencyMs: 2, jitterMs: 3 });
  const server = await world.server(/** @type {any} */ (chat));
  const talkers = Array.from({ length: peers }, (_, number) => new Talker(world, server, number));
  world.advanceBy(1_000);
  for (const [index, talker] of talkers.entries()) {
    world.time.schedule(
      function () {
        talker.act();
        this.schedule(undefined, PERIOD_MS);
      },
      (index * PERIOD_MS) / peers,
    );
  }
  const count = () => talkers.reduce((sum, { deliveries }) => sum + deliveries, 0);
  const before = count();
  const cpuMs = COSTS['cpu']?.(undefined);
  for (let step = 0; step < virtualMs / 1_000; step += 1) world.advanceBy(1_000);
  const usedMs = Number(COSTS['cpu']?.(undefined)) - Number(cpuMs);
  return {
    ratio: virtualMs / usedMs,
    deliveriesPerSecond: (1_000 * (count() - before)) / virtualMs,
    sessions: server.sessions.size,
  };
}

const BATCH = 50;
/** Of batches with others coming, between two looks at the heap. */
const BATCHES_PER_LOOK = 40;
/** A peer that is still there then, behind a cut path or a stalled server, gives up. */
const PATIENCE_MS = 3_000;
/** Nobody comes any more: sessions of peers that vanished end by their waits, and what is left is what lives leave behind. */
const REST_MS = 10_000;

/** @type {{ world: World, server: TcpServer, lived: number, points: [number, number][] } | undefined} */
let lives;

/** Goes on with the world of the lifetimes, or begins it. @param {{ seed: number, lifetimes: number }} order how many more */
async function live({ seed, lifetimes }) {
  if (lives === undefined) {
    const made = createWorld({ seed, latencyMs: 1, jitterMs: 2, traceLinesMax: 200 });
    lives = { world: made, server: await made.server(/** @type {any} */ (echo)), lived: 0, points: [] };
  }
  const { world, server, points } = lives;
  for (const until = lives.lived + lifetimes; lives.lived < until;) {
    for (let batch = 0; batch < BATCHES_PER_LOOK; batch += 1) {
      if (batch % 20 === 0) drawFaults(world);
      for (let n = 0; n < BATCH; n += 1) connect(world, server);
      world.advanceBy(50);
    }
    lives.lived += BATCH * BATCHES_PER_LOOK;
    world.advanceBy(REST_MS);
    points.push([lives.lived, await heapBytes()]);
  }
}

async function heapBytes() {
  const { heapUsed, external } = /** @type {any} */ (await COSTS['memory']?.(undefined));
  return heapUsed + external;
}

async function endLives() {
  if (lives === undefined) throw new Error('nobody has lived');
  const { world, server, points, lived } = lives;
  const { closed, reasons } = server.statistics.value;
  await world.end();
  // The last 80 %: before that caches and tables grow once.
  const bytesPerLifetime = slopeOf(points.slice(Math.floor(points.length / 5)));
  return { bytesPerLifetime, lived, closed, reasons };
}

/** For the next second. @param {World} world */
function drawFaults(world) {
  const kinds = /** @type {const} */ (['fin', 'reset', 'vanish', 'pause', 'weather', 'acceptErrors', 'scan']);
  world.drawFaults({ perSecond: 4, durationMs: 1_000, kinds });
  world.faults([
    { atMs: world.chance.below(1_000), kind: 'partition', peer: world.chance.below(1_000), durationMs: 300 },
    { atMs: world.chance.below(1_000), kind: 'stall', durationMs: 50 },
  ]);
}

/** @param {World} world @param {TcpServer} server */
function connect(world, server) {
  const peer = world.peer(server, { codec: false, keeps: false });
  peer.write(FRAME);
  peer.write(FRAME.subarray(0, 5));
  peer.write(FRAME.subarray(5));
  world.time.schedule(() => end(world, server, peer), 15 + world.chance.below(30));
  const patience = world.time.schedule(() => peer.reset(), PATIENCE_MS);
  peer.events.subscribe({ complete: () => patience.unsubscribe() });
}

/** Either end, in one of the ways. @param {World} world @param {TcpServer} server @param {ScriptedPeer} peer */
function end(world, server, peer) {
  const way = world.chance.below(5);
  if (way === 0) peer.reset();
  else if (way === 1) peer.write(Uint8Array.of(255, 255, 255, 255));
  else if (way === 2) {
    for (const session of server.sessions) {
      if (session.peer.port !== peer.address?.port || session.peer.address !== peer.address?.address) continue;
      session.close(world.chance.next() < 0.5 ? 'graceful' : 'force');
      break;
    }
  } else peer.end();
}

/** Of the regression line. @param {readonly [number, number][]} points */
function slopeOf(points) {
  const mean = (/** @type {0 | 1} */ part) => points.reduce((sum, point) => sum + point[part], 0) / points.length;
  const [x, y] = [mean(0), mean(1)];
  const over = points.reduce((sum, [a, b]) => sum + (a - x) * (b - y), 0);
  return over / points.reduce((sum, [a]) => sum + (a - x) ** 2, 0);
}

answerParent({ world: measureWorld, live, endLives });
