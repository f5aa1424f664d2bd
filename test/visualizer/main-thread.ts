/**
 * What a page costs the thread that it runs on. A processor that others share is slower by three and more, so nothing here is a
 * bare time: beside each piece of the work a blank page of the same browser does a fixed piece of script, style and layout, and
 * times are given as on a machine that takes `YARDSTICK_MS` for it.
 */
import { newPage, type Page } from './browser.js';

/** Of the thread, by a core of 2 to 3 GHz that nobody else uses: 100 to 150. */
const YARDSTICK_MS = 120;

/** The fixed work: a table is built, laid out, changed in each cell, laid out again and removed. */
const YARDSTICK = `(() => {
  for (let pass = 0; pass < 5; pass += 1) {
    const table = document.body.appendChild(document.createElement('table'));
    for (let row = 0; row < 100; row += 1) {
      const line = table.insertRow();
      for (let cell = 0; cell < 6; cell += 1) line.insertCell().textContent = 'cell ' + row * cell;
    }
    table.offsetHeight;
    for (const cell of table.querySelectorAll('td')) cell.textContent += ' ' + pass;
    table.offsetHeight;
    table.remove();
  }
})()`;

export interface Cost {
  /** Milliseconds of the thread for each second, as on the machine of the yardstick. */
  readonly busyMs: number;
  /** Recalculations of style for each second. */
  readonly styles: number;
}

/**
 * Median of `rounds` pieces of work, each with the yardstick before and after it.
 * @param work gives the seconds that it took
 */
export async function costOf(page: Page, rounds: number, work: () => Promise<number>): Promise<Cost> {
  const blank = await newPage();
  const [watched, yardstick] = [await metricsOf(page), await metricsOf(blank)];
  const yardstickMs = async () => {
    const { TaskDuration: before } = await yardstick();
    await blank.evaluate(YARDSTICK);
    return 1_000 * ((await yardstick()).TaskDuration - before);
  };
  await yardstickMs(); // its script is compiled
  let before = await yardstickMs();
  const costs: Cost[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const start = await watched();
    const seconds = await work();
    const end = await watched();
    const after = await yardstickMs();
    const factor = YARDSTICK_MS / ((before + after) / 2);
    before = after;
    costs.push({
      busyMs: (1_000 * factor * (end.TaskDuration - start.TaskDuration)) / seconds,
      styles: (end.RecalcStyleCount - start.RecalcStyleCount) / seconds,
    });
    process.stderr.write(`main thread: ${costs.at(-1)!.busyMs.toFixed(0)} ms/s, yardstick ${after.toFixed(0)} ms\n`);
  }
  await blank.context().close();
  return { busyMs: median(costs.map((cost) => cost.busyMs)), styles: median(costs.map((cost) => cost.styles)) };
}

/** Chromium's counters of a page; its times are those of the thread. */
export async function metricsOf(page: Page) {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Performance.enable', { timeDomain: 'threadTicks' });
  return async () => {
    const { metrics } = await devtools.send('Performance.getMetrics');
    return Object.fromEntries(metrics.map(({ name, value }) => [name, value])) as Record<
      'TaskDuration' | 'RecalcStyleCount' | 'JSHeapUsedSize',
      number
    >;
  };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}
