/** `wirechart serve --record` and `wirechart replay` as processes. Runs `dist`, which `npm test` has built. */
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { peerCodec } from '../../examples/media-control/codec.js';
import { readRecording } from '../../src/inspect/recording-text.js';
import { Command, ROOT } from './command.js';

const BIN = join(ROOT, 'bin/wirechart.js');

let folder: string;
let commands: Command[] = [];

/** A project of a user. */
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'wirechart-replay-cli-'));
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(ROOT, join(folder, 'node_modules/wirechart'));
  for (const name of ['xstate', 'vitest'])
    symlinkSync(join(ROOT, 'node_modules', name), join(folder, 'node_modules', name));
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

afterEach(async () => {
  for (const command of commands) await command.kill();
  commands = [];
});

function wirechart(...args: readonly string[]): Command {
  const command = new Command([BIN, ...args], { cwd: folder });
  commands.push(command);
  return command;
}

/** @returns exit code, stdout, stderr */
async function output(...args: readonly string[]): Promise<[number | null, string, string]> {
  const command = wirechart(...args);
  const [code] = await command.ended;
  return [code, command.stdout, command.stderr];
}

async function peerOf(command: Command): Promise<Socket> {
  const socket = connect(await command.port(), '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

type Said = Parameters<typeof peerCodec.encode>[0];

/** Serves media-control and says these to it, each after the answer before. @returns the recordings' paths */
async function recorded(name: string, says: readonly Said[], ...flags: readonly string[]): Promise<string[]> {
  const place = join(folder, name);
  const command = wirechart('serve', 'media-control', '--record', place, ...flags);
  const peer = await peerOf(command);
  const closed = once(peer, 'close');
  for (const message of says) {
    const answered = once(peer, 'data');
    peer.write(peerCodec.encode(message));
    await answered;
  }
  peer.end();
  await closed;
  command.process.kill('SIGTERM');
  expect(await command.ended).toEqual([0, null]);
  expect(command.stderr).toBe('');
  return readdirSync(place).map((file) => join(place, file));
}

const hello: Said = { type: 'HELLO', version: 1 };
const ping: Said = { type: 'PING', payload: Uint8Array.of(7, 8) };
const PATIENCE = [hello, ping, hello, hello, hello, hello, hello];

let file: string;
beforeAll(async () => {
  [file] = (await recorded('errors', PATIENCE)) as [string];
});

describe('a session of media-control that ends for too many errors', () => {
  test('is one file without a byte in it, named for protocol, session and time', () => {
    expect(file).toMatch(/\/media-control-1-\d{8}T\d{9}Z\.jsonl$/);
    const { header, end } = readRecording(readFileSync(file, 'utf8'));
    expect(header).toMatchObject({ protocol: 'media-control', payloads: false });
    expect(end).toMatchObject({ reason: 'too many errors' });
  });

  test('agrees when it is played again: exit code 0', async () => {
    const [code, stdout, stderr] = await output('replay', file);
    expect(stdout.split('\n')).toEqual([
      expect.stringMatching(/^media-control, session 1: ended after \d+ ms, too many errors \(by fin\)$/),
      'both charts are as they were',
      expect.stringMatching(/^all agrees: \d+ steps, \d+ states, \d+ commands$/),
      'note: recorded without payloads: the charts were looked at, and no codec',
      '',
    ]);
    expect([code, stderr]).toEqual([0, '']);
  });

  test('against a copy of the chart that was changed: the change and the first difference are named, exit code 1', async () => {
    const copy = join(folder, 'changed');
    cpSync(join(ROOT, 'dist/examples/media-control'), copy, { recursive: true });
    const chart = join(copy, 'machine.js');
    const text = readFileSync(chart, 'utf8');
    expect(text).toContain("HELLO: { actions: refuse('wrongState') },");
    writeFileSync(
      chart,
      text.replace("HELLO: { actions: refuse('wrongState') },", "HELLO: { actions: ['answerHello', 'forgetErrors'] },"),
    );
    const [code, stdout, stderr] = await output('replay', file, '--module', copy);
    const lines = stdout.split('\n');
    expect(lines.slice(1, 3)).toEqual([
      'changed since it was recorded:',
      '  protocol chart: state open.control.ready: on HELLO had stays refuse("wrongState"), now stays answerHello, forgetErrors',
    ]);
    const difference = lines.findIndex((line) => line.startsWith('the first difference'));
    expect(lines[difference]).toMatch(
      /^the first difference is at entry \d+ \(line \d+\), [\d.]+ ms after the start: protocol command$/,
    );
    expect(lines[difference + 1]).toBe(
      '  recorded: {"type":"SEND","message":{"type":"ERROR","code":3,"command":1,"text":"not in this state"}}',
    );
    expect(lines[difference + 2]).toBe('  replayed: {"type":"SEND","message":{"type":"HELLO_OK","session":1}}');
    expect(lines.filter((line) => /^> \d+ [\d.]+ ms protocol HELLO -> SEND ERROR$/.test(line))).toHaveLength(1);
    expect([code, stderr]).toEqual([1, '']);
  });

  test('--json is one object with the same', async () => {
    const [code, stdout] = await output('replay', file, '--json');
    expect(JSON.parse(stdout)).toMatchObject({
      protocol: 'media-control',
      session: '1',
      reason: 'too many errors',
      agrees: true,
      changes: [],
    });
    expect([code, stdout.split('\n')]).toEqual([0, [expect.any(String), '']]);
  });
});

test('--record-all writes a file of a session that went well, --payloads one with its bytes, and replays the codec', async () => {
  const [all] = await recorded('all', [hello, ping], '--record-all', '--payloads');
  const [code, stdout] = await output('replay', all!);
  expect(stdout).toMatch(/session 1: ended after \d+ ms, peer closed \(by fin\)\n/);
  expect(stdout).toMatch(/all agrees: .* and 4 messages through the codec\n/);
  expect(code).toBe(0);
});

test('without --record-all a session that went well has no file', async () => {
  expect(await recorded('well', [hello, ping])).toEqual([]);
});

describe('--as-test', () => {
  test('writes tests that vitest finds green: of a whole session in a world, and of the end of one by its chart', async () => {
    expect(await output('replay', file, '--as-test', '--out', 'whole.test.ts')).toEqual([0, '', '']);
    const text = readFileSync(join(folder, 'whole.test.ts'), 'utf8');
    expect(text).toContain(
      `test("media-control: a peer that sends HELLO, PING and HELLO 5 times is closed with 'too many errors'", async () => {`,
    );
    // Alone, or in one write with what the system read together with it.
    expect(text).toMatch(/peer\.send\(.*\{ type: 'PING', payload: Uint8Array\.of\(7, 8\) \}/);
    expect(text).toMatch(
      /expect\(peer\.received\.splice\(0\)\)\.toEqual\(\[\{ type: 'PONG', payload: Uint8Array\.of\(7, 8\) \}/,
    );

    const cut = join(folder, 'cut.jsonl');
    writeFileSync(cut, withoutItsStart(readFileSync(file, 'utf8')));
    const [code, , stderr] = await output('replay', cut, '--as-test', '--out', 'cut.test.ts');
    expect([code, stderr]).toEqual([
      0,
      'wirechart: the test plays the chart alone: the recording does not begin with the session\n',
    ]);

    const vitest = new Command(
      [join(ROOT, 'node_modules/vitest/vitest.mjs'), 'run', '--root', folder, 'whole', 'cut'],
      { cwd: folder },
    );
    commands.push(vitest);
    const [exit] = await vitest.ended;
    expect([exit, vitest.stdout], vitest.stderr).toEqual([0, expect.stringMatching(/Tests .*2 passed/)]);
  });

  test('a module in TypeScript is imported as `.js`, which tsc and vitest both find', async () => {
    const example = relative(folder, join(ROOT, 'dist/examples/media-control/index.js'));
    writeFileSync(join(folder, 'mine.ts'), `export { default } from ${JSON.stringify(example)};\n`);
    const [code, stdout] = await output('replay', file, '--module', 'mine.ts', '--as-test');
    expect(stdout).toContain(`import protocol from './mine.js';\n`);
    expect(code).toBe(0);
  });

  test('writes no test over one that is there', async () => {
    writeFileSync(join(folder, 'there.test.ts'), 'mine');
    const [code, , stderr] = await output('replay', file, '--as-test', '--out', 'there.test.ts');
    expect([code, stderr]).toEqual([2, expect.stringMatching(/^wirechart: cannot write there\.test\.ts: EEXIST/)]);
    expect(readFileSync(join(folder, 'there.test.ts'), 'utf8')).toBe('mine');
  });
});

/** What a ring keeps: a checkpoint in `ready`, and the errors. */
function withoutItsStart(text: string): string {
  const lines = text.trimEnd().split('\n');
  const header = { ...(JSON.parse(lines[0]!) as object), dropped: 5 };
  const track = {
    framesPerSecond: 1,
    frameBytes: 0,
    sequence: 0,
    planned: 8,
    framesSent: 0,
    framesDropped: 0,
    held: [],
    totals: { bytes: 0, frames: 0, drops: 0 },
  };
  const snapshot = { status: 'active', history: {}, children: [] };
  const open = { control: 'ready', audio: 'idle', video: 'idle', qos: 'off', output: 'flowing' };
  const start = JSON.parse(lines.find((line) => line.includes('"transport","origin":"start"'))!) as {
    event: { input: object };
  };
  const transport = {
    ...{
      waitTimeoutCount: 0,
      held: false,
      inputFull: false,
      outputFull: false,
      framePending: false,
      stallCount: 0,
      bytesSent: -1,
    },
    ...{
      discardedBytes: 0,
      reason: { $undefined: true },
      option: { $undefined: true },
      closedBy: { $undefined: true },
    },
    ...start.event.input,
  };
  const charts = {
    transport: { ...snapshot, value: { connected: 'flowing' }, context: transport },
    protocol: { ...snapshot, value: { open }, context: { session: 1, errorCount: 0, audio: track, video: track } },
  };
  const checkpoint = {
    kind: 'checkpoint',
    atMs: 0,
    charts,
    timers: [],
    codec: { name: 'media' },
    input: { $length: 0 },
    pendingHandlers: [],
  };
  const first = lines.findIndex((line) => line.includes('"type":"PONG"')) + 3;
  // What was encoded refers to its step by number, which is another here.
  const rest = lines.slice(first).filter((line) => !line.includes('"kind":"encoded"'));
  return `${[header, checkpoint].map((line) => JSON.stringify(line)).join('\n')}\n${rest.join('\n')}\n`;
}

describe('wrong use: exit code 2, and one line that says what to do', () => {
  test('files that are none, and flags that need another', async () => {
    const wrong: [readonly string[], RegExp][] = [
      [['replay', 'nowhere.jsonl'], /^wirechart: cannot read nowhere\.jsonl: ENOENT/],
      [['replay', 'package.json'], /^wirechart: package\.json, line 1: this is no recording of wirechart$/],
      [['replay', 'package.json', '--out', 'x'], /^wirechart: --out needs --as-test$/],
      [['serve', 'echo', '--record-all'], /^wirechart: --record-all needs --record <folder>$/],
      [['serve', 'echo', '--payloads'], /^wirechart: --payloads needs --record <folder> or --visualizer$/],
    ];
    const said = await Promise.all(wrong.map(([args]) => output(...args)));
    expect(said.map(([code, stdout, stderr]) => [code, stdout, stderr.trimEnd()])).toEqual(
      wrong.map(([, message]) => [2, '', expect.stringMatching(message)]),
    );
  });

  test('a recording without a step has nothing to compare, and one without a step of the protocol makes no test', async () => {
    const lines = readFileSync(file, 'utf8').split('\n');
    writeFileSync(join(folder, 'empty.jsonl'), `${lines.slice(0, 2).join('\n')}\n`);
    expect(await output('replay', 'empty.jsonl')).toEqual([
      2,
      '',
      'wirechart: empty.jsonl has no step that could be played again: there is nothing to compare\n',
    ]);
    const rest = withoutItsStart(readFileSync(file, 'utf8'))
      .split('\n')
      .filter((line) => !line.includes('"chart":"protocol"'));
    writeFileSync(join(folder, 'idle.jsonl'), rest.join('\n'));
    const [code, stdout, stderr] = await output('replay', 'idle.jsonl', '--as-test');
    expect([code, stdout, stderr]).toEqual([
      2,
      '',
      expect.stringMatching(
        /^wirechart: there is no test to make of idle\.jsonl: no step of the protocol's chart is in it/,
      ),
    ]);
  });

  test('a recording of a protocol that is no example needs --module, of that protocol', async () => {
    const text = readFileSync(file, 'utf8').replace('"protocol":"media-control"', '"protocol":"mine"');
    writeFileSync(join(folder, 'foreign.jsonl'), text);
    const [code, , stderr] = await output('replay', 'foreign.jsonl');
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(
        /^wirechart: the recording is of mine, which is none of the examples \(.*\): name its module with --module\n$/,
      ),
    ]);
    const [other, , said] = await output('replay', 'foreign.jsonl', '--module', 'echo');
    expect([other, said]).toEqual([2, 'wirechart: the recording is of mine, and --module has echo\n']);
  });
});
