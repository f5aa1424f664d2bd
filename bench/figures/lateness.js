/**
 * How late silent connections are closed, seen at the server: the moment of its decision, less the last READ and 6 s.
 * Connections are opened at an even rate and done before the first falls due, so the closes come at that rate as well.
 */
import { IDLE_MS, KINDS, withFleet } from '../fleet.js';
import { Row } from '../row.js';
import { percentile } from '../statistics.js';
import { added } from './rates.js';

const OPENING_S = 5;
/** The clock that stamps a READ and the one that wakes differ by a rounding. */
const TOLERANCE_MS = 2;

/** @param {import('../options.js').Settings} settings @param {import('../run.js').Progress} progress @returns {Promise<Row[]>} */
export async function measureLateness({ kernel, connections, only }, progress) {
  if (!only.has('late')) return [];
  // Node's own timers count whole ms: below that there is no ratio.
  const shape = /** @type {const} */ ({ unit: 'ms', better: 'less', digits: 1, ratioFloor: 1 });
  const rows = {
    p50: new Row(`idle closes of ${connections}, late by p50`, shape),
    p99: new Row('  p99', shape),
    max: new Row('  at most', shape),
  };
  for (const kind of KINDS) {
    progress(`late idle closes, ${kind}`);
    const options = { kernel, idleMs: IDLE_MS, watch: true };
    await withFleet({ servers: [[kind, options]], loads: 1 }, async ([server], [load]) => {
      if (!server || !load) return;
      const request = {
        port: server.port,
        frames: 1,
        payloadBytes: 64,
        count: connections,
        everyMs: 0,
        address: 0,
        mayClose: true,
      };
      const opened = await load.order('open', { ...request, perSecond: connections / OPENING_S });
      const closed = await load.order('closed', { ms: 3 * IDLE_MS });
      const late = await server.late();
      rows.p50.check(kind, added(closed, opened));
      rows.p50.checkServer(kind, await server.faults());
      if (late.length !== connections) rows.p50.faults.push(`${kind}: ${late.length} idle closes of ${connections}`);
      if (opened.wallMs > IDLE_MS) {
        const took = (opened.wallMs / 1_000).toFixed(1);
        rows.p50.notes.push(`${kind}: opening took ${took} s, so the first closes came while others were still opened`);
      }
      const first = percentile(late, 0);
      if (first < -TOLERANCE_MS) {
        const early = late.filter((ms) => ms < -TOLERANCE_MS).length;
        const said = `${kind}: ${early} closes came early, by up to ${(-first).toFixed(1)} ms`;
        (kind === 'wirechart' ? rows.p50.faults : rows.p50.notes).push(said);
      }
      rows.p50.add(kind, percentile(late, 0.5));
      rows.p99.add(kind, percentile(late, 0.99));
      rows.max.add(kind, percentile(late, 1));
    });
  }
  rows.p99.faults = rows.max.faults = rows.p50.faults;
  return Object.values(rows);
}
