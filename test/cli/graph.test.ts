/** `wirechart graph` as a process: its output, its errors and its exit codes. Runs `dist`, which `npm test` has built. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import chat from '../../examples/chat/index.js';
import mediaControl from '../../examples/media-control/index.js';
import { clientMachine, gcSweeperMachine, serverSocketMachine, sessionMachine } from '../../machines/index.js';
import { drawChart, readChart } from '../../src/inspect/index.js';
import { Command, ROOT } from './command.js';

const BIN = join(ROOT, 'bin/wirechart.js');
let commands: Command[] = [];
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'wirechart-graph-'));
});

afterEach(async () => {
  for (const command of commands) await command.kill();
  commands = [];
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function graph(...args: string[]): Promise<{ stdout: string; stderr: string; exitCode: number | null }> {
  const command = new Command([BIN, 'graph', ...args]);
  commands.push(command);
  const [exitCode] = await command.ended;
  return { stdout: command.stdout, stderr: command.stderr, exitCode };
}

test('without flags the chart of the protocol is printed as SVG, and nothing else', async () => {
  const { stdout, stderr, exitCode } = await graph('media-control');
  expect(stdout).toBe(await drawChart(mediaControl.machine));
  expect([stderr, exitCode]).toEqual(['', 0]);
});

test.each([
  { chart: 'protocol', machine: chat.machine },
  { chart: 'shared:room', machine: chat.shared!['room']!.machine },
  { chart: 'session', machine: sessionMachine },
  { chart: 'server-socket', machine: serverSocketMachine },
  { chart: 'client', machine: clientMachine },
  { chart: 'gc-sweeper', machine: gcSweeperMachine },
])('--chart $chart is that one', async ({ chart, machine }) => {
  const { stdout, exitCode } = await graph('chat', '--chart', chart, '--format', 'json');
  expect(JSON.parse(stdout)).toEqual(readChart(machine));
  expect(exitCode).toBe(0);
});

test.each(['mermaid', 'scxml'] as const)('--format %s with --actions is what drawChart makes of it', async (format) => {
  const { stdout, exitCode } = await graph('chat', '--format', format, '--actions');
  expect(stdout).toBe(await drawChart(chat.machine, { format, actions: true }));
  expect(exitCode).toBe(0);
});

test('--out writes the file, twice the same, and prints nothing', async () => {
  const [one, two] = [join(folder, 'one.svg'), join(folder, 'two.svg')];
  expect(await graph('knock-knock', '--out', one)).toEqual({ stdout: '', stderr: '', exitCode: 0 });
  expect(await graph('knock-knock', '--out', two)).toEqual({ stdout: '', stderr: '', exitCode: 0 });
  expect(readFileSync(one)).toEqual(readFileSync(two));
});

test('a chart whose machine has no id is called like its protocol', async () => {
  const { stdout } = await graph('knock-knock');
  expect(stdout).toContain('<title id="chart-knock-knock-title">Statechart knock-knock</title>');
  expect(stdout).not.toContain('>(machine)<');
});

test('a module of one’s own is drawn too', async () => {
  const { stdout, exitCode } = await graph('test/cli/lost-protocol.ts', '--format', 'mermaid');
  expect(stdout).toContain('s_lost --> s_asking : after 1000 ms\n');
  expect(exitCode).toBe(0);
});

test.each(['knock-knock', 'media-control'])('the picture of %s in the documentation is up to date', async (name) => {
  const { stdout } = await graph(name);
  expect(readFileSync(join(ROOT, `docs/pictures/${name}.svg`), 'utf8')).toBe(stdout);
});

describe('what cannot be drawn is said in one line', () => {
  const CHARTS = 'protocol, session, server-socket, client, gc-sweeper, shared:<name>';
  test.each([
    {
      what: 'a protocol that is not there',
      args: ['nowhere'],
      exitCode: 1,
      message: 'module not found: nowhere is neither a file nor one of the examples',
    },
    {
      what: 'a format that there is not',
      args: ['echo', '--format', 'png'],
      exitCode: 2,
      message: "option '--format <name>' argument 'png' is invalid. Allowed choices are svg, mermaid, json, scxml.",
    },
    {
      what: 'a chart that there is not',
      args: ['echo', '--chart', 'transport'],
      exitCode: 2,
      message: `option '--chart <name>' argument 'transport' is invalid. expected one of ${CHARTS}`,
    },
    {
      what: 'a shared actor that there is not',
      args: ['chat', '--chart', 'shared:toString'],
      exitCode: 2,
      message: '--chart shared:toString: chat has no shared actor of that name; it has room',
    },
    {
      what: 'a shared actor of a protocol without any',
      args: ['echo', '--chart', 'shared:room'],
      exitCode: 2,
      message: '--chart shared:room: echo has no shared actor of that name; it has none',
    },
    {
      what: 'a folder that there is not',
      args: ['echo', '--out', '/nowhere/echo.svg'],
      exitCode: 1,
      message: "cannot write /nowhere/echo.svg: ENOENT: no such file or directory, open '/nowhere/echo.svg'",
    },
    { what: 'no protocol', args: [], exitCode: 2, message: "missing required argument 'protocol'" },
  ])('$what: exit code $exitCode', async ({ args, exitCode, message }) => {
    const result = await graph(...args);
    expect(result.stdout).toBe('');
    expect(result.stderr).toContain(`wirechart: ${message}`);
    expect(result.stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(result.exitCode).toBe(exitCode);
  });
});
