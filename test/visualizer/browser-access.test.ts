/** For everybody: the keyboard alone, names of all controls, contrast, dark mode, no motion where none is wanted; names that can be read. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { hasNoBrowser, type Page } from './browser.js';
import { chatPeer, chatPeers, type ChatPeer } from './fleet.js';
import { countIn, startSite, type Site } from './site.js';

const VIEWS = ['/', '/sessions', '/sessions/1', '/wall', '/machines', '/recordings', '/log'];
const SIZES = [
  { width: 1_400, height: 900 },
  { width: 1_024, height: 700 },
];

let site: Site;
let peers: ChatPeer[] = [];

beforeAll(async () => {
  if (hasNoBrowser) return;
  site = await startSite({ visualizer: { control: true } });
  peers = [...(await chatPeers(site.port, 6, 'inside')), ...(await chatPeers(site.port, 3, 'nameless'))];
});

afterAll(async () => {
  for (const { socket } of peers) socket.destroy();
  await site?.stop();
});

/** Until the view has what it shows. */
async function settled(page: Page, path: string): Promise<void> {
  await page.locator('main').waitFor();
  if (['/', '/sessions/1', '/machines'].includes(path)) await page.locator('[data-state]').first().waitFor();
  if (path === '/sessions') await page.locator('.sessions-row a').first().waitFor();
  if (path === '/wall') await page.locator('canvas').first().waitFor();
}

/** Runs in the page. Roles and names as far as this page needs them. */
const NAMELESS = `[...document.querySelectorAll('button, a[href], input, select, textarea, [role=button], [role=img], [role=slider], [role=listbox], dialog, canvas')]
  .filter((element) => element.checkVisibility() && !element.closest('[aria-hidden=true]') && !element.parentElement.closest('[role=img]'))
  .filter((element) => {
    const by = element.getAttribute('aria-labelledby');
    const label = element.getAttribute('aria-label') ?? (by && document.getElementById(by)?.textContent) ?? '';
    const labels = [...(element.labels ?? [])].map((one) => one.textContent).join('');
    const title = element.getAttribute('title') ?? '';
    const text = element.matches('input, select, textarea') ? '' : element.textContent;
    return [label, labels, title, text].every((name) => name.trim() === '');
  })
  .map((element) => element.outerHTML.slice(0, 200))`;

/** Runs in the page. In px of the screen. */
const NAME_SIZE_MIN = `Math.min(...[...document.querySelectorAll('.statechart-name')].map((name) => parseFloat(getComputedStyle(name).fontSize) * name.getCTM().a))`;

const HEADINGS = `[...document.querySelectorAll('h1, h2, h3, h4')].filter((one) => one.checkVisibility()).map((one) => Number(one.tagName[1]))`;

/** Runs in the page: texts of HTML whose contrast to what is behind them is below 4.5 to 1 (WCAG 2.2, 1.4.3), but for what cannot be used now. */
const FAINT = `(() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, under) => top.slice(0, 3).map((c, i) => c * top[3] + under[i] * (1 - top[3]));
  const light = (rgb) => {
    const [r, g, b] = rgb.map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) layers.push(rgba(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((under, layer) => over(layer, under), [255, 255, 255]);
  };
  const faint = [];
  for (const element of document.querySelectorAll('body *')) {
    const text = [...element.childNodes].filter((node) => node.nodeType === 3).map((node) => node.textContent.trim()).join('');
    if (text === '' || element.closest('svg, canvas, noscript, option, [aria-hidden=true], :disabled, .is-future') || !element.checkVisibility()) continue;
    const under = behind(element);
    const colour = over(rgba(getComputedStyle(element).color), under);
    const [a, b] = [light(colour), light(under)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) faint.push(text.slice(0, 40) + ' ' + ratio.toFixed(2) + ' ' + element.className);
  }
  return [...new Set(faint)];
})()`;

describe.skipIf(hasNoBrowser)('for everybody', () => {
  test.each(VIEWS)(
    '%s: every control has a name, headings go down step by step, and there is one first heading',
    async (path) => {
      const page = await site.open(path);
      await settled(page, path);
      expect(await page.evaluate(NAMELESS)).toEqual([]);
      const levels = (await page.evaluate(HEADINGS)) as number[];
      expect(levels.filter((level) => level === 1)).toHaveLength(1);
      for (const [index, level] of levels.entries())
        if (index > 0) expect(level - levels[index - 1]!).toBeLessThanOrEqual(1);
      expect(await page.locator('main').count()).toBe(1);
      expect(await page.title()).toContain('wirechart');
    },
  );

  test.each(VIEWS)('%s: texts can be told from what is behind them, light and dark', async (path) => {
    const page = await site.open(path);
    await settled(page, path);
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      expect({ colorScheme, faint: await page.evaluate(FAINT) }).toEqual({ colorScheme, faint: [] });
    }
  });

  test.each(VIEWS)('%s fits: nothing is scrolled sideways, in a large window and in a small one', async (path) => {
    for (const viewport of SIZES) {
      const page = await site.open(path, { viewport });
      await settled(page, path);
      const [wide, has] = (await page.evaluate(
        '[document.documentElement.scrollWidth, document.documentElement.clientWidth]',
      )) as [number, number];
      expect(wide).toBeLessThanOrEqual(has);
    }
  });

  test.each(['/', '/?chart=protocol', '/?chart=both', '/sessions/1', '/sessions/1 both', '/machines/session'])(
    '%s: names in charts are 8.5 px or larger, in a large window and in a small one',
    async (view) => {
      const [path, choice] = view.split(' ');
      for (const viewport of SIZES) {
        const page = await site.open(path, { viewport });
        await page.locator('[data-state]').first().waitFor();
        if (choice) await page.getByRole('button', { name: choice, exact: true }).click();
        await page.locator(`.statechart-svg >> nth=${choice || path?.includes('both') ? 1 : 0}`).waitFor();
        // Until each chart has been laid out for the panel that it has now.
        await expect.poll(() => page.evaluate(NAME_SIZE_MIN)).toBeGreaterThanOrEqual(8.5);
      }
    },
    60_000,
  );

  test('on paper a chart is as large as the sheet, whole and alone; moved by hand, what was in view is', async () => {
    const page = await site.open('/machines/session', { viewport: { width: 1_024, height: 700 } });
    await settled(page, '/machines');
    const svg = page.locator('.statechart-svg');
    const printed = page.evaluate(
      `new Promise((resolve) => addEventListener('beforeprint', () => resolve(document.querySelector('.statechart-svg').getAttribute('viewBox')), { once: true }))`,
    ) as Promise<string>;
    await page.getByRole('button', { name: 'Print' }).click();
    expect(await printed).toMatch(/^-?\d+ -?\d+ \d+ \d+$/);
    // A headless browser never says that it has printed. This is a sheet that can be measured: A4, upright.
    const print = (event: string) => page.evaluate(`dispatchEvent(new Event('${event}')); undefined`);
    await page.setViewportSize({ width: 794, height: 1_123 });
    await page.emulateMedia({ media: 'print' });
    const sheet = (await svg.boundingBox())!;
    const boxes = (await page.evaluate(
      "[...document.querySelectorAll('[data-state]')].map((box) => box.getBoundingClientRect().toJSON())",
    )) as Record<'x' | 'y' | 'width' | 'height', number>[];
    const [left, right] = [Math.min(...boxes.map(({ x }) => x)), Math.max(...boxes.map(({ x, width }) => x + width))];
    const [top, bottom] = [Math.min(...boxes.map(({ y }) => y)), Math.max(...boxes.map(({ y, height }) => y + height))];
    expect(left).toBeGreaterThanOrEqual(sheet.x);
    expect(right).toBeLessThanOrEqual(sheet.x + sheet.width);
    expect(top).toBeGreaterThanOrEqual(sheet.y);
    expect(bottom).toBeLessThanOrEqual(sheet.y + sheet.height);
    expect(Math.max((right - left) / sheet.width, (bottom - top) / sheet.height)).toBeGreaterThan(0.8);
    for (const other of ['.frame-header', '.frame-rail', '.machines-list', '.statechart-tools']) {
      expect(await page.locator(other).first().isVisible()).toBe(false);
    }
    await page.emulateMedia({ media: 'screen' });
    await page.setViewportSize({ width: 1_024, height: 700 });
    await print('afterprint');
    const seen = (await svg.boundingBox())!;
    await svg.hover();
    await page.mouse.wheel(0, 100);
    await print('beforeprint');
    expect(await svg.getAttribute('viewBox')).toBe(`0 0 ${seen.width} ${seen.height}`);
    await print('afterprint');
    expect(await svg.getAttribute('viewBox')).toBeNull();
  });

  test('dark is dark: by the system’s choice, and by the person’s', async () => {
    const page = await site.open('/', { colorScheme: 'dark' });
    await settled(page, '/');
    const background = () => page.evaluate('getComputedStyle(document.body).backgroundColor') as Promise<string>;
    const dark = await background();
    expect(Math.max(...dark.match(/\d+/g)!.slice(0, 3).map(Number))).toBeLessThan(60);
    await page.emulateMedia({ colorScheme: 'light' });
    expect(await background()).not.toBe(dark);
    for (let press = 0; press < 3 && (await background()) !== dark; press += 1) await page.keyboard.press('t');
    expect(await background()).toBe(dark);
    await page.reload();
    await settled(page, '/');
    expect(await background()).toBe(dark);
  });

  test('cells of the wall have the colours of the theme: by the system’s choice, and by the person’s', async () => {
    const page = await site.open('/wall', { colorScheme: 'dark' });
    const swatch = page.locator('.wall-legend li', { hasText: 'connected.flowing' }).locator('canvas');
    const colour = () => swatch.evaluate((one: any) => one.getContext('2d').fillStyle as string);
    await expect.poll(colour).toBe('#6aaeff');
    await page.emulateMedia({ colorScheme: 'light' });
    await expect.poll(colour).toBe('#1560d4');
    const dark = page.getByRole('button', { name: 'Theme: dark' });
    for (let press = 0; press < 3 && !(await dark.isVisible()); press += 1) await page.keyboard.press('t');
    await expect.poll(colour).toBe('#6aaeff');
  });

  test.each([
    ['light', [21, 96, 212]],
    ['dark', [106, 174, 255]],
  ] as const)(
    '%s: lines of the overview, and what is below them, have the colour of the series',
    async (colorScheme, colour) => {
      const page = await site.open('/', { colorScheme });
      const canvas = page.locator('.overview-sparkline canvas').first();
      // Pixels of the tint, and how far at most one that can be seen is from the colour, in steps of what the canvas keeps: each part
      // times its alpha, rounded once for the tint and once for the line.
      const look = () =>
        canvas.evaluate((one: any, series) => {
          const copy = new (globalThis as any).OffscreenCanvas(one.width, one.height).getContext('2d', {
            willReadFrequently: true,
          });
          copy.drawImage(one, 0, 0);
          const { data } = copy.getImageData(0, 0, one.width, one.height) as { data: Uint8ClampedArray };
          let [tinted, farthest] = [0, 0];
          for (let at = 0; at < data.length; at += 4) {
            const alpha = data[at + 3]!;
            if (alpha < 30) continue;
            if (alpha < 45) tinted += 1;
            series.forEach((part, index) => {
              farthest = Math.max(farthest, (Math.abs(part - data[at + index]!) * alpha) / 255);
            });
          }
          return { tinted, farthest };
        }, colour);
      await expect.poll(async () => (await look()).tinted).toBeGreaterThan(20);
      expect((await look()).farthest).toBeLessThan(3);
    },
  );

  test('who wants no motion sees none', async () => {
    const page = await site.open('/sessions/1', { reducedMotion: 'reduce' });
    await settled(page, '/sessions/1');
    peers[0]!.say('say hello');
    await page
      .getByRole('option', { name: /from the peer, SAY/ })
      .first()
      .waitFor();
    expect(
      await page.evaluate('document.getAnimations().filter((one) => one.effect.getTiming().duration > 1).length'),
    ).toBe(0);
  });

  test('with the keyboard alone: to the sessions, into one, and back', async () => {
    const page = await site.open('/');
    await settled(page, '/');
    await page.keyboard.press('g');
    await page.keyboard.press('s');
    await page.locator('.sessions-row a').first().waitFor();
    const focused = () =>
      page.evaluate('document.activeElement.closest("[data-id]")?.dataset.id ?? ""') as Promise<string>;
    for (let press = 0; press < 60 && (await focused()) === ''; press += 1) await page.keyboard.press('Tab');
    const first = await focused();
    expect(first).not.toBe('');
    await page.keyboard.press('ArrowDown');
    await expect.poll(focused).not.toBe(first);
    const second = await focused();
    await page.keyboard.press('Enter');
    await page.waitForURL((url) => url.pathname === `/sessions/${second}`);
    await page.goBack();
    await page.locator('.sessions-row a').first().waitFor();
  });

  test('with the keyboard alone: a state of the chart is reached, says how many are in it, and leads to them', async () => {
    const page = await site.open('/?chart=protocol');
    await expect.poll(() => countIn(page, 'chat.inside')).toBe(6);
    await page.locator('[data-state] >> nth=0').focus();
    const focused = () => page.evaluate('document.activeElement.getAttribute("aria-label") ?? ""') as Promise<string>;
    const isInside = /inside.*6 sessions/;
    for (let press = 0; press < 20 && !isInside.test(await focused()); press += 1)
      await page.keyboard.press('ArrowDown');
    expect(await focused()).toMatch(isInside);
    const outline = await page.evaluate(
      'getComputedStyle(document.activeElement).outlineStyle + getComputedStyle(document.activeElement.querySelector("rect")).strokeWidth',
    );
    expect(outline).not.toBe('none1px');
    await page.keyboard.press('Enter');
    await page.waitForURL((url) => url.searchParams.get('state') === 'protocol:inside');
  });
});

describe.skipIf(hasNoBrowser)('ids of 200 characters', () => {
  const folder = mkdtempSync(join(tmpdir(), 'wirechart-long-'));
  let count = 0;
  let long: Site;
  const talkers: ChatPeer[] = [];

  beforeAll(async () => {
    if (hasNoBrowser) return;
    long = await startSite({
      server: { ids: () => `${(count += 1)}-`.padEnd(200, 'x'), record: { folder, when: 'always' } },
      visualizer: { control: true, recordings: folder },
    });
    talkers.push(...(await chatPeers(long.port, 2, 'inside')));
    const gone = await (await chatPeer(long.port)).goTo('inside');
    gone.say('quit');
    await gone.ended();
    await vi.waitUntil(() => readdirSync(folder).some((name) => name.endsWith('.jsonl')), { timeout: 20_000 });
  });

  afterAll(async () => {
    for (const { socket } of talkers) socket.destroy();
    await long?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test('in no view is a thing wider than the window, and what is beside an id is seen', async () => {
    const id = '1-'.padEnd(200, 'x');
    const name = readdirSync(folder).find((file) => file.endsWith('.jsonl'))!;
    const views = [
      ['/sessions', '.sessions-row .mono'],
      [`/sessions/${id}`, 'button:has-text("Record")'],
      ['/sessions?show=ended', '.ended td:last-child'],
      ['/recordings', '.recordings-panel td:last-child'],
      [`/recordings/${name}`, '.session-header a:has-text("Save")'],
      ['/log', '.log .badge'],
      ['/wall', '.wall-tip > :last-child'],
    ] as const;
    for (const viewport of SIZES)
      for (const [path, beside] of views) {
        const page = await long.open(path, { viewport });
        // For the log: somebody has asked for something.
        if (path.startsWith('/sessions/') && viewport === SIZES[0]) {
          await page.getByRole('button', { name: 'Record' }).click();
          await page.getByText('it is being recorded').waitFor();
          await page.getByRole('button', { name: 'Stop' }).click();
        }
        if (path === '/wall')
          await page
            .locator('canvas')
            .first()
            .hover({ position: { x: 10, y: 10 } });
        const box = (await page.locator(beside).first().boundingBox())!;
        expect({ path, isSeen: box.x >= 0 && box.x + box.width <= viewport.width }).toEqual({ path, isSeen: true });
        const [wide, has] = (await page.evaluate(
          '[document.querySelector("main").scrollWidth, document.querySelector("main").clientWidth]',
        )) as [number, number];
        expect({ path, wide }).toEqual({ path, wide: has });
        await page.context().close();
      }
  });
});
