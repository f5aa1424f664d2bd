/**
 * What being looked at costs a server with many live sessions, and what it costs the browser that looks.
 *
 * Three processes with the same load take turns (`watched.js`): one without a visualizer, one with a visualizer that nobody has open,
 * one whose Overview is open in Chromium. A ratio is of CPU (user and system) within one round; the load is the same number of
 * messages for all. The browser is measured over the same slices: main-thread time by its own account (`Performance.getMetrics`),
 * and bytes of the page's WebSocket.
 */
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { chromium as playwright } from 'playwright-core';
import { Child } from '../child.js';
import { Row } from '../row.js';

/** @typedef {import('playwright-core').Page} Page */

const PER_SECOND = 10_000;
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update'];

/** @param {import('../options.js').Settings} settings @param {import('../run.js').Progress} progress @returns {Promise<Row[]>} */
export async function measureWatching({ kernel, only, watched, rounds }, progress) {
  if (!only.has('watched') || kernel !== 'system') return [];
  const { sessions, sliceMs } = watched;
  const executablePath = process.env['CHROMIUM'] || found('chromium', 'chromium-browser', 'google-chrome');
  if (executablePath === undefined) {
    progress('watched: skipped, there is no Chromium in PATH, and CHROMIUM names none');
    return [];
  }
  const cost = { unit: '', better: /** @type {const} */ ('less'), digits: 3 };
  const load = `${sessions} sessions, ${PER_SECOND} messages a second`;
  const closed = new Row(`CPU with a visualizer that nobody looks at to CPU without one; ${load}`, cost);
  const open = new Row('CPU with its Overview open to CPU without one', cost);
  const bytes = new Row('  WebSocket, bytes a second', { unit: 'B/s', better: 'less', digits: 0 });
  const busy = new Row('  browser, main thread a second', { unit: 'ms', better: 'less', digits: 0 });
  const first = new Row('  from opening the page to its first chart', { unit: 's', better: 'less', digits: 2 });
  const rows = new Row('Sessions page: elements of rows', { unit: '', better: 'less', digits: 0 });
  const children = [false, true, true].map(() => new Child('watched.js'));
  const browser = await playwright.launch({ executablePath, args: FLAGS });
  try {
    const addresses = [];
    for (const [index, child] of children.entries()) {
      progress(`watched: ${sessions} sessions, server ${index + 1} of ${children.length}`);
      addresses.push(await child.ask('open', { sessions, visualizer: index > 0 }));
    }
    const page = await browser.newPage({ viewport: { width: 1_400, height: 900 } });
    const traffic = watchTraffic(page);
    const beganMs = performance.now();
    await page.goto(addresses[2]);
    await page.locator('[data-state]').first().waitFor();
    first.add('wirechart', (performance.now() - beganMs) / 1_000);
    const metrics = await metricsOf(page);
    for (let round = -1; round < rounds; round += 1) {
      progress(`watched, round ${round + 1} of ${rounds}`);
      const cpu = [NaN, NaN, NaN];
      for (const index of turns(round)) {
        const before = { bytes: traffic.bytes, busyMs: await metrics() };
        const done = await /** @type {Child} */ (children[index]).ask('load', { perSecond: PER_SECOND, ms: sliceMs });
        cpu[index] = done.cpuMs / done.answers;
        if (done.answers < 0.9 * PER_SECOND * (sliceMs / 1_000))
          closed.faults.push(`only ${done.answers} answers in ${done.wallMs} ms`);
        if (index < 2 || round < 0) continue;
        const seconds = done.wallMs / 1_000;
        bytes.add('wirechart', (traffic.bytes - before.bytes) / seconds);
        busy.add('wirechart', ((await metrics()) - before.busyMs) / seconds);
      }
      if (round < 0) continue; // the first one warms up
      const [without = NaN, nobody = NaN, looked = NaN] = cpu;
      closed.add('wirechart', nobody / without);
      open.add('wirechart', looked / without);
    }
    await page.goto(new URL('/sessions', addresses[2]).href);
    await page.locator('[role=row] >> nth=5').waitFor();
    rows.add('wirechart', await page.locator('[role=row]').count());
  } finally {
    await browser.close();
    for (const child of children) await child.end();
  }
  return [closed, open, bytes, busy, first, rows];
}

/** Who is first changes from round to round. @param {number} round */
function turns(round) {
  const order = [0, 1, 2];
  return round % 2 === 0 ? order : order.reverse();
}

/** @param {Page} page */
function watchTraffic(page) {
  const traffic = { bytes: 0 };
  page.on('websocket', (socket) => {
    socket.on('framereceived', ({ payload }) => (traffic.bytes += Buffer.byteLength(payload)));
  });
  return traffic;
}

/** @param {Page} page @returns {Promise<() => Promise<number>>} ms that the page's main thread has worked so far */
async function metricsOf(page) {
  const session = await page.context().newCDPSession(page);
  await session.send('Performance.enable');
  return async () => {
    const { metrics } = await session.send('Performance.getMetrics');
    return 1_000 * (metrics.find(({ name }) => name === 'TaskDuration')?.value ?? NaN);
  };
}

/** @param {string[]} names */
function found(...names) {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find((path) => existsSync(path));
}
