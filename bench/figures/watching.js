/**
 * What being looked at costs a server with many live sessions, and what it costs the browser that looks.
 *
 * One process (`watched.js`) and one load; slices take turns: without a visualizer, with one that nobody has open, with one whose Overview is
 * open in Chromium. In processes of their own the three differ by some 7 % for no reason that is looked for here. A ratio is of
 * CPU (user and system) for a message, within one round. The browser is measured over the same slices: main-thread time by its own account
 * (`Performance.getMetrics`), and bytes of the page's WebSocket.
 */
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { chromium as playwright } from 'playwright-core';
import { Child } from '../child.js';
import { Row } from '../row.js';
import { rotated } from './rates.js';

/** @typedef {import('playwright-core').Page} Page */

/** @typedef {'without' | 'closed' | 'open'} Turn */

/** @type {readonly Turn[]} */
const TURNS = ['without', 'closed', 'open'];
const PER_SECOND = 10_000;
/** After a visualizer came or went, so that what that costs is not what it costs. */
const SETTLE_MS = 1_000;
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
  const child = new Child('watched.js', ['--expose-gc']);
  const browser = await playwright.launch({ executablePath, args: FLAGS });
  try {
    progress(`watched: ${sessions} sessions come`);
    await child.ask('open', { sessions });
    const page = await browser.newPage({ viewport: { width: 1_400, height: 900 } });
    const traffic = watchTraffic(page);
    const busyMs = await busyTime(page);
    for (let round = -1; round < rounds; round += 1) {
      progress(`watched, round ${round + 1} of ${rounds}`);
      /** @type {Partial<Record<Turn, number>>} */
      const cpuMs = {};
      for (const turn of turns(round)) {
        const address = await child.ask('visualizer', { on: turn !== 'without' });
        if (turn === 'open') {
          const seconds = await openPage(page, address);
          // The first time nothing is in the browser's cache.
          if (round < 0) first.add('wirechart', seconds);
        }
        await child.ask('load', { perSecond: PER_SECOND, ms: SETTLE_MS });
        const before = { bytes: traffic.bytes, busyMs: await busyMs() };
        const done = await child.ask('load', { perSecond: PER_SECOND, ms: sliceMs });
        const seconds = done.wallMs / 1_000;
        cpuMs[turn] = done.cpuMs / done.answers;
        if (done.answers < 0.9 * PER_SECOND * (sliceMs / 1_000))
          closed.faults.push(`only ${done.answers} answers in ${done.wallMs} ms`);
        if (turn !== 'open') continue;
        const after = { bytes: traffic.bytes, busyMs: await busyMs() };
        await page.goto('about:blank');
        if (round < 0) continue;
        bytes.add('wirechart', (after.bytes - before.bytes) / seconds);
        busy.add('wirechart', (after.busyMs - before.busyMs) / seconds);
      }
      if (round < 0) continue; // the first one warms up
      const { without = NaN, closed: nobody = NaN, open: looked = NaN } = cpuMs;
      closed.add('wirechart', nobody / without);
      open.add('wirechart', looked / without);
    }
    for (const row of [closed, open]) {
      const { wirechart } = row.values;
      row.notes.push(`rounds ${Math.min(...wirechart).toFixed(3)} to ${Math.max(...wirechart).toFixed(3)}`);
    }
    const address = await child.ask('visualizer', { on: true });
    await page.goto(address);
    await page.goto(new URL('/sessions', address).href);
    await page.locator('[role=row] >> nth=5').waitFor();
    rows.add('wirechart', await page.locator('[role=row]').count());
  } finally {
    await browser.close();
    await child.end();
  }
  return [closed, open, bytes, busy, first, rows];
}

/** @param {Page} page @param {string} address @returns {Promise<number>} s to its first chart */
async function openPage(page, address) {
  const beganMs = performance.now();
  await page.goto(address);
  await page.locator('[data-state]').first().waitFor();
  return (performance.now() - beganMs) / 1_000;
}

/** Who is first changes from round to round. @param {number} round @returns {Turn[]} */
function turns(round) {
  return rotated(TURNS, Math.max(0, round));
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
async function busyTime(page) {
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
