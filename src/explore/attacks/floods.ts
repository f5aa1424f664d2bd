/** Attacks with frames that are good, and too many at once. */
import { crowd, type Attack, type AttackContext } from '../attack.js';
import { repeated } from './slow.js';

export const emptyFrames: Attack = {
  name: 'empty-frames',
  does: 'Sends the shortest frames that there are, of no payload where that is allowed, thousands in one write.',
  goodServer: 'Takes them one by one, and keeps the others’ turns in between.',
  needsFrames: true,
  run(context) {
    burst(context, context.frames!.shortest, 0);
  },
};

export const requestBurst: Attack = {
  name: 'request-burst',
  does: 'Sends good requests in bursts of many at once, whole ones and half a one behind them.',
  goodServer: 'Answers all of them, in order.',
  needsFrames: true,
  run(context) {
    burst(context, context.frames!.request, context.frames!.request.byteLength >> 1);
  },
};

/** @param lateBytes of the last frame: they follow half a period later. */
function burst(context: AttackContext, frame: Uint8Array, lateBytes: number): void {
  const count = Math.min(2, context.connectionsMax);
  const periodMs = Math.max(50, context.durationMs / 10);
  const frameCount = Math.min(
    Math.ceil((context.framesPerSecond * periodMs) / 1_000 / count),
    Math.floor(context.bytesPerSecond / frame.byteLength),
  );
  const frames = repeated(frame, Math.max(1, frameCount));
  const early = frames.subarray(0, frames.byteLength - lateBytes);
  const late = frames.subarray(early.byteLength);
  const live = crowd(context, { count, script: () => {} });
  context.every(periodMs, () => {
    for (const attacker of live) {
      if (!attacker.write(early) || lateBytes === 0) continue;
      context.after(periodMs / 2, () => {
        // What cannot be finished would make the next burst no frames.
        if (!attacker.write(late)) attacker.reset();
      });
    }
  });
}
