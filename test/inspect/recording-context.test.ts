/** What a recording has of contexts step by step, and the drawings in its header: written, read back, masked, and not needed by a replay. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assign, type AnyStateMachine } from 'xstate';
import { describe, expect, test } from 'vitest';
import { sessionMachine } from '../../machines/session.js';
import { replayRecording } from '../../src/explore/replay.js';
import { readChart } from '../../src/inspect/drawing/chart.js';
import { Elided } from '../../src/inspect/plain-data.js';
import type { Checkpoint, Recording, Step } from '../../src/inspect/recording.js';
import { readRecording } from '../../src/inspect/recording-text.js';
import type { AnyProtocol } from '../../src/session/protocol.js';
import { labProtocol, says } from '../session/lab.js';
import { start } from '../session/start.js';

const bag = (context: unknown, change: (of: any, text: string) => object, more: object = {}): AnyProtocol =>
  labProtocol({
    ...more,
    implementations: { actions: { change: assign(({ context, event }: any) => change(context, event.text) as never) } },
    machine: { context, on: { LINE: { actions: 'change' } } },
  });

async function session(protocol: AnyProtocol) {
  const started = await start(protocol, { waitTimeoutCountMax: 0 });
  const peer = started.layer.connect();
  return { ...started, peer, session: started.server.sessions.get('1')! };
}

const steps = ({ entries }: Recording, chart: Step['chart'] = 'protocol') =>
  entries.filter((entry): entry is Step => entry.kind === 'step' && entry.chart === chart);

describe('of a step that changes the context', () => {
  test('there are the fields that are another value: those set to an equal object too, those that stay not', async () => {
    const protocol = bag({ list: [1], same: { a: 1 }, nan: NaN, n: 0 }, ({ list, n }) => ({
      list: [...list],
      nan: NaN,
      n: n + 1,
    }));
    const { peer, session: of } = await session(protocol);
    const recording = of.record({});
    says(peer, 'x', 'y');
    expect(steps(readRecording(recording.text())).map(({ context }) => context)).toEqual([
      { set: { list: [1], n: 1 }, removed: [] },
      { set: { list: [1], n: 2 }, removed: [] },
    ]);
  });

  test('a step that changes nothing has none, and neither has the file', async () => {
    const { peer, session: of } = await session(labProtocol({ machine: { context: { n: 1 } } }));
    const recording = of.record({});
    says(peer, 'x');
    expect(recording.text()).not.toContain('"context":{"set":{"n"');
    expect(steps(readRecording(recording.text()))[0]).not.toHaveProperty('context');
  });

  test('the changes put together from a checkpoint on are the context of the session', async () => {
    const protocol = bag({ n: 0, words: [] }, ({ n, words }, text) => ({
      n: n + 1,
      ...(n % 3 === 0 && { words: [...words, text] }),
    }));
    const { peer, session: of } = await session(protocol);
    const recording = of.record({ entriesMax: 40 });
    for (let n = 0; n < 200; n += 1) says(peer, `word ${n}`);
    let context: Record<string, unknown> = {};
    for (const entry of readRecording(recording.text()).entries) {
      if (entry.kind === 'checkpoint') context = { ...((entry as Checkpoint).charts!.protocol.context as object) };
      if (entry.kind === 'step' && entry.chart === 'protocol') Object.assign(context, entry.context?.set);
    }
    expect(context).toEqual(of.protocolSnapshot.context);
  });

  test('at the start all fields are set, as no checkpoint has them', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'wirechart-context-'));
    const started = await start(
      bag({ n: 0, m: undefined }, () => ({})),
      { record: { folder } },
    );
    started.layer.connect();
    const read = readRecording(started.server.sessions.get('1')!.record().text());
    rmSync(folder, { recursive: true });
    expect(steps(read)[0]).toMatchObject({ origin: 'start', context: { set: { n: 0 }, removed: [] } });
    const ofTransport = steps(read, 'transport')[0]!.context!.set;
    expect(Object.keys(ofTransport)).toEqual(expect.arrayContaining(['waitTimeoutCountMax', 'held', 'reason']));
  });

  test('what is larger than half of what may be kept stands there by its size, and its step is whole', async () => {
    const protocol = bag({ big: '' }, (_, text) => ({ big: text.repeat(5_000) }));
    const { peer, session: of } = await session(protocol);
    const recording = of.record({ bytesMax: 4_096 });
    says(peer, 'x');
    const read = readRecording(recording.text());
    const [step] = steps(read);
    expect(step).toMatchObject({ event: { type: 'LINE', text: 'x' }, context: { removed: [] } });
    expect(step!.context!.set['big']).toEqual(new Elided('with the other fields that were set about 5056 bytes'));
    expect(replayRecording(read, protocol).agrees).toBe(true);
  });

  test('counts in what a recording keeps: contexts of 1.5 kB let a ring of 8 kB keep fewer steps than small ones do', async () => {
    const kept = async (size: number) => {
      const { peer, session: of } = await session(bag({ text: '' }, (_, text) => ({ text: text + '.'.repeat(size) })));
      const recording = of.record({ bytesMax: 8_192 });
      let most = 0;
      for (let n = 0; n < 100; n += 1) {
        says(peer, `${n}`);
        most = Math.max(most, readRecording(recording.text()).entries.length);
      }
      return most;
    };
    const [small, large] = [await kept(1), await kept(1_500)];
    expect(large).toBeLessThan(0.6 * small);
  });

  test('a value that cannot be looked at is elided, the others are there, and the session goes on', async () => {
    const trap = () => Object.defineProperty({}, 'bad', { enumerable: true, get: () => { throw new Error('no'); } }); // prettier-ignore
    const protocol = labProtocol({
      machine: { context: () => ({ a: 1 }), on: { LINE: { actions: ['echo', 'trap'] } } },
      implementations: { actions: { trap: assign(() => ({ get: trap(), fine: 1 }) as never) } },
    });
    const { peer, session: of } = await session(protocol);
    const recording = of.record({});
    says(peer, 'x');
    expect(peer.written).toBe('x\n');
    expect(steps(readRecording(recording.text()))[0]!.context!.set).toEqual({
      get: new Elided('it could not be looked at'),
      fine: 1,
    });
  });
});

describe('secrets of the context', () => {
  test('are masked in changes as in checkpoints, also those that a field `type` of the context names', async () => {
    const protocol = bag(
      { type: 'VAULT', pin: 'old pin', token: 'old', open: 1 },
      (_, text) => ({ pin: text, token: text, open: 2 }),
      {
        secrets: { context: ['token'], VAULT: ['pin'], LINE: ['text'] },
        handlers: { VAULT: { run: () => undefined, deadlineMs: 1 } },
      },
    );
    const { peer, session: of } = await session(protocol);
    const recording = of.record({});
    says(peer, 'hunter2');
    const text = recording.text();
    expect(text).not.toContain('hunter2');
    expect(steps(readRecording(text))[0]!.context).toEqual({
      set: { pin: '*******', token: '*******', open: 2 },
      removed: [],
    });
  });
});

describe('the drawings of both charts', () => {
  test('are in the header, as `readChart` gives them, and come back equal', async () => {
    const protocol = bag({ n: 0 }, () => ({}));
    const { session: of } = await session(protocol);
    const { drawings } = readRecording(of.record({}).text()).header;
    expect(drawings).toEqual({
      transport: readChart(sessionMachine as unknown as AnyStateMachine),
      protocol: readChart(protocol.machine as AnyStateMachine),
    });
  });
});

describe('a file without them, of an earlier package', () => {
  async function older(): Promise<{ text: string; protocol: AnyProtocol }> {
    const protocol = bag({ n: 0 }, ({ n }) => ({ n: n + 1 }));
    const { peer, session: of } = await session(protocol);
    const recording = of.record({});
    says(peer, 'x', 'y');
    const lines = recording.text().trimEnd().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>); // prettier-ignore
    for (const line of lines) {
      delete line['drawings'];
      if (line['kind'] === 'step') delete line['context'];
    }
    return { text: `${lines.map((line) => JSON.stringify(line)).join('\n')}\n`, protocol };
  }

  test('is read and replayed as one with them', async () => {
    const { text, protocol } = await older();
    const read = readRecording(text);
    expect(read.header.drawings).toBeUndefined();
    expect(replayRecording(read, protocol)).toMatchObject({ agrees: true, steps: 3 });
  });

  test.each<[string, (lines: Record<string, unknown>[]) => void, RegExp]>([
    [
      'drawings that are none',
      ([header]) => (header!['drawings'] = { transport: {}, protocol: {} }),
      /^line 1: its `drawings`/,
    ],
    [
      'drawings of a later form',
      ([header]) => (header!['drawings'] = { transport: { version: 2 } }),
      /^line 1: its `drawings`/,
    ],
    ['a context that is a text', (lines) => (lines.at(-2)!['context'] = 'n = 1'), /lacks a part of it$/],
    [
      'a context whose removed fields are numbers',
      (lines) => (lines.at(-2)!['context'] = { set: {}, removed: [1] }),
      /lacks a part of it$/,
    ],
  ])('with %s is refused with the line', async (_name, change, message) => {
    const lines = (await older()).text.trimEnd().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>); // prettier-ignore
    change(lines);
    expect(() => readRecording(lines.map((line) => JSON.stringify(line)).join('\n'))).toThrow(message);
  });
});
