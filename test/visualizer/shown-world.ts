/**
 * A server in a simulated world, visualizers on the world's clock, and real sockets between those and their pages. The clock stands still
 * unless a test moves it, so that each tick is a test's own.
 */
import { expect } from 'vitest';
import echo from '../../examples/echo/index.js';
import type { ScriptedPeer } from '../../src/explore/peer.js';
import type { RecordingFile } from '../../src/inspect/visualizer/messages.js';
import { createVisualizer, type Visualized, type Visualizer } from '../../src/inspect/visualizer/visualizer.js';
import type { VisualizerOptions } from '../../src/inspect/visualizer/visualizer-options.js';
import { createWorld, type World, type WorldTcpServer } from '../../src/testing/world.js';
import { silentPeers, TestPage } from './page.js';

export class ShownWorld {
  /** That its visualizers will have had when the test is over. */
  errorCount = 0;
  readonly #shown: Visualizer[] = [];
  readonly #pages: TestPage[] = [];

  private constructor(
    readonly world: World,
    readonly server: WorldTcpServer<typeof echo>,
  ) {}

  /** An echo whose silent sessions stay. */
  static async begin(): Promise<ShownWorld> {
    const world = createWorld();
    return new ShownWorld(world, await world.server(echo, { waitTimeoutCountMax: 0 }));
  }

  /** Starts a visualizer; of the echo, unless told otherwise. */
  async show(
    options: VisualizerOptions = {},
    what: Visualized | readonly Visualized[] = this.server,
  ): Promise<Visualizer> {
    const visualizer = createVisualizer(what, { time: this.world.time, ...options });
    this.#shown.push(visualizer);
    await visualizer.start();
    return visualizer;
  }

  /** A page of the visualizer that was started last. */
  async open(): Promise<TestPage> {
    const page = new TestPage(this.#shown.at(-1)!.url);
    this.#pages.push(page);
    await page.told('hello');
    return page;
  }

  /** Silent peers of the echo. */
  connect(count: number): ScriptedPeer[] {
    return silentPeers(this.world, this.server, count);
  }

  /** The disk has its own time: the clock goes on, ping by ping, until the list of recordings is as it should be. */
  async listed(page: TestPage, is: (files: readonly RecordingFile[]) => boolean): Promise<readonly RecordingFile[]> {
    for (;;) {
      const found = page.all('recordings').find(({ files }) => is(files));
      if (found) return found.files;
      this.world.advanceBy(500);
      await page.settled();
    }
  }

  /** Also that no timer and no subscription of a visualizer is left. */
  async end(): Promise<void> {
    for (const visualizer of this.#shown) await visualizer.stop();
    for (const page of this.#pages) await page.closed;
    expect(this.#shown.reduce((sum, { errorCount }) => sum + errorCount, 0)).toBe(this.errorCount);
    await this.world.end();
  }
}
