/** What a page may ask of sessions, and what is written down of it. Servers in a simulated world; the clock stands still unless a test moves it. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import echo from '../../examples/echo/index.js';
import { readRecording } from '../../src/inspect/recording-text.js';
import type { PageMessage, RecordingFile } from '../../src/inspect/visualizer/messages.js';
import { createVisualizer, type Visualizer } from '../../src/inspect/visualizer/visualizer.js';
import type { VisualizerOptions } from '../../src/inspect/visualizer/visualizer-options.js';
import type { TcpServer } from '../../src/server.js';
import { createWorld, type World } from '../../src/testing/world.js';
import { ask, cookieOf, silentPeers, TestPage } from './page.js';

type Command = Extract<PageMessage, { type: 'command' }>;

let world: World;
let server: TcpServer;
let visualizer: Visualizer;
let pages: TestPage[];
let folder: string;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'wirechart-recordings-'));
  world = createWorld();
  pages = [];
  server = await world.server(echo, { waitTimeoutCountMax: 0 });
});

afterEach(async () => {
  await visualizer.stop();
  for (const page of pages) await page.closed;
  await world.end();
  rmSync(folder, { recursive: true, force: true });
});

async function open(options: VisualizerOptions = {}): Promise<TestPage> {
  visualizer = createVisualizer(server, { time: world.time, control: true, ...options });
  await visualizer.start();
  return another();
}

async function another(): Promise<TestPage> {
  const page = new TestPage(visualizer.url);
  pages.push(page);
  await page.told('hello');
  return page;
}

const connectPeers = (count: number) => silentPeers(world, server, count);

let ref = 0;

async function result(page: TestPage, command: Omit<Command, 'type' | 'ref' | 'source'> & { source?: string }) {
  const own = (ref += 1);
  page.send({ type: 'command', ref: own, source: 'echo', ...command });
  const { outcome, text, recording } = await page.told('result', (message) => message.ref === own);
  return { outcome, text, ...(recording !== undefined && { recording }) };
}

/** The disk has its own time: the clock goes on, ping by ping, until the list is as it should be. */
async function listed(page: TestPage, is: (files: readonly RecordingFile[]) => boolean) {
  for (;;) {
    const found = page.all('recordings').find(({ files }) => is(files));
    if (found) return found;
    world.advanceBy(500);
    await page.settled();
  }
}

const ids = (count: number) => Array.from({ length: count }, (_, n) => String(n + 1));

test('close ends a session gracefully, with our FIN; reset by RST', async () => {
  const [first, second] = connectPeers(2);
  const saw: string[] = [];
  for (const peer of [first!, second!])
    peer.events.subscribe(({ type }) => (type === 'END' || type === 'ERROR') && saw.push(type));
  const page = await open();
  expect(await result(page, { what: 'close', ids: ['1'] })).toEqual({
    outcome: 'done',
    text: '1 session asked to close',
  });
  expect(await result(page, { what: 'reset', ids: ['2'], confirm: '2' })).toMatchObject({ outcome: 'done' });
  world.runUntil(() => server.sessions.size === 0);
  world.advanceBy(100);
  expect(server.sessions.recent.map(({ id, closedBy }) => [id, closedBy]).sort()).toEqual([
    ['1', 'fin'],
    ['2', 'rst'],
  ]);
  expect(saw.sort()).toEqual(['END', 'ERROR']);
});

describe('security: without control', () => {
  test.each<Omit<Command, 'type' | 'ref' | 'source'>>([
    { what: 'close', ids: ['1'] },
    { what: 'reset', ids: ['1'], confirm: '1' },
    { what: 'send', ids: ['1'], event: { type: 'FRAME' } },
    { what: 'record', ids: ['1'] },
    { what: 'stopRecording', ids: ['1'] },
  ])('$what is refused, touches no session, and is in the log', async (command) => {
    connectPeers(1);
    const page = await open({ control: false });
    page.send({ type: 'subscribe', topic: 'log' });
    const refused = { outcome: 'refused', text: 'this visualizer only looks: it was started without control' };
    expect(await result(page, command)).toEqual(refused);
    world.advanceBy(1_000);
    expect(server.sessions.size).toBe(1);
    const { entries } = await page.told('log', (message) => message.entries.length > 0);
    expect(entries).toMatchObject([{ viewer: 1, what: command.what, source: 'echo', ids: ['1'], ...refused }]);
  });
});

describe('security: a reset has to be confirmed', () => {
  test.each([
    [1, undefined],
    [1, '2'],
    [1, ''],
    [3, '1'],
    [3, '2'],
    [12, '11'],
    [12, undefined],
  ])('%i sessions with %j: refused, and none is reset', async (count, confirm) => {
    connectPeers(count);
    const page = await open();
    const command = { what: 'reset', ids: ids(count), ...(confirm !== undefined && { confirm }) } as const;
    const { outcome, text } = await result(page, command);
    expect(outcome).toBe('refused');
    expect(text).toContain(count === 1 ? 'the id of the session' : `how many there are, ${count}`);
    world.advanceBy(100);
    expect(server.sessions.size).toBe(count);
  });

  test('the id of one, or the count of several, lets it happen; an id that is there twice counts once', async () => {
    connectPeers(4);
    const page = await open();
    const done = { outcome: 'done', text: '3 sessions reset' };
    expect(await result(page, { what: 'reset', ids: ['1', '2', '3', '3'], confirm: '3' })).toEqual(done);
    world.runUntil(() => server.sessions.size === 1);
  });
});

test('of several sessions those that are there are closed, and the result says how many; of none it failed', async () => {
  connectPeers(2);
  const page = await open();
  const { outcome, text } = await result(page, { what: 'close', ids: ['1', '99', '2'] });
  expect([outcome, text]).toEqual(['done', expect.stringMatching(/^2 of 3 sessions asked to close; .*"99"/)]);
  const failed = await result(page, { what: 'close', ids: ['98', '99'] });
  expect(failed).toMatchObject({ outcome: 'failed', text: expect.stringContaining('"98"') as string });
  expect(await result(page, { what: 'close', source: 'nobody', ids: ['1'] })).toEqual({
    outcome: 'refused',
    text: 'there is no nobody',
  });
});

describe('send', () => {
  test('an event that the chart takes is given to it; one that it does not take, or of XState itself, is not', async () => {
    const [peer] = connectPeers(1);
    const page = await open();
    page.send({ type: 'subscribe', topic: 'session', source: 'echo', id: '1' });
    await page.told('detail');
    const send = (event: { readonly type: string }) => result(page, { what: 'send', ids: ['1'], event });
    expect(await send({ type: 'FRAME', payload: 'x' } as { type: string })).toMatchObject({ outcome: 'done' });
    expect(await send({ type: 'NONSENSE' })).toMatchObject({
      outcome: 'failed',
      text: expect.stringContaining('FRAME') as string,
    });
    expect(await send({ type: 'xstate.init' })).toMatchObject({ outcome: 'failed' });
    expect(await send({ type: '' })).toMatchObject({ outcome: 'failed' });
    world.advanceBy(100);
    expect(peer).toBeDefined();
  });

  test('to one session at a time, with an event', async () => {
    connectPeers(2);
    const page = await open();
    const event = { type: 'FRAME' };
    expect(await result(page, { what: 'send', ids: ['1', '2'], event })).toMatchObject({ outcome: 'refused' });
    expect(await result(page, { what: 'send', ids: ['1'] })).toMatchObject({ outcome: 'refused' });
  });
});

describe('log', () => {
  test('who asked for what, and what became of it: all at once for who comes later, then entry by entry', async () => {
    connectPeers(12);
    const first = await open();
    const second = await another();
    await result(second, { what: 'close', ids: ids(12) });
    await result(second, { what: 'send', ids: ['1'], event: { type: 'NONSENSE' } });
    first.send({ type: 'subscribe', topic: 'log' });
    const { entries } = await first.told('log');
    expect(entries).toMatchObject([
      { n: 1, viewer: 2, what: 'close', ids: ids(10), count: 12, event: null, outcome: 'done' },
      { n: 2, viewer: 2, what: 'send', ids: ['1'], count: 1, event: 'NONSENSE', outcome: 'failed' },
    ]);
    expect(entries[0]!.wallMs).toBeGreaterThan(1_700_000_000_000);
    await result(first, { what: 'close', ids: ['1'] });
    world.advanceBy(100);
    const later = await first.until(() => first.all('log')[1]);
    expect(later.entries.map(({ n }) => n)).toEqual([3]);
  });

  test('an empty one is told as well, and it keeps the last 500 entries', async () => {
    const page = await open();
    page.send({ type: 'subscribe', topic: 'log' });
    expect((await page.told('log')).entries).toEqual([]);
    for (let n = 0; n < 52; n += 1) {
      // Its allowance comes back with the clock.
      world.advanceBy(500);
      for (let m = 0; m < 10; m += 1) page.send({ type: 'command', ref: n, what: 'close', source: 'echo', ids: ['x'] });
      await page.settled();
    }
    const late = await another();
    late.send({ type: 'subscribe', topic: 'log' });
    const { entries } = await late.told('log');
    expect(entries).toHaveLength(500);
    expect(entries.at(-1)!.n).toBe(520);
  });
});

describe('recordings', () => {
  const get = (path: string, accept = '*/*') =>
    ask(visualizer.url, { path, headers: { ...cookieOf(visualizer.url), accept } });

  test('record, then stop: the text is kept in memory, listed, and had by its name; it can be replayed', async () => {
    const [peer] = connectPeers(1);
    const page = await open();
    page.send({ type: 'subscribe', topic: 'recordings' });
    const { recording: name } = await result(page, { what: 'record', ids: ['1'] });
    expect(await result(page, { what: 'record', ids: ['1'] })).toMatchObject({ outcome: 'refused' });
    peer!.send({ type: 'FRAME', payload: Uint8Array.of(1) });
    const live = await listed(page, (files) => files.length > 0);
    expect(live.files).toMatchObject([{ name, protocol: 'echo', session: '1', isLive: true }]);
    expect((await get(`/recordings/${name}`)).body).toContain('"FRAME"');
    const stopped = await result(page, { what: 'stopRecording', ids: ['1'] });
    expect(stopped).toMatchObject({ outcome: 'done', recording: name });
    expect(await result(page, { what: 'stopRecording', ids: ['1'] })).toMatchObject({ outcome: 'failed' });
    const kept = await listed(page, (files) => files[0]?.isLive === false);
    const { body, headers, status } = await get(`/recordings/${name}`);
    expect(status).toBe(200);
    expect(headers['content-disposition']).toBe(`attachment; filename="${name}"`);
    expect(kept.files[0]!.bytes).toBe(Buffer.byteLength(body));
    expect(readRecording(body).header).toMatchObject({ protocol: 'echo', session: { id: '1' } });
  });

  test('its name is a view for who goes there, and the text for who fetches or downloads it', async () => {
    connectPeers(1);
    const page = await open();
    const { recording: name } = await result(page, { what: 'record', ids: ['1'] });
    expect((await get(`/recordings/${name}`, 'text/html,*/*')).headers['content-type']).toContain('text/html');
    expect((await get(`/recordings/${name}?download=1`, 'text/html,*/*')).body).toContain('wirechart recording');
    expect((await get('/recordings/nothing.jsonl')).status).toBe(404);
  });

  test('a session that ends while it is recorded is kept within a second, with its end', async () => {
    const [peer] = connectPeers(1);
    const page = await open();
    const { recording: name } = await result(page, { what: 'record', ids: ['1'] });
    peer!.end();
    world.advanceBy(1_500);
    page.send({ type: 'subscribe', topic: 'recordings' });
    await listed(page, (files) => files.some((file) => file.name === name && !file.isLive));
    expect(readRecording((await get(`/recordings/${name}`)).body).end).toMatchObject({ reason: 'peer closed' });
  });

  test('with a folder they are saved there, and what is there is listed with what its first and last lines say', async () => {
    connectPeers(2);
    const page = await open({ recordings: folder });
    page.send({ type: 'subscribe', topic: 'recordings' });
    await result(page, { what: 'record', ids: ['1'] });
    const { recording: name } = await result(page, { what: 'stopRecording', ids: ['1'] });
    expect(readdirSync(folder)).toEqual([name]);
    const text = readFileSync(join(folder, name!), 'utf8');
    writeFileSync(join(folder, 'old.jsonl'), text.replace('"record":null', '"record":{"reason":"peer reset"}'));
    writeFileSync(join(folder, 'broken.jsonl'), 'not a recording');
    writeFileSync(join(folder, 'secret.txt'), 'not for the page');
    symlinkSync('/etc/hostname', join(folder, 'link.jsonl'));
    const { files } = await listed(page, (all) => all.length === 3);
    const byName = new Map(files.map((file) => [file.name, file]));
    expect(byName.get(name!)).toMatchObject({ protocol: 'echo', session: '1', reason: '', bytes: text.length });
    expect(byName.get('old.jsonl')).toMatchObject({ protocol: 'echo', session: '1', reason: 'peer reset' });
    expect(byName.get('broken.jsonl')).toMatchObject({ protocol: '', session: '', reason: '' });
    expect((await get('/recordings/old.jsonl')).status).toBe(200);
    for (const hidden of ['secret.txt', 'link.jsonl', '..%2fsecret.txt', '%00'])
      expect((await get(`/recordings/${hidden}`)).status).toBe(404);
  });

  test('a folder that cannot be written to is an error of the visualizer, and the recording is kept in memory', async () => {
    connectPeers(1);
    writeFileSync(join(folder, 'file'), '');
    const page = await open({ recordings: join(folder, 'missing') });
    const errors: string[] = [];
    visualizer.errors.subscribe(({ code }) => errors.push(code));
    await result(page, { what: 'record', ids: ['1'] });
    // Where the folder should be made there is a file now.
    writeFileSync(join(folder, 'missing'), '');
    const { recording: name } = await result(page, { what: 'stopRecording', ids: ['1'] });
    expect(errors).toEqual(['RECORDINGS_FAILED']);
    expect((await get(`/recordings/${name}`)).body).toContain('wirechart recording');
  });

  test('one file alone can be shown, and nothing beside it', async () => {
    const file = join(folder, 'one.jsonl');
    writeFileSync(file, '{"format":"wirechart recording"}\n');
    writeFileSync(join(folder, 'other.jsonl'), '');
    visualizer = createVisualizer([], { time: world.time, recordings: file });
    await visualizer.start();
    expect((await get('/recordings/one.jsonl')).status).toBe(200);
    expect((await get('/recordings/other.jsonl')).status).toBe(404);
  });

  test('16 are made at a time at most, and of those that were made in the page the last 20 are kept', async () => {
    connectPeers(22);
    const page = await open();
    const names: string[] = [];
    for (const id of ids(16)) names.push((await result(page, { what: 'record', ids: [id] })).recording!);
    world.advanceBy(1_000);
    await page.settled();
    expect(await result(page, { what: 'record', ids: ['17'] })).toMatchObject({
      outcome: 'refused',
      text: 'too many sessions are being recorded: stop one of them',
    });
    for (const id of ids(16)) await result(page, { what: 'stopRecording', ids: [id] });
    for (const id of ids(22).slice(16)) {
      world.advanceBy(1_000);
      await page.settled();
      names.push((await result(page, { what: 'record', ids: [id] })).recording!);
      await result(page, { what: 'stopRecording', ids: [id] });
    }
    expect((await get(`/recordings/${names[1]!}`)).status).toBe(404);
    expect((await get(`/recordings/${names[2]!}`)).status).toBe(200);
    expect((await get(`/recordings/${names[21]!}`)).status).toBe(200);
  });
});
