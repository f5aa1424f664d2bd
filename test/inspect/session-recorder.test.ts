/** What is taken down of a session, and how much of it is kept: on the fake layer and virtual time, read back from the file's text. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assign, emit, fromCallback, fromPromise, raise, sendTo } from 'xstate';
import { afterAll, describe, expect, expectTypeOf, test } from 'vitest';
import type { Session, SessionRecording } from '../../src/index.js';
import { replayRecording } from '../../src/explore/replay.js';
import { ByteCount, Elided } from '../../src/inspect/plain-data.js';
import type { Checkpoint, Recording, RecordingEntry, Step } from '../../src/inspect/recording.js';
import { readRecording } from '../../src/inspect/recording-text.js';
import type { AnyProtocol } from '../../src/session/protocol.js';
import { labProtocol, says, type Lab } from '../session/lab.js';
import { start, type Started } from '../session/start.js';
import type { FakeSocket } from '../session/fake-layer.js';

/** Of files that no test here looks at. */
const FOLDER = mkdtempSync(join(tmpdir(), 'wirechart-recorder-'));
afterAll(() => rmSync(FOLDER, { recursive: true, force: true }));

interface Recorded extends Started {
  readonly peer: FakeSocket;
  readonly session: Session;
}

/** A session that is recorded from its start, in a server that would write a file of it if it failed. */
async function recorded(protocol: AnyProtocol = labProtocol(), record: object = {}): Promise<Recorded> {
  const started = await start(protocol, { record: { folder: FOLDER, ...record }, waitTimeoutCountMax: 0 });
  const peer = started.layer.connect();
  return { ...started, peer, session: [...started.server.sessions][0]! };
}

const read = (recording: SessionRecording): Recording => readRecording(recording.text());
const steps = ({ entries }: Recording, chart: Step['chart']): Step[] =>
  entries.filter((entry): entry is Step => entry.kind === 'step' && entry.chart === chart);
const checkpoints = ({ entries }: Recording) =>
  entries.filter((entry): entry is Checkpoint => entry.kind === 'checkpoint');
const without = (entries: readonly RecordingEntry[], kind: RecordingEntry['kind']) =>
  entries.filter((entry) => entry.kind !== kind);

/** Counts lines; `timed` has a timer of its own. */
const counting = (lab: Lab = {}) =>
  labProtocol({
    ...lab,
    implementations: {
      actions: {
        count: assign({ count: ({ context }: { context: { count: number } }) => context.count + 1 } as never),
        ...(lab.implementations?.['actions'] as object | undefined),
      },
    },
    machine: { context: { count: 0 }, on: { LINE: { actions: ['count', 'echo'] } }, ...lab.machine },
  });

describe('one line to an echo', () => {
  test('is a checkpoint and 7 entries: both starts, the read, the bytes, the message with its command and its encoding, the write', async () => {
    const { peer, session, time } = await recorded();
    time.advanceBy(5);
    says(peer, 'hello');
    const recording = read(session.record());
    expect(
      recording.entries.map((entry) => (entry.kind === 'step' ? `${entry.chart} ${entry.origin}` : entry.kind)),
    ).toEqual([
      'checkpoint',
      'transport start',
      'protocol start',
      'transport session',
      'received',
      'protocol message',
      'encoded',
      'transport session',
    ]);
    expect(recording.entries[4]).toEqual({ n: 4, kind: 'received', atMs: 5, bytes: new ByteCount(6) });
    expect(recording.entries[5]).toMatchObject({
      event: { type: 'LINE', text: 'hello' },
      commands: [{ type: 'SEND', message: { type: 'LINE', text: 'hello' } }],
    });
    expect(recording.entries[6]).toMatchObject({ message: { type: 'LINE', text: 'hello' }, bytes: new ByteCount(6) });
    expect(recording.entries[3]).toMatchObject({ event: { type: 'READ', bytes: new ByteCount(6) } });
  });

  test('without payloads no byte of it is in the text but in the message; with them the bytes are', async () => {
    const plain = await recorded();
    says(plain.peer, 'hello');
    expect(plain.session.record().text()).not.toContain('$bytes');
    const { peer, session } = await recorded(labProtocol(), { payloads: true });
    says(peer, 'hello');
    expect(read(session.record()).entries[4]).toMatchObject({
      kind: 'received',
      bytes: Uint8Array.from(Buffer.from('hello\n')),
    });
  });

  test('bytes that the socket layer writes over afterwards stay as they were', async () => {
    const { peer, session } = await recorded(labProtocol(), { payloads: true });
    const pool = Uint8Array.from(Buffer.from('hello\n'));
    peer.read(pool);
    pool.fill(0);
    expect(read(session.record()).entries[4]).toMatchObject({ bytes: Uint8Array.from(Buffer.from('hello\n')) });
  });
});

describe('where an event comes from', () => {
  test('a message, a fact, a handler, the server, the registry and a timer are told apart', async () => {
    const protocol = labProtocol({
      implementations: {
        actions: {
          ask: emit({ type: 'ASK' }),
          name: emit({ type: 'SET_KEY', key: 'ann' }),
          soon: raise({ type: 'SOON' }, { delay: 10, id: 'soon' }),
        },
      },
      machine: { on: { LINE: { actions: ['ask', 'name', 'soon'] } }, after: { 20: { actions: [] } } },
      handlers: { ASK: { run: () => ({ type: 'ANSWER' }), deadlineMs: 100 } },
      facts: ['PEER_END'],
    });
    const { peer, session, time } = await recorded(protocol);
    says(peer, 'x');
    session.dispatch({ type: 'NEWS' });
    time.advanceBy(20);
    peer.peerEnds();
    const seen = steps(read(session.record()), 'protocol').map(
      ({ origin, event }) => `${origin} ${(event as { type: string }).type}`,
    );
    expect(seen).toEqual([
      'start xstate.init',
      'message LINE',
      'answer ANSWER',
      'key KEY_SET',
      'dispatch NEWS',
      'timer SOON',
      'timer xstate.after.20.lab',
      'fact PEER_END',
    ]);
  });
});

describe('the ring', () => {
  test('of 40 entries keeps 20 to 44 of the 2 002 that 400 lines make, and replays from its checkpoint', async () => {
    const protocol = counting();
    const { peer, session } = await recorded(protocol, { entriesMax: 40 });
    for (let n = 0; n < 400; n += 1) says(peer, `line ${n}`);
    const recording = read(session.record());
    const kept = without(recording.entries, 'checkpoint').length;
    expect(kept).toBeGreaterThanOrEqual(20);
    expect(kept).toBeLessThanOrEqual(44); // a segment ends between two steps
    expect(recording.header.dropped + kept).toBe(2 + 400 * 5);
    const [first] = checkpoints(recording);
    const { context } = first!.charts!.protocol as { context: { count: number } };
    expect(steps(recording, 'protocol')[0]!.event).toEqual({ type: 'LINE', text: `line ${context.count}` });
    expect(replayRecording(recording, protocol)).toMatchObject({ agrees: true, changes: [] });
  });

  test('of 8 KiB keeps about that much of 1 000 lines of 200 letters, whatever the number of entries', async () => {
    const { peer, session } = await recorded(counting(), { bytesMax: 8_192, entriesMax: 1_000_000, payloads: true });
    for (let n = 0; n < 1_000; n += 1) says(peer, 'x'.repeat(200));
    const recording = read(session.record());
    expect(without(recording.entries, 'checkpoint').length).toBeLessThan(80);
    expect(recording.header.dropped).toBeGreaterThan(4_900);
    expect(replayRecording(recording, counting())).toMatchObject({ agrees: true });
  });

  test.each([
    ['throws', 'fail', 'failed'],
    ['ends', 'nothing', 'done'],
  ])(
    'goes on when a chart %s while another event waits for it: 5 000 reads afterwards keep at most 44 entries',
    async (_what, action, target) => {
      const protocol = labProtocol({
        implementations: {
          actors: {
            mirror: fromCallback(({ sendBack, receive }) =>
              receive(() => {
                sendBack({ type: 'BACK' });
                sendBack({ type: 'BACK' });
              }),
            ),
          },
          actions: {
            nothing: () => {},
            fail: () => {
              throw new Error('boom');
            },
          },
        },
        machine: {
          initial: 'open',
          states: {
            open: {
              invoke: { id: 'mirror', src: 'mirror' },
              on: { LINE: { actions: sendTo('mirror', { type: 'X' }) }, BACK: { actions: action, target: 'done' } },
            },
            done: { type: 'final' },
          },
        },
      });
      const { peer, session } = await recorded(protocol, { entriesMax: 40 });
      peer.answersFin = false;
      const recording = session.record();
      says(peer, 'x');
      expect(read(recording).entries).toContainEqual(
        expect.objectContaining(target === 'failed' ? { failure: expect.anything() as unknown } : { state: 'done' }),
      );
      for (let n = 0; n < 5_000; n += 1) peer.read('x');
      expect(session.transportState).toEqual({ closing: 'finWait' });
      expect(read(recording).header.dropped).toBeGreaterThan(4_000);
      expect(read(recording).entries.length).toBeLessThan(45);
    },
  );

  test('takes a command with a getter that throws, and one that refers to a whole graph, without a word or a wait', async () => {
    const knot: Record<string, unknown> = {};
    for (let n = 0; n < 64; n += 1) knot[`part${n}`] = knot;
    const odd = { type: 'LEAVE', group: 'none', knot, get odd(): never { throw new Error('not for you'); } }; // prettier-ignore
    const { peer, session, errors } = await recorded(
      labProtocol({
        implementations: { actions: { odd: emit(() => odd as never) } },
        machine: { on: { LINE: { actions: 'odd' } } },
      }),
    );
    const recording = session.record();
    says(peer, 'x');
    expect(errors).toEqual([]);
    expect(steps(read(recording), 'protocol').at(-1)!.commands).toHaveLength(1);
  });

  test('of 4 KiB replaces a line of 10 000 letters by its size, and what follows it is replayed', async () => {
    const protocol = counting();
    const { peer, session } = await recorded(protocol, { bytesMax: 4_096, payloads: true });
    says(peer, 'before', 'x'.repeat(10_000), 'after');
    says(peer, 'later');
    const recording = read(session.record());
    const elided = steps(recording, 'protocol').filter(({ event }) => event instanceof Elided);
    expect(elided).toHaveLength(1);
    expect((elided[0]!.event as Elided).why).toMatch(/^LINE: with its commands about 20\d\d\d bytes$/);
    const result = replayRecording(recording, protocol);
    expect(result).toMatchObject({ agrees: true });
    expect(result.notes).toContain(
      'a step was too large to be kept, and what follows it is looked at from the next checkpoint on',
    );
    expect(session.record().text()).not.toContain('xxxxxxxxxx');
  });
});

describe('a checkpoint', () => {
  test('has the timers with their due times, the unfinished bytes, the codec and the handlers that have not answered', async () => {
    const protocol = labProtocol({
      implementations: {
        actions: { ask: emit({ type: 'ASK' }), soon: raise({ type: 'SOON' }, { delay: 700, id: 'soon' }) },
      },
      machine: { on: { LINE: { actions: ['ask', 'soon'] } } },
      handlers: { ASK: { run: () => new Promise(() => {}), deadlineMs: 60_000 } },
    });
    const { peer, session, time } = await recorded(protocol, { entriesMax: 2, payloads: true });
    time.advanceBy(100);
    says(peer, 'x');
    await time.advanceByAsync(50);
    peer.read('unfinished');
    await time.advanceByAsync(1);
    session.dispatch({ type: 'NEWS' });
    const last = checkpoints(read(session.record())).at(-1)!;
    expect(last).toMatchObject({
      atMs: 151,
      codec: { name: 'lines' },
      input: Uint8Array.from(Buffer.from('unfinished')),
      pendingHandlers: ['ASK'],
      timers: [
        { chart: 'transport', event: { type: 'FRAME_TIMEOUT' }, delayMs: 30_000, dueMs: 30_150 },
        { chart: 'protocol', event: { type: 'SOON' }, delayMs: 700, dueMs: 800 },
      ],
    });
  });

  test('without payloads counts the unfinished bytes', async () => {
    const { peer, session } = await recorded(labProtocol(), { entriesMax: 2 });
    peer.read('unfinished');
    session.dispatch({ type: 'NEWS' });
    expect(checkpoints(read(session.record())).at(-1)!.input).toEqual(new ByteCount(10));
  });

  test('holds a context with a cycle, functions and bytes without a word', async () => {
    const cycle: Record<string, unknown> = { f: () => 1, bytes: Uint8Array.of(1) };
    cycle['self'] = cycle;
    const protocol = labProtocol({ machine: { context: { cycle } } });
    const { peer, session } = await recorded(protocol, { entriesMax: 4 });
    says(peer, 'a', 'b', 'c');
    const recording = read(session.record());
    expect(checkpoints(recording).at(-1)!.charts!.protocol.context).toEqual({
      cycle: { f: new Elided('the function f'), bytes: Uint8Array.of(1), self: new Elided('a part of itself') },
    });
    expect(replayRecording(recording, protocol)).toMatchObject({ agrees: true });
  });
});

describe('session.record()', () => {
  test('begins with a checkpoint of where the session is, and replays', async () => {
    const protocol = counting();
    const { layer, server } = await start(protocol);
    const peer = layer.connect();
    const session = [...server.sessions][0]!;
    says(peer, 'a', 'b');
    const recording = session.record();
    expectTypeOf(recording).toEqualTypeOf<SessionRecording>();
    says(peer, 'c');
    const text = read(recording);
    expect(text.entries[0]).toMatchObject({
      kind: 'checkpoint',
      charts: { protocol: { context: { count: 2 } }, transport: { value: { connected: 'flowing' } } },
    });
    expect(steps(text, 'protocol').map(({ event }) => event)).toEqual([{ type: 'LINE', text: 'c' }]);
    expect(replayRecording(text, protocol)).toMatchObject({ agrees: true, states: 3 });
  });

  test('asked for twice is one recording; with options it is another', async () => {
    const { layer, server } = await start(labProtocol());
    const peer = layer.connect();
    const session = [...server.sessions][0]!;
    const first = session.record();
    says(peer, 'a');
    expect(session.record()).toBe(first);
    const bytes = session.record({ payloads: true });
    says(peer, 'b');
    expect(read(bytes).header.payloads).toBe(true);
    expect(steps(read(bytes), 'protocol')).toHaveLength(1);
    expect(steps(read(first), 'protocol')).toHaveLength(2);
  });

  test('stopped, keeps what it has and takes nothing more', async () => {
    const { layer, server } = await start(labProtocol());
    const peer = layer.connect();
    const session = [...server.sessions][0]!;
    const recording = session.record();
    says(peer, 'a');
    recording.stop();
    const text = recording.text();
    says(peer, 'b');
    expect(recording.text()).toBe(text);
    expect(text).toContain('"text":"a"');
  });

  test('has the record of a session that has ended since', async () => {
    const { peer, session, time } = await recorded(counting());
    says(peer, 'a');
    const recording = session.record();
    expect(read(recording).end).toBeUndefined();
    peer.peerEnds();
    time.advanceBy(100);
    expect(read(recording)).toMatchObject({
      isComplete: true,
      end: { id: '1', reason: 'peer closed', closedBy: 'fin' },
    });
    expect(replayRecording(read(recording), counting())).toMatchObject({ agrees: true });
  });

  test.each([
    [{ entriesMax: 1 }, 'record.entriesMax: expected an integer from 2 to 1000000, got 1'],
    [{ bytesMax: 100 }, 'record.bytesMax: expected an integer from 4096 to 1073741824, got 100'],
    [{ payloads: 'yes' }, 'record.payloads: expected true or false, got "yes"'],
    [{ payload: true }, 'record.payload: there is no such option; did you mean payloads?'],
  ])('refuses %j', async (options, message) => {
    const { session } = await recorded();
    expect(() => session.record(options as never)).toThrow(message);
  });
});

describe('secrets', () => {
  const secret = () =>
    counting({
      secrets: { LINE: ['text'], context: ['last'] },
      implementations: {
        actions: { note: assign({ last: ({ event }: { event: { text: string } }) => event.text } as never) },
      },
      machine: { context: { count: 0, last: '' }, on: { LINE: { actions: ['count', 'note', 'echo'] } } },
    });

  test('are masked in messages, commands, what was encoded, and in the context of a checkpoint', async () => {
    const { peer, session } = await recorded(secret(), { entriesMax: 20 });
    for (let n = 0; n < 20; n += 1) says(peer, 'hunter2');
    const text = session.record().text();
    expect(text).not.toContain('hunter2');
    const recording = readRecording(text);
    expect(recording.header).toMatchObject({ payloads: false, masked: { LINE: ['text'], context: ['last'] } });
    expect(steps(recording, 'protocol')[0]).toMatchObject({
      event: { text: '*******' },
      commands: [{ message: { text: '*******' } }],
    });
    expect(checkpoints(recording)[0]!.charts!.protocol.context).toMatchObject({ last: '*******' });
    const result = replayRecording(recording, secret());
    expect(result).toMatchObject({ agrees: true });
    expect(result.notes).toContainEqual(
      expect.stringContaining('masked, and so not compared: LINE.text, context.last'),
    );
  });

  test('are masked in the answer of the registry to a SET_KEY, and in the record of the session', async () => {
    const { peer, session, server, time } = await recorded(
      labProtocol({
        secrets: { SET_KEY: ['key'], LINE: ['text'] },
        implementations: {
          actions: {
            take: emit(({ event }) => ({ type: 'SET_KEY', key: (event as unknown as { text: string }).text })),
          },
        },
        machine: { on: { LINE: { actions: 'take' } } },
      }),
    );
    const recording = session.record();
    says(peer, 'hunter2', 'hunter3');
    expect([...server.sessions][0]!.key).toBe('hunter3');
    session.close('force');
    time.advanceBy(10);
    const { entries, end } = read(recording);
    expect(recording.text()).not.toMatch(/hunter[23]/);
    expect(entries).toContainEqual(
      expect.objectContaining({ origin: 'key', event: { type: 'KEY_SET', key: '*******' } }),
    );
    expect(end?.key).toBe('*******');
  });

  test('are masked in what was thrown, whether it is an error or a text, by a chart or by an actor that it invoked', async () => {
    const lines = (actions: Record<string, unknown>, machine: Record<string, unknown>) =>
      labProtocol({
        secrets: { LINE: ['text'] },
        implementations: {
          actions,
          // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- what a user's code may do
          actors: { ask: fromPromise(({ input }) => Promise.reject(`no ${input as string}` as never)) },
        },
        machine,
      });
    const fail = ({ event }: { event: { text: string } }): never => {
      // eslint-disable-next-line @typescript-eslint/only-throw-error -- likewise
      throw `no ${event.text}` as never;
    };
    const threw = await recorded(lines({ fail }, { on: { LINE: { actions: 'fail' } } }));
    const asked = await recorded(
      lines(
        {},
        {
          initial: 'idle',
          states: {
            idle: { on: { LINE: 'asking' } },
            asking: {
              invoke: { src: 'ask', input: ({ event }: { event: { text: string } }) => event.text, onError: {} },
            },
          },
        },
      ),
    );
    for (const { peer, session, time } of [threw, asked]) {
      const recording = session.record();
      says(peer, 'hunter2');
      await time.settle();
      expect(recording.text()).not.toContain('hunter2');
      expect(recording.text()).toContain('"**********"');
    }
  });

  test("of the protocol's context are not taken for fields of the same name in the transport's", async () => {
    const protocol = labProtocol({
      secrets: { context: ['waitTimeoutCountMax', 'held'] },
      machine: { context: { held: 'no' } },
    });
    const { session, time } = await recorded(protocol);
    const recording = session.record({});
    time.advanceBy(1_000);
    session.close('graceful');
    const { charts } = checkpoints(read(recording))[0]!;
    expect(charts!.transport.context).toMatchObject({ held: false, waitTimeoutCountMax: 0 });
    expect(charts!.protocol.context).toEqual({ held: '**' });
    expect(replayRecording(read(recording), protocol)).toMatchObject({ agrees: true, steps: 4 });
  });

  test('are kept with payloads, and the header says that nothing is masked', async () => {
    const { peer, session } = await recorded(secret(), { payloads: true });
    says(peer, 'hunter2');
    expect(read(session.record()).header).toMatchObject({ payloads: true, masked: {} });
    expect(session.record().text()).toContain('"text":"hunter2"');
  });

  test.each([
    [{ LINE: 'text' }, 'protocol.secrets["LINE"]: expected an array of names of fields, got "text"'],
    [{ LINE: [] }, 'protocol.secrets["LINE"]: expected an array of names of fields, got an array'],
    [
      { LINE: ['a..b'] },
      'protocol.secrets["LINE"]: expected the name of a field, or names joined by dots: `user.password`, got "a..b"',
    ],
    [[], 'protocol.secrets: expected an object, got an array'],
    [{ LNE: ['text'] }, 'protocol.secrets.LNE: there is no such option; did you mean LINE?'],
    [{ contxt: ['text'] }, 'protocol.secrets.contxt: there is no such option; did you mean context?'],
    [{ LINE: ['txt'] }, 'protocol.secrets["LINE"]: expected a field of the message LINE: text, got "txt"'],
  ])('of the wrong shape are refused: %j', (secrets, message) => {
    expect(() => labProtocol({ secrets })).toThrow(message);
  });
});
