/** FAULTS.md, frames and codecs: cases 24 to 26: lengths and delimiters that no honest peer would send. */
import { describe, expect, test } from 'vitest';
import type { ByteQueue } from '../../../src/codec/byte-queue.js';
import type { Codec } from '../../../src/codec/codec.js';
import { delimited } from '../../../src/codec/delimited.js';
import { lengthPrefixed } from '../../../src/codec/length-prefixed.js';
import { lines } from '../../../src/codec/lines.js';
import { echoing } from './echoing.js';
import {
  chatExample,
  command,
  echoExample,
  EXAMPLES,
  frame,
  joined,
  makeScene,
  mediaExample,
  ofLines,
  text,
  type Example,
} from './scene.js';

const MIB = 1_048_576;

describe('case 24: a length of 0, 1 or the limit is a frame; above it, up to 2^64 - 1, it is refused by its header, and nothing is allocated for it', () => {
  const header = (size: 4 | 8, length: bigint) => {
    const bytes = new Uint8Array(size);
    const view = new DataView(bytes.buffer);
    if (size === 4) view.setUint32(0, Number(length));
    else view.setBigUint64(0, length);
    return bytes;
  };
  const ofEight = { ...echoExample, name: 'a length of 8 bytes' };
  const eight: Example = {
    ...ofEight,
    protocol: echoing('eight', () => lengthPrefixed({ lengthBytes: 8 }), 'FRAME'),
    request: (who, n) => joined(header(8, BigInt(`${who} ${n}`.length)), text(`${who} ${n}`)),
    answer: (who, n) => joined(header(8, BigInt(`${who} ${n}`.length)), text(`${who} ${n}`)),
  };
  const formats: readonly { example: Example; of: (length: bigint) => Uint8Array; bytesMax: bigint }[] = [
    { example: echoExample, of: (length) => header(4, length), bytesMax: 2n ** 32n - 1n },
    { example: mediaExample, of: (length) => joined(header(4, 8n), header(4, length)), bytesMax: 2n ** 32n - 1n },
    { example: eight, of: (length) => header(8, length), bytesMax: 2n ** 64n - 1n },
  ];
  // Those from 2^31 are negative to who reads them with a sign.
  const TOO_LONG = [
    BigInt(MIB) + 1n,
    2n ** 31n - 1n,
    2n ** 31n,
    2n ** 32n - 1n,
    2n ** 32n,
    2n ** 53n,
    2n ** 63n,
    2n ** 64n - 1n,
  ];

  test.each(formats)('$example.name', async ({ example, of, bytesMax }) => {
    const scene = await makeScene(example);
    const { world } = scene;
    for (const length of [0, 1, MIB]) {
      const { peer } = scene.intrude();
      const head = of(BigInt(length));
      peer.write(joined(head, new Uint8Array(length)));
      world.runUntil(() => peer.bytesReceived >= head.byteLength + length, { withinMs: 5_000 });
      peer.end();
      world.advanceBy(100);
      expect(peer.bytesReceived).toBe(head.byteLength + length);
    }
    const refused = TOO_LONG.filter((length) => length <= bytesMax);
    const before = process.memoryUsage().arrayBuffers;
    for (const length of refused) {
      const { peer, session } = scene.intrude();
      peer.write(of(length)); // the header alone
      world.advanceBy(30);
      expect(scene.recordOf(session)).toMatchObject({ reason: 'bad frame', closedBy: 'fin' });
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * MIB);
    await scene.over(
      { 'peer closed': 3, 'bad frame': refused.length },
      { errors: refused.map(() => 'PEER_FAILED' as const) },
    );
  });
});

describe('case 25: behind a frame that is too long the stream is lost: that session ends, and the good frame behind it is never taken for one', () => {
  const tooLong: Record<string, Uint8Array> = {
    echo: frame(new Uint8Array(MIB + 1)),
    chat: text(`say ${'x'.repeat(509)}\n`),
    'media-control': command(8, new Uint8Array(MIB + 1)),
  };

  test.each(EXAMPLES)('$name', async (example) => {
    const scene = await makeScene(example);
    const { world } = scene;
    const { talker, peer, session } = scene.intrudeAsTalker();
    talker.ask();
    world.advanceBy(10);
    talker.expectAnswers();
    peer.write(joined(tooLong[example.name]!, example.request(talker.who, 2)));
    world.advanceBy(2_000);
    expect(scene.recordOf(session)).toMatchObject({ reason: 'bad frame' });
    talker.expectAnswers();
    await scene.over({ 'bad frame': 1 }, { errors: ['PEER_FAILED'] });
  });
});

describe('case 26: a delimiter that never comes, in 1 GiB: the buffer stays below the limit, each byte is searched once, and the session ends', () => {
  let searched = 0;
  /** Counts what is searched for a delimiter. */
  const counting = (make: () => Codec<any, any>) => (): Codec<any, any> => {
    const codec = make();
    const count = (buffer: ByteQueue) =>
      new Proxy(buffer, {
        get(target, name) {
          const value: unknown = Reflect.get(target, name, target);
          if (typeof value !== 'function') return value;
          return (...all: unknown[]) => {
            if (name === 'indexOf') searched += target.byteLength - ((all[1] as number | undefined) ?? 0);
            return (value as (...all: unknown[]) => unknown).apply(target, all);
          };
        },
      });
    return {
      messages: codec.messages,
      encode: (message) => codec.encode(message),
      decode: (buffer) => codec.decode(count(buffer)),
      end: (buffer) => codec.end(count(buffer)),
    };
  };
  const examples = [
    {
      ...ofLines(
        'lines',
        echoing(
          'lines',
          counting(() => lines()),
        ),
      ),
      limit: MIB,
    },
    {
      ...ofLines(
        'delimited',
        echoing(
          'delimited',
          counting(() => delimited({ delimiter: Uint8Array.of(10) })),
          'FRAME',
        ),
      ),
      limit: MIB,
    },
    { ...chatExample, limit: 512 },
  ];

  test.each(examples)('$name', async ({ limit, ...example }) => {
    const scene = await makeScene(example);
    const { world } = scene;
    const { peer, session } = scene.intrude({ answersFin: false });
    const piece = text('x'.repeat(997));
    let takenMax = 0;
    let sent = 0;
    searched = 0;
    while (session.transportSnapshot.hasTag('open') && sent < 2 ** 30) {
      peer.write(piece);
      sent += piece.byteLength;
      if (sent % (piece.byteLength * 16) === 0) world.advanceBy(1);
      takenMax = session.statistics.bytesReceived;
    }
    expect(takenMax).toBeGreaterThan(limit);
    expect(takenMax).toBeLessThan(limit + 128 * 1_024);
    if (example.name !== 'chat') expect(searched).toBeLessThan(1.5 * takenMax);
    if (example.name !== 'chat') expect(searched).toBeGreaterThan(limit / 2);
    world.runUntil(() => scene.recordOf(session) !== undefined);
    expect(scene.recordOf(session)).toMatchObject({ reason: 'bad frame' });
    peer.reset();
    world.advanceBy(50);
    await scene.over({ 'bad frame': 1 }, { errors: ['PEER_FAILED'] });
  });
});
