/** `wirechart attack` as a process, on real sockets, for seconds: what it prints, how it ends, and that nothing outlives it. Runs `dist`. */
import { once } from 'node:events';
import { mkdtempSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Command, ROOT } from './command.js';

const BIN = join(ROOT, 'bin/wirechart.js');

let folder: string;
let commands: Command[] = [];
let sockets: Socket[] = [];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'wirechart-attack-'));
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(ROOT, join(folder, 'node_modules/wirechart'));
  symlinkSync(join(ROOT, 'node_modules/xstate'), join(folder, 'node_modules/xstate'));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  for (const command of commands) await command.kill();
  [sockets, commands] = [[], []];
});

function wirechart(...args: readonly string[]): Command {
  const command = new Command([BIN, ...args]);
  commands.push(command);
  return command;
}

/** A module whose process ends at the first byte above 0x7f. */
function brittle(): string {
  const path = join(folder, 'brittle.mjs');
  writeFileSync(
    path,
    `import { emit, setup } from 'xstate';
    import { defineProtocol } from 'wirechart';
    import { lines } from 'wirechart/codec';
    const codec = () => {
      const whole = lines();
      return {
        messages: whole.messages,
        encode: (message) => whole.encode(message),
        end: (buffer) => whole.end(buffer),
        decode: (buffer) => {
          if (buffer.byteLength > 0 && buffer.byteAt(0) > 0x7f) process.exit(7);
          return whole.decode(buffer);
        },
      };
    };
    export default defineProtocol({
      name: 'brittle',
      codecs: { codec },
      initialCodec: 'codec',
      machine: setup({
        actions: { echo: emit(({ event }) => ({ type: 'SEND', message: event })) },
      }).createMachine({ on: { LINE: { actions: 'echo' } } }),
    });`,
  );
  return path;
}

/** The port that is attacked, from the first line. */
async function attackedPort(command: Command): Promise<number> {
  const [, port] = await command.until('a port', ({ stdout }) => /^.*attacking .*:(\d+) /.exec(stdout) ?? undefined);
  return Number(port);
}

describe('wirechart attack', () => {
  test('echo: starts the server itself, a row for each attack, latency with and without, memory, exit 0', async () => {
    const command = wirechart('attack', 'echo', '--seconds', '2', '--connections', '20', '--only', 'scan-fin,garbage');
    expect(await command.ended).toEqual([0, null]);
    expect(command.stderr).toBe('');
    const text = command.stdout;
    expect(text).toMatch(/^wirechart: attacking 127\.0\.0\.1:\d+ \(echo, a server of its own\)\n/);
    expect(text).toMatch(/^scan-fin +\d+ .* yes$/m);
    expect(text).toMatch(/^garbage +\d+ .* yes$/m);
    expect(text).toMatch(/^healthy peers asked FRAME and got FRAME$/m);
    expect(text).toMatch(/^ {2}without attacks: \d+ answers, p50 [\d.]+ ms, p99 [\d.]+ ms, worst [\d.]+ ms$/m);
    expect(text).toMatch(/^ {2}with attacks: {4}\d+ answers, /m);
    expect(text).toMatch(/^ {2}p99 with attacks: [\d.]+ times that without$/m);
    if (process.platform === 'linux')
      expect(text).toMatch(/^memory of the server: [\d.]+ MiB before, [\d.]+ MiB after$/m);
    expect(command.lines.at(-1)).toBe('all survived');
  });

  test('--json: a line for each attack, then the result', async () => {
    const args = ['--seconds', '1', '--connections', '5', '--only', 'mid-frame-rst', '--json'];
    const command = wirechart('attack', 'media-control', ...args);
    expect(await command.ended).toEqual([0, null]);
    const [attack, result, ...others] = command.objects;
    expect(others).toEqual([]);
    expect(attack).toMatchObject({ type: 'attack', name: 'mid-frame-rst', survived: true, problems: [] });
    expect(result).toMatchObject({ type: 'result', survived: true, connections: 5, attackCount: 1 });
    expect(result).toMatchObject({ probe: { request: { type: 'PING' } }, skipped: [] });
  });

  test('a server whose process ends has not survived: it is said which attack it was, and the exit code is 1', async () => {
    const command = wirechart(
      'attack',
      brittle(),
      '--seconds',
      '2',
      '--connections',
      '5',
      '--only',
      'garbage,scan-fin',
    );
    expect(await command.ended).toEqual([1, null]);
    expect(command.stdout).toMatch(/^garbage .* NO: .*the server's process has ended, exit code 7/m);
    expect(command.stdout).not.toMatch(/^scan-fin/m);
    expect(command.lines.at(-1)).toBe('NOT all survived');
  });

  test('--port without a protocol: the raw attacks, on a server that is there and stays there', async () => {
    const server = wirechart('serve', 'echo');
    const port = await server.port();
    const args = ['--seconds', '1', '--connections', '5', '--only', 'scan-rst,request-burst'];
    const command = wirechart('attack', '--port', String(port), '--host', 'localhost', ...args);
    expect(await command.ended).toEqual([0, null]);
    expect(command.stdout).toMatch(/\(raw bytes\)$/m);
    expect(command.stdout).toMatch(/^scan-rst .* yes$/m);
    expect(command.stdout).toMatch(/^healthy peers connected, stayed and left$/m);
    expect(command.stdout).toMatch(/^not tried, for want of frames of the protocol: request-burst$/m);
    expect(command.stdout).not.toMatch(/memory of the server/);
    expect(server.process.exitCode).toBeNull();
  });

  test('SIGINT ends it early with exit 1, and the server that it started with it', async () => {
    const command = wirechart('attack', 'echo', '--seconds', '60');
    const port = await attackedPort(command);
    await command.until('the first row', ({ stdout }) => /^attack .*$/m.test(stdout));
    command.process.kill('SIGINT');
    expect(await command.ended).toEqual([1, null]);
    expect(command.stderr).toBe('wirechart: stopped by a signal before all attacks were tried\n');
    const socket = connect(port, '127.0.0.1');
    const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ECONNREFUSED');
  });

  test('killed, it takes the server with it', async () => {
    const command = wirechart('attack', 'chat', '--seconds', '60');
    const socket = connect(await attackedPort(command), '127.0.0.1');
    sockets.push(socket);
    socket.on('error', () => {}).resume();
    await once(socket, 'data');
    const closed = once(socket, 'close');
    command.process.kill('SIGKILL');
    await closed;
  });
});

describe('wrong use', () => {
  test.each([
    [
      ['echo', '--host', '10.0.0.1'],
      'attacks go to loopback addresses alone (127.0.0.0/8, ::1), and "10.0.0.1" is none',
    ],
    [['--port', '7', '--host', '0.0.0.0'], '"0.0.0.0" is none'],
    [['--port', '7', '--host', 'a..b'], '"a..b" is none: it has no address'],
    [[], 'expected a protocol to start, or a --port to attack'],
    [['echo', '--only', 'slow-loris'], '--only: expected some of scan-fin'],
    [['echo', '--seconds', '301'], 'expected a whole number from 1 to 300'],
    [['echo', '--connections', '0'], 'expected a whole number from 1 to 10000'],
    [['echo', '--port', '0'], 'expected a whole number from 1 to 65535'],
  ])('attack %s: exit 2, one line, and nothing is started', async (args, message) => {
    const command = wirechart('attack', ...args);
    expect(await command.ended).toEqual([2, null]);
    expect(command.stdout).toBe('');
    expect(command.stderr).toContain(message);
    expect(command.stderr.split('\n')).toHaveLength(2);
  });

  test.each([
    [['nothing-of-that-name'], 'module not found: nothing-of-that-name'],
    [['echo', '--port', '9', '--host', '127.1.2.3'], 'healthy peers were served, and'],
  ])('attack %s: exit 1, one line', async (args, message) => {
    const command = wirechart('attack', ...args);
    expect(await command.ended).toEqual([1, null]);
    expect(command.stderr).toContain(message);
    expect(command.stderr.split('\n')).toHaveLength(2);
  });
});
