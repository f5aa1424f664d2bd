/** A session in which much happens, looked at: what that costs the browser. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasNoBrowser } from './browser.js';
import { chatPeer, type ChatPeer } from './fleet.js';
import { startSite, type Site } from './site.js';

const SECONDS = 4;
/** Each is some four lines of its story. */
const MESSAGE_EVERY_MS = 250;

let site: Site;
let peer: ChatPeer;

beforeAll(async () => {
  if (hasNoBrowser) return;
  site = await startSite({ visualizer: { payloads: true } });
  peer = await (await chatPeer(site.port)).goTo('inside');
});

afterAll(async () => {
  peer?.socket.destroy();
  await site?.stop();
});

/** Talks for so long. @returns seconds that it took, and messages */
function talk(seconds: number): Promise<{ seconds: number; count: number }> {
  return new Promise((resolve) => {
    const began = performance.now();
    let count = 0;
    const timer = setInterval(() => {
      count += 1;
      peer.say(`say line ${count}`);
      const took = (performance.now() - began) / 1_000;
      if (took < seconds) return;
      clearInterval(timer);
      resolve({ seconds: took, count });
    }, MESSAGE_EVERY_MS);
  });
}

describe.skipIf(hasNoBrowser)('a busy session', () => {
  test('20 lines a second take less than 300 ms of the main thread each second, and what is lit is no work for it', async () => {
    const page = await site.open('/sessions/1');
    await page.locator('[data-state]').nth(8).waitFor();
    const devtools = await page.context().newCDPSession(page);
    // Of the thread itself: other tests share the processor.
    await devtools.send('Performance.setTimeDomain', { timeDomain: 'threadTicks' });
    await devtools.send('Performance.enable');
    const metrics = async () => {
      const { metrics: all } = await devtools.send('Performance.getMetrics');
      const of = (name: string) => all.find((one) => one.name === name)!.value;
      return { busyMs: 1_000 * of('TaskDuration'), styles: of('RecalcStyleCount') };
    };
    await talk(1); // the page settles
    const before = await metrics();
    const { seconds, count } = await talk(SECONDS);
    const after = await metrics();
    const perSecond = {
      busyMs: (after.busyMs - before.busyMs) / seconds,
      styles: (after.styles - before.styles) / seconds,
    };
    process.stderr.write(
      `a busy session: ${perSecond.busyMs.toFixed(0)} ms and ${perSecond.styles.toFixed(0)} styles a second\n`,
    );
    await page.getByRole('option', { name: new RegExp(`from the peer, SAY, "line ${count}"`) }).waitFor();
    expect(await page.locator('.statechart-flash').count()).toBeGreaterThan(0);
    expect(perSecond.busyMs).toBeLessThan(300);
    // An animation that the compositor cannot do by itself is 60 of them, as long as it runs.
    expect(perSecond.styles).toBeLessThan(48);
  });
});
