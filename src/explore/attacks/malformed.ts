/** Attacks with bytes that are no frames of the protocol, or not yet. */
import { crowd, type Attack, type AttackContext } from '../attack.js';
import type { Attacker } from '../attacker.js';
import { bytesOf } from './slow.js';
import { WRONG_PROTOCOLS } from './wrong-protocols.js';

/** Pause between two pieces, in ms. */
const periodMs = ({ durationMs }: AttackContext) => Math.max(10, durationMs / 400);

/** The largest numbers that a header can hold, of 1 to 8 bytes, and those where a sign or a 32-bit counter turns over. */
const LENGTHS: readonly Uint8Array[] = [
  [0xff], [0xff, 0xff], [0xff, 0xff, 0xff, 0xff], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  [0x7f, 0xff, 0xff, 0xff], [0x80, 0, 0, 0], [0, 0x0f, 0xff, 0xff], [0, 0x10, 0, 1],
  [0, 0x20, 0, 0, 0, 0, 0, 0],
].map((bytes) => Uint8Array.from(bytes)); // prettier-ignore

export const lengthBomb: Attack = {
  name: 'length-bomb',
  does: 'Claims frames of the largest lengths that headers of 1 to 8 bytes can hold, at each place where a header may be, and goes on sending.',
  goodServer:
    'Refuses a length above its limit as soon as it is there, and allocates nothing for what is only claimed.',
  run(context) {
    const bombs = bombsFor(context.frames?.longest ?? new Uint8Array(0));
    const live = crowd(context, {
      count: Math.min(10, context.connectionsMax),
      script: (attacker, index) => attacker.write(bombs[index % bombs.length]!),
    });
    keepSending(context, live, (byteLength) => new Uint8Array(byteLength).fill(0xff));
  },
};

/** A valid frame whose header, wherever it is, claims too much; and each length by itself. */
function bombsFor(frame: Uint8Array): Uint8Array[] {
  const bent = [0, 1, 2, 4, 8].flatMap((offset) =>
    LENGTHS.filter(({ byteLength }) => offset + byteLength <= frame.byteLength).map((length) => {
      const bytes = frame.slice();
      bytes.set(length, offset);
      return bytes;
    }),
  );
  return [...LENGTHS, ...bent];
}

export const endlessFrame: Attack = {
  name: 'endless-frame',
  does: 'Sends one letter without end: no delimiter comes, no line ends.',
  goodServer: 'Ends the session when the frame is longer than its limit, and searches each byte once.',
  run(context) {
    const live = crowd(context, { count: Math.min(3, context.connectionsMax), script: () => {} });
    keepSending(context, live, (byteLength) => new Uint8Array(byteLength).fill(0x61));
  },
};

export const garbage: Attack = {
  name: 'garbage',
  does: 'Sends random bytes, in random pieces; half of the connections begin with a good request.',
  goodServer: 'Ends the session at the first byte that cannot be a frame, or answers that it does not understand.',
  run(context) {
    const { generator, frames } = context;
    const live = crowd(context, {
      count: Math.min(10, context.connectionsMax),
      script: (attacker, index) => {
        if (frames && index % 2 === 1) attacker.write(frames.request);
      },
    });
    keepSending(context, live, (byteLength) =>
      Uint8Array.from({ length: 1 + generator.below(byteLength) }, () => generator.below(256)),
    );
  },
};

export const wrongProtocol: Attack = {
  name: 'wrong-protocol',
  does: 'Speaks TLS, HTTP, the PROXY protocol, SSH, SMTP and RESP.',
  goodServer: 'Ends the session with one reason, or answers that it does not understand.',
  run(context) {
    crowd(context, {
      count: Math.min(WRONG_PROTOCOLS.length, context.connectionsMax),
      script: (attacker, index) => {
        attacker.write(WRONG_PROTOCOLS[index % WRONG_PROTOCOLS.length]!);
        // Whoever waits for an answer that never comes hangs up.
        context.after(Math.max(50, context.durationMs / 20), () => attacker.finish());
      },
    });
  },
};

function keepSending(
  context: AttackContext,
  live: ReadonlySet<Attacker>,
  bytesFor: (byteLength: number) => Uint8Array,
): void {
  context.every(periodMs(context), () => {
    for (const attacker of live)
      attacker.write(bytesFor(Math.min(65_536, bytesOf(context, periodMs(context), live.size))));
  });
}
