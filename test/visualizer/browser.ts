/**
 * Pages for the tests of the visualizer. Each is of a fresh profile, and each fails its test when it asks for anything off this
 * machine's loopback, when its script throws, and when its console says that something is wrong.
 */
import { chromium as playwright, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';
import { afterAll, afterEach, expect } from 'vitest';
import { chromium, CHROMIUM_FLAGS } from '../chromium.js';

export { hasNoBrowser } from '../chromium.js';
export type { Page } from 'playwright-core';

let browser: Browser | undefined;
const complaints: string[] = [];
/** What a test expects to see in the console: it has asked for it. */
const expected: RegExp[] = [];

afterAll(async () => {
  await browser?.close();
  browser = undefined;
});

afterEach(async () => {
  await closePages();
  const found = complaints.splice(0).filter((text) => !expected.some((pattern) => pattern.test(text)));
  expected.length = 0;
  expect(found).toEqual([]);
});

/** A page that is still empty. */
export async function newPage(options: BrowserContextOptions = {}): Promise<Page> {
  if (chromium === undefined) throw new Error('there is no Chromium: install it, or name it in CHROMIUM');
  browser ??= await playwright.launch({ executablePath: chromium, args: CHROMIUM_FLAGS });
  const context = await browser.newContext({ viewport: { width: 1_400, height: 900 }, ...options });
  await context.route('**', async (route) => {
    const { hostname } = new URL(route.request().url());
    if (['127.0.0.1', 'localhost', '[::1]'].includes(hostname)) return route.continue();
    complaints.push(`a request off loopback: ${route.request().url()}`);
    return route.abort();
  });
  // Sooner than the test's own limit: then it says what was waited for.
  context.setDefaultTimeout(30_000);
  const page = await context.newPage();
  page.on('pageerror', (error) => complaints.push(`the page threw: ${error.message}`));
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(`the console says: ${message.text()}`);
  });
  return page;
}

export async function closePages(): Promise<void> {
  for (const context of browser?.contexts() ?? []) await context.close();
}

/** Lets the console say this in the test that is running. */
export function expectComplaint(pattern: RegExp): void {
  expected.push(pattern);
}
