/** One session: its deadlines, its marks and caps, its two ends, its codecs and its commands. */
import { emit } from 'xstate';
import { describe, expect, test } from 'vitest';
import { lengthPrefixed } from '../../src/codec/length-prefixed.js';
import { lines } from '../../src/codec/lines.js';
import { heard, labProtocol, nothingIsLeft, says, type Lab } from './lab.js';
import { frame, start } from './start.js';

const record = (reason: string, option: string, closedBy: string) => ({ reason, option, closedBy });
const ended = ({ server }: Awaited<ReturnType<typeof start>>) =>
  server.sessions.recent.map(({ reason, option, closedBy }) => ({ reason, option, closedBy }));

/** A chart that emits a command for a line of its name, and echoes every other line. */
const commanded = (commands: Record<string, unknown>, lab: Lab = {}): Lab => ({
  ...lab,
  implementations: {
    ...lab.implementations,
    guards: Object.fromEntries(Object.keys(commands).map((text) => [text, ({ event }: any) => event.text === text])),
    actions: {
      ...(lab.implementations?.['actions'] as object),
      ...Object.fromEntries(Object.entries(commands).map(([text, command]) => [text, emit(command as never)])),
    },
  },
  machine: {
    ...lab.machine,
    on: {
      LINE: [...Object.keys(commands).map((text) => ({ guard: text, actions: text })), { actions: 'echo' }],
      ...(lab.machine?.['on'] as object),
    },
  },
});

describe('a deadline', () => {
  test('first byte: a peer that sends nothing is closed at 6 000 ms (60 waits in `accepted`), not 1 ms earlier', async () => {
    const started = await start();
    started.layer.connect();
    expect(started.server.sessions.get('1')!.transportState).toBe('accepted');
    started.time.advanceBy(5_999);
    expect(started.server.sessions.size).toBe(1);
    started.time.advanceBy(1);
    expect(ended(started)).toEqual([record('wait timeout', 'graceful', 'fin')]);
    await nothingIsLeft(started);
  });

  test('whole frame: one byte each 5 900 ms is ended at 30 000 ms after the first byte, not 1 ms earlier', async () => {
    const started = await start();
    const peer = started.layer.connect();
    started.time.advanceBy(1_000);
    for (let byte = 0; byte < 5; byte += 1) {
      peer.read(Uint8Array.of(byte === 2 ? 1 : 0)); // a length of 256
      started.time.advanceBy(5_900);
    }
    peer.read(Uint8Array.of(0));
    started.time.advanceBy(499);
    expect(started.server.sessions.size).toBe(1);
    started.time.advanceBy(1);
    expect(ended(started)).toEqual([record('frame timeout', 'graceful', 'fin')]);
    await nothingIsLeft(started);
  });

  test('whole frame: each frame has its own 30 000 ms, also when its first byte came with the end of the one before', async () => {
    const started = await start(undefined, { waitTimeoutCountMax: 0 });
    const peer = started.layer.connect();
    const bytes = frame('hello');
    const half = Buffer.concat([bytes.subarray(4), bytes.subarray(0, 4)]);
    peer.read(bytes.subarray(0, 4));
    for (let n = 0; n < 10; n += 1) {
      started.time.advanceBy(29_999);
      peer.read(half);
    }
    started.time.advanceBy(29_999);
    expect(started.server.sessions.size).toBe(1);
    started.time.advanceBy(1);
    expect(ended(started)).toEqual([record('frame timeout', 'graceful', 'fin')]);
    await nothingIsLeft(started);
  });

  test('whole frame: none runs between frames', async () => {
    const started = await start(undefined, { waitTimeoutCountMax: 0 });
    const peer = started.layer.connect();
    peer.read(frame('hello').subarray(0, 5));
    peer.read(frame('hello').subarray(5));
    expect(started.time.pendingCount).toBe(1); // the sweeper
    started.time.advanceBy(1_000_000);
    expect(started.server.sessions.size).toBe(1);
    await nothingIsLeft(started);
  });

  test('close: a peer that does not answer our FIN is reset at 5 000 ms, not 1 ms earlier, and the reason stays', async () => {
    const started = await start();
    const peer = started.layer.connect({}, 10, { answersFin: false });
    started.server.sessions.get('1')!.close('graceful');
    expect(peer.types).toEqual(['RESUME', 'RESUME', 'FLUSH', 'SEND_FIN']);
    started.time.advanceBy(4_999);
    expect(peer.types.at(-1)).toBe('SEND_FIN');
    started.time.advanceBy(1);
    expect(peer.types.at(-1)).toBe('SEND_RST');
    expect(ended(started)).toEqual([record('protocol asked', 'graceful', 'rst')]);
    await nothingIsLeft(started);
  });

  test('close: output that the kernel does not take is dropped by RST at 5 000 ms, and no FIN is sent', async () => {
    const started = await start(labProtocol());
    const peer = started.layer.connect({}, 10, { takes: false });
    says(peer, 'one');
    started.server.sessions.get('1')!.close('graceful');
    started.time.advanceBy(4_999);
    expect(started.server.sessions.size).toBe(1);
    started.time.advanceBy(1);
    expect(peer.types).not.toContain('SEND_FIN');
    expect(ended(started)).toEqual([record('protocol asked', 'graceful', 'rst')]);
    await nothingIsLeft(started);
  });

  test('reset: a socket that is never reported closed is given up 5 000 ms after the RST and forced by the next sweep', async () => {
    const started = await start();
    const peer = started.layer.connect({}, 10, { closesOnRst: false });
    started.server.sessions.get('1')!.close('force');
    started.time.advanceBy(4_999);
    expect(started.server.sessions.size).toBe(1);
    started.time.advanceBy(1);
    expect(ended(started)).toEqual([record('protocol asked', 'force', 'rst')]);
    expect(started.layer.size).toBe(2);
    expect(peer.markedDeleted).toBe(true);
    started.time.advanceBy(55_000);
    expect(started.layer.size).toBe(1);
    expect(started.server.statistics.value.forced).toBe(1);
    await nothingIsLeft(started);
  });

  test('send: 30 000 ms of congestion in which the kernel takes nothing end the session by RST, and not one look earlier', async () => {
    const started = await start(labProtocol(), { highWaterMarkBytes: 64, lowWaterMarkBytes: 16 });
    const peer = started.layer.connect({}, 10, { takes: false });
    says(peer, 'x'.repeat(64)); // 65 bytes
    expect(started.server.sessions.get('1')!.transportState).toEqual({ connected: 'congested' });
    started.time.advanceBy(29_999);
    expect(started.server.sessions.size).toBe(1);
    started.time.advanceBy(1);
    expect(ended(started)).toEqual([record('send timeout', 'force', 'rst')]);
    await nothingIsLeft(started);
  });

  test('send: one byte that the kernel takes within 30 000 ms begins them anew', async () => {
    const started = await start(labProtocol(), { highWaterMarkBytes: 64, lowWaterMarkBytes: 16 });
    const peer = started.layer.connect({}, 10, { takes: false });
    says(peer, 'x'.repeat(100));
    for (let n = 0; n < 10; n += 1) {
      started.time.advanceBy(25_000);
      peer.queued -= 1;
    }
    expect(started.server.sessions.size).toBe(1);
    started.time.advanceBy(35_000);
    expect(ended(started)).toEqual([record('send timeout', 'force', 'rst')]);
    await nothingIsLeft(started);
  });
});

describe('the waits', () => {
  test('of 1 000 sessions that began 1 ms apart end each one at its own 6 000 ms', async () => {
    const started = await start(undefined, { recentMax: 1_000 });
    for (let n = 0; n < 1_000; n += 1) {
      started.layer.connect();
      started.time.advanceBy(1);
    }
    started.time.advanceBy(10_000);
    expect(started.server.sessions.recent).toHaveLength(1_000);
    for (const { startedAtMs, endedAtMs, reason } of started.server.sessions.recent) {
      expect([endedAtMs - startedAtMs, reason]).toEqual([6_000, 'wait timeout']);
    }
    await nothingIsLeft(started);
  });

  test('stand still while the output is congested, and 60 begin anew when it flows: 6 000 ms, not 1 ms less', async () => {
    const started = await start(labProtocol(), { highWaterMarkBytes: 64, lowWaterMarkBytes: 16 });
    const peer = started.layer.connect({}, 10, { takes: false });
    says(peer, 'x'.repeat(100));
    started.time.advanceBy(20_000);
    expect(started.server.sessions.size).toBe(1);
    peer.drain();
    started.time.advanceBy(5_999);
    expect(started.server.sessions.get('1')!.transportState).toEqual({ connected: 'flowing' });
    started.time.advanceBy(1);
    expect(ended(started)).toEqual([record('wait timeout', 'graceful', 'fin')]);
    await nothingIsLeft(started);
  });

  test('begin anew when a congested session sends its END: it reads on for 6 000 ms, not 1 ms less and not for ever', async () => {
    const started = await start(labProtocol(), { highWaterMarkBytes: 64, lowWaterMarkBytes: 16 });
    const protocol = labProtocol({
      machine: { initial: 'a', states: { a: { after: { 10_000: { actions: 'end' } } } } },
      options: { highWaterMarkBytes: 64, lowWaterMarkBytes: 16 },
    });
    await nothingIsLeft(started);
    const congested = await start(protocol);
    const peer = congested.layer.connect({}, 10, { takes: false, answersFin: false });
    says(peer, 'x'.repeat(100));
    congested.time.advanceBy(10_000);
    expect(congested.server.sessions.get('1')!.transportSnapshot.matches({ halfClosed: 'byUs' })).toBe(true);
    congested.time.advanceBy(5_999);
    expect(congested.server.sessions.get('1')!.transportSnapshot.matches({ halfClosed: 'byUs' })).toBe(true);
    congested.time.advanceBy(1);
    expect(congested.server.sessions.get('1')!.transportState).toMatchObject({ closing: expect.any(String) });
    await nothingIsLeft(congested);
  });

  test('SET_WAITS of 10 ends a session 1 000 ms after it, not 1 ms earlier; of 0 never', async () => {
    const started = await start(
      labProtocol(commanded({ ten: { type: 'SET_WAITS', count: 10 }, none: { type: 'SET_WAITS', count: 0 } })),
    );
    const [ten, none] = [started.layer.connect(), started.layer.connect()];
    started.time.advanceBy(5_000);
    says(ten, 'ten');
    says(none, 'none');
    started.time.advanceBy(999);
    expect(started.server.sessions.size).toBe(2);
    started.time.advanceBy(1);
    expect(started.server.sessions.recent).toMatchObject([{ id: '1', reason: 'wait timeout', endedAtMs: 6_000 }]);
    started.time.advanceBy(1_000_000);
    expect(started.server.sessions.size).toBe(1);
    await nothingIsLeft(started);
  });

  test('come one by one, each 100 ms, to a chart that asked for WAIT_TIMEOUT; the session ends at the same moment', async () => {
    const atMs: number[] = [];
    const started = await start(
      labProtocol({
        facts: ['WAIT_TIMEOUT'],
        implementations: { actions: { note: ({ event }: any) => void atMs.push(started.time.now(), event.waits) } },
        machine: { on: { WAIT_TIMEOUT: { actions: 'note' } } },
      }),
    );
    started.layer.connect();
    started.time.advanceBy(5_999);
    expect(atMs).toEqual(Array.from({ length: 59 }, (_, n) => [(n + 1) * 100, 1]).flat());
    expect(started.server.sessions.size).toBe(1);
    started.time.advanceBy(1);
    expect(ended(started)).toEqual([record('wait timeout', 'graceful', 'fin')]);
    await nothingIsLeft(started);
  });

  test('asked for one by one, or merged, end a session that reads now and then at the same moments', async () => {
    const silences = [0, 1, 99, 100, 101, 3_333, 5_999, 5_950, 42, 5_901];
    const ends = await Promise.all(
      [['WAIT_TIMEOUT'], []].map(async (facts) => {
        const started = await start(labProtocol({ facts }));
        const peer = started.layer.connect();
        for (const silence of silences) {
          started.time.advanceBy(silence);
          says(peer, 'x');
        }
        started.time.advanceBy(20_000);
        const [last] = started.server.sessions.recent;
        await nothingIsLeft(started);
        return [last?.endedAtMs, last?.reason, last?.statistics.receiveRetries];
      }),
    );
    const lastReadMs = silences.reduce((sum, silence) => sum + silence, 0);
    expect(ends[0]!.slice(0, 2)).toEqual([lastReadMs + 6_000, 'wait timeout']);
    expect(ends[1]!.slice(0, 2)).toEqual([lastReadMs + 6_000, 'wait timeout']);
  });

  test('data that came at the very moment of the 60th wait wins: the session goes on', async () => {
    const started = await start();
    const peer = started.layer.connect();
    started.time.sockets.schedule(() => peer.read(frame('x')), 6_000);
    started.time.advanceBy(6_000);
    expect(started.server.sessions.size).toBe(1);
    started.time.advanceBy(5_999);
    expect(started.server.sessions.size).toBe(1);
    started.time.advanceBy(1);
    expect(started.server.sessions.size).toBe(0);
    await nothingIsLeft(started);
  });
});

describe('output', () => {
  const marks = { highWaterMarkBytes: 64, lowWaterMarkBytes: 16, heldBytesMax: 256 };

  test('of 64 bytes that the kernel has not taken is fine, 65 pause reading and decoding, 16 resume both', async () => {
    const started = await start(labProtocol(), marks);
    const peer = started.layer.connect({}, 10, { takes: false });
    says(peer, 'x'.repeat(63));
    expect(peer.paused).toBe(false);
    says(peer, '', 'waits'); // the 65th byte, and a line that came with it
    expect(peer.paused).toBe(true);
    expect(started.server.sessions.get('1')!.transportState).toEqual({ connected: 'congested' });
    const before = heard(peer).length;
    peer.queued = 17;
    peer.report({ type: 'WRITE' });
    expect(peer.paused).toBe(true);
    peer.queued = 16;
    peer.report({ type: 'WRITE' });
    expect(peer.paused).toBe(false);
    expect(heard(peer).length).toBeGreaterThanOrEqual(before);
    expect(heard(peer).at(-1)).toBe('waits');
    await nothingIsLeft(started);
  });

  test('beyond 256 bytes held ends the session by RST, reason `slow reader`; 256 do not', async () => {
    const started = await start(labProtocol(), marks);
    const peer = started.layer.connect({}, 10, { takes: false });
    const session = started.server.sessions.get('1')!;
    for (let n = 0; n < 8; n += 1) session.send({ type: 'LINE', text: 'x'.repeat(31) } as never);
    expect(peer.queued).toBe(256);
    expect(started.server.sessions.size).toBe(1);
    expect(session.send({ type: 'LINE', text: '' } as never)).toBe(false);
    expect(ended(started)).toEqual([record('slow reader', 'force', 'rst')]);
    expect(session.statistics.bytesDropped).toBe(1);
    await nothingIsLeft(started);
  });

  test('of one chart in one turn that is beyond 256 bytes is given to the kernel on the way: it may take more than the cap', async () => {
    const started = await start(labProtocol(), marks);
    const peer = started.layer.connect();
    says(peer, ...Array.from({ length: 100 }, () => 'x'.repeat(31)));
    expect(heard(peer)).toHaveLength(100);
    expect(started.server.sessions.size).toBe(1);
    await nothingIsLeft(started);
  });

  test('of a slow reader in a group does not hold up the others: 1 000 messages, it alone ends', async () => {
    const started = await start(labProtocol(commanded({ join: { type: 'JOIN', group: 'g' } })), marks);
    const peers = [true, true, false].map((takes) => started.layer.connect({}, 10, { takes }));
    for (const peer of peers) says(peer, 'join');
    for (let n = 0; n < 1_000; n += 1)
      started.server.sessions.broadcast({ type: 'LINE', text: `${n}` } as never, { group: 'g' });
    expect(peers.map((peer) => heard(peer).length >= 1_000)).toEqual([true, true, false]);
    expect(started.server.sessions.recent).toMatchObject([{ id: '3', reason: 'slow reader' }]);
    expect(started.server.sessions.group('g').map(({ id }) => id)).toEqual(['1', '2']);
    await nothingIsLeft(started);
  });

  test('facts CONGESTED and FLOWING are told once each to a chart that asked for them', async () => {
    const told: string[] = [];
    const started = await start(
      labProtocol({
        facts: ['CONGESTED', 'FLOWING'],
        implementations: { actions: { note: ({ event }: any) => void told.push(event.type) } },
        machine: { on: { LINE: { actions: 'echo' }, CONGESTED: { actions: 'note' }, FLOWING: { actions: 'note' } } },
      }),
      marks,
    );
    const peer = started.layer.connect({}, 10, { takes: false });
    says(peer, 'x'.repeat(64));
    started.server.sessions.get('1')!.send({ type: 'LINE', text: 'more' } as never);
    expect(told).toEqual(['CONGESTED']);
    peer.drain();
    peer.drain();
    expect(told).toEqual(['CONGESTED', 'FLOWING']);
    await nothingIsLeft(started);
  });

  test('a send to a session that closes, or has ended, is refused: false, and nothing is written', async () => {
    const started = await start(labProtocol());
    const peer = started.layer.connect({}, 10, { answersFin: false });
    const session = started.server.sessions.get('1')!;
    expect(session.send({ type: 'LINE', text: 'one' } as never)).toBe(true);
    session.close('graceful');
    expect(session.send({ type: 'LINE', text: 'two' } as never)).toBe(false);
    peer.peerEnds();
    expect(session.send({ type: 'LINE', text: 'three' } as never)).toBe(false);
    session.dispatch({ type: 'LINE', text: 'four' } as never);
    session.close('force');
    expect(heard(peer)).toEqual(['one']);
    expect(started.errors).toEqual([]);
    await nothingIsLeft(started);
  });

  test('of many frames in one READ leaves in one write', async () => {
    const started = await start(labProtocol());
    const peer = started.layer.connect();
    says(peer, ...Array.from({ length: 100 }, (_, n) => `${n}`));
    expect(peer.types.filter((type) => type === 'WRITE')).toHaveLength(1);
    await nothingIsLeft(started);
  });
});

describe('the ends', () => {
  test('FIN with half a frame: `truncated frame`, and the codec is told once', async () => {
    let ends = 0;
    const started = await start(
      labProtocol({
        codecs: {
          lines: () => {
            const inner = lines();
            const end = inner.end.bind(inner);
            return Object.assign(inner, { end: (buffer: never) => ((ends += 1), end(buffer)) });
          },
        },
      }),
    );
    const peer = started.layer.connect();
    peer.read('half');
    peer.peerEnds();
    expect(ends).toBe(1);
    expect(ended(started)).toEqual([record('truncated frame', 'graceful', 'fin')]);
    expect(started.errors).toMatchObject([{ code: 'PEER_FAILED', session: '1' }]);
    await nothingIsLeft(started);
  });

  test('FIN without the fact: all is answered, then our FIN, reason `peer closed`', async () => {
    const started = await start(labProtocol());
    const peer = started.layer.connect();
    says(peer, 'one', 'two');
    peer.peerEnds();
    expect(peer.types).toEqual(['RESUME', 'WRITE', 'RESUME', 'FLUSH', 'SEND_FIN']);
    expect(ended(started)).toEqual([record('peer closed', 'graceful', 'fin')]);
    await nothingIsLeft(started);
  });

  test('FIN with the fact PEER_END: the chart is told, may send on, and is reset at the close deadline of 5 000 ms, not 1 ms earlier', async () => {
    const started = await start(
      labProtocol({ facts: ['PEER_END'], machine: { on: { PEER_END: { actions: { type: 'say', params: 'seen' } } } } }),
    );
    const peer = started.layer.connect();
    peer.peerEnds();
    expect(heard(peer)).toEqual(['seen']);
    started.server.sessions.get('1')!.send({ type: 'LINE', text: 'more' } as never);
    expect(heard(peer)).toEqual(['seen', 'more']);
    started.time.advanceBy(4_999);
    expect(started.server.sessions.size).toBe(1);
    started.time.advanceBy(1);
    expect(ended(started)).toEqual([record('peer closed', 'force', 'rst')]);
    await nothingIsLeft(started);
  });

  test('FIN with the fact PEER_END: an END of the chart sends our FIN at once', async () => {
    const started = await start(
      labProtocol({ facts: ['PEER_END'], machine: { on: { PEER_END: { actions: 'end' } } } }),
    );
    const peer = started.layer.connect();
    says(peer, 'one');
    peer.peerEnds();
    expect(ended(started)).toEqual([record('peer closed', 'graceful', 'fin')]);
    await nothingIsLeft(started);
  });

  test("END: our FIN behind what was sent; frames are still decoded, what is sent is dropped, the peer's FIN closes it", async () => {
    const started = await start(labProtocol(commanded({ end: { type: 'END' } })));
    const peer = started.layer.connect({}, 10, { answersFin: false });
    says(peer, 'one', 'end', 'two');
    expect(peer.types).toEqual(['RESUME', 'WRITE', 'SEND_FIN']);
    expect(heard(peer)).toEqual(['one']);
    const session = started.server.sessions.get('1')!;
    expect(session.transportSnapshot.matches({ halfClosed: 'byUs' })).toBe(true);
    says(peer, 'three');
    expect(session.statistics.bytesDropped).toBe('two\nthree\n'.length);
    peer.peerEnds();
    expect(ended(started)).toEqual([record('peer closed', 'graceful', 'fin')]);
    await nothingIsLeft(started);
  });

  test('END: the waits count on: 6 000 ms without a READ end it, not 1 ms earlier', async () => {
    const started = await start(labProtocol(commanded({ end: { type: 'END' } })));
    const peer = started.layer.connect({}, 10, { answersFin: false });
    says(peer, 'end');
    started.time.advanceBy(5_999);
    expect(started.server.sessions.get('1')!.transportSnapshot.matches({ halfClosed: 'byUs' })).toBe(true);
    started.time.advanceBy(1);
    expect(started.server.sessions.get('1')!.transportState).toMatchObject({ closing: expect.any(String) });
    started.time.advanceBy(5_000);
    expect(started.server.sessions.recent).toMatchObject([{ reason: 'wait timeout', closedBy: 'rst' }]);
    expect(peer.types.filter((type) => type === 'SEND_FIN')).toHaveLength(1);
    await nothingIsLeft(started);
  });

  test('data after our FIN is read and dropped up to 1 000 bytes; the 1 001st resets the peer', async () => {
    const started = await start(labProtocol(), { discardedBytesMax: 1_000 });
    const peer = started.layer.connect({}, 10, { answersFin: false });
    started.server.sessions.get('1')!.close('graceful');
    peer.read(new Uint8Array(1_000));
    expect(started.server.sessions.size).toBe(1);
    peer.read(new Uint8Array(1));
    expect(ended(started)).toEqual([record('protocol asked', 'graceful', 'rst')]);
    await nothingIsLeft(started);
  });

  test('a close within a chunk: no further frame is delivered', async () => {
    const seen: string[] = [];
    const started = await start(
      labProtocol(
        commanded({ quit: { type: 'CLOSE', option: 'graceful' } }, {
          machine: { on: {} },
          implementations: { actions: {} },
          codecs: {
            lines: () => {
              const inner = lines();
              const decode = inner.decode.bind(inner);
              return Object.assign(inner, {
                decode: (buffer: never) => {
                  const message = decode(buffer);
                  if (message) seen.push(message.text);
                  return message;
                },
              });
            },
          },
        }),
      ),
    ); // prettier-ignore
    const peer = started.layer.connect();
    says(peer, 'one', 'quit', 'two', 'three');
    expect(seen).toEqual(['one', 'quit']);
    expect(heard(peer)).toEqual(['one']);
    expect(ended(started)).toEqual([record('protocol asked', 'graceful', 'fin')]);
    await nothingIsLeft(started);
  });

  test('RST in mid-frame: `peer reset`, and nothing is sent any more', async () => {
    const started = await start(labProtocol());
    const peer = started.layer.connect();
    peer.read('half a li');
    peer.peerResets();
    expect(ended(started)).toEqual([record('peer reset', 'force', 'rst')]);
    expect(started.errors).toEqual([]);
    await nothingIsLeft(started);
  });

  test('RST while output is queued: `peer reset`, also when it comes as EPIPE', async () => {
    for (const code of ['ECONNRESET', 'EPIPE']) {
      const started = await start(labProtocol());
      const peer = started.layer.connect({}, 10, { takes: false });
      says(peer, 'one');
      peer.report({ type: 'ERROR', code, message: code });
      expect(ended(started)).toEqual([record('peer reset', 'force', 'rst')]);
      await nothingIsLeft(started);
    }
  });

  test('any other socket error: `socket error`', async () => {
    const started = await start(labProtocol());
    started.layer.connect().report({ type: 'ERROR', code: 'EHOSTUNREACH', message: 'no route' });
    expect(ended(started)).toEqual([record('socket error', 'force', 'rst')]);
    await nothingIsLeft(started);
  });

  test.each([
    ['graceful', 'graceful', 'graceful'],
    ['graceful', 'force', 'force'],
    ['force', 'graceful', 'force'],
    ['force', 'force', 'force'],
  ] as const)('closed %s and then %s: one record, option %s, the first reason', async (first, second, option) => {
    const started = await start();
    started.layer.connect({}, 10, { answersFin: false });
    const session = started.server.sessions.get('1')!;
    session.close(first, 'limit');
    session.close(second, 'slow reader');
    started.time.advanceBy(5_000);
    expect(started.server.sessions.recent).toMatchObject([{ reason: 'limit', option }]);
    await nothingIsLeft(started);
  });

  test('a close with a reason that is neither built in nor listed throws at the caller and changes nothing', async () => {
    const started = await start();
    started.layer.connect();
    const session = started.server.sessions.get('1')!;
    expect(() => session.close('graceful', 'bored')).toThrow('"bored" is not in the reasons');
    expect(started.server.sessions.size).toBe(1);
  });

  test('a close with no such option, and a dispatch of no event, throw at the caller and change nothing', async () => {
    const started = await start(labProtocol());
    const peer = started.layer.connect();
    const session = started.server.sessions.get('1')!;
    expect(() => session.close('softly' as never)).toThrow("expected the option 'graceful' or 'force', got softly");
    for (const event of [undefined, null, 5, 'x', {}, { type: 'xstate.stop' }, { type: '*' }]) {
      expect(() => session.dispatch(event as never)).toThrow('instead of an event with a type of its own');
    }
    says(peer, 'one');
    expect(heard(peer)).toEqual(['one']);
    expect(started.errors).toEqual([]);
    await nothingIsLeft(started);
  });

  test('a final state of the chart ends it gracefully, `protocol done`, after what it sent', async () => {
    const started = await start(
      labProtocol({
        machine: {
          initial: 'a',
          on: {},
          states: {
            a: { on: { LINE: { target: 'b', actions: 'echo' } } },
            b: { type: 'final', entry: { type: 'say', params: 'bye' } },
          },
        },
      }),
    );
    const peer = started.layer.connect();
    says(peer, 'one', 'two');
    expect(heard(peer)).toEqual(['one', 'bye']);
    expect(ended(started)).toEqual([record('protocol done', 'graceful', 'fin')]);
    await nothingIsLeft(started);
  });

  test('a chart that is final at its start ends its session at once, `protocol done`', async () => {
    const started = await start(labProtocol({ machine: { initial: 'a', states: { a: { type: 'final' } } } }));
    started.layer.connect();
    expect(ended(started)).toEqual([record('protocol done', 'graceful', 'fin')]);
    await nothingIsLeft(started);
  });

  test("a reason of the protocol's own is the record's", async () => {
    const protocol = labProtocol({
      ...commanded({ rude: { type: 'CLOSE', option: 'force', reason: 'rude' } }),
      reasons: ['rude'],
    });
    const started = await start(protocol);
    says(started.layer.connect(), 'rude');
    expect(ended(started)).toEqual([record('rude', 'force', 'rst')]);
    expect(started.server.statistics.value.reasons).toEqual({ rude: 1 });
    await nothingIsLeft(started);
  });

  const everyState: Record<string, (peer: ReturnType<Awaited<ReturnType<typeof start>>['layer']['connect']>) => void> =
    {
      accepted: () => {},
      flowing: (peer) => says(peer, 'x'),
      congested: (peer) => {
        peer.takes = false;
        says(peer, 'x'.repeat(100));
      },
      'half-closed by us': (peer) => says(peer, 'end'),
      'half-closed by the peer': (peer) => peer.peerEnds(),
      flushing: (peer) => {
        peer.takes = false;
        says(peer, 'x', 'quit');
      },
      "waiting for the peer's FIN": (peer) => says(peer, 'quit'),
    };
  test.each(Object.keys(everyState))(
    'closed by force, and by the peer\'s RST, and by silence, in the state "%s": nothing is left',
    async (state) => {
      for (const end of ['force', 'rst', 'silence', 'close'] as const) {
        const started = await start(
          labProtocol({
            ...commanded({ end: { type: 'END' }, quit: { type: 'CLOSE', option: 'graceful' } }),
            facts: ['PEER_END'],
          }),
          { highWaterMarkBytes: 64, lowWaterMarkBytes: 16 },
        );
        const peer = started.layer.connect({}, 10, { answersFin: false });
        everyState[state]!(peer);
        expect(started.server.sessions.size).toBe(1);
        const session = started.server.sessions.get('1')!;
        if (end === 'force') session.close('force');
        if (end === 'close') session.close('graceful');
        if (end === 'rst') peer.peerResets();
        if (end !== 'force' && end !== 'rst') started.time.advanceBy(41_000);
        expect(started.server.sessions.size).toBe(0);
        expect(started.server.sessions.recent).toHaveLength(1);
        await nothingIsLeft(started);
      }
    },
  );
});

describe('USE_CODEC', () => {
  const two = (lab: Lab = {}) =>
    labProtocol({
      ...commanded({ binary: { type: 'USE_CODEC', name: 'frames' } }, {
        ...lab,
        implementations: {
          actions: {
            back: emit({ type: 'USE_CODEC', name: 'lines' }),
            reply: emit(({ event }: any) => ({ type: 'SEND', message: event })),
          },
          ...lab.implementations,
        },
        machine: { on: { FRAME: { actions: ['reply', 'back'] } } },
      }),
      codecs: { lines: () => lines(), frames: () => lengthPrefixed() },
    }); // prettier-ignore

  test('in mid-chunk: the bytes behind the line that asked for it go to the new codec, once, and back again', async () => {
    const started = await start(two());
    const peer = started.layer.connect();
    const all = Buffer.concat([
      Buffer.from('one\nbinary\n'),
      frame('b\nb'),
      Buffer.from('two\nbinary\n'),
      frame(''),
      Buffer.from('three\n'),
    ]);
    peer.read(all);
    const expected = Buffer.concat([
      Buffer.from('one\n'),
      frame('b\nb'),
      Buffer.from('two\n'),
      frame(''),
      Buffer.from('three\n'),
    ]);
    expect(peer.written).toBe(expected.toString());
    expect(started.errors).toEqual([]);
    await nothingIsLeft(started);
  });

  test('cut at every byte has the same result as in one chunk', async () => {
    const started = await start(two());
    const all = Buffer.concat([Buffer.from('one\nbinary\n'), frame('b\nb'), Buffer.from('two\n')]);
    for (let cut = 0; cut <= all.length; cut += 1) {
      const peer = started.layer.connect();
      peer.read(all.subarray(0, cut));
      peer.read(all.subarray(cut));
      expect(peer.written).toBe(Buffer.concat([Buffer.from('one\n'), frame('b\nb'), Buffer.from('two\n')]).toString());
    }
    await nothingIsLeft(started);
  });

  test('what was sent before it was encoded by the old codec', async () => {
    const started = await start(
      labProtocol({
        implementations: {
          actions: {
            swap: emit({ type: 'USE_CODEC', name: 'frames' }),
            frame: emit({ type: 'SEND', message: { type: 'FRAME', payload: Uint8Array.of(65) } }),
          },
        },
        machine: { on: { LINE: { actions: ['echo', 'swap', 'frame'] } } },
        codecs: { lines: () => lines(), frames: () => lengthPrefixed() },
      }),
    );
    const peer = started.layer.connect();
    says(peer, 'x');
    expect(peer.written).toBe('x\n\0\0\0\u0001A');
    await nothingIsLeft(started);
  });
});

describe('groups, keys and broadcasts', () => {
  const grouped = (lab: Lab = {}) =>
    labProtocol(
      commanded(
        {
          join: { type: 'JOIN', group: 'g' },
          leave: { type: 'LEAVE', group: 'g' },
          all: { type: 'BROADCAST', message: { type: 'LINE', text: 'to all' } },
          group: { type: 'BROADCAST', group: 'g', message: { type: 'LINE', text: 'to g' } },
          others: { type: 'BROADCAST', group: 'g', except: ['1', '2'], message: { type: 'LINE', text: 'to others' } },
          ann: { type: 'SET_KEY', key: 'ann' },
          bob: { type: 'SET_KEY', key: 'bob' },
        },
        {
          ...lab,
          machine: {
            on: {
              KEY_SET: { actions: { type: 'say', params: 'set' } },
              KEY_TAKEN: { actions: { type: 'say', params: 'taken' } },
            },
          },
        },
      ),
    );

  test('a broadcast reaches the group, or all, but for those left out; leaving and ending leave the group', async () => {
    const started = await start(grouped());
    const peers = Array.from({ length: 4 }, () => started.layer.connect());
    for (const peer of peers.slice(0, 3)) says(peer, 'join');
    says(peers[3]!, 'all', 'group', 'others');
    expect(peers.map(heard)).toEqual([
      ['to all', 'to g'],
      ['to all', 'to g'],
      ['to all', 'to g', 'to others'],
      ['to all'],
    ]);
    says(peers[0]!, 'leave', 'leave');
    peers[1]!.peerResets();
    expect(started.server.sessions.group('g').map(({ id }) => id)).toEqual(['3']);
    expect(started.server.sessions.groups).toEqual(['g']);
    peers[2]!.peerEnds();
    expect(started.server.sessions.groups).toEqual([]);
    await nothingIsLeft(started);
  });

  test('a broadcast during which members end, leave and join reaches each of those that were there once', async () => {
    const started = await start(grouped(), { heldBytesMax: 10, highWaterMarkBytes: 10 });
    const { server, layer } = started;
    const slow = layer.connect({}, 10, { takes: false });
    const peers = [slow, ...Array.from({ length: 4 }, () => layer.connect())];
    for (const peer of peers) says(peer, 'join');
    const late: typeof peers = [];
    server.sessions.changes.subscribe((change) => {
      if (change.type !== 'removed') return;
      // The slow one has just ended, in the middle of the broadcast.
      says(peers[4]!, 'leave');
      late.push(layer.connect());
      says(late[0]!, 'join');
    });
    expect(server.sessions.broadcast({ type: 'LINE', text: '12345678' } as never, { group: 'g' })).toBe(5);
    expect(server.sessions.broadcast({ type: 'LINE', text: '12345678' } as never, { group: 'g' })).toBe(4);
    expect(peers.map((peer) => heard(peer).length)).toEqual([1, 2, 2, 2, 2]);
    expect(heard(late[0]!)).toEqual([]);
    expect(server.sessions.group('g').map(({ id }) => id)).toEqual(['2', '3', '4', '6']);
    await nothingIsLeft(started);
  });

  test("a key is one session's at a time: set, taken, changed, and free when it ends", async () => {
    const started = await start(grouped());
    const { sessions } = started.server;
    const [a, b] = [started.layer.connect(), started.layer.connect()];
    says(a, 'ann');
    expect(sessions.byKey('ann')?.id).toBe('1');
    says(b, 'ann');
    expect(heard(b)).toEqual(['taken']);
    expect(sessions.get('2')!.key).toBeUndefined();
    says(a, 'ann', 'bob');
    expect(heard(a)).toEqual(['set', 'set', 'set']);
    expect([sessions.byKey('ann'), sessions.byKey('bob')?.id]).toEqual([undefined, '1']);
    says(b, 'ann');
    expect(sessions.byKey('ann')?.id).toBe('2');
    a.peerEnds();
    expect(sessions.byKey('bob')).toBeUndefined();
    expect(sessions.recent).toMatchObject([{ id: '1', key: 'bob' }]);
    await nothingIsLeft(started);
  });

  test('iteration goes on undisturbed while sessions end and come: each that was there at its turn once', async () => {
    const started = await start(grouped());
    for (let n = 0; n < 5; n += 1) started.layer.connect();
    const seen: string[] = [];
    for (const session of started.server.sessions) {
      seen.push(session.id);
      session.close('force');
      if (session.id === '2') started.server.sessions.get('4')!.close('force');
      if (session.id === '3') started.layer.connect();
    }
    expect(seen).toEqual(['1', '2', '3', '5', '6']);
    expect(started.server.sessions.size).toBe(0);
    await nothingIsLeft(started);
  });
});

describe("the registry's changes", () => {
  test('are added, changed at each change of state while somebody looks, and removed: exactly one start and one end a session', async () => {
    const started = await start(labProtocol());
    const seen: string[] = [];
    const subscription = started.server.sessions.changes.subscribe(({ type, session }) =>
      seen.push(`${type} ${session.id} ${JSON.stringify(session.transportState)}`),
    );
    const peer = started.layer.connect();
    says(peer, 'one');
    says(peer, 'two');
    peer.peerEnds();
    expect(seen[0]).toBe('added 1 "accepted"');
    expect(seen[1]).toBe('changed 1 {"connected":"flowing"}');
    expect(seen.filter((line) => line.startsWith('added'))).toHaveLength(1);
    expect(seen.filter((line) => line.startsWith('removed'))).toHaveLength(1);
    expect(new Set(seen).size).toBe(seen.length);
    subscription.unsubscribe();
    started.layer.connect();
    expect(seen.filter((line) => line.startsWith('added'))).toHaveLength(1);
    await nothingIsLeft(started);
  });

  test('a subscriber that closes a session when it is added leaves nothing of it', async () => {
    for (const option of ['force', 'graceful'] as const) {
      const started = await start(labProtocol());
      started.server.sessions.changes.subscribe(
        ({ type, session }) => void (type === 'added' && session.close(option)),
      );
      const peer = started.layer.connect();
      expect(peer.closed).toBe(true);
      expect(started.server.sessions.recent).toMatchObject([{ option, reason: 'protocol asked' }]);
      expect(started.errors).toEqual([]);
      await nothingIsLeft(started);
    }
  });

  test('a close from inside a guard, an action or an entry of the chart itself ends it, with nothing left', async () => {
    for (const where of ['guard', 'action', 'entry'] as const) {
      const close = () => {
        started.server.sessions.get('1')?.close('force');
        return true;
      };
      const started: Awaited<ReturnType<typeof start>> = await start(
        labProtocol({
          implementations: { guards: { close }, actions: { close: () => void close() } },
          machine: {
            initial: 'a',
            on: {},
            states: {
              a: { on: { LINE: where === 'guard' ? { guard: 'close', actions: 'echo' } : where === 'action' ? { actions: ['close', 'echo'] } : 'b' } },
              b: { entry: ['close', { type: 'say', params: 'b' }] },
            },
          },
        }),
      ); // prettier-ignore
      says(started.layer.connect(), 'one', 'two');
      expect(ended(started)).toEqual([record('protocol asked', 'force', 'rst')]);
      expect(started.errors).toEqual([]);
      await nothingIsLeft(started);
    }
  });
});

describe('events', () => {
  test.each(['before', 'after'])(
    'subscribed %s the start: each event of each socket once, with its session, in order, CLOSE last',
    async (when) => {
      const started = await start(labProtocol());
      const seen: string[] = [];
      const look = () =>
        started.server.events.subscribe(({ session, event }) => seen.push(`${session?.id ?? '-'} ${event.type}`));
      if (when === 'before') {
        await started.server.stop();
        look();
        await started.server.start();
        seen.length = 0;
      } else look();
      const peer = started.layer.connect();
      says(peer, 'one');
      peer.peerEnds();
      expect(seen).toEqual(['- ACCEPT', '1 READ', '1 PEER_END', '1 FLUSHED', '1 CLOSE']);
      await nothingIsLeft(started);
    },
  );
});
