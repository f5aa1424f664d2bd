/** What a page may ask of sessions, and what is written down of it. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { VisualizerOptions } from '../../src/inspect/visualizer/visualizer-options.js';
import type { TcpServer } from '../../src/server.js';
import type { World } from '../../src/testing/world.js';
import { result, type Command, type TestPage } from './page.js';
import { ShownWorld } from './shown-world.js';

let shown: ShownWorld;
let world: World;
let server: TcpServer;

beforeEach(async () => {
  shown = await ShownWorld.begin();
  ({ world, server } = shown);
});
afterEach(() => shown.end());

async function open(options: VisualizerOptions = {}): Promise<TestPage> {
  await shown.show({ control: true, ...options });
  return shown.open();
}

const connectPeers = (count: number) => shown.connect(count);

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
    const second = await shown.open();
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
    const late = await shown.open();
    late.send({ type: 'subscribe', topic: 'log' });
    const { entries } = await late.told('log');
    expect(entries).toHaveLength(500);
    expect(entries.at(-1)!.n).toBe(520);
  });
});
