/**
 * A server with many live sessions on a simulated network, and a visualizer that comes and goes, for `figures/watching.js`. The network
 * and the peers are in the same process and cost as much as the server: a machine's descriptors would not do for 20 000 connections
 * and their peers. Load comes only while it is asked for.
 */
import echo from '../dist/examples/echo/index.js';
import { Peers } from '../dist/src/explore/peer.js';
import { createVisualizer } from '../dist/src/inspect/index.js';
import { createTcpServer } from '../dist/src/server.js';
import { createSimulatedNetwork } from '../dist/src/socket/simulated/network.js';
import { RealTime } from '../dist/src/time/index.js';
import { answerParent, COSTS } from './servers/answering.js';

/** @typedef {import('../dist/src/explore/peer.js').ScriptedPeer} ScriptedPeer */

const SERVER = '10.0.0.1';
const PORT = 7_000;
const FRAME = Uint8Array.of(0, 0, 0, 3, 1, 2, 3);
/** Between two pieces of load, in ms. */
const STEP_MS = 10;
/** One in so many acts is an end, upon which the peer comes anew: sessions come, go and are half-closed. */
const ENDS_EVERY = 200;
/** Connections that are opened at once. */
const WAVE = 500;

const time = new RealTime();
const network = createSimulatedNetwork({ time, seed: 1, latencyMs: 1 });
const peers = new Peers(network.layer('10.0.1.1'));
// The waits stand for what idle sessions cost; between two slices nobody sends for longer than they last.
const server = createTcpServer(/** @type {any} */ (echo), {
  host: SERVER,
  port: PORT,
  time,
  layer: network.layer(SERVER),
  maxSessions: 100_000,
  waitTimeoutCountMax: 36_000,
});
/** @type {import('../dist/src/inspect/index.js').Visualizer | undefined} */
let visualizer;
/** @type {ScriptedPeer[]} */
let talkers = [];
let answers = 0;
let acts = 0;

function connect() {
  const peer = peers.connect({ host: SERVER, port: PORT }, { keeps: false });
  peer.events.subscribe((event) => {
    if (event.type === 'BYTES') answers += event.bytes.byteLength / FRAME.byteLength;
  });
  return peer;
}

/** @param {number} count */
async function settled(count) {
  while (server.sessions.size !== count) await new Promise((resolve) => setTimeout(resolve, STEP_MS));
}

/** @param {number} perSecond @param {number} ms @returns {Promise<void>} */
function load(perSecond, ms) {
  return new Promise((resolve) => {
    const beganMs = performance.now();
    let done = 0;
    const timer = setInterval(() => {
      const elapsedMs = performance.now() - beganMs;
      const due = Math.floor((Math.min(elapsedMs, ms) * perSecond) / 1_000);
      for (; done < due; done += 1) act();
      if (elapsedMs < ms) return;
      clearInterval(timer);
      resolve();
    }, STEP_MS);
  });
}

function act() {
  const index = (acts += 1) % talkers.length;
  const peer = /** @type {ScriptedPeer} */ (talkers[index]);
  if (acts % ENDS_EVERY > 0) return peer.write(FRAME);
  if (acts % (2 * ENDS_EVERY) === 0) peer.end();
  else peer.reset();
  talkers[index] = connect();
}

answerParent({
  ...COSTS,
  /** @param {{ sessions: number }} order */
  open: async ({ sessions }) => {
    await server.start();
    while (talkers.length < sessions) {
      const wave = Array.from({ length: Math.min(WAVE, sessions - talkers.length) }, connect);
      talkers = [...talkers, ...wave];
      await settled(talkers.length);
    }
  },
  /** @param {{ on: boolean }} order whether there is a visualizer from now on @returns its address */
  visualizer: async ({ on }) => {
    await visualizer?.stop();
    visualizer = on ? createVisualizer(server) : undefined;
    await visualizer?.start();
    // What came with it is promoted, and what it leaves is collected, now, and not while something is measured.
    await COSTS['memory']?.(undefined);
    return visualizer?.url;
  },
  /** @param {{ perSecond: number, ms: number }} order */
  load: async ({ perSecond, ms }) => {
    const before = answers;
    const used = process.cpuUsage();
    const beganMs = performance.now();
    await load(perSecond, ms);
    const { user, system } = process.cpuUsage(used);
    const wallMs = performance.now() - beganMs;
    return { cpuMs: (user + system) / 1_000, wallMs, answers: answers - before, sessions: server.sessions.size };
  },
});
