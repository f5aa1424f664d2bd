/** FAULTS.md, peer behaviour: cases 3 and 4: the same frames in any pieces. */
import { describe, expect, test } from 'vitest';
import { EXAMPLES, joined, makeScene } from './scene.js';

describe.each(EXAMPLES)('$name', (example) => {
  test('case 3: a frame that is cut at each byte, sent a byte a packet, or split and merged by chance, is one frame, and gets the same answer', async () => {
    const scene = await makeScene(example);
    const { world, server } = scene;
    const { talker, peer, session } = scene.intrudeAsTalker();
    const { byteLength } = example.request(talker.who, 1);
    for (let cut = 1; cut < byteLength; cut += 1) {
      const whole = talker.next();
      peer.write(whole.subarray(0, cut));
      world.advanceBy(6);
      expect(talker.isAnswered).toBe(false);
      peer.write(whole.subarray(cut));
      world.advanceBy(10);
      talker.expectAnswers();
    }
    world.network.change({ segmentBytesMax: 1 });
    talker.ask(5);
    world.advanceBy(10);
    talker.expectAnswers();
    for (const splitRate of [0.1, 0.5, 1]) {
      world.network.change({ segmentBytesMax: Infinity, splitRate, mergeRate: 0.5, jitterMs: 3 });
      for (let n = 0; n < 50; n += 1) talker.ask(1 + world.chance.below(5));
      world.advanceBy(500);
      talker.expectAnswers();
    }
    expect(session.transportState).toEqual({ connected: 'flowing' });
    expect(server.sessions.size).toBe(2);
    peer.end();
    world.advanceBy(50);
    await scene.over({ 'peer closed': 1 }, { lateMax: 0 });
  });

  test('case 4: 1 000 frames in one packet are answered in order; of a frame and a half the half waits for its rest', async () => {
    const scene = await makeScene(example);
    const { world } = scene;
    const { talker, peer } = scene.intrudeAsTalker();
    talker.ask(1_000);
    world.runUntil(() => talker.isAnswered, { withinMs: 5_000 });
    talker.expectAnswers();
    const one = talker.next();
    const before = talker.asked;
    const two = example.request(talker.who, before + 1);
    const half = Math.floor(two.byteLength / 2);
    peer.write(joined(one, two.subarray(0, half)));
    world.advanceBy(20);
    talker.expectAnswers();
    talker.next();
    expect(talker.isAnswered).toBe(false);
    peer.write(two.subarray(half));
    world.advanceBy(20);
    talker.expectAnswers();
    peer.end();
    world.advanceBy(50);
    await scene.over({ 'peer closed': 1 });
  });
});
