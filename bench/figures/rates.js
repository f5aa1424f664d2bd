/**
 * What a second of server CPU does: messages one at a time, in batches, and short connections.
 *
 * All servers live at once and take turns of half a second, in an order that rotates: whatever disturbs the machine meets
 * them alike, and a ratio is taken within a round. Fresh processes for each figure would measure their warm-up.
 */
import { IDLE_MS, KINDS, withFleet } from '../fleet.js';
import { Row } from '../row.js';

/** @typedef {import('../fleet.js').Kind} Kind */
/** @typedef {import('../fleet.js').Server} Server */
/** @typedef {import('../fleet.js').LoadProcess} LoadProcess */
/** @typedef {import('../fleet.js').Load} Load */

export const PAYLOAD_BYTES = 64;
export const CONNECTIONS = 50;
export const BATCH_FRAMES = 50;
const WARM_UP_ROUNDS = 4;

/** @typedef {(server: Server, load: LoadProcess, sliceMs: number) => Promise<{ count: number, cpuMs: number, load: Load }>} Slice */

/** @type {Record<string, { title: string, slice: Slice }>} */
const FIGURES = {
  messages: { title: 'messages, 1 outstanding', slice: (...of) => echo(1, ...of) },
  batches: { title: `messages, batches of ${BATCH_FRAMES}`, slice: (...of) => echo(BATCH_FRAMES, ...of) },
  connects: { title: 'connect + frame + close', slice: shortConnections },
};

/** @param {import('../options.js').Settings} settings @param {import('../run.js').Progress} progress @returns {Promise<Row[]>} */
export function measureRates({ kernel, rounds, sliceMs, only, profileFolder }, progress) {
  const names = Object.keys(FIGURES).filter((name) => only.has(name));
  if (names.length === 0) return Promise.resolve([]);
  const options = { kernel, idleMs: IDLE_MS, watch: false };
  /** @type {[Kind, typeof options][]} */
  const wanted = KINDS.map((kind) => [kind, options]);
  return withFleet({ servers: wanted, loads: 1, profileFolder }, async (servers, [load]) => {
    const rows = [];
    for (const name of names) {
      const figure = FIGURES[name];
      if (!figure || !load) continue;
      progress(figure.title);
      rows.push(await measure(figure, servers, load, rounds, sliceMs));
    }
    return rows;
  });
}

/** @param {{ title: string, slice: Slice }} figure @param {Server[]} servers @param {LoadProcess} load
 *  @param {number} rounds @param {number} sliceMs */
async function measure({ title, slice }, servers, load, rounds, sliceMs) {
  const row = new Row(title, { unit: '/s of CPU', better: 'more', digits: 0 });
  for (let round = -WARM_UP_ROUNDS; round < rounds; round += 1) {
    for (const server of rotated(servers, round + WARM_UP_ROUNDS)) {
      const { count, cpuMs, load: seen } = await slice(server, load, sliceMs);
      row.check(server.kind, seen);
      if (round < 0) continue;
      row.watchLoad(server.kind, seen, cpuMs);
      row.add(server.kind, count / (cpuMs / 1_000));
    }
  }
  for (const server of servers) row.checkServer(server.kind, await server.faults());
  return row.finish();
}

/** @param {number} frames @param {Server} server @param {LoadProcess} load @param {number} sliceMs */
async function echo(frames, server, load, sliceMs) {
  const request = { port: server.port, frames, payloadBytes: PAYLOAD_BYTES };
  const opened = await load.order('open', { ...request, count: CONNECTIONS, perSecond: 0, everyMs: 0, address: 0 });
  const beforeMs = await server.cpu();
  const driven = await load.order('drive', { ms: sliceMs });
  const cpuMs = (await server.cpu()) - beforeMs;
  const closed = await load.order('close', { reset: false });
  return { count: driven.frames, cpuMs, load: added(driven, opened, closed) };
}

/** @type {Slice} */
async function shortConnections(server, load, sliceMs) {
  const beforeMs = await server.cpu();
  const request = { port: server.port, frames: 1, payloadBytes: PAYLOAD_BYTES };
  const driven = await load.order('churn', { ...request, ms: sliceMs, lanes: CONNECTIONS });
  const cpuMs = (await server.cpu()) - beforeMs;
  return { count: driven.sessions, cpuMs, load: driven };
}

/** The faults of all orders; the rest is the first's. @param {Load} main @param {...Load} others @returns {Load} */
export function added(main, ...others) {
  return others.reduce((sum, { bad, lost, firstError }) => {
    const first = sum.firstError ?? firstError;
    return { ...sum, bad: sum.bad + bad, lost: sum.lost + lost, ...(first !== undefined && { firstError: first }) };
  }, main);
}

/** @template T @param {readonly T[]} list @param {number} by @returns {T[]} */
export function rotated(list, by) {
  const start = by % list.length;
  return [...list.slice(start), ...list.slice(0, start)];
}
