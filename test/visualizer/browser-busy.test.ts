/** A session in which much happens, looked at: what that costs the browser. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasNoBrowser } from './browser.js';
import { chatPeer, type ChatPeer } from './fleet.js';
import { costOf } from './main-thread.js';
import { startSite, type Site } from './site.js';

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

let said = 0;

/** Talks for so long. @returns the seconds that it took */
function talk(seconds: number): Promise<number> {
  return new Promise((resolve) => {
    const began = performance.now();
    const timer = setInterval(() => {
      said += 1;
      peer.say(`say line ${said}`);
      const took = (performance.now() - began) / 1_000;
      if (took < seconds) return;
      clearInterval(timer);
      resolve(took);
    }, MESSAGE_EVERY_MS);
  });
}

describe.skipIf(hasNoBrowser)('a busy session', () => {
  test('20 lines a second take less than 300 ms of the main thread each second, and what is lit is no work for it', async () => {
    const page = await site.open('/sessions/1');
    await page.locator('[data-state]').nth(8).waitFor();
    await talk(1); // the page settles
    const cost = await costOf(page, 4, () => talk(1));
    await page.getByRole('option', { name: new RegExp(`from the peer, SAY, "line ${said}"`) }).waitFor();
    peer.say('say the last line');
    await page.locator('.statechart-flash').first().waitFor({ state: 'attached' });
    expect(cost.busyMs).toBeLessThan(300);
    // An animation that the compositor cannot do by itself is 60 of them, as long as it runs.
    expect(cost.styles).toBeLessThan(48);
  });
});
