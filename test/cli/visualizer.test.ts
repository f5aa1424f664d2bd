/** `wirechart serve --visualizer` and `wirechart visualize` as processes. Runs `dist`, which `npm test` has built. */
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ask, cookieOf, TestPage } from '../visualizer/page.js';
import { Command, ROOT, type RunOptions } from './command.js';

const BIN = join(ROOT, 'bin/wirechart.js');

let folder: string;
let commands: Command[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'wirechart-visualizer-'));
});

afterEach(async () => {
  for (const command of commands) await command.kill();
  commands = [];
  rmSync(folder, { recursive: true, force: true });
});

function wirechart(args: readonly string[], options?: RunOptions): Command {
  const command = new Command([BIN, ...args], options);
  commands.push(command);
  return command;
}

function addressIn(command: Command): Promise<string> {
  return command.until(
    'an address',
    ({ stdout }) => /^wirechart: (?:visualizer|recordings) at (http\S+)$/m.exec(stdout)?.[1],
  );
}

/** Talks to the echo, and ends by RST in the middle of a frame. */
async function badPeer(port: number): Promise<void> {
  const peer = connect(port, '127.0.0.1');
  await once(peer, 'connect');
  peer.end(Uint8Array.of(0, 0, 0, 9, 1));
  await once(peer.resume(), 'close');
}

describe('serve --visualizer', () => {
  test('line 2 is the address of a page that shows the server; SIGTERM ends both with 0', async () => {
    const command = wirechart(['serve', 'echo', '--visualizer']);
    const url = await addressIn(command);
    const port = await command.port();
    expect(command.lines).toEqual([
      `wirechart: echo listening on 127.0.0.1:${port}`,
      `wirechart: visualizer at ${url}`,
    ]);
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/\?token=[\w-]{22}$/);
    expect((await ask(url)).status).toBe(401);
    const page = new TestPage(url);
    const hello = await page.told('hello');
    expect(hello).toMatchObject({ control: false, payloads: false });
    expect(hello.sources).toMatchObject([{ name: 'echo', kind: 'server', address: `127.0.0.1:${port}` }]);
    page.send({ type: 'command', ref: 1, what: 'close', source: 'echo', ids: ['1'] });
    expect((await page.told('result')).outcome).toBe('refused');
    command.process.kill('SIGTERM');
    expect(await command.ended).toEqual([0, null]);
    expect(command.stderr).toBe('');
    await page.closed;
  });

  test('--json has it in the first object; --allow-control and --payloads are for the page, without --record too', async () => {
    const command = wirechart(['serve', 'echo', '--json', '--visualizer', '0', '--allow-control', '--payloads']);
    await command.port();
    const { visualizer, ...rest } = command.objects[0]!;
    expect(rest).toEqual({
      type: 'listening',
      protocol: 'echo',
      host: '127.0.0.1',
      port: expect.any(Number) as number,
    });
    const page = new TestPage(visualizer as string);
    expect(await page.told('hello')).toMatchObject({ control: true, payloads: true });
    page.socket.close();
  });

  test('with --record its recordings are those of that folder', async () => {
    const recordings = join(folder, 'recordings');
    const command = wirechart(['serve', 'echo', '--visualizer', '--record', recordings]);
    const url = await addressIn(command);
    const page = new TestPage(url);
    await page.told('hello');
    page.send({ type: 'subscribe', topic: 'recordings' });
    await badPeer(await command.port());
    const { files } = await page.told('recordings', (message) => message.files[0]?.reason === 'truncated frame');
    expect(readdirSync(recordings)).toEqual([files[0]!.name]);
    const { body } = await ask(url, { path: `/recordings/${files[0]!.name}`, headers: cookieOf(url) });
    expect(body).toContain('"truncated frame"');
    page.socket.close();
  });

  test('a port that is in use is one line that names the flag, and nothing is served: 1', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const command = wirechart(['serve', 'echo', '--visualizer', String(port)]);
    expect(await command.ended).toEqual([1, null]);
    expect(command.stdout).toBe('');
    expect(command.stderr).toMatch(
      new RegExp(`^wirechart: --visualizer: 127\\.0\\.0\\.1:${port} is in use by another process.*\\n$`),
    );
    other.close();
  });

  test("security: another --visualizer-host is listened on with a warning on stderr, and --host is the server's alone", async () => {
    const command = wirechart(['serve', 'echo', '--visualizer', '--visualizer-host', '0.0.0.0', '--allow-control']);
    const url = await addressIn(command);
    expect(new URL(url).hostname).toBe('127.0.0.1');
    await command.until('a warning', ({ stderr }) => stderr.includes('\n'));
    expect(command.stderr).toMatch(
      /^wirechart: warning: the visualizer listens on 0\.0\.0\.0: whoever reaches it and has its address sees and may end every session/,
    );
    expect((await ask(url)).status).toBe(401);
    expect((await ask(url, { headers: { host: 'evil.example', ...cookieOf(url) } })).status).toBe(403);
    const elsewhere = wirechart(['serve', 'echo', '--host', '0.0.0.0', '--visualizer']);
    const own = new URL(await addressIn(elsewhere));
    await expect(ask(`http://127.0.0.2:${own.port}/`)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    expect(elsewhere.stderr).toBe('');
  });

  test('security: with NODE_ENV=production it needs --visualizer-host, also for this machine alone', async () => {
    const env = { NODE_ENV: 'production' };
    const refused = wirechart(['serve', 'echo', '--visualizer'], { env });
    expect(await refused.ended).toEqual([2, null]);
    expect(refused.stderr).toMatch(/^wirechart: NODE_ENV is production, where --visualizer needs --visualizer-host/);
    const named = wirechart(['serve', 'echo', '--visualizer', '--visualizer-host', '127.0.0.1'], { env });
    expect((await ask(await addressIn(named))).status).toBe(401);
    expect(named.stderr).toBe('');
  });

  test.each([
    [['--allow-control'], '--allow-control needs --visualizer'],
    [['--visualizer-host', '::1'], '--visualizer-host needs --visualizer'],
    [['--payloads'], '--payloads needs --record <folder> or --visualizer'],
    [['--visualizer', '65536'], 'expected a whole number from 0 to 65535'],
  ])('%j alone is wrong use, in one line: 2', async (flags, message) => {
    const command = wirechart(['serve', 'echo', ...flags]);
    expect(await command.ended).toEqual([2, null]);
    expect(command.stderr).toContain(message);
    expect(command.stderr.match(/\n/g)).toHaveLength(1);
  });
});

describe('visualize', () => {
  /** A folder with one recording that a server made. */
  async function recorded(): Promise<string> {
    const server = wirechart(['serve', 'echo', '--record', folder]);
    await badPeer(await server.port());
    server.process.kill('SIGTERM');
    await server.ended;
    const [file] = readdirSync(folder);
    return join(folder, file!);
  }

  test('a recording: line 1 leads straight to it; there is no server to be seen; SIGINT ends it with 0', async () => {
    const file = await recorded();
    const command = wirechart(['visualize', file]);
    const url = await addressIn(command);
    const name = file.slice(folder.length + 1);
    expect(new URL(url).pathname).toBe(`/recordings/${name}`);
    const { pathname, search } = new URL(url);
    expect((await ask(url, { path: `${pathname}${search}` })).headers.location).toBe(`/recordings/${name}`);
    const page = new TestPage(url);
    expect((await page.told('hello')).sources).toEqual([]);
    page.send({ type: 'subscribe', topic: 'recordings' });
    const { files } = await page.told('recordings');
    expect(files).toMatchObject([{ name, protocol: 'echo', session: '1', reason: 'truncated frame' }]);
    command.process.kill('SIGINT');
    expect(await command.ended).toEqual([0, null]);
    expect(command.stderr).toBe('');
    await page.closed;
  });

  test('a folder: line 1 leads to the list; --port is listened on', async () => {
    const command = wirechart(['visualize', folder, '--port', '0'], { env: { NODE_ENV: 'production' } });
    expect(new URL(await addressIn(command)).pathname).toBe('/recordings');
    command.process.kill('SIGTERM');
    expect(await command.ended).toEqual([0, null]);
  });

  test('a file of more than 64 MiB is refused in one line with its name, its size and the limit: 2', async () => {
    const file = join(folder, 'large.jsonl');
    writeFileSync(file, '');
    truncateSync(file, 64 * 2 ** 20 + 1);
    const command = wirechart(['visualize', file]);
    expect(await command.ended).toEqual([2, null]);
    expect(command.stdout).toBe('');
    expect(command.stderr).toBe(
      `wirechart: cannot show ${file}: it has 64.1 MiB, and a page shows recordings of 64 MiB at most\n`,
    );
  });

  test('what is no recording, or not there, is one line: 2; a port in use names --port: 1', async () => {
    writeFileSync(join(folder, 'notes.jsonl'), 'hello\n');
    mkdirSync(join(folder, 'empty'));
    const text = wirechart(['visualize', join(folder, 'notes.jsonl')]);
    expect(await text.ended).toEqual([2, null]);
    expect(text.stderr).toMatch(/notes\.jsonl, line 1: this is no recording of wirechart\n$/);
    const missing = wirechart(['visualize', join(folder, 'missing')]);
    expect(await missing.ended).toEqual([2, null]);
    expect(missing.stderr).toMatch(/^wirechart: cannot read .*missing.*\n$/);
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const busy = wirechart(['visualize', join(folder, 'empty'), '--port', String(port)]);
    expect(await busy.ended).toEqual([1, null]);
    expect(busy.stderr).toMatch(/^wirechart: --port: 127\.0\.0\.1:\d+ is in use/);
    other.close();
  });
});
