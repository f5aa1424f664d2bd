/** Which sessions of a server become a file, when it is written, and what happens when it cannot be. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { emit } from 'xstate';
import { afterEach, beforeEach, describe, expect, expectTypeOf, test } from 'vitest';
import type { RecordOptions, TcpServerOptions } from 'wirechart';
import { readRecording } from '../../src/inspect/recording-text.js';
import { createTcpServer } from '../../src/server.js';
import type { ByteQueue } from '../../src/codec/byte-queue.js';
import { truncatedUnlessEmpty } from '../../src/codec/codec.js';
import { brokenLines, labProtocol, says } from '../session/lab.js';
import { start, type Started } from '../session/start.js';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'wirechart-recorders-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const protocol = labProtocol({
  reasons: ['bored'],
  implementations: {
    guards: {
      isBoom: ({ event }: any) => {
        if (event.text === 'boom') throw new Error('boom');
        return event.text === 'bored';
      },
    },
    actions: { leave: emit({ type: 'CLOSE', option: 'graceful', reason: 'bored' }) },
  },
  machine: { on: { LINE: [{ guard: 'isBoom', actions: 'leave' }, { actions: 'echo' }] } },
});

const serve = (record: Partial<RecordOptions> = {}) => start(protocol, { record: { folder, ...record } });

/** A peer that says something, reads what comes, and goes. */
function visit({ layer, time }: Started, text: string): void {
  const peer = layer.connect();
  says(peer, text);
  peer.peerEnds();
  time.advanceBy(10);
}

/** Ends the server. @returns the ended sessions that have a file, by reason */
async function reasonsIn({ server, time }: Started): Promise<string[]> {
  const stopped = server.stop({ option: 'force' });
  await time.runUntilAsync(() => server.state.value === 'closed');
  await stopped;
  return readdirSync(folder)
    .map((file) => readRecording(readFileSync(join(folder, file), 'utf8')).end!.reason)
    .sort();
}

describe('by default', () => {
  test('a session that failed has a file, with what was reported, and those that went well have none', async () => {
    const started = await serve();
    for (const text of ['hello', 'boom', 'bored']) visit(started, text);
    expect(await reasonsIn(started)).toEqual(['protocol failed']);
    const [file] = readdirSync(folder);
    expect(file).toMatch(/^lab-2-\d{8}T\d{9}Z\.jsonl$/);
    const { entries, header } = readRecording(readFileSync(join(folder, file!), 'utf8'));
    expect(header).toMatchObject({ protocol: 'lab', session: { id: '2' }, payloads: false, dropped: 0 });
    expect(entries).toContainEqual(
      expect.objectContaining({
        kind: 'error',
        code: 'PROTOCOL_FAILED',
        message: expect.stringMatching(/^the protocol chart threw: .*boom/s) as string,
      }),
    );
  });

  test('nothing is recorded by a server without the option', async () => {
    const started = await start(protocol);
    visit(started, 'boom');
    expect(await reasonsIn(started)).toEqual([]);
  });

  test('a session that a peer broke has one: bytes that end in the middle of a frame', async () => {
    const started = await start(labProtocol({ codecs: { lines: () => truncating() } }), { record: { folder } });
    const peer = started.layer.connect();
    peer.read('half');
    peer.peerEnds();
    started.time.advanceBy(10);
    expect(await reasonsIn(started)).toEqual(['truncated frame']);
  });
});

test('`always`: each session has a file', async () => {
  const started = await serve({ when: 'always' });
  for (const text of ['hello', 'boom', 'bored']) visit(started, text);
  expect(await reasonsIn(started)).toEqual(['bored', 'peer closed', 'protocol failed']);
});

test('`errorReasons` says what else is an error: a reason of the protocol, but a reported error always is', async () => {
  const started = await serve({ errorReasons: ['bored'] });
  for (const text of ['hello', 'boom', 'bored']) visit(started, text);
  expect(await reasonsIn(started)).toEqual(['bored', 'protocol failed']);
});

test('`filesMax` of 2: the third and fourth have none, which is reported once', async () => {
  const started = await serve({ when: 'always', filesMax: 2 });
  for (const text of ['a', 'b', 'c', 'd']) visit(started, text);
  expect(await reasonsIn(started)).toHaveLength(2);
  expect(started.errors.map(({ code, message }) => `${code} ${message}`)).toEqual([
    `RECORDING_FAILED there are 2 recordings in ${folder}: no more are written (filesMax)`,
  ]);
});

test('an id that would lead out of the folder does not', async () => {
  const started = await start(protocol, { record: { folder, when: 'always' }, ids: () => '../../escaped' });
  visit(started, 'hello');
  await reasonsIn(started);
  expect(readdirSync(folder)).toEqual([expect.stringMatching(/^lab-_escaped-/)]);
  expect(existsSync(join(folder, '../../escaped'))).toBe(false);
});

test('`stop()` comes back when the files are there', async () => {
  const started = await serve({ when: 'always' });
  for (let n = 0; n < 50; n += 1) visit(started, `visit ${n}`);
  expect(await reasonsIn(started)).toHaveLength(50);
});

test('a file that cannot be written is reported with its name; the session and the server are not touched by it', async () => {
  const started = await serve({ when: 'always' });
  rmSync(folder, { recursive: true });
  visit(started, 'hello');
  const stopped = started.server.stop({ option: 'force' });
  await started.time.runUntilAsync(() => started.server.state.value === 'closed');
  await stopped;
  expect(started.errors).toEqual([
    expect.objectContaining({
      code: 'RECORDING_FAILED',
      message: expect.stringMatching(/^the recording lab-1-.*\.jsonl could not be written: ENOENT/) as string,
    }),
  ]);
  expect(started.server.sessions.recent[0]).toMatchObject({ reason: 'peer closed' });
});

test('a folder that cannot be used is an error of `start`, which names it', async () => {
  writeFileSync(join(folder, 'file'), '');
  const server = createTcpServer(protocol, { record: { folder: join(folder, 'file/below') } });
  await expect(server.start()).rejects.toMatchObject({
    name: 'StartError',
    code: 'FOLDER_UNUSABLE',
    message: expect.stringContaining(`record.folder: cannot write to ${join(folder, 'file/below')}`) as string,
  });
  expect(server.state.value).toBe('closed');
});

test.each([
  [{}, 'server.record.folder: expected a string that is not empty, got undefined'],
  [{ folder: 'x', when: 'never' }, 'server.record.when: expected "error" or "always", got "never"'],
  [
    { folder: 'x', errorReasons: 'bored' },
    'server.record.errorReasons: expected an array of close reasons, got "bored"',
  ],
  [{ folder: 'x', filesMax: 0 }, 'server.record.filesMax: expected an integer from 1 to 1000000, got 0'],
  [{ folder: 'x', payload: true }, 'server.record.payload: there is no such option; did you mean payloads?'],
  ['x', 'server.record: expected an object, got "x"'],
])('refuses %j', (record, message) => {
  expect(() => createTcpServer(protocol, { record } as never)).toThrow(message);
});

test('the option is one of a server', () => {
  expectTypeOf<TcpServerOptions['record']>().toEqualTypeOf<RecordOptions | undefined>();
});

/** Lines whose last one needs its end. */
function truncating() {
  return brokenLines({ end: (buffer) => truncatedUnlessEmpty(buffer as ByteQueue) });
}
