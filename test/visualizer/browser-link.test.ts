/** The page and a server that is not, or not any more, the one that it was loaded from: of another version, or with another token. */
import { afterEach, describe, expect, test } from 'vitest';
import type { WebSocketRoute } from 'playwright-core';
import { VISUALIZER_VERSION } from '../../src/inspect/visualizer/messages.js';
import { expectComplaint, hasNoBrowser, newPage } from './browser.js';
import { countIn, startSite, type Site, type SiteOptions } from './site.js';

const sites: Site[] = [];

afterEach(async () => {
  for (const site of sites.splice(0)) await site.stop();
});

async function start(options: SiteOptions = {}): Promise<Site> {
  const site = await startSite(options);
  sites.push(site);
  return site;
}

describe.skipIf(hasNoBrowser)('in Chromium', () => {
  test('a server that comes back with another version: the page stops, says so, and is loaded again by its button', async () => {
    const site = await start();
    const page = await newPage();
    let version: number = VISUALIZER_VERSION;
    const sockets: WebSocketRoute[] = [];
    await page.routeWebSocket(/\/viz$/, (socket) => {
      sockets.push(socket);
      socket.connectToServer().onMessage((message) => {
        const isHello = typeof message === 'string' && message.startsWith('{"type":"hello"');
        socket.send(isHello ? JSON.stringify({ ...(JSON.parse(message) as object), version }) : message);
      });
    });
    await page.goto(site.visualizer.url);
    await expect.poll(() => countIn(page, 'session')).toBe(0);

    version += 1;
    await sockets[0]!.close();
    await page.getByText('The server is of another version than this page.').waitFor();
    expect(sockets).toHaveLength(2);
    // What it knew of the other version is not shown any more: it may mean something else now.
    expect(await page.locator('[data-state]').count()).toBe(0);

    version = VISUALIZER_VERSION;
    await page.getByRole('button', { name: 'Load the page again' }).click();
    await page.getByText(/live 10 Hz/).waitFor();
    await expect.poll(() => countIn(page, 'session')).toBe(0);
  });

  test('a server that comes back with another token: the page says so, and goes on by itself when its new address was opened', async () => {
    const first = await start();
    const { port } = new URL(first.visualizer.url);
    expectComplaint(/ERR_CONNECTION_REFUSED|WebSocket|401/);
    const page = await first.open('/');
    await expect.poll(() => countIn(page, 'session')).toBe(0);
    await first.visualizer.stop();
    await page.getByText('The connection is lost').waitFor();

    const second = await start({ visualizer: { port: Number(port) } });
    await page.getByText('The server does not know this page any more').waitFor();
    // What it shows is old, and is there still.
    expect(await countIn(page, 'session')).toBe(0);

    const other = await page.context().newPage();
    await other.goto(second.visualizer.url);
    await page.getByText(/live 10 Hz/).waitFor();
    expect(await page.getByText('The server does not know this page any more').count()).toBe(0);
  });
});
