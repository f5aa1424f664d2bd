/** A server with its visualizer, open in a browser. */
import type { AnyProtocol } from '../../src/index.js';
import chat from '../../examples/chat/index.js';
import { createVisualizer, type Visualizer, type VisualizerOptions } from '../../src/inspect/index.js';
import { createTcpServer, type TcpServer, type TcpServerOptions } from '../../src/server.js';
import { closePages, newPage, type Page } from './browser.js';

export interface Site {
  readonly server: TcpServer;
  readonly visualizer: Visualizer;
  /** Of the TCP server. */
  readonly port: number;
  /** A new page at a path of the visualizer. */
  readonly open: (path?: string, options?: Parameters<typeof newPage>[0]) => Promise<Page>;
  /** With all pages: one that is left would complain. */
  readonly stop: () => Promise<void>;
}

export interface SiteOptions {
  readonly protocol?: AnyProtocol;
  readonly server?: TcpServerOptions;
  readonly visualizer?: VisualizerOptions;
}

/** A chat, unless told otherwise. */
export async function startSite({ protocol = chat, ...options }: SiteOptions = {}): Promise<Site> {
  const server = createTcpServer(protocol, options.server);
  await server.start();
  const visualizer = createVisualizer(server, options.visualizer);
  await visualizer.start();
  return {
    server,
    visualizer,
    port: server.address()!.port,
    open: async (path = '/', pageOptions) => {
      const page = await newPage(pageOptions);
      const { pathname, searchParams } = new URL(path, visualizer.url);
      searchParams.set('token', new URL(visualizer.url).searchParams.get('token')!);
      await page.goto(new URL(`${pathname}?${searchParams.toString()}`, visualizer.url).href);
      return page;
    },
    stop: async () => {
      await closePages();
      await visualizer.stop();
      await server.stop({ option: 'force' });
    },
  };
}

/** What a state's box says of how many there are; `undefined` while there is no such box. */
export async function countIn(page: Page, state: string): Promise<number | undefined> {
  const count = page.locator(`[data-state="${state}"] > .statechart-count`);
  if ((await count.count()) === 0) return undefined;
  return Number((await count.first().textContent())!.replaceAll(/\D/g, ''));
}

/** Ids of the states that are marked as active, of all charts of the page, sorted. */
export async function activeStates(page: Page): Promise<readonly string[]> {
  const ids = await page
    .locator('.statechart-state.is-active')
    .evaluateAll((states) => states.map((state) => state.getAttribute('data-state')!));
  return ids.sort();
}
