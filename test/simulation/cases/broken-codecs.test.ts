/** FAULTS.md, frames and codecs: cases 30, 31 and 33: codecs that fail, and codecs that are changed in the middle of a chunk. */
import { assign, emit, setup } from 'xstate';
import { describe, expect, test } from 'vitest';
import type { ByteQueue } from '../../../src/codec/byte-queue.js';
import { type Codec, PeerError, truncatedUnlessEmpty } from '../../../src/codec/codec.js';
import { type FrameMessage, lengthPrefixed } from '../../../src/codec/length-prefixed.js';
import { lines, type LineMessage } from '../../../src/codec/lines.js';
import { defineProtocol, type AnyProtocol, type ProtocolCommand } from '../../../src/session/protocol.js';
import { simulatedHandler } from '../../../src/testing/simulated-handler.js';
import { echoExample, EXAMPLES, joined, makeScene, partsOf, text, type Example } from './scene.js';

type Decode = (buffer: ByteQueue, whole: () => unknown) => unknown;

/**
 * An example whose codec decodes in another way for the sessions that are made while `broken` is set. The second codec is never used: with
 * two of them the world makes none of its own to compare with.
 */
function breakable(example: Example): { readonly example: Example; broken: Decode | undefined } {
  const { codecs, ...parts } = partsOf(example);
  const [[name, factory] = ['', undefined]] = Object.entries(codecs as Record<string, () => Codec<any, any>>);
  const control: { example: Example; broken: Decode | undefined } = { example, broken: undefined };
  const codec = (): Codec<any, any> => {
    const inner = factory!();
    const { broken } = control;
    const decode = (buffer: ByteQueue) => inner.decode(buffer) as unknown;
    return {
      messages: inner.messages,
      encode: (message) => inner.encode(message as never),
      decode: (buffer) => (broken ? broken(buffer, () => decode(buffer)) : decode(buffer)) as never,
      end: (buffer) => inner.end(buffer) as never,
    };
  };
  control.example = {
    ...example,
    protocol: defineProtocol({ ...parts, codecs: { [name]: codec, spare: lines } } as never),
  };
  return control;
}

describe.each(EXAMPLES)('$name', (example) => {
  test('case 30: a codec that throws at byte k, for each k of a frame, or once only, or returns what is no message, ends its session alone', async () => {
    const control = breakable(example);
    const scene = await makeScene(control.example, { world: { mergeRate: 0 } }); // each byte by itself
    const { world } = scene;
    const whole = example.request('mallory', 1);
    const attempt = (broken: Decode, bytes: Uint8Array) => {
      control.broken = broken;
      const { peer, session } = scene.intrude();
      control.broken = undefined;
      world.advanceBy(10);
      const welcomed = peer.bytesReceived;
      for (const byte of bytes) peer.write(Uint8Array.of(byte));
      world.advanceBy(50);
      expect(peer.bytesReceived).toBe(welcomed); // no answer
      expect(peer.closedBy).toBe('fin');
      return scene.recordOf(session)?.reason;
    };
    for (let k = 1; k <= whole.byteLength; k += 1) {
      const atByteK: Decode = (buffer, decode) =>
        buffer.byteLength >= k ? boom() : k === whole.byteLength ? undefined : decode();
      expect(attempt(atByteK, whole)).toBe('protocol failed');
    }
    expect(attempt((buffer) => (buffer.byteLength > 0 ? refuse() : undefined), whole)).toBe('bad frame');
    let calls = 0;
    const once: Decode = (buffer, decode) => (buffer.byteLength > 0 && (calls += 1) === 1 ? boom() : decode());
    expect(attempt(once, joined(whole, whole))).toBe('protocol failed');
    expect(calls).toBe(1); // it is not asked again
    const shapes = [
      null,
      7,
      'text',
      {},
      { type: 7 },
      { type: '' },
      Promise.resolve({ type: 'FRAME' }),
      () => undefined,
    ];
    for (const shape of shapes) {
      expect(attempt((buffer) => (buffer.byteLength === 0 ? undefined : shape), whole)).toBe('protocol failed');
    }
    const failed = whole.byteLength + 1 + shapes.length;
    const errors = Array.from({ length: failed + 1 }, (_, n) =>
      n === whole.byteLength ? ('PEER_FAILED' as const) : ('PROTOCOL_FAILED' as const),
    );
    await scene.over({ 'protocol failed': failed, 'bad frame': 1 }, { errors });
  });
});

function boom(): never {
  throw new Error('boom');
}

function refuse(): never {
  throw new PeerError('FRAME_INVALID', 'refused');
}

/** Lines, and a codec that each line may ask for. */
type In = LineMessage | FrameMessage | { type: 'STORED' };
type Out = LineMessage | FrameMessage;
const setUp = setup({
  types: {} as { events: In; emitted: ProtocolCommand<Out, { type: 'STORE' }> },
  guards: {
    says: ({ event }, what: string) => event.type === 'LINE' && event.text === what,
    framed: ({ event }, what: string) => event.type === 'FRAME' && new TextDecoder().decode(event.payload) === what,
  },
  actions: {
    echo: emit(({ event }) => ({ type: 'SEND', message: event as Out })),
    toFrames: emit({ type: 'USE_CODEC', name: 'frames' }),
    toLines: emit({ type: 'USE_CODEC', name: 'lines' }),
    close: emit({ type: 'CLOSE', option: 'graceful' }),
    reset: emit({ type: 'CLOSE', option: 'force' }),
    store: emit({ type: 'STORE' }),
  },
});
const swapping = defineProtocol({
  name: 'swapping',
  codecs: { lines: () => lines(), frames: () => lengthPrefixed({ lengthBytes: 1 }) },
  initialCodec: 'lines',
  machine: setUp.createMachine({
    initial: 'open',
    // prettier-ignore
    states: {
      open: {
        on: {
          LINE: [{ guard: { type: 'says', params: 'frames' }, actions: ['echo', 'toFrames'] },
                 { guard: { type: 'says', params: 'close' }, actions: ['echo', 'close'] },
                 { guard: { type: 'says', params: 'reset' }, actions: 'reset' },
                 { guard: { type: 'says', params: 'wait' }, target: 'waiting', actions: 'store' },
                 { actions: 'echo' }],
          FRAME: [{ guard: { type: 'framed', params: 'lines' }, actions: ['echo', 'toLines'] },
                  { actions: 'echo' }],
        },
      },
      waiting: { tags: 'hold', on: { STORED: { target: 'open' } }, after: { 5_000: 'open' } },
    },
  } as never),
  handlers: {
    STORE: simulatedHandler({ answer: { type: 'STORED' as const }, afterMs: 40, deadlineMs: 1_000 }) as never,
  },
} as never) as AnyProtocol;

const short = (word: string) => joined(Uint8Array.of(word.length), text(word));
const SWAPPING: Example = {
  ...echoExample,
  name: 'swapping',
  protocol: swapping,
  request: (who, n) => text(`${who} ${n}\n`),
  answer: (who, n) => text(`${who} ${n}\n`),
};

describe('case 31: a frame that swaps the codec, holds, or closes in the middle of a chunk: what is behind it goes to the right codec once, or to none, wherever the chunk is cut', () => {
  test.each([
    {
      name: 'swap, and back',
      sent: joined(text('one\nframes\n'), short('a\nb'), short('lines'), text('two\n')),
      heard: joined(text('one\nframes\n'), short('a\nb'), short('lines'), text('two\n')),
    },
    { name: 'hold', sent: text('one\nwait\ntwo\nwait\nthree\n'), heard: text('one\ntwo\nthree\n') },
    {
      name: 'hold, then swap',
      sent: joined(text('wait\nframes\n'), short('x\n')),
      heard: joined(text('frames\n'), short('x\n')),
    },
    { name: 'close', sent: text('one\nclose\ntwo\nthree\n'), heard: text('one\nclose\n'), reason: 'protocol asked' },
    { name: 'reset', sent: text('one\nreset\ntwo\nthree\n'), heard: undefined, reason: 'protocol asked' },
    {
      name: 'swap, and a close by the new codec',
      sent: joined(text('frames\n'), Uint8Array.of(5), text('close'), short('lines'), text('close\nx\n')),
      heard: joined(text('frames\n'), short('close'), short('lines'), text('close\n')),
      reason: 'protocol asked',
    },
  ])('$name', async ({ sent, heard, reason }) => {
    const scene = await makeScene(SWAPPING);
    const { world } = scene;
    for (let cut = 0; cut < sent.byteLength; cut += 1) {
      const { peer, session } = scene.intrude();
      if (cut > 0) peer.write(sent.subarray(0, cut));
      world.advanceBy(3);
      peer.write(sent.subarray(cut));
      world.advanceBy(200);
      if (heard) expect(peer.text).toBe(new TextDecoder().decode(heard));
      else expect(peer.text).not.toContain('two');
      expect(scene.recordOf(session)?.reason).toBe(reason);
      peer.end();
      world.advanceBy(50);
    }
    await scene.over({ [reason ?? 'peer closed']: sent.byteLength });
  });
});

/** Bytes that only who has agreed on the key can say: each frame begins with 0x16, and its text is turned by one bit. */
const cipher = (afterwards?: (buffer: ByteQueue) => void) => (): Codec<LineMessage> => {
  const frames = lengthPrefixed({ lengthBytes: 1 });
  const turned = (bytes: Uint8Array) => bytes.map((byte) => byte ^ 1);
  let isFirst = true;
  return {
    messages: [{ type: 'LINE', direction: 'both', fields: { text: { kind: 'text', max: 100 } } }],
    encode: ({ text: line }) =>
      joined(Uint8Array.of(0x16), frames.encode({ type: 'FRAME', payload: turned(text(line)) })),
    decode(buffer) {
      if (isFirst) afterwards?.(buffer);
      isFirst = false;
      if (buffer.byteLength < 2) return undefined;
      if (buffer.byteAt(0) !== 0x16) throw new PeerError('FRAME_INVALID', 'not what was agreed on');
      const length = buffer.byteAt(1);
      if (buffer.byteLength < 2 + length) return undefined;
      buffer.skip(2);
      return { type: 'LINE', text: new TextDecoder().decode(turned(buffer.take(length))) };
    },
    end: (buffer) => truncatedUnlessEmpty(buffer) as undefined,
  };
};

/** `STARTTLS` and its answer in plain text; what is said before and after is counted apart. */
function starttls(afterwards?: (buffer: ByteQueue) => void): Example {
  const machine = setup({
    types: {} as {
      context: { commands: readonly string[] };
      events: LineMessage;
      emitted: ProtocolCommand<LineMessage>;
    },
    guards: { asksForTls: ({ event }) => event.text === 'STARTTLS' },
    actions: {
      ready: emit({ type: 'SEND', message: { type: 'LINE', text: 'go ahead' } }),
      upgrade: emit({ type: 'USE_CODEC', name: 'secret' }),
      obey: assign({ commands: ({ context, event }) => [...context.commands, event.text] }),
      answer: emit(({ event }) => ({ type: 'SEND', message: event })),
    },
  }).createMachine({
    context: { commands: [] },
    initial: 'plain',
    states: {
      plain: {
        on: { LINE: [{ guard: 'asksForTls', target: 'secure', actions: ['ready', 'upgrade'] }, { actions: 'answer' }] },
      },
      secure: { on: { LINE: { actions: ['obey', 'answer'] } } },
    },
  });
  const protocol = defineProtocol({
    name: 'starttls',
    codecs: { plain: () => lines(), secret: cipher(afterwards) },
    initialCodec: 'plain',
    machine,
  });
  return { ...SWAPPING, name: 'starttls', protocol };
}

describe('case 33: plain text that is sent along with a STARTTLS is no command of the secure session: it is dropped, or ends the session', () => {
  const hello = cipher()().encode({ type: 'LINE', text: 'hello' });
  const commandsOf = (session: { protocolSnapshot: { context: unknown } }) =>
    (session.protocolSnapshot.context as { commands: readonly string[] }).commands;

  test('a codec that forgets what was there before it: the evil line is dropped, and the secure session goes on', async () => {
    const scene = await makeScene(starttls((buffer) => buffer.clear()));
    const { world } = scene;
    const { peer, session } = scene.intrude();
    peer.write('STARTTLS\nEVIL\n');
    world.advanceBy(20);
    expect(peer.text).toBe('go ahead\n');
    peer.write(hello);
    world.advanceBy(20);
    expect(commandsOf(session)).toEqual(['hello']);
    expect(peer.bytesReceived).toBe('go ahead\n'.length + hello.byteLength);
    peer.end();
    world.advanceBy(20);
    await scene.over({ 'peer closed': 1 });
  });

  test('a codec that does not, and one whose evil line comes a packet later: `bad frame`, wherever it is cut', async () => {
    for (const example of [starttls(), starttls((buffer) => buffer.clear())]) {
      const scene = await makeScene(example);
      const { world } = scene;
      const sent = text('STARTTLS\nEVIL\nEVIL\n');
      let injected = 0;
      for (let cut = 9; cut < sent.byteLength; cut += 1) {
        const { peer, session } = scene.intrude();
        peer.write(sent.subarray(0, cut));
        world.advanceBy(20);
        peer.write(sent.subarray(cut));
        world.advanceBy(50);
        injected += commandsOf(session).length;
        expect(peer.text).toBe('go ahead\n');
        peer.end();
        world.advanceBy(50);
      }
      expect(injected).toBe(0);
      const { 'bad frame': bad = 0, 'truncated frame': truncated = 0, ...others } = world.reasons; // of a single byte nothing can be said
      expect(others).toEqual({});
      expect(bad).toBeGreaterThan(7);
      const reasons = { 'bad frame': bad, ...(truncated > 0 && { 'truncated frame': truncated }) };
      await scene.over(reasons, { errors: Array.from({ length: sent.byteLength - 9 }, () => 'PEER_FAILED' as const) });
    }
  });
});
