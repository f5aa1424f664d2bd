/** Recordings: those that are made in the page, and those of a folder or of one file. */
import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { readRecording } from '../../src/inspect/recording-text.js';
import { RecordingFiles } from '../../src/inspect/visualizer/recording-files.js';
import { Recordings } from '../../src/inspect/visualizer/recordings.js';
import { makeVisualizer, type Visualizer } from '../../src/inspect/visualizer/visualizer.js';
import type { VisualizerOptions } from '../../src/inspect/visualizer/visualizer-options.js';
import type { World } from '../../src/testing/world.js';
import { ask, cookieOf, result, type TestPage } from './page.js';
import { ShownWorld } from './shown-world.js';

/** A disk that takes its time: what is saved waits for `free`. */
const disk = vi.hoisted(() => ({ free: Promise.resolve(), saved: (_name: string) => {} }));
vi.mock(import('../../src/inspect/recording-folder.js'), async (original) => {
  const real = await original();
  const saveInFolder = async (folder: string, name: string, text: string) => {
    await disk.free;
    const path = await real.saveInFolder(folder, name, text);
    disk.saved(name);
    return path;
  };
  return { ...real, saveInFolder };
});

let shown: ShownWorld;
let world: World;
let visualizer: Visualizer;
let folder: string;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'wirechart-recordings-'));
  shown = await ShownWorld.begin();
  ({ world } = shown);
});
afterEach(async () => {
  await shown.end();
  rmSync(folder, { recursive: true, force: true });
});

async function open(options: VisualizerOptions = {}): Promise<TestPage> {
  visualizer = await shown.show({ control: true, ...options });
  return shown.open();
}

const connectPeers = (count: number) => shown.connect(count);

const get = (path: string, accept = '*/*') =>
  ask(visualizer.url, { path, headers: { ...cookieOf(visualizer.url), accept } });

const ids = (count: number) => Array.from({ length: count }, (_, n) => String(n + 1));

test('record, then stop: the text is kept in memory, listed, and had by its name; it can be replayed', async () => {
  const [peer] = connectPeers(1);
  const page = await open();
  page.send({ type: 'subscribe', topic: 'recordings' });
  const { recording: name } = await result(page, { what: 'record', ids: ['1'] });
  expect(await result(page, { what: 'record', ids: ['1'] })).toMatchObject({ outcome: 'refused' });
  peer!.send({ type: 'FRAME', payload: Uint8Array.of(1) });
  const live = await shown.listed(page, (files) => files.length > 0);
  expect(live).toMatchObject([{ name, protocol: 'echo', session: '1', isLive: true }]);
  expect((await get(`/recordings/${name}`)).body).toContain('"FRAME"');
  const stopped = await result(page, { what: 'stopRecording', ids: ['1'] });
  expect(stopped).toMatchObject({ outcome: 'done', recording: name });
  expect(await result(page, { what: 'stopRecording', ids: ['1'] })).toMatchObject({ outcome: 'failed' });
  const kept = await shown.listed(page, (files) => files[0]?.isLive === false);
  const { body, headers, status } = await get(`/recordings/${name}`);
  expect(status).toBe(200);
  expect(headers['content-disposition']).toBe(`attachment; filename="${name}"`);
  expect(kept[0]!.bytes).toBe(Buffer.byteLength(body));
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

test('a session that ends while it is recorded is kept, with its end; two ticks later the page knows that it lives no more', async () => {
  const [peer] = connectPeers(1);
  const page = await open();
  page.send({ type: 'subscribe', topic: 'recordings' });
  const { recording: name } = await result(page, { what: 'record', ids: ['1'] });
  await shown.listed(page, (files) => files[0]?.isLive === true);
  peer!.end();
  world.runUntil(() => shown.server.sessions.size === 0);
  for (let n = 0; n < 2; n += 1) {
    world.advanceBy(100);
    await page.settled();
  }
  expect(page.all('recordings').at(-1)!.files).toMatchObject([{ name, isLive: false }]);
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
  const files = await shown.listed(page, (all) => all.length === 3);
  const byName = new Map(files.map((file) => [file.name, file]));
  expect(byName.get(name!)).toMatchObject({ protocol: 'echo', session: '1', reason: '', bytes: text.length });
  expect(byName.get('old.jsonl')).toMatchObject({ protocol: 'echo', session: '1', reason: 'peer reset' });
  expect(byName.get('broken.jsonl')).toMatchObject({ protocol: '', session: '', reason: '' });
  expect((await get('/recordings/old.jsonl')).status).toBe(200);
  const round = `..%2f${basename(folder)}%2fold.jsonl`;
  for (const hidden of [
    'secret.txt',
    'link.jsonl',
    '..%2fsecret.txt',
    '%00',
    '%2f..%2fold.jsonl',
    '.%2fold.jsonl',
    round,
  ])
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
  shown.errorCount = 1;
  expect((await get(`/recordings/${name}`)).body).toContain('wirechart recording');
});

test('one file alone can be shown, and nothing beside it', async () => {
  const file = join(folder, 'one.jsonl');
  writeFileSync(file, '{"format":"wirechart recording"}\n');
  writeFileSync(join(folder, 'other.jsonl'), '');
  visualizer = await shown.show({ recordings: file }, []);
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

test('into a folder, 1 000 are written at most, with those that are being made; what was refused is said', async () => {
  const recordings = new Recordings(folder, (error) => expect.unreachable(String(error)));
  await recordings.open();
  const begin = (session: number) =>
    recordings.begin(
      {
        source: 'echo',
        protocol: 'echo',
        session: `${session}`,
        hasEnded: () => false,
        text: () => '',
        stop: () => {},
      },
      0,
    );
  for (let session = 1; session < 1_000; session += 1) {
    begin(session);
    await recordings.finish('echo', `${session}`);
  }
  expect(recordings.refusal).toBeUndefined();
  begin(1_000);
  expect(recordings.refusal).toBe('1000 recordings have been written for pages since the server began: no more are');
  await recordings.finish('echo', '1000');
  expect(recordings.refusal).toMatch('1000 recordings');
  expect(readdirSync(folder)).toHaveLength(1_000);
});

describe('while the disk takes its time', () => {
  let free: () => void;
  beforeEach(() => {
    disk.free = new Promise((resolve) => (free = resolve));
  });
  afterEach(() => free());

  /** A recording that is stopped, and on its way to the disk. */
  async function saving(page: TestPage): Promise<string> {
    const { recording } = await result(page, { what: 'record', ids: ['1'] });
    page.send({ type: 'command', ref: -1, what: 'stopRecording', source: 'echo', ids: ['1'] });
    await page.settled();
    return recording!;
  }

  test('a recording is in the list, and can be read', async () => {
    connectPeers(1);
    const page = await open({ recordings: folder });
    page.send({ type: 'subscribe', topic: 'recordings' });
    const name = await saving(page);
    await shown.listed(page, (files) => files[0]?.isLive === false);
    expect((await get(`/recordings/${name}`)).body).toContain('wirechart recording');
    expect(readdirSync(folder)).toEqual([]);
    free();
    expect(await page.told('result', ({ ref }) => ref === -1)).toMatchObject({ outcome: 'done', recording: name });
    expect(readdirSync(folder)).toEqual([name]);
  });

  test('those that are being saved count among the 16', async () => {
    connectPeers(17);
    const page = await open({ recordings: folder });
    await saving(page);
    for (const id of ids(16).slice(1)) await result(page, { what: 'record', ids: [id] });
    world.advanceBy(1_000);
    await page.settled();
    expect(await result(page, { what: 'record', ids: ['17'] })).toMatchObject({ outcome: 'refused' });
  });

  test('`stop` waits for what is being saved, and for what it stops itself', async () => {
    const done: string[] = [];
    disk.saved = (name) => done.push(name);
    connectPeers(2);
    const page = await open({ recordings: folder });
    const first = await saving(page);
    const { recording: second } = await result(page, { what: 'record', ids: ['2'] });
    const { url } = visualizer;
    const stopped = visualizer.stop().then(() => done.push('stopped'));
    await page.closed;
    // All but the disk is done with: nobody listens any more.
    for (;;) {
      const answer = await ask(url).catch((error: NodeJS.ErrnoException) => error.code);
      if (answer === 'ECONNREFUSED') break;
    }
    for (let n = 0; n < 20; n += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(done).toEqual([]);
    free();
    await stopped;
    expect(done.at(-1)).toBe('stopped');
    expect(done.slice(0, 2).sort()).toEqual([first, second].sort());
    expect(readdirSync(folder)).toHaveLength(2);
  });
});

describe('a file of more than 64 MiB', () => {
  const sparse = (name: string, bytes: number) => {
    const path = join(folder, name);
    writeFileSync(path, '');
    truncateSync(path, bytes);
    return path;
  };
  const why = 'it has 64.1 MiB, and a page shows recordings of 64 MiB at most';

  test('is listed with its size, and whoever opens it is told why it is not shown; one byte less is', async () => {
    sparse('large.jsonl', 64 * 2 ** 20 + 1);
    sparse('less.jsonl', 64 * 2 ** 20);
    const page = await open({ recordings: folder });
    page.send({ type: 'subscribe', topic: 'recordings' });
    const files = await shown.listed(page, (all) => all.length === 2);
    expect(files.find(({ name }) => name === 'large.jsonl')).toMatchObject({ bytes: 67_108_865 });
    const { status, body, headers } = await get('/recordings/large.jsonl');
    expect([status, body]).toEqual([403, `${why}.\n`]);
    expect(headers['content-type']).toContain('text/plain');
    expect(Buffer.byteLength((await get('/recordings/less.jsonl')).body)).toBe(67_108_864);
  });

  test('is refused at the start when it is the one to be shown, by name and with the limit', async () => {
    const path = sparse('large.jsonl', 64 * 2 ** 20 + 1);
    const alone = makeVisualizer({ recordings: path }, {});
    await expect(alone.start()).rejects.toMatchObject({
      code: 'RECORDINGS_FAILED',
      message: `cannot read ${path}: ${why}`,
    });
    expect(alone.url).toBe('');
  });
});

describe('a folder', () => {
  const listedNow = async (page: TestPage, count: number) =>
    (await shown.listed(page, (files) => files.length === count)).map(({ name }) => name);

  test('that vanishes has nothing to show, and is there again when something is saved', async () => {
    connectPeers(1);
    writeFileSync(join(folder, 'old.jsonl'), '');
    const page = await open({ recordings: folder });
    page.send({ type: 'subscribe', topic: 'recordings' });
    await listedNow(page, 1);
    rmSync(folder, { recursive: true });
    await listedNow(page, 0);
    expect((await get('/recordings/old.jsonl')).status).toBe(404);
    await result(page, { what: 'record', ids: ['1'] });
    const { recording } = await result(page, { what: 'stopRecording', ids: ['1'] });
    expect(readdirSync(folder)).toEqual([recording]);
  });

  test('may be called as a recording is: what is made in the page is saved in it', async () => {
    connectPeers(1);
    const odd = join(folder, 'odd.jsonl');
    mkdirSync(odd);
    const page = await open({ recordings: odd });
    await result(page, { what: 'record', ids: ['1'] });
    const { recording } = await result(page, { what: 'stopRecording', ids: ['1'] });
    expect(readdirSync(odd)).toEqual([recording]);
  });

  test('of more than 10 000 files has the 1 000 newest of 10 000 listed, and it is told once that there are more', async () => {
    for (let n = 0; n < 10_001; n += 1) writeFileSync(join(folder, `${n}.jsonl`), '');
    const errors: string[] = [];
    const files = new RecordingFiles(folder, ({ code, message }) => errors.push(`${code} ${message}`));
    await files.open();
    const first = await files.list();
    expect(first).toHaveLength(1_000);
    utimesSync(join(folder, first[10]!.name), 1, 1);
    utimesSync(join(folder, first[20]!.name), 4e9, 4e9);
    const second = (await files.list()).map(({ name }) => name);
    expect(second).toHaveLength(1_000);
    expect([second[0], second.includes(first[10]!.name)]).toEqual([first[20]!.name, false]);
    expect(errors).toEqual([
      `RECORDINGS_FAILED there are more than 10000 recordings in ${folder}: others are not shown`,
    ]);
  });
});

test.each([
  ['a pipe', (file: string) => execFileSync('mkfifo', [file])],
  ['a link to a device without an end', (file: string) => symlinkSync('/dev/zero', file)],
  ['a folder', (file: string) => mkdirSync(file)],
  ['nothing', () => {}],
])('where the one file was there is %s now: it cannot be read, and nobody waits for it', async (_, replace) => {
  const file = join(folder, 'one.jsonl');
  writeFileSync(file, '{"format":"wirechart recording"}\n');
  visualizer = await shown.show({ recordings: file }, []);
  rmSync(file);
  replace(file);
  expect((await get('/recordings/one.jsonl')).status).toBe(404);
});
