/** `wirechart check` as a process: its tables and its exit codes. Runs `dist`, which `npm test` has built. */
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { Command, ROOT } from './command.js';

const BIN = join(ROOT, 'bin/wirechart.js');
let commands: Command[] = [];

afterEach(async () => {
  for (const command of commands) await command.kill();
  commands = [];
});

async function check(...args: string[]): Promise<Command> {
  const command = new Command([BIN, 'check', ...args]);
  commands.push(command);
  await command.ended;
  return command;
}

const exitCode = async (command: Command) => (await command.ended)[0];
const text = (stdout: string) => stdout.replace(/time .* s/, 'time');

test.each([
  { example: 'echo', covered: '1 of 1 states, 1 of 1 transitions, 0 of 0 timeouts' },
  { example: 'knock-knock', covered: '3 of 3 states, 4 of 4 transitions, 2 of 2 timeouts' },
  { example: 'chat', covered: '7 of 7 states, 18 of 18 transitions, 3 of 3 timeouts' },
  { example: 'media-control', covered: '21 of 21 states, 42 of 42 transitions, 4 of 4 timeouts' },
])('$example: $covered are covered, nothing is found, exit 0', async ({ example, covered }) => {
  const command = await check(example);
  expect(command.stderr).toBe('');
  expect(command.stdout).toContain(`  covered      ${covered}\n`);
  expect(command.lines.at(-1)).toBe(`${example}: nothing found`);
  expect(await exitCode(command)).toBe(0);
});

test('a state that no arrow leads to and a wait without a deadline are both named in the table, exit 1', async () => {
  const command = await check('test/cli/lost-protocol.ts');
  expect(text(command.stdout)).toBe(`  state   transition               taken
  asking
          LINE                     1
  lost                             NEVER ENTERED
          after 1000 ms -> asking  NEVER

  covered      1 of 2 states, 1 of 2 transitions, 0 of 1 timeouts
               timeouts that were not: lost after 1000 ms
  looked at    2 places of the model (at most 2000, 60 steps deep)
  carried out  1 path (at most 500) of 1 step, with up to 1 peer, seed 1
  bounds       none was reached
  time

lost-and-waiting: 2 findings
  unreachable   lost: no arrow of the chart leads there
  noDeadline    asking: a session may stay there for ever: nothing is due, and its waits are off or stand still
`);
  expect(await exitCode(command)).toBe(1);
});

test('what the module accepts in its `exploration` is shown with the reason, and the exit code is 0', async () => {
  const command = await check('test/cli/accepted-protocol.ts');
  expect(command.stdout).toContain(
    'lost-and-waiting: nothing found\n  unreachable   accepted: kept for the next version',
  );
  expect(await exitCode(command)).toBe(0);
});

describe('flags', () => {
  test('--json prints one object with coverage, findings, bounds and the time taken', async () => {
    const command = await check('test/cli/lost-protocol.ts', '--json', '--seed', '5');
    expect(command.objects).toEqual([
      expect.objectContaining({
        protocol: 'lost-and-waiting',
        seed: 5,
        passes: false,
        findings: [
          expect.objectContaining({ finding: 'unreachable', where: 'lost' }),
          expect.objectContaining({ finding: 'noDeadline', where: 'asking' }),
        ],
        bounds: expect.objectContaining({ paths: 1, reached: [] }) as object,
        durationMs: expect.any(Number) as number,
      }),
    ]);
    expect(await exitCode(command)).toBe(1);
  });

  test('--paths prints each step and what it has led to', async () => {
    const { stdout } = await check('knock-knock', '--paths');
    expect(stdout).toContain(
      `     1. peer 1 sends LINE {"text":"Who's there?"}  -> naming\n` +
        `     2. peer 1 sends LINE {"text":"Boo who?"}  -> leaving\n`,
    );
  });

  test('--states 1 and --depth 1 bound what is looked at: media-control is not covered, the bounds say so, exit 1', async () => {
    const [states, depth] = await Promise.all([
      check('media-control', '--states', '1'),
      check('media-control', '--depth', '1'),
    ]);
    expect(states.stdout).toContain('bounds       reached placesMax: what lies beyond was not looked at');
    expect(depth.stdout).toContain('reached depthMax');
    expect([await exitCode(states), await exitCode(depth)]).toEqual([1, 1]);
  });

  test('--threshold 0.1 lets uncovered transitions pass', async () => {
    const command = await check('media-control', '--depth', '1', '--threshold', '0.1', '--json');
    expect(command.objects[0]).toMatchObject({ passes: false });
    const findings = command.objects[0]!['findings'] as { finding: string }[];
    expect(new Set(findings.map(({ finding }) => finding))).toEqual(new Set(['neverSent', 'notCovered']));
  });

  test.each([
    [['chat', '--seed', 'x'], /seed/],
    [['chat', '--threshold', '2'], /expected a number from 0 to 1/],
    [['chat', '--depth', '0'], /expected a whole number from 1/],
    [[], /missing required argument/],
  ] as [string[], RegExp][])('exit 2, wrong use: check %j', async (args, message) => {
    const command = await check(...args);
    expect(command.stderr).toMatch(message);
    expect(await exitCode(command)).toBe(2);
  });

  test('a module that is not there: one line, exit 1', async () => {
    const command = await check('no-such-thing');
    expect(command.stderr).toMatch(/^wirechart: module not found: no-such-thing is neither .*\n$/);
    expect(await exitCode(command)).toBe(1);
  });
});
