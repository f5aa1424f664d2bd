/** Attacks that come and go: connections that end at the wrong moment, or all the time. */
import { crowd, type Attack } from '../attack.js';
import { WRONG_PROTOCOLS } from './wrong-protocols.js';

/** Connections at once of those that end by themselves. */
const COUNT = 10;

export const scanFin: Attack = {
  name: 'scan-fin',
  does: 'Sends a FIN right after the connect, as a port scan does, again and again.',
  goodServer: 'Closes the connection, and keeps nothing of it.',
  run(context) {
    crowd(context, { count: Math.min(COUNT, context.connectionsMax), script: (attacker) => attacker.finish() });
  },
};

export const scanRst: Attack = {
  name: 'scan-rst',
  does: 'Sends an RST right after the connect, as a half-open port scan does, again and again.',
  goodServer: 'Forgets the connection, also when it is gone before it was looked at.',
  run(context) {
    crowd(context, { count: Math.min(COUNT, context.connectionsMax), script: (attacker) => attacker.reset() });
  },
};

export const midFrameRst: Attack = {
  name: 'mid-frame-rst',
  does: 'Resets the connection in the middle of a frame, at each place of it.',
  goodServer: 'Ends the session as `peer reset`, and keeps no byte of it.',
  run(context) {
    const frame = context.frames?.longest ?? WRONG_PROTOCOLS[1]!;
    crowd(context, {
      count: Math.min(COUNT, context.connectionsMax),
      script: (attacker, index) => {
        attacker.write(frame.subarray(0, cutOf(frame, index)));
        context.after(5, () => attacker.reset());
      },
    });
  },
};

export const midFrameFin: Attack = {
  name: 'mid-frame-fin',
  does: 'Sends a FIN in the middle of a frame, at each place of it.',
  goodServer: 'Knows the frame as cut off, and closes.',
  run(context) {
    const frame = context.frames?.longest ?? WRONG_PROTOCOLS[1]!;
    crowd(context, {
      count: Math.min(COUNT, context.connectionsMax),
      script: (attacker, index) => {
        attacker.write(frame.subarray(0, cutOf(frame, index)));
        attacker.finish();
      },
    });
  },
};

export const reconnectStorm: Attack = {
  name: 'reconnect-storm',
  does: 'Connects, asks once, is gone by FIN or RST before or after the answer, and is back at once.',
  goodServer: 'Costs a session’s life each time and nothing after it.',
  run(context) {
    const request = context.frames?.request ?? WRONG_PROTOCOLS[1]!;
    crowd(context, {
      count: Math.min(2 * COUNT, context.connectionsMax),
      script: (attacker, index) => {
        attacker.write(request);
        context.after(context.generator.below(20), () => (index % 2 === 0 ? attacker.finish() : attacker.reset()));
      },
    });
  },
};

/** Within the frame: never none of it, never all. */
function cutOf({ byteLength }: Uint8Array, index: number): number {
  return 1 + (index % Math.max(1, byteLength - 1));
}
