/** FAULTS.md, peer behaviour: cases 9, 11 to 15 and 23: peers that end their connections in every way there is, and a server that comes back. */
import { interval } from 'rxjs';
import { emit, setup } from 'xstate';
import { describe, expect, test } from 'vitest';
import type { Codec } from '../../../src/codec/codec.js';
import { lines, type LineMessage } from '../../../src/codec/lines.js';
import { defineProtocol, type ProtocolCommand } from '../../../src/session/protocol.js';
import { simulatedHandler } from '../../../src/testing/simulated-handler.js';
import { createWorld } from '../../../src/testing/world.js';
import { EXAMPLES, makeScene, partsOf, text, type Example } from './scene.js';

/** An example whose codecs are counted: how often each is told of the end. */
function counted(example: Example): { readonly example: Example; readonly ends: () => number } {
  let ends = 0;
  const { codecs, ...parts } = partsOf(example);
  const [[name, factory] = ['', undefined]] = Object.entries(codecs as Record<string, () => Codec>);
  const codec = (): Codec => {
    const inner = factory!();
    return {
      messages: inner.messages,
      encode: (message) => inner.encode(message),
      decode: (buffer) => inner.decode(buffer),
      end: (buffer) => {
        ends += 1;
        return inner.end(buffer);
      },
    };
  };
  // A second codec keeps the world from making one of these for itself, which would be counted as well.
  const protocol = defineProtocol({ ...parts, codecs: { [name]: codec, spare: lines } } as never);
  return { example: { ...example, protocol }, ends: () => ends };
}

describe.each(EXAMPLES)('$name', (example) => {
  test('case 9: an RST in the middle of a frame, wherever it is cut, ends that session with `peer reset`', async () => {
    const scene = await makeScene(example);
    const { world } = scene;
    const whole = example.request('mallory', 1);
    for (let cut = 1; cut < whole.byteLength; cut += 1) {
      const { peer, session } = scene.intrude();
      world.advanceBy(10);
      const before = peer.bytesReceived; // the chat says welcome
      peer.write(whole.subarray(0, cut));
      world.runUntil(() => session.statistics.bytesReceived === cut);
      peer.reset();
      world.advanceBy(10);
      expect(scene.recordOf(session)).toMatchObject({ reason: 'peer reset', closedBy: 'rst' });
      expect(peer.bytesReceived).toBe(before);
    }
    await scene.over({ 'peer reset': whole.byteLength - 1 });
  });

  test('case 13: both ends close at one moment: both see the FIN of the other, and the reason is that of who asked', async () => {
    const scene = await makeScene(example);
    const { world } = scene;
    const { peer, session } = scene.intrudeAsTalker();
    session.close('graceful');
    peer.end();
    world.advanceBy(4);
    expect(session.transportState).toEqual({ closing: 'finWait' }); // both are on their way
    world.advanceBy(20);
    expect(scene.recordOf(session)).toMatchObject({ reason: 'protocol asked', closedBy: 'fin', option: 'graceful' });
    expect(peer.closedBy).toBe('fin');
    expect(session.statistics.bytesDropped).toBe(0);
    await scene.over({ 'protocol asked': 1 });
  });

  test('case 14: a FIN behind part of a frame: `truncated frame` (the chat takes it for a last line), and the codec is told of the end once', async () => {
    const { example: watched, ends } = counted(example);
    const scene = await makeScene(watched);
    const { world } = scene;
    const { talker, peer, session } = scene.intrudeAsTalker();
    const last = talker.next();
    peer.write(last.subarray(0, -1));
    peer.end();
    world.advanceBy(30);
    const reason = example.name === 'chat' ? 'peer closed' : 'truncated frame';
    expect(scene.recordOf(session)).toMatchObject({ reason, closedBy: 'fin' });
    expect(talker.isAnswered).toBe(example.name === 'chat');
    expect(ends()).toBe(1);
    await scene.over({ [reason]: 1 }, { errors: example.name === 'chat' ? [] : ['PEER_FAILED'] });
    expect(ends()).toBe(2); // that of the peer that behaves, when it left
  });

  test('case 15: what comes after our FIN reaches no chart: 1 000 bytes are dropped, the 1 001st resets the peer', async () => {
    const scene = await makeScene(example, { server: { discardedBytesMax: 1_000 } });
    const { world } = scene;
    const { talker, peer, session } = scene.intrudeAsTalker({ answersFin: false });
    const state = JSON.stringify(session.protocolSnapshot.value);
    const before = peer.bytesReceived;
    session.close('graceful');
    world.advanceBy(20);
    expect(peer.state).toBe('ended');
    const request = talker.next();
    peer.write(Buffer.concat(Array.from({ length: 1_000 }, () => request)).subarray(0, 1_000));
    world.advanceBy(20);
    expect(session.transportState).toEqual({ closing: 'finWait' });
    expect(JSON.stringify(session.protocolSnapshot.value)).toBe(state);
    peer.write(Uint8Array.of(1));
    world.advanceBy(20);
    expect(scene.recordOf(session)).toMatchObject({ reason: 'protocol asked', closedBy: 'rst' });
    peer.write(Uint8Array.of(2)); // one that has read to the end hears of the RST when it writes
    world.advanceBy(20);
    expect(peer.closedBy).toBe('rst');
    expect(peer.bytesReceived).toBe(before);
    await scene.over({ 'protocol asked': 1 });
  });

  test('case 23: 1 000 peers a second connect while the server is stopped and started 3 times: nobody is left over, and all are served afterwards', async () => {
    const world = createWorld({ latencyMs: 5 });
    const server = await world.server(example.protocol);
    const refused = { count: 0 };
    const hammer = () => {
      const peer = world.peer(server, { codec: false, keeps: false });
      peer.events.subscribe({ complete: () => (refused.count += peer.state === 'refused' ? 1 : 0) });
    };
    const hammering = interval(10, world.time).subscribe(() => Array.from({ length: 10 }, hammer));
    world.advanceBy(100);
    for (const option of ['force', 'graceful', 'force'] as const) {
      const stopped = server.stop({ option, deadlineMs: 50 });
      await world.advanceByAsync(200);
      await stopped;
      expect(server.sessions.size).toBe(0);
      const started = server.start();
      await world.advanceByAsync(100);
      await started;
      expect(server.sessions.size).toBeGreaterThan(50);
    }
    hammering.unsubscribe();
    expect(refused.count).toBeGreaterThan(50);
    world.advanceBy(100);
    expect(server.sessions.size).toBe(world.peers.length);
    await world.end();
    const { reasons, closed } = server.statistics.value;
    expect(Object.values(reasons).reduce((sum, count) => sum + count, 0)).toBe(closed);
  });
});

const STORE: Example = {
  ...EXAMPLES[0]!,
  name: 'a slow store',
  protocol: defineProtocol({
    name: 'store',
    codecs: { lines: () => lines() },
    initialCodec: 'lines',
    machine: setup({
      types: {} as {
        events: LineMessage | { type: 'STORED'; text: string };
        emitted: ProtocolCommand<LineMessage, { type: 'STORE'; text: string }>;
      },
      actions: {
        store: emit(({ event }) => ({ type: 'STORE', text: (event as LineMessage).text })),
        answer: emit(({ event }) => ({ type: 'SEND', message: { type: 'LINE', text: (event as LineMessage).text } })),
      },
    }).createMachine({ on: { LINE: { actions: 'store' }, STORED: { actions: 'answer' } } }),
    handlers: {
      STORE: simulatedHandler({
        answer: ({ text }: { text: string }) => ({ type: 'STORED', text }),
        afterMs: 250,
        deadlineMs: 1_000,
        holds: true,
      }) as never,
    },
  }),
  request: (who, n) => text(`${who} ${n}\n`),
  answer: (who, n) => text(`${who} ${n}\n`),
};

describe.each([...EXAMPLES, STORE])('$name', (example) => {
  test('case 11: a peer that asks 10 times and sends FIN in one turn gets its 10 answers, and then our FIN', async () => {
    const scene = await makeScene(example);
    const { world } = scene;
    const { talker, peer, session } = scene.intrudeAsTalker();
    const seen: string[] = [];
    peer.events.subscribe(({ type }) => seen.push(type));
    talker.ask(10);
    peer.end();
    world.runUntil(() => peer.state === 'closed');
    world.advanceBy(10);
    talker.expectAnswers();
    expect(seen.filter((type) => type === 'BYTES' || type === 'END' || type === 'CLOSE').slice(-2)).toEqual([
      'END',
      'CLOSE',
    ]);
    expect(seen.indexOf('BYTES')).toBeGreaterThan(-1);
    expect(scene.recordOf(session)).toMatchObject({ reason: 'peer closed', closedBy: 'fin' });
    await scene.over({ 'peer closed': 1 });
  });
});

/** To a peer that has asked nothing it goes on sending after the peer's FIN, for ever. */
const endless = defineProtocol({
  name: 'endless',
  codecs: { lines: () => lines() },
  initialCodec: 'lines',
  machine: setup({
    types: {} as { events: LineMessage | { type: 'PEER_END' }; emitted: ProtocolCommand<LineMessage> },
    actions: { say: emit({ type: 'SEND', message: { type: 'LINE', text: 'still here' } }), end: emit({ type: 'END' }) },
  }).createMachine({
    initial: 'unasked',
    states: {
      unasked: { on: { LINE: { target: 'asked', actions: 'say' }, PEER_END: 'talking' } },
      asked: { on: { LINE: { actions: 'say' }, PEER_END: { actions: 'end' } } },
      talking: { after: { 1_000: { target: 'talking', reenter: true, actions: 'say' } } },
    },
  }),
  facts: ['PEER_END'],
});

describe('case 12: a peer that half-closes and then reads for ever, or not at all, is reset 5 000 ms later, and not 1 ms earlier', () => {
  test.each(EXAMPLES)('$name: it does not read what it is owed', async (example) => {
    const scene = await makeScene(example);
    const { world } = scene;
    const { peer, session } = scene.intrudeAsTalker();
    peer.pause();
    // More than both kernels take, and less than would pause the reading of its FIN.
    while (session.statistics.bytesWritten - session.statistics.bytesSent < 1_000) {
      session.send(example.message(10_000));
      world.advanceBy(20);
    }
    peer.end();
    world.runUntil(() => session.transportSnapshot.matches('closing'));
    const closingMs = world.time.now();
    world.advanceTo(closingMs + 4_999);
    expect(session.transportState).toEqual({ closing: 'closeWait' });
    world.advanceTo(closingMs + 5_000);
    expect(scene.recordOf(session)).toMatchObject({ reason: 'peer closed', closedBy: 'rst' });
    world.advanceBy(10);
    peer.resume();
    world.advanceBy(10);
    expect(peer.state).toBe('closed');
    await scene.over({ 'peer closed': 1 });
  });

  test('a chart that asked for PEER_END and goes on sending', async () => {
    const scene = await makeScene({
      ...STORE,
      protocol: endless,
      request: () => text('x\n'),
      answer: () => text('still here\n'),
    });
    const { world } = scene;
    const { peer, session } = scene.intrude();
    peer.end();
    world.runUntil(() => session.transportSnapshot.matches({ halfClosed: { byPeer: 'answered' } }));
    const endedMs = world.time.now();
    world.advanceTo(endedMs + 4_999);
    expect(session.transportState).toEqual({ halfClosed: { byPeer: 'answered' } });
    expect(peer.text).toBe('still here\n'.repeat(4));
    world.advanceTo(endedMs + 5_000);
    expect(scene.recordOf(session)).toMatchObject({ reason: 'peer closed', closedBy: 'rst' });
    world.advanceBy(10);
    expect(peer.closedBy).toBe('rst');
    await scene.over({ 'peer closed': 1 });
  });
});
