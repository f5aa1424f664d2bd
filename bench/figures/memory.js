/** Memory of an idle connection that has exchanged one frame: one fresh server after the other, garbage collected. */
import { KINDS, LONG_IDLE_MS, withFleet } from '../fleet.js';
import { Row } from '../row.js';
import { added } from './rates.js';

/** Opened and closed before, so that code and tables that grow once are not put down to connections. Few: the pages that
 *  they leave behind are used again, and would be missing in the difference. */
const WARM_UP_SHARE = 0.1;

/** @param {import('../options.js').Settings} settings @param {import('../run.js').Progress} progress @returns {Promise<Row[]>} */
export async function measureMemory({ kernel, holdRounds, connections, only }, progress) {
  if (!only.has('memory')) return [];
  const shape = /** @type {const} */ ({ unit: 'kB', better: 'less', digits: 2 });
  const resident = new Row(`resident memory per idle connection (${connections})`, shape);
  const heap = new Row('  of it, heap and external', shape);
  for (let round = 0; round < holdRounds; round += 1) {
    for (const kind of KINDS) {
      progress(`memory, ${kind}, round ${round + 1} of ${holdRounds}`);
      const options = { kernel, idleMs: LONG_IDLE_MS, watch: false };
      await withFleet({ servers: [[kind, options]], loads: 1 }, async ([server], [load]) => {
        if (!server || !load) return;
        const request = { port: server.port, frames: 1, payloadBytes: 64, perSecond: 0, everyMs: 0, address: 0 };
        const warmed = await load.order('open', { ...request, count: Math.ceil(WARM_UP_SHARE * connections) });
        const emptied = await load.order('close', { reset: false });
        const before = await server.memory();
        const opened = await load.order('open', { ...request, count: connections });
        const after = await server.memory();
        const sessions = await server.sessions();
        resident.check(kind, added(opened, warmed, emptied));
        resident.checkServer(kind, await server.faults());
        if (sessions !== connections) resident.faults.push(`${kind}: ${sessions} sessions instead of ${connections}`);
        resident.add(kind, (after.rss - before.rss) / connections / 1_000);
        const used = after.heapUsed + after.external - before.heapUsed - before.external;
        heap.add(kind, used / connections / 1_000);
        await load.order('close', { reset: true });
      });
    }
  }
  heap.faults = resident.faults;
  return [resident, heap];
}
