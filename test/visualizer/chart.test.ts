/** Charts as the page draws them, in a browser: the component alone, built as the page is, under the page's own security policy. */
import { createReadStream, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { xml2js, type Element } from 'xml-js';
import { readChart, type Chart } from '../../src/inspect/index.js';
import { charts } from '../inspect/drawing/charts.js';
import { textOf } from '../inspect/drawing/svg-geometry.js';
import { expectComplaint, hasNoBrowser, newPage, type Page } from './browser.js';
import { costOf } from './main-thread.js';

const source = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const chartOf = (name: string): Chart => readChart(charts.find((one) => one.name === name)!.machine);
const numberOf = (chart: Chart, path: string) => chart.states.findIndex((state) => state.path === path);
const TYPES: Readonly<Record<string, string>> = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css' };
const POLICY = "default-src 'self'; connect-src 'self'; worker-src 'self'; frame-ancestors 'none'; base-uri 'none'";

let folder: string;
let server: Server;

beforeAll(async () => {
  if (hasNoBrowser) return;
  folder = mkdtempSync(join(tmpdir(), 'wirechart-chart-'));
  // The tests' own would choose React for development.
  vi.stubEnv('NODE_ENV', 'production');
  await build({
    configFile: source('../../visualizer/vite.config.ts'),
    root: source('../../visualizer/src/chart/page'),
    logLevel: 'warn',
    build: { outDir: folder, emptyOutDir: true, license: false },
  });
  vi.unstubAllEnvs();
  server = createServer((request, response) => {
    const { pathname } = new URL(request.url!, 'http://127.0.0.1');
    const file = join(folder, pathname === '/' ? 'index.html' : pathname);
    if (!existsSync(file)) return response.writeHead(204).end();
    response.writeHead(200, { 'content-type': TYPES[extname(file)], 'content-security-policy': POLICY });
    return createReadStream(file).pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterAll(async () => {
  if (hasNoBrowser) return;
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});

interface Shown {
  readonly chart: Chart;
  readonly mode?: 'population' | 'session' | 'plain';
  readonly labels?: 'none' | 'events';
  readonly [prop: string]: unknown;
}

const url = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;

async function open(options: Parameters<typeof newPage>[0] = {}): Promise<Page> {
  const page = await newPage({ viewport: { width: 900, height: 600 }, ...options });
  await page.goto(url());
  return page;
}

/** With another key it begins anew. */
async function show(page: Page, props: Shown, key = 'one'): Promise<void> {
  await page.evaluate(([name, shown]) => (globalThis as any).chartPage.show(name, shown), [
    key,
    { mode: 'plain', labels: 'none', label: `The chart ${key}`, ...props },
  ] as const);
  await page
    .getByRole('group', { name: `The chart ${key}` })
    .or(page.locator('.statechart-tree'))
    .waitFor();
}

const asked = (page: Page) => page.evaluate(() => (globalThis as any).chartPage.events.splice(0) as string[]);
const state = (page: Page, id: string) => page.locator(`.statechart-svg [data-state="${id}"]`);
/** Wholly inside of the chart's panel. */
async function isSeen(page: Page, id: string): Promise<boolean> {
  const box = (await state(page, id).boundingBox())!;
  const panel = (await page.locator('.statechart-svg').boundingBox())!;
  return (
    box.x >= panel.x &&
    box.y >= panel.y &&
    box.x + box.width <= panel.x + panel.width &&
    box.y + box.height <= panel.y + panel.height
  );
}
const transformOf = (page: Page) => page.locator('.statechart-svg > g').getAttribute('transform');

/** Runs in the page: texts that meet, and texts that are not inside of the box of their state, mark or label. */
const LOOK = `(() => {
  const boxOf = (element) => element.getBoundingClientRect();
  const texts = [...document.querySelectorAll('.statechart-svg text')].filter((text) => text.textContent !== '');
  const boxes = texts.map(boxOf);
  const meet = (a, b) => a.left + 0.5 < b.right && b.left + 0.5 < a.right && a.top + 1.5 < b.bottom && b.top + 1.5 < a.bottom;
  const overlaps = [], outside = [];
  texts.forEach((text, index) => {
    for (let other = index + 1; other < texts.length; other += 1)
      if (meet(boxes[index], boxes[other])) overlaps.push(text.textContent + ' and ' + texts[other].textContent);
    const outer = boxOf(text.closest('g').querySelector('.statechart-box, .statechart-mark, .statechart-label')), box = boxes[index];
    if (box.left < outer.left - 0.5 || box.right > outer.right + 0.5 || box.top < outer.top - 2 || box.bottom > outer.bottom + 2) outside.push(text.textContent);
  });
  return { count: texts.length, overlaps, outside };
})()`;

describe.skipIf(hasNoBrowser)('in Chromium', () => {
  test('no two texts overlap, and each is inside of what it belongs to: all charts, with words at the arrows and with numbers', async () => {
    const page = await open();
    let count = 0;
    for (const { name, machine } of charts)
      for (const [mode, labels] of [
        ['plain', 'events'],
        ['population', 'none'],
      ] as const) {
        const chart = readChart(machine);
        const counts = chart.states.map(() => 98_765);
        const heatText = chart.states.map(() => '59.9 min');
        await show(page, { chart, mode, labels, counts, heatText }, `${name} ${mode}`);
        const found = await page.evaluate<{ count: number; overlaps: string[]; outside: string[] }>(LOOK);
        count += found.count;
        expect({ name, mode, ...found }).toMatchObject({ overlaps: [], outside: [] });
      }
    expect(count).toBeGreaterThan(400);
  });

  test('an update changes numbers, bars and labels in the elements that are there, and lays nothing out', async () => {
    const page = await open();
    const chart = chartOf('session');
    const counts = chart.states.map((_, number) => number);
    await show(page, { chart, mode: 'population', counts });
    const box = state(page, 'session.connected.flowing');
    await box.evaluate((element) => ((element as any).isMarked = true));
    const flowing = numberOf(chart, 'connected.flowing');
    await show(page, {
      chart,
      mode: 'population',
      counts: counts.map((_, number) => (number === 0 ? 20_000 : number === flowing ? 5_964 : 0)),
    });
    expect(await box.locator('.statechart-count').textContent()).toMatch(/^5\s964$/u);
    expect(await box.getAttribute('aria-label')).toMatch(/^connected\.flowing: 5\s964 sessions$/u);
    expect(await box.evaluate((element) => (element as any).isMarked)).toBe(true);
    const share = await box.evaluate((element: any) => {
      const [bar, track] = ['.statechart-bar', '.statechart-track'].map((one) =>
        Number(element.querySelector(one).getAttribute('width')),
      );
      return bar! / track!;
    });
    expect(share).toBeCloseTo(5_964 / 20_000, 1);
  });

  test('ten updates a second of every number take less than 100 ms of the main thread each second', async () => {
    const page = await open();
    const chart = chartOf('session');
    await show(page, { chart, mode: 'population', counts: chart.states.map(() => 0) });
    const UPDATES_PER_SECOND = 10;
    const { busyMs } = await costOf(page, 4, async () => {
      const updates = await page.evaluate(
        ([shown, updates]) =>
          new Promise<number>((resolve) => {
            let count = 0;
            const timer = setInterval(() => {
              count += 1;
              const counts = shown.chart.states.map((_, number) => (count * 7_919 * (number + 1)) % 20_000);
              const heat = counts.map((one) => one / 20_000);
              (globalThis as any).chartPage.show('one', { ...shown, counts, heat });
              if (count < updates) return;
              clearInterval(timer);
              resolve(count);
            }, 100);
          }),
        [{ chart, mode: 'population', labels: 'none', label: 'The chart one' }, UPDATES_PER_SECOND] as const,
      );
      expect(updates).toBe(UPDATES_PER_SECOND);
      return updates / UPDATES_PER_SECOND;
    });
    expect(busyMs).toBeLessThan(100);
  });

  test('a chart is laid out once: on the next visit its places come from the storage, and no worker is begun', async () => {
    const page = await open();
    const workers: string[] = [];
    page.on('worker', (worker) => workers.push(worker.url()));
    const chart = chartOf('client');
    await show(page, { chart });
    expect(workers).toHaveLength(1);
    const before = await state(page, 'client.closed').getAttribute('transform');
    await page.reload();
    await show(page, { chart });
    expect(await state(page, 'client.closed').getAttribute('transform')).toBe(before);
    expect(workers).toHaveLength(1);
  });

  test('where a session is, is filled, and what it did last is lit; the same arrow again is lit again', async () => {
    const page = await open();
    const chart = chartOf('session');
    const { id } = chart.transitions.find(({ event, source }) => event === 'CONGESTED' && source.endsWith('flowing'))!;
    const at = (path: string) => [numberOf(chart, 'connected'), numberOf(chart, path)];
    const shown = { chart, mode: 'session', labels: 'none' } as const;
    await show(page, { ...shown, active: at('connected.congested'), taken: { ids: [id], sequence: 1 } });
    const active = () =>
      page
        .locator('.statechart-state.is-active')
        .evaluateAll((all) => all.map((one) => one.getAttribute('data-state')));
    expect(await active()).toEqual(['session.connected', 'session.connected.congested']);
    const lit = page.locator(`[data-taken="${id}"]`);
    const line = page.locator(
      '[data-source="session.connected.flowing"][data-target="session.connected.congested"] .statechart-line',
    );
    expect(await lit.locator('.statechart-flash').getAttribute('d')).toBe(await line.getAttribute('d'));
    expect(await lit.textContent()).toBe('CONGESTED');
    await lit.evaluate((element) => ((element as any).isOld = true));
    await show(page, { ...shown, active: at('connected.congested'), taken: { ids: [id], sequence: 1 } });
    expect(await lit.evaluate((element) => (element as any).isOld)).toBe(true);
    await show(page, { ...shown, active: at('connected.flowing'), taken: { ids: [id], sequence: 2 } });
    expect(await lit.evaluate((element) => (element as any).isOld)).toBeUndefined();
    expect(await active()).toEqual(['session.connected', 'session.connected.flowing']);
  });

  test('a transition that is told by a mark, and one that stays where it is, are lit as well', async () => {
    const page = await open();
    const chart = chartOf('session');
    const reset = chart.transitions.find(
      ({ source, targets }) => source === 'session.accepted' && targets[0] === 'session.reset',
    )!;
    const loop = chart.transitions.find(({ source, event }) => source === 'session.accepted' && event === 'SEND')!;
    await show(page, {
      chart,
      mode: 'session',
      active: [numberOf(chart, 'reset')],
      taken: { ids: [reset.id, loop.id], sequence: 1 },
    });
    expect(await page.locator(`[data-taken="${reset.id}"] .statechart-flash.is-leap`).count()).toBe(1);
    const frame = await page.locator(`[data-taken="${loop.id}"] rect.statechart-flash`).boundingBox();
    const box = await state(page, 'session.accepted').locator('.statechart-box').boundingBox();
    expect(frame!.x).toBeLessThan(box!.x);
    expect(frame!.x + frame!.width).toBeGreaterThan(box!.x + box!.width);
  });

  test('nothing moves for a person who asked for that', async () => {
    const chart = chartOf('knock-knock');
    const taken = { ids: [chart.transitions.find(({ targets }) => targets.length > 0)!.id], sequence: 1 };
    const animations: string[] = [];
    for (const reducedMotion of ['no-preference', 'reduce'] as const) {
      const page = await open({ reducedMotion });
      await show(page, { chart, mode: 'session', taken });
      animations.push(
        await page
          .locator('.statechart-flash')
          .first()
          .evaluate((one: any) => (globalThis as any).getComputedStyle(one).animationName),
      );
    }
    expect(animations).toEqual(['statechart-taken', 'none']);
  });

  test('by keyboard: Tab comes to the chart, arrows go from state to state, Enter chooses one, Space folds it', async () => {
    const page = await open();
    const chart = chartOf('session');
    await show(page, { chart });
    const focused = () =>
      page.evaluate(() => (globalThis as any).document.activeElement.getAttribute('data-state') as string);
    await page.keyboard.press('Tab');
    expect(await focused()).toBe('session');
    await state(page, 'session.connected.flowing').focus();
    await page.keyboard.press('ArrowDown');
    expect(await focused()).toBe('session.connected.congested');
    await page.keyboard.press('Enter');
    expect(await asked(page)).toEqual([`state ${numberOf(chart, 'connected.congested')}`]);
    await state(page, 'session.connected').focus();
    await page.keyboard.press('Space');
    await expect.poll(() => state(page, 'session.connected.flowing').count()).toBe(0);
    await page.keyboard.press('Space');
    await expect.poll(() => state(page, 'session.connected.flowing').count()).toBe(1);
  });

  test('it fits its panel, also when that changes, until it is moved; 0 makes it fit again', async () => {
    const page = await open();
    await show(page, { chart: chartOf('client') });
    const isInside = () => isSeen(page, 'client');
    const first = await transformOf(page);
    expect(await isInside()).toBe(true);
    await page.setViewportSize({ width: 760, height: 500 });
    await expect.poll(() => transformOf(page)).not.toBe(first);
    await expect.poll(isInside).toBe(true);

    await page.mouse.move(300, 250);
    await page.keyboard.down('Control');
    await page.mouse.wheel(0, -300);
    await page.keyboard.up('Control');
    await expect.poll(isInside).toBe(false);
    const zoomed = await transformOf(page);
    await page.mouse.down();
    await page.mouse.move(320, 260, { steps: 2 });
    // The next layout comes while the hand moves: it is not the end of the drag.
    const drawn = () => page.locator('.statechart-svg > g').innerHTML();
    const before = await drawn();
    await page.setViewportSize({ width: 900, height: 300 });
    await expect.poll(drawn).not.toBe(before);
    await page.mouse.move(340, 270, { steps: 2 });
    await page.mouse.up();
    const moved = await transformOf(page);
    const [x, y] = [zoomed, moved].map((text) => [.../-?[\d.]+/g[Symbol.match](text!)!].map(Number)) as [
      number[],
      number[],
    ];
    expect([y[0]! - x[0]!, y[1]! - x[1]!].map(Math.round)).toEqual([40, 20]);
    expect(await asked(page)).toEqual([]);
    await page.setViewportSize({ width: 900, height: 600 });
    expect(await transformOf(page)).toBe(moved);

    await state(page, 'client').focus();
    await page.keyboard.press('0');
    expect(await isInside()).toBe(true);
  });

  test('to be read, a chart that is larger than its panel begins at a size that can be; a state that is out of sight comes when it is reached, and 0 shows all', async () => {
    const page = await open();
    await show(page, { chart: chartOf('session'), labels: 'events' });
    const seen = (id: string) => isSeen(page, id);
    const scale = async () => Number(/scale\(([\d.]+)\)/.exec((await transformOf(page))!)![1]);
    expect(await scale()).toBe(0.75);
    expect([await seen('session.accepted'), await seen('session.closed')]).toEqual([true, false]);
    await state(page, 'session.accepted').focus();
    await page.keyboard.press('End');
    expect([await scale(), await seen('session.closed')]).toEqual([0.75, true]);
    await page.keyboard.press('0');
    expect(await scale()).toBeLessThan(0.75);
    expect(await seen('session')).toBe(true);
  });

  test('a click on a state chooses it, on an event that can be sent sends it, and who points at an arrow is told all that leads along it', async () => {
    const page = await open();
    const chart = chartOf('knock-knock');
    await show(page, { chart, labels: 'events', possible: ['LINE'] });
    await state(page, '(machine).naming').click();
    expect(await asked(page)).toEqual([`state ${numberOf(chart, 'naming')}`]);
    await page.locator('text[data-event="LINE"]').first().click();
    await page
      .getByRole('group', { name: 'Events that can be sent now' })
      .getByRole('button', { name: 'LINE' })
      .click();
    expect(await asked(page)).toEqual(['event LINE', 'event LINE']);
    await page.locator('[data-source="(machine).knocking"][data-target="(machine).naming"] text').hover();
    await expect.poll(() => page.locator('.statechart-note').textContent()).toContain(`LINE [says "who's there?"]`);
  });

  test('what is shown is exported as one file that needs nothing else', async () => {
    const page = await open();
    const chart = chartOf('session');
    await show(page, {
      chart,
      mode: 'population',
      counts: chart.states.map((_, number) => 1_000 + number),
      heat: chart.states.map(() => 0.5),
    });
    const svg = (await page.evaluate(() => (globalThis as any).chartPage.exportSvg() as string))!;
    expect(svg.match(/https?:\/\/[^"]+/g)).toEqual(['http://www.w3.org/2000/svg']);
    expect(svg).not.toMatch(/<script|<image|href=|url\(|@import|tabindex/);
    const document = xml2js(svg) as Element;
    const texts = textOf(document);
    for (const { key } of chart.states) expect(texts).toContain(key);
    expect(texts.replaceAll(/\s/gu, '')).toContain('1003');
    // Drawn by itself it has its colours.
    const alone = await newPage();
    await alone.setContent(svg);
    const fill = await alone
      .locator('.statechart-bar')
      .first()
      .evaluate((one: any) => (globalThis as any).getComputedStyle(one).fill);
    expect(fill).toBe('rgb(21, 96, 212)');
  });

  test('what is dark is exported dark, and stays it where all else is light', async () => {
    const page = await open({ colorScheme: 'dark' });
    await show(page, { chart: chartOf('session') });
    const svg = (await page.evaluate(() => (globalThis as any).chartPage.exportSvg() as string))!;
    const alone = await newPage({ colorScheme: 'light' });
    await alone.setContent(svg);
    for (const [part, colour] of [
      ['.statechart-ground', 'rgb(21, 26, 33)'],
      ['.statechart-state:not(.is-outer) > .statechart-box', 'rgb(26, 32, 41)'],
    ] as const) {
      const one = alone.locator(part).first();
      expect(await one.evaluate((shape: any) => (globalThis as any).getComputedStyle(shape).fill)).toBe(colour);
    }
  });

  test('where the worker cannot be loaded, the states are a list, with their numbers', async () => {
    expectComplaint(/ERR_FAILED/);
    const page = await open();
    await page.route('**/elk-worker*', (route) => route.abort());
    const chart = chartOf('session');
    await show(page, { chart, mode: 'population', counts: chart.states.map((_, number) => number) });
    const list = page.locator('.statechart-tree');
    expect(await list.locator('li').count()).toBe(chart.states.length);
    expect(await list.locator('[data-state="session.reset"]').textContent()).toBe(`reset${numberOf(chart, 'reset')}`);
    await list.getByRole('button', { name: 'reset' }).click();
    expect(await asked(page)).toEqual([`state ${numberOf(chart, 'reset')}`]);
  });

  test('a worker that gives no answer for 5 s is ended, and the states are a list; before that the page says that it is laying out', async () => {
    const page = await newPage();
    await page.clock.install();
    await page.route('**/elk-worker*', (route) => route.fulfill({ contentType: 'text/javascript', body: '' }));
    await page.goto(url());
    const chart = chartOf('client');
    const begun = page.waitForRequest(/elk-worker/);
    await page.evaluate((shown) => (globalThis as any).chartPage.show('one', shown), {
      chart,
      mode: 'plain',
      labels: 'none',
      label: 'one',
    });
    await page.getByRole('status').waitFor();
    await begun;
    // The page's clock goes on meanwhile: what this process takes to look is in it.
    await page.clock.fastForward(2_000);
    expect(await page.locator('.statechart-tree').count()).toBe(0);
    await page.clock.fastForward(3_100);
    await page.locator('.statechart-tree').waitFor();
    expect(page.workers()).toEqual([]);
  });
});
