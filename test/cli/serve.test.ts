/** `wirechart serve` as a process: what it prints, and how it ends. Runs `dist`, which `npm test` has built. */
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Command, ROOT, type RunOptions } from './command.js';

const BIN = join(ROOT, 'bin/wirechart.js');

let folder: string;
let commands: Command[] = [];
let sockets: Socket[] = [];

/** A project of a user: it has wirechart and xstate, and no package.json, so its `.ts` files are CommonJS. */
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'wirechart-cli-'));
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

function wirechart(args: readonly string[], options?: RunOptions): Command {
  const command = new Command([BIN, ...args], options);
  commands.push(command);
  return command;
}

async function peerOf(command: Command): Promise<Socket> {
  const socket = connect(await command.port(), '127.0.0.1');
  sockets.push(socket);
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

function write(name: string, text: string): string {
  const path = join(folder, name);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, text);
  return path;
}

const frame = (text: string) => {
  const payload = Buffer.from(text);
  const header = Buffer.alloc(4);
  header.writeUInt32BE(payload.length);
  return Buffer.concat([header, payload]);
};

/** A protocol that answers each line with `echo: ` and the line, in TypeScript. `extra` runs when the module is loaded. */
const lineEcho = (name: string, extra = '') => `
import { emit, setup } from 'xstate';
import { defineProtocol, type ProtocolCommand } from 'wirechart';
import { lines, type LineMessage } from 'wirechart/codec';
const machine = setup({
  types: {} as { events: LineMessage; emitted: ProtocolCommand<LineMessage> },
  actions: {
    answer: emit(({ event }) => ({ type: 'SEND', message: { type: 'LINE', text: 'echo: ' + event.text } })),
    extra: ({ event }) => { ${extra} },
  },
}).createMachine({ on: { LINE: { actions: ['answer', 'extra'] } } });
const protocol = defineProtocol({
  name: '${name}',
  codecs: { lines: () => lines({ maxFrameBytes: 1_000 }) },
  initialCodec: 'lines',
  machine,
});
`;

async function answerTo(command: Command, line: string): Promise<string> {
  const peer = await peerOf(command);
  peer.write(`${line}\n`);
  const [answer] = (await once(peer, 'data')) as [Buffer];
  return answer.toString();
}

test('line 1 names the protocol and where it listens, and nothing else is printed for a peer that comes and goes', async () => {
  const command = wirechart(['serve', 'echo', '--port', '0']);
  const peer = await peerOf(command);
  peer.end(frame('hello'));
  await once(peer.resume(), 'close');
  command.process.kill('SIGTERM');
  expect(await command.ended).toEqual([0, null]);
  expect(command.stdout).toMatch(/^wirechart: echo listening on 127\.0\.0\.1:\d+\n$/);
  expect(command.stderr).toBe('');
});

test('--host ::1 is listened on, and written in brackets', async () => {
  const command = wirechart(['serve', 'echo', '--host', '::1']);
  await command.port();
  expect(command.lines[0]).toMatch(/^wirechart: echo listening on \[::1\]:\d+$/);
});

test('--path listens on a Unix socket, and line 1 names it', async () => {
  const path = join(folder, 'echo.sock');
  const command = wirechart(['serve', 'echo', '--path', path]);
  await command.until('line 1', ({ lines }) => lines.length > 0);
  expect(command.lines).toEqual([`wirechart: echo listening on ${path}`]);
  const peer = connect(path);
  sockets.push(peer);
  peer.write(frame('hello'));
  expect(await once(peer, 'data')).toEqual([frame('hello')]);
});

test('--json prints the listening, each state of the session, its end and the error, one object a line', async () => {
  const command = wirechart(['serve', 'echo', '--json']);
  const port = await command.port();
  const peer = await peerOf(command);
  peer.write(frame('hello'));
  await once(peer, 'data');
  peer.end(Buffer.of(0, 0)); // half a header
  await command.until('closed', ({ stdout }) => stdout.includes('"closed"'));
  command.process.kill('SIGINT');
  expect(await command.ended).toEqual([0, null]);

  const objects = command.objects;
  expect(objects[0]).toEqual({ type: 'listening', protocol: 'echo', host: '127.0.0.1', port });
  const states = objects.filter(({ type }) => type === 'session');
  const { peer: address } = states[0]!;
  expect(address).toMatch(/^127\.0\.0\.1:\d+$/);
  for (const state of states) expect(state).toMatchObject({ id: '1', peer: address, protocol: 'answering' });
  const transports = states.map(({ transport }) => JSON.stringify(transport));
  expect(transports).toContain('"accepted"');
  expect(transports).toContain('{"connected":"flowing"}');
  expect(transports).toContain('{"closing":"lastAck"}');
  expect(objects.filter(({ type }) => type === 'closed')).toEqual([
    { type: 'closed', id: '1', reason: 'truncated frame', option: 'graceful' },
  ]);
  expect(objects.filter(({ type }) => type === 'error')).toEqual([
    { type: 'error', code: 'PEER_FAILED', message: expect.stringContaining('FRAME_TRUNCATED'), id: '1' },
  ]);
  expect(command.stderr).toBe('');
});

describe('a module by its path', () => {
  test.each([
    ['a .ts file without a package.json, which is CommonJS', 'plain.ts', ''],
    ['a .mts file', 'module.mts', ''],
    ['a .cts file', 'common.cts', ''],
    ['a .ts file of an ES module package', 'esm/protocol.ts', ''],
  ])('%s is served', async (_, file) => {
    if (file.startsWith('esm/')) write('esm/package.json', '{ "type": "module" }');
    const path = write(file, `${lineEcho('mine')}\nexport default protocol;\n`);
    const command = wirechart(['serve', path]);
    expect(await answerTo(command, 'one')).toBe('echo: one\n');
    expect(command.lines[0]).toMatch(/^wirechart: mine listening on /);
    command.process.kill('SIGTERM');
    expect(await command.ended).toEqual([0, null]);
    expect(command.stderr).toBe('');
  });

  test('a folder with an index.ts is served, relative to the working directory, by its only export that is a protocol', async () => {
    write('folder/names.ts', `export const NAME: string = 'from-a-folder';`);
    write('folder/package.json', '{ "type": "module" }');
    write('folder/index.ts', `${lineEcho('folder')}\nexport { NAME } from './names.js';\nexport { protocol };\n`);
    const command = wirechart(['serve', './folder'], { cwd: folder });
    expect(await answerTo(command, 'one')).toBe('echo: one\n');
  });

  test('a CommonJS module that sets module.exports is served', async () => {
    const path = write(
      'exports.cjs',
      `const { setup } = require('xstate');
       const { defineProtocol } = require('wirechart');
       const { lines } = require('wirechart/codec');
       module.exports = defineProtocol({ name: 'common', codecs: { lines: () => lines() }, initialCodec: 'lines', machine: setup({}).createMachine({}) });`,
    );
    const command = wirechart(['serve', path]);
    await command.port();
    expect(command.lines[0]).toMatch(/^wirechart: common listening on /);
  });
});

describe('faults behind the framework’s back', () => {
  test('a rejection that nobody handles is reported with its code, and the server goes on and drains with 0', async () => {
    const path = write(
      'rejects.mts',
      `${lineEcho('mine', `void Promise.reject(new Error('lost\\nline'));`)}\nexport default protocol;\n`,
    );
    const command = wirechart(['serve', path, '--json']);
    expect(await answerTo(command, 'one')).toBe('echo: one\n');
    const error = await command.until('error', ({ objects }) => objects.find(({ type }) => type === 'error'));
    expect(error).toMatchObject({ code: 'UNHANDLED_REJECTION', message: expect.stringContaining('lost line (') });
    expect(await answerTo(command, 'two')).toBe('echo: two\n');
    command.process.kill('SIGTERM');
    expect(await command.ended).toEqual([0, null]);
  });

  test('an exception that nobody caught is reported on one line, the sessions are drained, and the exit code is 1', async () => {
    const path = write(
      'throws-later.mts',
      `${lineEcho('mine', `setImmediate(() => { throw new Error('boom'); });`)}\nexport default protocol;\n`,
    );
    const command = wirechart(['serve', path]);
    const peer = await peerOf(command);
    peer.write('one\n');
    await once(peer.resume(), 'end');
    expect(await command.ended).toEqual([1, null]);
    expect(command.stderr).toMatch(
      /^wirechart: an exception that nobody caught, so the server drains: boom \(.*throws-later\.mts:\d+:\d+\)\n$/,
    );
  });

  test('a protocol that throws ends its session alone, and --json says whose', async () => {
    const path = write(
      'throws.mts',
      `${lineEcho('mine', `if (event.text === 'bad') throw new Error('bad line');`)}\nexport default protocol;\n`,
    );
    const command = wirechart(['serve', path, '--json']);
    const bad = await peerOf(command);
    bad.write('bad\n');
    await once(bad.resume(), 'end');
    expect(await answerTo(command, 'good')).toBe('echo: good\n');
    const error = await command.until('error', ({ objects }) => objects.find(({ type }) => type === 'error'));
    expect(error).toMatchObject({ code: 'PROTOCOL_FAILED', id: '1', message: expect.stringContaining('bad line') });
  });

  test('a shared chart that throws 4 times within 5 s drains the server, one line says so, and the exit code is 1', async () => {
    const path = write(
      'shared.mts',
      `import { emit, setup } from 'xstate';
       import { defineProtocol } from 'wirechart';
       import { lines } from 'wirechart/codec';
       const room = setup({ actions: { fail: () => { throw new Error('broken room'); } } }).createMachine({ on: { ASK: { actions: 'fail' } } });
       const machine = setup({ actions: { ask: emit({ type: 'TELL', to: 'room', event: { type: 'ASK' } }) } }).createMachine({ on: { LINE: { actions: 'ask' } } });
       export default defineProtocol({ name: 'shared', codecs: { lines: () => lines() }, initialCodec: 'lines', machine, shared: { room: { machine: room } } });`,
    );
    const command = wirechart(['serve', path]);
    const peer = await peerOf(command);
    peer.resume().write('1\n2\n3\n4\n');
    expect(await command.ended).toEqual([1, null]);
    const lines = command.stderr.trimEnd().split('\n');
    expect(lines.slice(0, -1).every((line) => line.includes('broken room'))).toBe(true);
    expect(lines.at(-1)).toBe('wirechart: shared has stopped by itself: the errors above say why');
  });
});

describe('wrong use and failed starts: one readable line, and the exit code', () => {
  const PORT = `'--port <number>' argument`;
  test.each([
    [
      2,
      'an unknown option',
      ['serve', 'echo', '--prot', '1'],
      `unknown option '--prot' (Did you mean --port?) (see wirechart --help)`,
    ],
    [
      2,
      'an unknown command',
      ['sreve', 'echo'],
      `unknown command 'sreve' (Did you mean serve?) (see wirechart --help)`,
    ],
    [2, 'no protocol', ['serve'], `missing required argument 'protocol' (see wirechart --help)`],
    [
      2,
      'an argument too many',
      ['serve', 'echo', '7000'],
      `too many arguments for 'serve'. Expected 1 argument but got 2. (see wirechart --help)`,
    ],
    [
      2,
      'port 70000',
      ['serve', 'echo', '--port', '70000'],
      `option ${PORT} '70000' is invalid. expected a whole number from 0 to 65535 (see wirechart --help)`,
    ],
    [
      2,
      'port x',
      ['serve', 'echo', '--port', 'x'],
      `option ${PORT} 'x' is invalid. expected a whole number from 0 to 65535 (see wirechart --help)`,
    ],
    [
      2,
      'port -1',
      ['serve', 'echo', '--port', '-1'],
      `option ${PORT} '-1' is invalid. expected a whole number from 0 to 65535 (see wirechart --help)`,
    ],
    [2, 'an empty host', ['serve', 'echo', '--host', ''], `server.host: expected an address or a name, got ""`],
    [
      2,
      'a path and a port',
      ['serve', 'echo', '--path', 'x', '--port', '1'],
      `option '--path <file>' cannot be used with option '--port <number>' (see wirechart --help)`,
    ],
    [
      2,
      'unknown kernel options',
      ['serve', 'echo', '--kernel-options', 'fast'],
      `option '--kernel-options <set>' argument 'fast' is invalid. Allowed choices are notes, system. (see wirechart --help)`,
    ],
    [
      1,
      'an address of another machine',
      ['serve', 'echo', '--host', '192.0.2.1', '--port', '7000'],
      '192.0.2.1 is not an address of this machine',
    ],
    [
      1,
      'a module that is not there',
      ['serve', './nothing.ts'],
      /^module not found: \.\/nothing\.ts is neither a file nor one of the examples \(chat, echo, .*\)$/,
    ],
    [1, 'a folder without a module', ['serve', 'test'], /^module not found: the folder test has no index\.js, /],
  ])('exit %i, %s', async (exitCode, _, args, message) => {
    const command = wirechart(args);
    expect(await command.ended).toEqual([exitCode, null]);
    expect(command.stdout).toBe('');
    const line = /^wirechart: (.*)\n$/.exec(command.stderr)?.[1];
    if (typeof message === 'string') expect(line).toBe(message);
    else expect(line).toMatch(message);
  });

  test('exit 1, a port that another process listens on', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const command = wirechart(['serve', 'echo', '--port', String(port)]);
    expect(await command.ended).toEqual([1, null]);
    expect(command.stderr).toBe(`wirechart: 127.0.0.1:${port} is in use by another process\n`);
    other.close();
  });

  test('exit 1, a name that cannot be resolved', async () => {
    const command = wirechart(['serve', 'echo', '--host', 'no-such-name.invalid']);
    expect(await command.ended).toEqual([1, null]);
    // Without a name server it is EAI_AGAIN, with one ENOTFOUND.
    expect(command.stderr).toMatch(/^wirechart: [^\n]*no-such-name\.invalid[^\n]*\n$/);
  });

  test.each([
    [
      'no protocol',
      'none.mjs',
      'export const port = 7000;',
      / exports no protocol: its default export should be what defineProtocol returns$/,
    ],
    [
      'a throw, with its place',
      'throws.ts',
      `throw new Error('boom\\n  at start');`,
      /^cannot load .*: boom at start \(.*throws\.ts:1:\d+\)$/,
    ],
    ['a mistake in TypeScript', 'syntax.ts', 'let x = ;', /^cannot load .*syntax\.ts:1:8: ERROR: Unexpected ";"$/],
    ['a mistake in JavaScript', 'syntax.mjs', 'let x = ;', /^cannot load .*: Unexpected token ';'/],
    [
      'an import that is not there',
      'imports.mjs',
      `import 'no-such-package';`,
      /^cannot load .*: Cannot find package 'no-such-package' imported from /,
    ],
    [
      'an await that never ends',
      'never.mjs',
      'await new Promise(() => {});',
      /^cannot load .*: its top-level await never ends$/,
    ],
    [
      'an invalid protocol',
      'invalid.mts',
      `import { defineProtocol } from 'wirechart'; defineProtocol({ name: '' } as never);`,
      /^cannot load .*: protocol\.name: expected a non-empty string, got "" \(.*invalid\.mts:1:\d+\)$/,
    ],
  ])('exit 1, a module with %s', async (_, file, text, message) => {
    const command = wirechart(['serve', write(file, text)]);
    expect(await command.ended).toEqual([1, null]);
    expect(command.stderr).toMatch(/^wirechart: .*\n$/);
    expect(/^wirechart: (.*)\n$/.exec(command.stderr)?.[1]).toMatch(message);
  });
});

test('--help and --version end with 0, and say how signals and faults are handled', async () => {
  const [help, version] = [wirechart(['serve', '--help']), wirechart(['--version'])];
  expect(await help.ended).toEqual([0, null]);
  expect(help.stdout).toMatch(/SIGTERM and SIGINT drain/);
  expect(help.stdout).toMatch(/after an uncaught exception it drains/);
  expect(await version.ended).toEqual([0, null]);
  expect(version.stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});

describe('signals', () => {
  test.each([['SIGTERM'], ['SIGINT']] as const)(
    '%s under the load of 20 peers: each gets a prefix of its requests back, then end and no ECONNRESET, and the exit code is 0',
    async (signal) => {
      const command = wirechart(['serve', 'echo']);
      const port = await command.port();
      const peers = Array.from({ length: 20 }, (_, number) => pipelining(port, number));
      await Promise.all(peers.map(({ warm }) => warm));
      command.process.kill(signal);
      const outcomes = await Promise.all(peers.map(({ ended }) => ended));
      for (const { sent, received, sawEnd, error } of outcomes) {
        expect(error).toBeUndefined();
        expect(sawEnd).toBe(true);
        expect(received.byteLength).toBeGreaterThan(0);
        expect(received.equals(sent.subarray(0, received.byteLength))).toBe(true);
        expect(wholeFrames(received)).toBe(true);
      }
      expect(await command.ended).toEqual([0, null]);
      expect(command.stderr).toBe('');
    },
  );

  test('the first one asks a peer that never closes to end, a second one resets it: exit 1', async () => {
    const command = wirechart(['serve', 'echo', '--json']);
    const peer = connect({ port: await command.port(), host: '127.0.0.1', allowHalfOpen: true });
    sockets.push(peer);
    const error = once(peer, 'error', {}).catch((reason: unknown) => [reason]);
    peer.write(frame('hello'));
    await once(peer, 'data');
    const end = once(peer, 'end');
    command.process.kill('SIGTERM');
    await end;
    await command.until('finWait', ({ stdout }) => stdout.includes('{"closing":"finWait"}'));
    command.process.kill('SIGTERM');
    expect(await command.ended).toEqual([1, null]);
    expect(command.objects.at(-1)).toMatchObject({ type: 'closed', id: '1', reason: 'draining' });
    peer.write('x');
    const [reason] = (await error) as [NodeJS.ErrnoException];
    expect(['EPIPE', 'ECONNRESET']).toContain(reason.code);
  });

  test('--drain-timeout 200: a peer that never closes is reset after it, and the exit code is 0', async () => {
    const command = wirechart(['serve', 'echo', '--drain-timeout', '200']);
    const peer = connect({ port: await command.port(), host: '127.0.0.1', allowHalfOpen: true });
    sockets.push(peer);
    peer.on('error', () => {}).write(frame('hello'));
    await once(peer, 'data');
    command.process.kill('SIGTERM');
    expect(await command.ended).toEqual([0, null]);
  });

  test('one that comes while the module is still loading ends it with 0, and nothing is printed', async () => {
    const path = write(
      'slow.mjs',
      `process.send?.('loading'); console.error('loading'); await new Promise((resolve) => setTimeout(resolve, 60_000));`,
    );
    const command = wirechart(['serve', path]);
    await command.until('loading', ({ stderr }) => stderr.includes('loading'));
    command.process.kill('SIGTERM');
    expect(await command.ended).toEqual([0, null]);
    expect([command.stdout, command.stderr]).toEqual(['', 'loading\n']);
  });

  test('a timer that a user’s module left running does not keep the drained process alive', async () => {
    const path = write('timer.mts', `setInterval(() => {}, 1_000);\n${lineEcho('mine')}\nexport default protocol;\n`);
    const command = wirechart(['serve', path]);
    expect(await answerTo(command, 'one')).toBe('echo: one\n');
    command.process.kill('SIGTERM');
    expect(await command.ended).toEqual([0, null]);
  });
});

test('after its stdout is closed (`| head -1`) the server goes on without a word, and drains with 0', async () => {
  const command = wirechart(['serve', 'echo', '--json']);
  await command.port();
  command.process.stdout.destroy();
  const port = Number(/"port":(\d+)/.exec(command.stdout)?.[1]);
  for (let n = 0; n < 3; n += 1) {
    const peer = connect(port, '127.0.0.1');
    sockets.push(peer);
    peer.write(frame('hello'));
    expect(await once(peer, 'data')).toEqual([frame('hello')]);
    peer.end();
    await once(peer, 'close');
  }
  command.process.kill('SIGTERM');
  expect(await command.ended).toEqual([0, null]);
  expect(command.stderr).toBe('');
});

/** A peer that sends frames as fast as they are taken, until the server ends the connection. */
function pipelining(port: number, number: number) {
  const socket = connect(port, '127.0.0.1');
  sockets.push(socket);
  const sent: Buffer[] = [];
  const received: Buffer[] = [];
  let sawEnd = false;
  let error: Error | undefined;
  let count = 0;
  // A turn of the event loop between two batches: a peer that only writes would not read that the server has ended.
  const send = () => {
    for (let n = 0; n < 50; n += 1) {
      if (sawEnd || socket.destroyed) return;
      const bytes = frame(`peer ${number}, frame ${count} ${'.'.repeat(count % 300)}`);
      count += 1;
      sent.push(bytes);
      if (!socket.write(bytes)) return;
    }
    setImmediate(send);
  };
  socket.on('connect', send).on('drain', send);
  const warm = new Promise<void>((resolve) => {
    let bytes = 0;
    socket.on('data', (data) => {
      received.push(data);
      bytes += data.length;
      if (bytes > 100_000) resolve();
    });
  });
  socket.on('end', () => (sawEnd = true));
  socket.on('error', (reason) => (error = reason));
  const ended = once(socket, 'close').catch(() => {}).then(() => ({ sent: Buffer.concat(sent), received: Buffer.concat(received), sawEnd, error })); // prettier-ignore
  return { warm, ended };
}

function wholeFrames(bytes: Buffer): boolean {
  let at = 0;
  while (at + 4 <= bytes.length) at += 4 + bytes.readUInt32BE(at);
  return at === bytes.length;
}
