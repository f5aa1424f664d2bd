/**
 * `npm run bench`: this project's echo against two bare `node:net` echoes, as ratios within one run.
 *
 * - Servers: `servers/wirechart.js` (the echo of `examples/`), `servers/node-net-encode.js` (decodes, and encodes each answer
 *   frame) and `servers/node-net-return.js` (sends the input back). All have the same framing, idle timeout (6 s),
 *   no-delay, half-closed peers and back-pressure, and each is a process of its own. The load is one more (`load.js`).
 * - Rates are per second of *server CPU* (user and system): two processes share a machine, and the one that waits longer
 *   for the other is not the slower server. All servers live at once and take turns (`figures/rates.js`).
 * - A ratio is ours to theirs within a round; printed is the median of the rounds, then the lowest and the highest. Machines are noisy: differences
 *   below 5 % mean nothing, and absolute figures are for this machine and moment alone.
 * - Every answer is compared byte for byte. A row with a wrong or lost answer, or a fault in a server, is REFUSED, and the run fails.
 * - Kernel options are the same on both sides, read back from accepted sockets: once the system's (auto-tuned buffers),
 *   once the notes' (16 384-byte buffers, MTU 1 500), which need koffi.
 * - Memory and holding (`figures/memory.js`, `figures/holding.js`) use fresh processes; lateness (`figures/lateness.js`) is seen by the server.
 *   Simulated worlds (`figures/simulation.js`) have neither a rival nor a kernel; what a visualizer costs (`figures/watching.js`) is
 *   compared with the same server without one.
 *   Where the load process was the bottleneck a note says so: the server then idles in between, and the rate
 *   counts more wake-ups per message than a busy server has.
 *
 * `--quick` is a smoke test: short slices, 500 connections. `--profile FOLDER` writes a CPU profile of each server of the rates.
 */
import { comparedOptions } from './fleet.js';
import { measureHolding } from './figures/holding.js';
import { measureLateness } from './figures/lateness.js';
import { measureMemory } from './figures/memory.js';
import { measureRates } from './figures/rates.js';
import { measureSimulation } from './figures/simulation.js';
import { measureWatching } from './figures/watching.js';
import { parseOptions, USAGE, withinDescriptors } from './options.js';
import { canSetOptions } from './servers/kernel-options.js';
import { figureOf, printed } from './table.js';

/** @typedef {(what: string) => void} Progress */

const TITLES = {
  system: "kernel options: the system's",
  notes: "kernel options: the notes' (16 384-byte buffers, MTU 1 500)",
};

process.exitCode = await main(process.argv.slice(2));

/** @param {string[]} args @returns {Promise<number>} exit code */
async function main(args) {
  const options = readOptions(args);
  if (!options) return 2;
  if (options.help) {
    console.log(USAGE);
    return 0;
  }
  const { json, kernels, settings } = options;
  const connections = withinDescriptors(settings.connections);
  if (connections < settings.connections) {
    console.error(
      `the descriptor limit allows ${connections} connections instead of ${settings.connections} (see ulimit -n)`,
    );
  }
  const results = [];
  for (const kernel of kernels) {
    if (kernel === 'notes' && !canSetOptions) {
      console.error("the notes' kernel options are skipped: setting them needs koffi, on Linux (npm install koffi)");
      continue;
    }
    const accepted = await comparedOptions(kernel);
    const rows = await measure({ ...settings, connections, kernel });
    results.push({ kernel, acceptedSockets: accepted, figures: rows.map(figureOf) });
    if (!json) console.log(`\n${TITLES[kernel]}\naccepted sockets, all servers: ${accepted}\n\n${printed(rows)}\n`);
  }
  const { version, platform, arch } = process;
  if (json)
    console.log(
      JSON.stringify(
        { node: version, platform, arch, settings: { ...settings, only: [...settings.only], connections }, results },
        null,
        2,
      ),
    );
  return results.some(({ figures }) => figures.some(({ refused }) => refused)) ? 1 : 0;
}

/** @param {import('./options.js').Settings} settings */
async function measure(settings) {
  const rows = [];
  const all = [measureRates, measureMemory, measureHolding, measureLateness, measureSimulation, measureWatching];
  for (const figures of all) {
    rows.push(...(await figures(settings, (what) => console.error(`  ${settings.kernel}: ${what}`))));
  }
  return rows;
}

/** @param {string[]} args */
function readOptions(args) {
  try {
    return parseOptions(args);
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n${USAGE}`);
    return undefined;
  }
}
