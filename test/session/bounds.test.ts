/** What a peer, or an option left out, must not be able to bring about. */
import { emit } from 'xstate';
import { expect, test } from 'vitest';
import { lines } from '../../src/codec/lines.js';
import { PeerError } from '../../src/codec/codec.js';
import chat from '../../examples/chat/index.js';
import { brokenLines, heard, labProtocol, nothingIsLeft, says } from './lab.js';
import { microtasks } from './process-errors.js';
import { start } from './start.js';

test('1 000 commands for a handler that never answers: 64 are pending, the rest waits undecoded, and one answer lets one in', async () => {
  const answers: ((event: undefined) => void)[] = [];
  const started = await start(
    labProtocol({
      implementations: { actions: { ask: emit({ type: 'ASK' }) } },
      machine: { on: { LINE: { actions: 'ask' } } },
      handlers: { ASK: { deadlineMs: 60_000, run: () => new Promise((resolve) => answers.push(resolve)) } },
    }),
  );
  const peer = started.layer.connect();
  says(peer, ...Array.from({ length: 1_000 }, (_, n) => `${n}`));
  expect(answers).toHaveLength(64);
  answers[0]!(undefined);
  await microtasks(4);
  expect(answers).toHaveLength(65);
  await nothingIsLeft(started);
});

test.each(['KEY_SET', 'DRAIN', 'PEER_END', 'SESSION_CLOSED'])(
  'a codec that takes %s from the wire cannot forge what only the runtime says',
  async (type) => {
    const frames = () => brokenLines({ decode: (buffer: never) => (lines().decode(buffer) ? { type } : undefined) });
    const started = await start(
      labProtocol({
        codecs: { frames },
        initialCodec: 'frames',
        machine: { on: { [type]: { actions: { type: 'say', params: 'welcome, admin' } } } },
      }),
    );
    const peer = started.layer.connect();
    says(peer, 'x');
    expect(heard(peer)).toEqual([]);
    expect(started.server.sessions.recent).toMatchObject([{ reason: 'protocol failed' }]);
    expect(started.errors[0]!.message).toContain(`decode returned ${type}, which only the runtime sends`);
    await nothingIsLeft(started);
  },
);

test('a PeerError of another copy of the package blames the peer all the same', async () => {
  const foreign = Object.assign(new Error('too long'), { name: 'PeerError', code: 'FRAME_TOO_LONG' });
  for (const symbol of Object.getOwnPropertySymbols(new PeerError('FRAME_INVALID', 'x'))) {
    Object.assign(foreign, { [symbol]: true });
  }
  const decode = () => {
    throw foreign;
  };
  const started = await start(
    labProtocol({ codecs: { frames: () => brokenLines({ decode }) }, initialCodec: 'frames' }),
  );
  says(started.layer.connect(), 'x');
  expect(started.server.sessions.recent).toMatchObject([{ reason: 'bad frame' }]);
  expect(started.errors).toMatchObject([{ code: 'PEER_FAILED' }]);
  await nothingIsLeft(started);
});

test('an option that is given as undefined leaves the default of the protocol: chat waits 3 000 times', async () => {
  const started = await start(chat, { waitTimeoutCountMax: undefined } as never);
  started.layer.connect();
  started.time.advanceBy(299_999);
  expect(started.server.sessions.size).toBe(1);
  started.time.advanceBy(1);
  expect(started.server.sessions.size).toBe(0);
  await nothingIsLeft(started);
});

test('100 lines in one packet, broadcast to 10 members, are one write to each of them', async () => {
  const started = await start(
    labProtocol({
      implementations: {
        actions: {
          spread: emit(({ event }: any) => ({ type: 'BROADCAST', message: { type: 'LINE', text: event.text } })),
        },
      },
      machine: { on: { LINE: { actions: 'spread' } } },
    }),
  );
  const peers = Array.from({ length: 10 }, () => started.layer.connect());
  says(peers[0]!, ...Array.from({ length: 100 }, (_, n) => `${n}`));
  for (const peer of peers) {
    expect(heard(peer)).toHaveLength(100);
    expect(peer.types.filter((type) => type === 'WRITE')).toHaveLength(1);
  }
  await nothingIsLeft(started);
});

test('a codec that is changed by an answer decodes at once what the old one has left', async () => {
  const started = await start(
    labProtocol({
      codecs: { first: () => brokenLines({ decode: () => undefined }), lines: () => lines() },
      initialCodec: 'first',
      implementations: { actions: { swap: emit({ type: 'USE_CODEC', name: 'lines' }) } },
      machine: { on: { LINE: { actions: 'echo' }, SWAP: { actions: 'swap' } } },
    }),
  );
  const peer = started.layer.connect();
  says(peer, 'early');
  expect(heard(peer)).toEqual([]);
  started.server.sessions.get('1')!.dispatch({ type: 'SWAP' });
  expect(heard(peer)).toEqual(['early']);
  await nothingIsLeft(started);
});

test('receiveRetries counts the waits that ended, whether they mattered or not: 9 in each second between two READs', async () => {
  const started = await start();
  const peer = started.layer.connect();
  const { statistics } = started.server.sessions.get('1')!;
  for (let second = 1; second <= 4; second += 1) {
    started.time.advanceBy(999);
    peer.read(Uint8Array.of(0, 0, 0, 0));
    expect(statistics.receiveRetries).toBe(9 * second);
  }
  await nothingIsLeft(started);
});

test('END is no READ: a peer that is silent for 6 000 ms is closed, whenever we sent our FIN', async () => {
  const started = await start(labProtocol({ machine: { after: { 3_000: { actions: 'end' } } } }));
  const peer = started.layer.connect({}, 10, { answersFin: false });
  started.time.advanceBy(5_999);
  expect(started.server.sessions.get('1')!.transportSnapshot.matches('halfClosed')).toBe(true);
  started.time.advanceBy(1);
  expect(started.server.sessions.get('1')!.transportSnapshot.matches('closing')).toBe(true);
  expect(peer.types.filter((type) => type === 'SEND_FIN')).toHaveLength(1);
  await nothingIsLeft(started);
});
