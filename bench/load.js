/** The load process: opens connections to one server at a time and drives them as it is told. See `load/peer.js`. */
import { Counts, Peer } from './load/peer.js';
import { answerParent } from './servers/answering.js';

/** How long an answer or a close may take before it counts as lost. */
const GRACE_MS = 5_000;
/** Below the 28 000 ephemeral ports of one address (ip_local_port_range), with room for those in TIME-WAIT. */
const CONNECTIONS_PER_ADDRESS = 4_000;
/** Connections being opened at a time: below the backlog of 511. */
const OPENING_MAX = 200;

/** @typedef {{ port: number, frames: number, payloadBytes: number }} Target A request is `frames` frames. */

/** @type {Set<Peer>} */
const peers = new Set();
/** Peers that send at a fixed rate, the one that is due first at the head.
 *  @type {{ peer: Peer, dueMs: number }[]} */
let paced = [];
/** @type {NodeJS.Timeout | undefined} */
let pacing;

/** What the connections tell; each order brings its own ears.
 *  @type {import('./load/peer.js').PeerOwner} */
const owner = { counts: new Counts(), port: 0, opened: (peer) => peer.send(), answered: () => {}, closed: forget };

answerParent({ open, drive, churn, hold, closed, close });

/** Opens connections, each of which sends one request. `perSecond`: no faster than that, 0: as fast as it goes.
 *  `everyMs`: each sends again and again, so long after its last; 0: none does. `address`: number of this process.
 *  `mayClose`: the server may end a connection once it has answered.
 *  @param {Target & { count: number, perSecond: number, everyMs: number, address: number, mayClose?: boolean }} order */
async function open({ port, frames, payloadBytes, count, perSecond, everyMs, address, mayClose = false }) {
  const began = begin();
  owner.port = port;
  let begun = 0;
  let settled = 0;
  if (everyMs > 0) pacing = setInterval(() => pace(everyMs), 5);
  await new Promise((resolve) => {
    /** @type {Set<Peer>} */
    const opening = new Set();
    const more = () => {
      const allowed = perSecond > 0 ? ((performance.now() - began.ms) / 1_000) * perSecond : Infinity;
      while (begun < count && opening.size < OPENING_MAX && begun <= allowed) {
        const peer = new Peer(owner, { frames, payloadBytes, seed: begun });
        opening.add(peer);
        peers.add(peer);
        peer.connect(addressOf(count, address, begun));
        begun += 1;
      }
    };
    /** @param {Peer} peer */
    const settle = (peer) => {
      if (!opening.delete(peer)) return;
      settled += 1;
      if (settled < count) more();
      else resolve(undefined);
    };
    owner.answered = (peer) => {
      if (everyMs > 0 && opening.has(peer)) paced.push({ peer, dueMs: performance.now() + everyMs });
      if (mayClose) peer.mayClose = true;
      settle(peer);
    };
    owner.closed = (peer) => {
      forget(peer);
      settle(peer);
    };
    const timer = setInterval(() => (begun < count ? more() : clearInterval(timer)), 5);
    more();
  });
  owner.closed = forget;
  return report(began);
}

/** Each open connection sends its next request as soon as the last is answered.
 *  @param {{ ms: number }} order */
async function drive({ ms }) {
  const began = begin();
  let running = true;
  setTimeout(() => (running = false), ms);
  await within(ms + GRACE_MS, (resolve) => {
    let busy = peers.size;
    const done = () => (busy -= 1) === 0 && resolve();
    owner.answered = (peer) => (running ? peer.send() : done());
    owner.closed = (peer) => {
      forget(peer);
      done();
    };
    for (const peer of peers) peer.send();
  });
  for (const peer of peers) if (peer.waiting) owner.counts.failed('no answer');
  owner.answered = () => {};
  owner.closed = forget;
  return report(began);
}

/** Connections that live for one request: connect, send, check, our FIN, the server's, and the next. `lanes`: at a time.
 *  @param {Target & { ms: number, lanes: number }} order */
async function churn({ port, frames, payloadBytes, ms, lanes }) {
  const began = begin();
  const { counts } = owner;
  owner.port = port;
  let running = true;
  setTimeout(() => (running = false), ms);
  let busy = lanes;
  await within(ms + GRACE_MS, (resolve) => {
    owner.answered = (peer) => {
      counts.sessions += 1;
      peer.end();
    };
    owner.closed = (peer) => {
      if (running && counts.lost + counts.bad === 0) peer.connect(undefined);
      else if ((busy -= 1) === 0) resolve();
    };
    for (let lane = 0; lane < lanes; lane += 1) {
      new Peer(owner, { frames, payloadBytes, seed: lane }).connect(undefined);
    }
  });
  for (; busy > 0; busy -= 1) counts.failed('a connection did not end');
  owner.closed = forget;
  return report(began);
}

/** Lets time go by; paced connections go on sending.
 *  @param {{ ms: number }} order */
async function hold({ ms }) {
  const began = begin();
  await new Promise((resolve) => setTimeout(resolve, ms));
  return report(began);
}

/** Waits until the server has closed every connection.
 *  @param {{ ms: number }} order */
async function closed({ ms }) {
  const began = begin();
  for (const peer of peers) peer.mayClose = true;
  while (peers.size > 0 && performance.now() - began.ms < ms) await new Promise((resolve) => setTimeout(resolve, 20));
  if (peers.size > 0) owner.counts.failed(`${peers.size} connections were still open after ${ms} ms`);
  return report(began);
}

/** Ends what is open. `reset`: by RST, without waiting for the server.
 *  @param {{ reset: boolean }} order */
async function close({ reset }) {
  clearInterval(pacing);
  paced = [];
  for (const peer of peers) {
    if (reset) peer.reset();
    else peer.end();
  }
  return closed({ ms: GRACE_MS });
}

/** @param {number} everyMs */
function pace(everyMs) {
  const nowMs = performance.now();
  let count = 0;
  for (let turn = paced[0]; turn && turn.dueMs <= nowMs; turn = paced[count]) {
    count += 1;
    const { peer, dueMs } = turn;
    if (!peer.isOpen) continue;
    if (peer.waiting) owner.counts.failed(`no answer within ${everyMs} ms`);
    else peer.send();
    paced.push({ peer, dueMs: dueMs + everyMs });
  }
  if (count > 0) paced = paced.slice(count);
}

/** @param {Peer} peer */
function forget(peer) {
  peers.delete(peer);
}

function begin() {
  owner.counts = new Counts();
  return { ms: performance.now(), cpu: process.cpuUsage() };
}

/** @param {ReturnType<typeof begin>} began */
function report(began) {
  const { user, system } = process.cpuUsage(began.cpu);
  const wallMs = performance.now() - began.ms;
  return { ...owner.counts, open: peers.size, wallMs, cpuMs: (user + system) / 1_000 };
}

/** @param {number} ms @param {(resolve: () => void) => void} work */
async function within(ms, work) {
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  await new Promise((/** @type {(value?: undefined) => void} */ resolve) => {
    timer = setTimeout(resolve, ms);
    work(() => resolve());
  });
  clearTimeout(timer);
}

/** @param {number} count @param {number} address @param {number} index @returns {string | undefined} */
function addressOf(count, address, index) {
  // Other systems have 127.0.0.1 alone.
  if (count <= 1_000 || process.platform !== 'linux') return undefined;
  return `127.0.${1 + address}.${1 + Math.floor(index / CONNECTIONS_PER_ADDRESS)}`;
}
