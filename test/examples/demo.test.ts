/** `npm start` as a process, without a terminal. Runs `dist`, which `npm test` has built. */
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Command, ROOT } from '../cli/command.js';
import { TestPage } from '../visualizer/page.js';

let command: Command | undefined;

afterEach(() => command?.kill());

const REASONS = {
  'peer FIN': 'peer closed, FIN, peer saw end',
  'peer RST': 'peer reset, RST',
  'wait timeout': 'wait timeout, FIN, peer saw end',
  'server graceful': 'protocol asked, FIN, peer saw end',
  'server forced': 'protocol asked, RST, peer saw ECONNRESET',
  'slow reader': 'slow reader, RST, peer saw ECONNRESET',
};

describe('--once', () => {
  let once: Command;

  beforeAll(async () => {
    once = new Command([join(ROOT, 'dist/examples/demo.js'), '--once']);
    await once.ended;
  });

  test('plays the 6 close scenarios of each of the 3 examples, says how each session ended, and exits with 0', async () => {
    expect(await once.ended).toEqual([0, null]);
    expect(once.stderr).toBe('');
    expect(once.stdout).not.toContain('http');
    const expected = ['echo', 'chat', 'media-control'].flatMap((example) =>
      Object.entries(REASONS).map(([scenario, reason]) => {
        const isEcho = example === 'echo' && scenario === 'slow reader';
        const outcome = isEcho ? reason.replace('slow reader', 'send timeout') : reason;
        return `${example.padEnd(13)}  ${scenario.padEnd(15)}    1  ${outcome}`;
      }),
    );
    const summary = once.lines.slice(-19);
    expect(summary.slice(0, 18)).toEqual(expected);
    // One session each, and the one that talks in the busy room.
    expect(summary[18]).toBe('19 sessions have ended, none is left; 0 errors');
  });

  test('prints each change on a line with its time: 6 s of silence before the wait timeout of the echo', () => {
    const secondsOf = (event: string) => {
      const line = once.lines.find((text) => text.slice(11).startsWith(`echo           wait timeout     ${event}`));
      return Number(line?.slice(0, 9));
    };
    // The last READ comes after `sends 3 frames`, and before `falls silent`.
    expect(secondsOf('session  closing.flushing') - secondsOf('peer     sends 3 frames')).toBeGreaterThanOrEqual(5.998);
    expect(secondsOf('session  closed')).toBeGreaterThan(secondsOf('peer     falls silent'));
  });
});

test('it plays on until SIGTERM, which drains: the sessions under way are ended, and it exits with 0', async () => {
  command = new Command([join(ROOT, 'dist/examples/demo.js')]);
  await command.until('a session that ended', ({ stdout }) => / end {6}peer closed, FIN/.test(stdout));
  command.process.kill('SIGTERM');
  expect(await command.ended).toEqual([0, null]);
  expect(command.lines.at(-1)).toMatch(/^\d+ sessions have ended, none is left; 0 errors$/);
});

test('its visualizer shows all servers and a client that comes back, and may control them; with --once there is none', async () => {
  command = new Command([join(ROOT, 'dist/examples/demo.js')]);
  const url = await command.until('an address', ({ stdout }) => /^visualizer: (http\S+)$/m.exec(stdout)?.[1]);
  const page = new TestPage(url);
  const { sources, control } = await page.told('hello');
  expect(control).toBe(true);
  expect(sources.map(({ name, kind }) => `${kind} ${name}`)).toEqual([
    'server echo',
    'server chat',
    'server media-control',
    'server knock-knock',
    'client visitor',
  ]);
  page.send({ type: 'subscribe', topic: 'overview', source: 'visitor' });
  const { counts } = await page.told('overview');
  expect(counts!.session[1]).toBe(1);
  command.process.kill('SIGTERM');
  expect(await command.ended).toEqual([0, null]);
  await page.closed;
});

test('an unknown option ends it with 2 and one line', async () => {
  command = new Command([join(ROOT, 'dist/examples/demo.js'), '--twice']);
  expect(await command.ended).toEqual([2, null]);
  expect(command.stderr).toMatch(/^demo: Unknown option '--twice'.* \(there is --once\)\n$/);
});
