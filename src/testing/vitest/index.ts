/**
 * `wirechart/testing/vitest`: importing it registers the matchers with `expect`, in the test file that imports it or, from a setup
 * file (`setupFiles`), in all. `test` is vitest's own with fixtures, which cost nothing where a test does not ask for them.
 *
 * The choice here: registered by the import, not by a call. The matchers' types come with the import anyway, and a matcher that type-checks
 * and is not there would fail at run time only. Who wants it otherwise calls `expect.extend(matchers)` on another `expect`.
 */
import { expect, test as base } from 'vitest';
import { VirtualTime } from '../../time/virtual-time.js';
import { checkNothingLeft } from '../left-behind.js';
import { createWorld, type World, type WorldOptions } from '../world.js';
import { matchers, type WirechartMatchers } from './matchers.js';

declare module 'vitest' {
  // eslint-disable-next-line @typescript-eslint/no-empty-object-type -- only an interface can be added to
  interface Matchers<T = any> extends WirechartMatchers<T> {}
}

expect.extend(matchers);

/** What a test may ask for by name. */
export interface Fixtures {
  /** A clock of its own. A test that leaves a timer on it, or a promise that the runtime waits for, fails with LEFT_BEHIND. */
  readonly time: VirtualTime;
  /** Of `world`; a file or a group of tests may set it: `test.override({ worldOptions: { seed: 7 } })`. */
  readonly worldOptions: WorldOptions;
  /** A world of its own, ended after the test: what must hold has held, and nothing is left behind, or the test fails. */
  readonly world: World;
}

/**
 * ```ts
 * test('a wait of 100 ms', ({ time }) => {
 *   const seen = recordMarbles(time, timer(100, time));
 *   time.advanceBy(100);
 *   expect(seen).toMatchMarbles('100ms (a|)', { a: 0 });
 * });
 * ```
 */
export const test = base.extend<Fixtures>({
  time: async ({}, use) => {
    const time = new VirtualTime();
    await use(time);
    checkNothingLeft(time);
  },
  worldOptions: {},
  world: async ({ worldOptions }, use) => {
    const world = createWorld(worldOptions);
    await use(world);
    await world.end();
  },
});

export { matchers };
export type { WirechartMatchers };
