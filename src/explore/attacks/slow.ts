/** Attacks that take their time: they hold connections, and cost the attacker nothing. */
import { crowd, type Attack, type AttackContext } from '../attack.js';
import { WRONG_PROTOCOLS } from './wrong-protocols.js';

/** The unfinished head of a request, for servers of which nothing is known. */
const UNFINISHED = new TextEncoder().encode('GET / HTTP/1.1\r\nX-Slow: ');
const LETTER = Uint8Array.of(0x61);

/** So often do slow peers stir: 40 times in the time that there is. */
const beatMs = ({ durationMs }: AttackContext) => Math.max(20, durationMs / 40);

export const slowloris: Attack = {
  name: 'slowloris',
  does: 'Sends half a frame, then a byte of the rest now and then, and never the last one, on as many connections as it may open.',
  goodServer:
    'Gives a frame a deadline from its first byte to its last, however often bytes come, and ends the session at it.',
  run(context) {
    const frame = context.frames?.longest ?? UNFINISHED;
    crowd(context, {
      script: (attacker) => {
        let sent = Math.max(1, frame.byteLength >> 1);
        attacker.write(frame.subarray(0, Math.min(sent, frame.byteLength - 1)));
        const trickle = () => {
          if (attacker.isOver) return;
          // What is known of no protocol has no last byte.
          const next = context.frames ? frame.subarray(sent, Math.min(sent + 1, frame.byteLength - 1)) : LETTER;
          if (next.byteLength > 0) attacker.write(next);
          sent += 1;
          context.after(beatMs(context), trickle);
        };
        context.after(beatMs(context), trickle);
      },
    });
  },
};

export const byteByByte: Attack = {
  name: 'byte-by-byte',
  does: 'Sends good requests a byte at a time, each byte by itself.',
  goodServer: 'Answers them as if they had come whole, with work that grows with the bytes and not with their square.',
  run(context) {
    const text = context.frames?.request ?? WRONG_PROTOCOLS[1]!;
    crowd(context, {
      count: Math.min(5, context.connectionsMax),
      script: (attacker) => {
        let at = 0;
        const step = () => {
          if (attacker.isOver) return;
          if (attacker.write(text.subarray(at, at + 1))) at = (at + 1) % text.byteLength;
          context.after(Math.max(10, context.durationMs / 400), step);
        };
        step();
      },
    });
  },
};

export const neverReading: Attack = {
  name: 'never-reading',
  does: 'Asks for answers, as many as it can, and reads none of them.',
  goodServer:
    'Stops reading from a peer that does not read, holds no more than its limit for it, and ends the session at a deadline.',
  needsFrames: true,
  run(context) {
    const count = Math.min(3, context.connectionsMax);
    const periodMs = Math.max(20, context.durationMs / 400);
    const { heaviest } = context.frames!;
    const requests = repeated(
      heaviest,
      Math.min(
        Math.ceil((context.framesPerSecond * periodMs) / 1_000 / count),
        Math.ceil(bytesOf(context, periodMs, count) / heaviest.byteLength),
      ),
    );
    const live = crowd(context, {
      count,
      peer: { reads: false, socket: { receiveBufferBytes: 4_096 } },
      script: (attacker) => attacker.write(requests),
    });
    context.every(periodMs, () => {
      for (const attacker of live) attacker.write(requests);
    });
  },
};

export const halfOpen: Attack = {
  name: 'half-open',
  does: 'Makes the server close, by bytes that are no frame or by silence, and never answers its FIN.',
  goodServer: 'Waits for the peer’s FIN for a bounded time, and resets the connection then.',
  run(context) {
    crowd(context, {
      count: Math.min(20, context.connectionsMax),
      peer: { answersFin: false },
      script: (attacker, index) => attacker.write(WRONG_PROTOCOLS[index % WRONG_PROTOCOLS.length]!),
    });
  },
};

export const manyConnections: Attack = {
  name: 'many-connections',
  does: 'Opens as many connections as it may, and says nothing on them.',
  goodServer: 'Takes what it has room for, refuses the rest, and ends those that stay silent.',
  run(context) {
    crowd(context, { replaces: false, script: () => {} });
  },
};

/** What one of `count` connections may send in `periodMs`. */
export function bytesOf({ bytesPerSecond }: AttackContext, periodMs: number, count: number): number {
  return Math.max(1, Math.floor((bytesPerSecond * periodMs) / 1_000 / count));
}

/** `count` pieces, one behind the other. */
export function repeated(piece: Uint8Array, count: number): Uint8Array {
  const bytes = new Uint8Array(count * piece.byteLength);
  for (let index = 0; index < count; index += 1) bytes.set(piece, index * piece.byteLength);
  return bytes;
}
