/** FAULTS.md, frames and codecs: cases 27 to 29 and 32: text that no honest peer would send. */
import { emit, setup } from 'xstate';
import { describe, expect, test } from 'vitest';
import { type Codec, type Message, PeerError, truncatedUnlessEmpty } from '../../../src/codec/codec.js';
import { lines, type LineMessage } from '../../../src/codec/lines.js';
import { mapped } from '../../../src/codec/mapped.js';
import { defineProtocol, type AnyProtocol } from '../../../src/session/protocol.js';
import { echoing } from './echoing.js';
import { chatExample, echoExample, makeScene, ofLines, text, type Example } from './scene.js';

describe('case 27: line ends cut in two, bare CR, NUL, bytes that are no UTF-8 and a character cut in two: each is one thing, however it is cut', () => {
  const WHAT = [
    { name: 'CR LF', bytes: text('a\r\nb\r\n'), strict: 'a\nb\n', kept: 2 },
    { name: 'LF', bytes: text('a\nb\n'), strict: 'a\nb\n', kept: 2 },
    { name: 'a bare CR', bytes: text('a\rb\nc\n'), strict: undefined, kept: 2 },
    { name: 'two CRs before the LF', bytes: text('a\r\r\nb\n'), strict: undefined, kept: 2 },
    { name: 'NUL', bytes: text('a\0b\n'), strict: 'a\0b\n', kept: 1 },
    { name: 'no UTF-8', bytes: Uint8Array.of(0x61, 0xff, 0xc3, 0x0a), strict: undefined, kept: 1 },
    { name: 'a character of 2, 3 and 4 bytes', bytes: text('é€😀\n'), strict: 'é€😀\n', kept: 1 },
    { name: 'a surrogate written as UTF-8', bytes: Uint8Array.of(0xed, 0xa0, 0x80, 0x0a), strict: undefined, kept: 1 },
    { name: 'an overlong slash', bytes: Uint8Array.of(0xc0, 0xaf, 0x0a), strict: undefined, kept: 1 },
  ];

  test.each(WHAT)('$name, of strict lines', async ({ bytes, strict }) => {
    const scene = await makeScene(
      ofLines(
        'strict',
        echoing('strict', () => lines()),
      ),
    );
    const { world } = scene;
    const cuts = bytes.byteLength;
    for (let cut = 0; cut < cuts; cut += 1) {
      const { peer, session } = scene.intrude();
      if (cut > 0) peer.write(bytes.subarray(0, cut));
      world.advanceBy(10);
      peer.write(bytes.subarray(cut));
      world.advanceBy(20);
      if (strict === undefined) expect(scene.recordOf(session)).toMatchObject({ reason: 'bad frame' });
      else expect(peer.text).toBe(strict);
      if (strict === undefined) expect(peer.text).not.toContain('c');
      peer.end();
      world.advanceBy(20);
    }
    const reason = strict === undefined ? 'bad frame' : 'peer closed';
    await scene.over(
      { [reason]: cuts },
      { errors: strict === undefined ? Array.from({ length: cuts }, () => 'PEER_FAILED' as const) : [] },
    );
  });

  test.each(WHAT)('$name, of the chat, which takes what people type', async ({ bytes, kept }) => {
    const scene = await makeScene(chatExample);
    const { world } = scene;
    for (let cut = 0; cut < bytes.byteLength; cut += 1) {
      const { peer } = scene.intrude();
      world.advanceBy(10);
      const before = peer.bytesReceived;
      if (cut > 0) peer.write(bytes.subarray(0, cut));
      world.advanceBy(10);
      peer.write(bytes.subarray(cut));
      world.advanceBy(20);
      const answers = peer.text.slice(before).split('\n').slice(0, -1);
      expect(answers).toHaveLength(kept);
      for (const answer of answers) expect(answer).toBe('! try: nick NAME, join ROOM, say TEXT, who, quit');
      peer.end();
      world.advanceBy(20);
    }
    await scene.over({ 'peer closed': bytes.byteLength });
  });
});

/** JSON, a value a line. @param depthMax deepest nesting that is taken */
const json = (depthMax: number) => () =>
  mapped(lines(), {
    messages: [{ type: 'VALUE', direction: 'both', fields: {} }],
    decode: ({ text: line }: LineMessage): Message => {
      let depth = 0;
      for (const character of line) {
        if (character === '[') depth += 1;
        if (character === ']') depth -= 1;
        if (depth > depthMax) throw new PeerError('FRAME_INVALID', `nested deeper than ${depthMax}`);
      }
      return { type: 'VALUE', value: JSON.parse(line) as unknown } as Message;
    },
    encode: (message: Message): LineMessage => ({
      type: 'LINE',
      text: JSON.stringify((message as unknown as { value: unknown }).value),
    }),
  });

/** Arrays in arrays, as a cache protocol has them: `*2`, then each item; `:5` is a number. Reads by calling itself. */
const arrays = (depthMax: number) => (): Codec<any, any> => {
  const inner = lines();
  type Item = number | Item[];
  let queue: string[] = [];
  const read = (depth: number): Item | undefined => {
    if (depth > depthMax) throw new PeerError('FRAME_INVALID', `nested deeper than ${depthMax}`);
    const line = queue.shift();
    if (line === undefined) return undefined;
    if (line.startsWith(':')) return Number(line.slice(1));
    const items: Item[] = [];
    for (let n = 0; n < Number(line.slice(1)); n += 1) {
      const item = read(depth + 1);
      if (item === undefined) return undefined;
      items.push(item);
    }
    return items;
  };
  let seen: string[] = [];
  return {
    messages: [{ type: 'VALUE', direction: 'both', fields: {} }],
    decode(buffer) {
      for (let line = inner.decode(buffer); line !== undefined; line = inner.decode(buffer)) {
        seen.push(line.text);
        queue = [...seen];
        const value = line.text.startsWith(':') || seen.length >= 20_000 ? read(0) : undefined;
        if (value === undefined) continue;
        seen = [...queue];
        return { type: 'VALUE', value };
      }
      return undefined;
    },
    encode: ({ value }) => inner.encode({ type: 'LINE', text: JSON.stringify(value) }),
    end: (buffer) => truncatedUnlessEmpty(buffer) as undefined,
  };
};

describe('case 28: nesting of 20 000 levels ends its session alone: `bad frame` where the codec has a bound, `protocol failed` where the stack overflows', () => {
  const deep = { json: `${'['.repeat(20_000)}${']'.repeat(20_000)}\n`, arrays: `${'*1\n'.repeat(20_000)}:1\n` };
  const fine = { json: '[[[1]]]\n', arrays: '*1\n*1\n*1\n:1\n' };

  test.each([
    { format: 'json', name: 'JSON with a bound of 32', codec: json(32), reason: 'bad frame', error: 'PEER_FAILED' },
    {
      format: 'json',
      name: 'JSON without one',
      codec: json(Infinity),
      reason: 'protocol failed',
      error: 'PROTOCOL_FAILED',
    },
    {
      format: 'arrays',
      name: 'arrays with a bound of 32',
      codec: arrays(32),
      reason: 'bad frame',
      error: 'PEER_FAILED',
    },
    {
      format: 'arrays',
      name: 'arrays without one',
      codec: arrays(Infinity),
      reason: 'protocol failed',
      error: 'PROTOCOL_FAILED',
    },
  ] as const)('$name', async ({ format, codec, reason, error }) => {
    const example: Example = {
      ...echoExample,
      protocol: echoing('nested', codec, 'VALUE'),
      request: () => text(fine[format]),
      answer: () => text('[[[1]]]\n'),
    };
    const scene = await makeScene(example);
    const { world } = scene;
    const { talker, peer, session } = scene.intrudeAsTalker();
    talker.ask();
    world.advanceBy(20);
    talker.expectAnswers();
    peer.write(deep[format]);
    world.advanceBy(500);
    expect(scene.recordOf(session)).toMatchObject({ reason });
    talker.expectAnswers();
    await scene.over({ [reason]: 1 }, { errors: [error] });
  });
});

describe('case 29: names that mean something to JavaScript or to XState are data, or end the session that takes them for events', () => {
  const NAMES = [
    '__proto__',
    'constructor',
    'prototype',
    'hasOwnProperty',
    'toString',
    'xstate.stop',
    'xstate.init',
    'done.invoke.x',
    'done.state.lab',
    '*',
    'DRAIN',
    'PEER_END',
  ];
  /** The word of a line is the type of its event, as the peer likes. */
  const careless = () =>
    mapped(lines(), {
      messages: [{ type: 'hello', direction: 'in', fields: {} }],
      decode: ({ text: line }: LineMessage): Message => ({ type: line }),
      encode: (message: LineMessage) => message,
    });
  const machine = setup({
    actions: {
      answer: emit({ type: 'SEND', message: { type: 'LINE', text: 'hello' } }),
      wrong: emit({ type: 'CLOSE', option: 'force' }),
    } as never,
  }).createMachine({
    initial: 'a',
    states: { a: { on: { hello: { actions: 'answer' } }, after: { 9e6: 'b' } }, b: { entry: 'wrong' } },
  } as never);
  const protocol = defineProtocol({
    name: 'careless',
    codecs: { careless },
    initialCodec: 'careless',
    machine,
  } as never) as AnyProtocol;

  test.each(NAMES)('%s as the type of an event', async (name) => {
    const scene = await makeScene({
      ...echoExample,
      protocol,
      request: () => text('hello\n'),
      answer: () => text('hello\n'),
    });
    const { talker, peer, session } = scene.intrudeAsTalker();
    talker.ask();
    scene.world.advanceBy(20);
    peer.write(`${name}\n`);
    talker.ask();
    scene.world.advanceBy(50);
    const isOnlyAWord = !/[.*]|^[A-Z]/.test(name);
    expect(scene.recordOf(session)?.reason).toBe(isOnlyAWord ? undefined : 'protocol failed');
    if (isOnlyAWord) talker.expectAnswers();
    else expect(peer.text).toBe('hello\n');
    expect(session.protocolSnapshot.value).toBe('a');
    peer.end();
    scene.world.advanceBy(50);
    if (isOnlyAWord) await scene.over({ 'peer closed': 1 });
    else await scene.over({ 'protocol failed': 1 }, { errors: ['PROTOCOL_FAILED'] });
  });

  test.each(['__proto__', 'constructor', 'prototype', 'hasOwnProperty', 'toString'])(
    '%s as a nick and as a room of the chat',
    async (name) => {
      const scene = await makeScene(chatExample);
      const { peer } = scene.intrude();
      const { peer: other } = scene.intrude();
      peer.write(`nick ${name}\njoin ${name}\n`);
      scene.world.advanceBy(20);
      other.write(`nick ${name}\nnick bob\njoin ${name}\nsay hi\nwho\n`);
      scene.world.advanceBy(20);
      expect(peer.text.split('\n').slice(1)).toEqual([
        `* you are ${name}`,
        `* you are in ${name}`,
        '* bob came',
        '<bob> hi',
        '',
      ]);
      expect(other.text).toContain(`! ${name} is taken\n`);
      expect(other.text).toContain(`* here: ${name}, bob\n`);
      for (const one of [peer, other]) one.end();
      scene.world.advanceBy(50);
      expect(Object.hasOwn(Object.prototype, 'nick')).toBe(false);
      await scene.over({ 'peer closed': 2 });
    },
  );
});

test('case 32: lines made to make a regular expression run for ever cost the chat less than a second of processor time for 2 000 of them', async () => {
  const scene = await makeScene(chatExample);
  const { world } = scene;
  const { peer } = scene.intrude();
  const evil = [
    'nick ' + 'a'.repeat(500),
    'nick ' + 'a-'.repeat(250),
    ' '.repeat(511),
    `say ${' '.repeat(500)}x`,
    `${'\t '.repeat(250)}who`,
    'join ' + '_'.repeat(500) + '!',
  ];
  const before = process.cpuUsage();
  for (let n = 0; n < 2_000; n += 1) {
    peer.write(`${evil[n % evil.length]}\n`);
    if (n % 20 === 19) world.advanceBy(20);
  }
  world.advanceBy(100);
  const { user } = process.cpuUsage(before);
  expect(user).toBeLessThan(1_000_000);
  const answered = peer.text.split('\n').length - 2; // the welcome, and what is behind the last line
  expect(answered).toBe(2_000 - Math.floor(2_000 / 6)); // a line of spaces says nothing, and is not answered
  peer.end();
  world.advanceBy(50);
  await scene.over({ 'peer closed': 1 });
});
