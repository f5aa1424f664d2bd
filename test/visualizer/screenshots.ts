/**
 * `npm run screenshots`: the pictures of the README and of docs/visualizer.md, taken of a chat with some hundred real peers. It needs a built
 * page (`npm run build`) and Chromium. `--folder F` puts them elsewhere, `--all` takes both themes in two sizes of every view, to look at.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { chromium as playwright, type Page } from 'playwright-core';
import chat from '../../examples/chat/index.js';
import { createVisualizer } from '../../src/inspect/index.js';
import { createTcpServer, type TcpServer } from '../../src/server.js';
import { chromium, CHROMIUM_FLAGS } from '../chromium.js';
import { chatPeer, chatPeers, type ChatPeer } from './fleet.js';

const PICTURES = fileURLToPath(new URL('../../docs/pictures/', import.meta.url));
const LARGE = { width: 1_400, height: 900 };
const SMALL = { width: 1_024, height: 700 };

interface View {
  readonly name: string;
  /** Of the page. */
  readonly path: () => string;
  /** Is there in the docs, in this theme. */
  readonly docs?: 'light' | 'dark';
  /** Until there is something to see. */
  readonly ready: (page: Page) => Promise<unknown>;
}

const { values } = parseArgs({
  options: { folder: { type: 'string', default: PICTURES }, all: { type: 'boolean', default: false } },
});
async function main(folder: string, all: boolean): Promise<number> {
  if (chromium === undefined) {
    process.stderr.write('there is no Chromium in PATH, and CHROMIUM names none\n');
    return 1;
  }
  mkdirSync(folder, { recursive: true });
  const recordings = mkdtempSync(join(tmpdir(), 'wirechart-pictures-'));
  const server = createTcpServer(chat, { record: { folder: recordings, when: 'always', payloads: true } });
  await server.start();
  const visualizer = createVisualizer(server, { control: true, payloads: true, recordings });
  await visualizer.start();
  const browser = await playwright.launch({ executablePath: chromium, args: CHROMIUM_FLAGS });
  const talk = new Talk(server);
  try {
    await talk.begin();
    // So that the rates of the last two minutes have something to show.
    if (!all) await new Promise((resolve) => setTimeout(resolve, 60_000));
    const watched = await talk.speaker();
    for (const view of views(watched, await talk.recorded(recordings))) {
      for (const colorScheme of all ? (['light', 'dark'] as const) : [view.docs]) {
        if (colorScheme === undefined) continue;
        for (const viewport of all ? [LARGE, SMALL] : [LARGE]) {
          const page = await browser.newPage({ viewport, colorScheme });
          page.on('console', (message) => process.stderr.write(`${view.name}: ${message.text()}\n`));
          await page.goto(visualizer.url);
          await page.goto(new URL(view.path(), visualizer.url).href);
          await view.ready(page);
          await page.waitForTimeout(3_500); // a few samples of the rates
          const name = all ? `${view.name}-${viewport.width}-${colorScheme}` : `visualizer-${view.name}`;
          await page.screenshot({ path: join(folder, `${name}.png`) });
          process.stdout.write(`${name}\n`);
          await page.close();
        }
      }
    }
  } finally {
    talk.end();
    await browser.close();
    await visualizer.stop();
    await server.stop({ option: 'force' });
    rmSync(recordings, { recursive: true, force: true });
  }
  return 0;
}

function views(watched: string, recording: string): View[] {
  const chart = (page: Page) => page.locator('[data-state]').first().waitFor();
  return [
    { name: 'overview', path: () => '/', docs: 'light', ready: chart },
    { name: 'sessions', path: () => '/sessions', docs: 'light', ready: (page) => page.locator('[role=row]').nth(8).waitFor() },
    { name: 'session', path: () => `/sessions/${watched}`, docs: 'dark', ready: chart },
    { name: 'wall', path: () => '/wall', docs: 'dark', ready: (page) => page.locator('canvas').first().waitFor() },
    { name: 'machines', path: () => '/machines', ready: chart },
    { name: 'recordings', path: () => '/recordings', ready: (page) => page.getByText('.jsonl').first().waitFor() },
    { name: 'replay', path: () => `/recordings/${recording}?at=24`, docs: 'light', ready: chart },
    { name: 'log', path: () => '/log', ready: (page) => page.locator('main').waitFor() },
  ]; // prettier-ignore
}

/** People who come, talk and go. */
class Talk {
  readonly #peers: ChatPeer[] = [];
  #speaker: ChatPeer | undefined;
  #timer: NodeJS.Timeout | undefined;
  #turn = 0;

  constructor(private readonly server: TcpServer) {}

  get #port(): number {
    return this.server.address()!.port;
  }

  async begin(): Promise<void> {
    this.#peers.push(...(await chatPeers(this.#port, 61, 'nameless')));
    this.#peers.push(...(await chatPeers(this.#port, 38, 'outside')));
    this.#peers.push(...(await chatPeers(this.#port, 244, 'inside')));
    this.#speaker = this.#peers.at(-1);
    this.#timer = setInterval(() => void this.#live(), 40);
  }

  /** The id of a session that somebody talks in. */
  async speaker(): Promise<string> {
    const peer = this.#speaker!;
    for (const line of ['hello', 'is anybody here?', 'it is quiet today']) {
      peer.say(`say ${line}`);
      await peer.hears(line);
    }
    for (const session of this.server.sessions) if (session.peer.port === peer.port) return session.id;
    throw new Error('the speaker has no session');
  }

  /** The name of the recording of a short life. */
  async recorded(folder: string): Promise<string> {
    const peer = await (await chatPeer(this.#port)).goTo('inside');
    const id = [...this.server.sessions].find((session) => session.peer.port === peer.port)!.id;
    for (const line of ['say good morning', 'who', 'say I have to go', 'quit']) peer.say(line);
    await peer.ended();
    for (;;) {
      const name = readdirSync(folder).find((file) => file.startsWith(`chat-${id}-`));
      if (name !== undefined) return name;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  end(): void {
    clearInterval(this.#timer);
    for (const { socket } of this.#peers) socket.destroy();
  }

  async #live(): Promise<void> {
    const turn = (this.#turn += 1);
    const peer = this.#peers[(turn * 37) % this.#peers.length]!;
    if (turn % 11 === 0) {
      // Who quits and does not close keeps its session waiting for a FIN.
      const quitter = await (await chatPeer(this.#port, { allowHalfOpen: turn % 22 === 0 })).goTo('outside');
      quitter.say('quit');
      this.#peers.push(quitter);
    } else peer.say('say a line of chatter');
  }
}

process.exitCode = await main(values.folder, values.all);
