/**
 * What waiting costs: CPU of a server that holds connections for a while, less that of one that waits for none of them.
 *
 * Both run at once, with the same load, so that the rest of the cost is the same and goes away. A round is two such pairs of
 * fresh processes, with the sides exchanged: in some runs, which of two servers was started first made a difference
 * of 14 % of all its work, which is more than what is looked for. Idle connections wait so long that no wait falls due (they would be closed): that alone is kind to a lazy timer. Those that send are the
 * real test: they wait the notes' 6 s, and move the end of the wait with each frame.
 */
import { IDLE_MS, KINDS, LONG_IDLE_MS, withFleet } from '../fleet.js';
import { Row } from '../row.js';
import { median } from '../statistics.js';
import { rotated } from './rates.js';

/** @typedef {import('../fleet.js').Kind} Kind */
/** @typedef {import('../fleet.js').Server} Server */
/** @typedef {import('../fleet.js').LoadProcess} LoadProcess */
/** @typedef {import('../options.js').Settings} Settings */
/** @typedef {{ idleMs: number, everyMs: number }} How `everyMs`: between two frames of a connection, 0: it sends none. */

/** Before the first measurement: what opening leaves behind (garbage, timers of the runtime) is not what holding costs. */
const SETTLE_MS = 2_000;

/** @param {Settings} settings @param {import('../run.js').Progress} progress @returns {Promise<Row[]>} */
export async function measureHolding(settings, progress) {
  const { connections, holdMs, paceMs, only } = settings;
  const rows = [];
  if (only.has('idle')) {
    const title = `waits of ${connections} idle sessions, ${holdMs / 1_000} s`;
    rows.push(await measure(title, { idleMs: LONG_IDLE_MS, everyMs: 0 }, settings, progress));
  }
  if (only.has('paced')) {
    const title = `waits of ${connections} that send every ${paceMs / 1_000} s, ${holdMs / 1_000} s`;
    rows.push(await measure(title, { idleMs: IDLE_MS, everyMs: paceMs }, settings, progress));
  }
  return rows;
}

/** @param {string} title @param {How} how @param {Settings} settings @param {import('../run.js').Progress} progress */
async function measure(title, how, settings, progress) {
  // A message on the channel costs some 0.2 ms, and an idle process wakes now and then: below 5 ms there is no ratio.
  const row = new Row(title, { unit: 's of CPU', better: 'less', digits: 4, ratioFloor: 0.005 });
  /** @type {Record<Kind, { on: number[], off: number[] }>} */
  const seconds = {
    wirechart: { on: [], off: [] },
    'node-net-encode': { on: [], off: [] },
    'node-net-return': { on: [], off: [] },
  };
  const rounds = Math.ceil(settings.holdRounds / 2); // of two pairs each
  for (let round = 0; round < rounds; round += 1) {
    progress(`${title}, round ${round + 1} of ${rounds}`);
    for (const kind of rotated(KINDS, round)) {
      const first = await holdBoth(kind, how, true, settings, row);
      const second = await holdBoth(kind, how, false, settings, row);
      const on = (first.on + second.on) / 2;
      const off = (first.off + second.off) / 2;
      seconds[kind].on.push(on);
      seconds[kind].off.push(off);
      row.add(kind, on - off);
    }
  }
  for (const kind of KINDS) {
    const spread = `rounds ${Math.min(...row.values[kind]).toFixed(4)} to ${Math.max(...row.values[kind]).toFixed(4)}`;
    const { on, off } = seconds[kind];
    row.notes.push(`${kind}: ${median(on).toFixed(4)} s with waits, ${median(off).toFixed(4)} s without (${spread})`);
  }
  return row;
}

/** @param {Kind} kind @param {How} how @param {boolean} onFirst @param {Settings} settings @param {Row} row
 *  @returns {Promise<{ on: number, off: number }>} s of CPU */
async function holdBoth(kind, { idleMs, everyMs }, onFirst, { kernel, connections, holdMs }, row) {
  const waits = onFirst ? [idleMs, 0] : [0, idleMs];
  /** @type {[Kind, import('../fleet.js').ServerOptions][]} */
  const servers = waits.map((of) => [kind, { kernel, idleMs: of, watch: false }]);
  const order = { frames: 1, payloadBytes: 64, count: connections, perSecond: 0, everyMs };
  const [first = NaN, second = NaN] = await withFleet({ servers, loads: 2 }, async (started, loads) => {
    /** @param {(server: Server, load: LoadProcess, side: number) => Promise<number | void>} work */
    const both = (work) =>
      Promise.all(started.map((server, side) => work(server, /** @type {LoadProcess} */ (loads[side]), side)));
    await both(async (server, load, side) => {
      row.check(kind, await load.order('open', { ...order, port: server.port, address: side }));
      await server.memory();
    });
    await both(async (_, load) => row.check(kind, await load.order('hold', { ms: Math.min(SETTLE_MS, holdMs) })));
    const used = await both(async (server, load) => {
      const beforeMs = await server.cpu();
      const held = await load.order('hold', { ms: holdMs });
      const cpuMs = (await server.cpu()) - beforeMs;
      row.check(kind, held);
      if (held.open !== connections) row.faults.push(`${kind}: ${held.open} of ${connections} connections were left`);
      return cpuMs / 1_000;
    });
    await both(async (server, load) => {
      row.checkServer(kind, await server.faults());
      await load.order('close', { reset: true });
    });
    return used.map(Number);
  });
  return onFirst ? { on: first, off: second } : { on: second, off: first };
}
