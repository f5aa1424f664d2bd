/** What a page cannot do to the process: grow its memory, keep it busy, or slow the sessions down. */
import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createFeed } from '../../src/inspect/create-feed.js';
import { LIMITS, type PageMessage, type RecordingFile } from '../../src/inspect/visualizer/messages.js';
import { Viewer } from '../../src/inspect/visualizer/viewer.js';
import { VisualizerHub } from '../../src/inspect/visualizer/visualizer-hub.js';
import { makeVisualizer, type Visualizer } from '../../src/inspect/visualizer/visualizer.js';
import type { TcpServer } from '../../src/server.js';
import type { World } from '../../src/testing/world.js';
import { cookieOf, result, tableView, TestPage } from './page.js';
import { ShownWorld } from './shown-world.js';

let shown: ShownWorld;
let world: World;
let server: TcpServer;
let visualizer: Visualizer;
let sockets: Socket[];

beforeEach(async () => {
  sockets = [];
  shown = await ShownWorld.begin();
  ({ world, server } = shown);
  visualizer = await shown.show({ control: true });
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await shown.end();
});

const open = () => shown.open();

/** A page in bytes, which reads when the test says so. */
async function openRaw(): Promise<Socket> {
  const { port, origin, host } = new URL(visualizer.url);
  const socket = connect(Number(port), '127.0.0.1');
  sockets.push(socket);
  socket.on('error', () => {});
  const lines = [
    'GET /viz HTTP/1.1',
    `Host: ${host}`,
    `Origin: ${origin}`,
    `Cookie: ${cookieOf(visualizer.url).cookie}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  ];
  const before = visualizer.viewers;
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  await once(socket, 'readable');
  while (visualizer.viewers === before) await new Promise((resolve) => setImmediate(resolve));
  return socket;
}

/** A text frame of a client (RFC 6455, 5.2), masked with zeros. */
function frameOf(message: object): Buffer {
  const text = Buffer.from(JSON.stringify(message));
  const head = Buffer.alloc(8);
  head[0] = 0x81;
  head[1] = 0x80 | 126;
  head.writeUInt16BE(text.length, 2);
  return Buffer.concat([head, text]);
}

/** A page whose socket the test is: it takes what it is given, and says how much of that waits. */
function hubWithPage() {
  const errors: unknown[] = [];
  const feed = createFeed(server);
  const whole = new VisualizerHub({
    targets: [{ feed }],
    control: false,
    payloads: false,
    recordings: undefined,
    version: '0.0.0',
    time: world.time,
    failed: (error) => errors.push(error),
  });
  const socket = {
    sent: [] as string[],
    bufferedAmount: 0,
    isTerminated: false,
    send: (data: string | Buffer) => void socket.sent.push(String(data)),
    terminate: () => void (socket.isTerminated = true),
  };
  const viewer = whole.connect(socket);
  const hub = { receive: (message: PageMessage) => viewer.receive(JSON.stringify(message)) };
  const end = async () => {
    await whole.end();
    expect(errors).toEqual([]);
  };
  return { hub, whole, socket, feed, end };
}

function connectPeers(count: number): void {
  for (let n = 0; n < count; n += 1) world.peer(server);
  world.runUntil(() => server.sessions.size === count);
}

test('the ninth page is told so and closed with 1013; when one has gone there is room', async () => {
  const eight: TestPage[] = [];
  for (let n = 0; n < LIMITS.viewers; n += 1) eight.push(await open());
  const ninth = new TestPage(visualizer.url);
  expect((await ninth.told('error')).text).toBe('there are 8 pages already');
  expect(await ninth.closed).toEqual([1013, 'there are 8 pages already']);
  expect(ninth.all('hello')).toEqual([]);
  expect(visualizer.viewers).toBe(8);
  eight[0]!.socket.close();
  await eight[0]!.closed;
  while (visualizer.viewers === 8) await new Promise((resolve) => setImmediate(resolve));
  await open();
});

test('a message of 65 536 bytes is read, one byte more ends the page with 1009, and no other page', async () => {
  const [large, other] = [await open(), await open()];
  const padded = (bytes: number) => `{"type":"ping","x":"${'a'.repeat(bytes - 22)}"}`;
  expect(padded(LIMITS.messageBytes)).toHaveLength(65_536);
  large.socket.send(padded(LIMITS.messageBytes));
  await large.told('pong');
  large.socket.send(padded(LIMITS.messageBytes + 1));
  expect((await large.closed)[0]).toBe(1009);
  await other.settled();
});

test('at most 200 rows can be asked for, and 8 sessions looked at', async () => {
  connectPeers(9);
  const page = await open();
  page.send({ type: 'subscribe', topic: 'table', source: 'echo', view: tableView({ count: 201 }) });
  await page.settled();
  expect(page.all('order')).toEqual([]);
  expect(page.all('error')).toHaveLength(1);
  for (let n = 1; n <= 9; n += 1) page.send({ type: 'subscribe', topic: 'session', source: 'echo', id: String(n) });
  await page.settled();
  expect(page.all('detail')).toHaveLength(8);
  expect(page.all('error')[1]!.text).toBe('a page looks at 8 sessions at most');
  // One that it looks at already takes the place of itself.
  page.send({ type: 'subscribe', topic: 'session', source: 'echo', id: '8' });
  await page.settled();
  expect(page.all('detail')).toHaveLength(9);
});

test('a page that asks for another order of its table all the time gets 10 each second, and the one it asked for last', async () => {
  connectPeers(3);
  const { hub, socket, end } = hubWithPage();
  const orders = () => socket.sent.filter((text) => text.includes('"order"'));
  const ask = (text: string) =>
    hub.receive({ type: 'subscribe', topic: 'table', source: 'echo', view: tableView({ text }) });
  for (let n = 0; n < 19; n += 1) {
    hub.receive({ type: 'unsubscribe', topic: 'table' });
    ask(n % 2 === 0 ? 'nobody' : '');
    world.advanceBy(50);
  }
  const count = orders().length;
  expect(count).toBeGreaterThanOrEqual(10);
  expect(count).toBeLessThanOrEqual(20);
  ask('');
  world.advanceBy(1_000);
  expect(JSON.parse(orders().at(-1)!)).toMatchObject({ matching: 3 });
  await end();
});

test('20 commands in a second are carried out, the next one is refused, and a second later there are 20 more', async () => {
  const page = await open();
  const give = async (count: number) => {
    const before = page.all('result').length;
    for (let n = 0; n < count; n += 1)
      page.send({ type: 'command', ref: n, what: 'close', source: 'echo', ids: ['x'] });
    await page.until(() => page.all('result').length === before + count);
    return page
      .all('result')
      .slice(before)
      .filter(({ outcome }) => outcome === 'refused').length;
  };
  expect(await give(20)).toBe(0);
  expect(await give(5)).toBe(5);
  world.advanceBy(1_000);
  expect(await give(25)).toBe(5);
});

describe('the log', () => {
  const entriesOf = async () => {
    const page = await open();
    page.send({ type: 'subscribe', topic: 'log' });
    return (await page.told('log')).entries;
  };

  test('has one entry of all commands of a page that are too many, until that page has been quiet for a second', async () => {
    const page = await open();
    const flood = async () => {
      for (let n = 0; n < 100; n += 1)
        page.send({ type: 'command', ref: n, what: 'close', source: 'echo', ids: ['x'] });
      await page.settled();
    };
    const refused = { viewer: 1, what: 'close', ids: ['x'], outcome: 'refused' };
    await flood();
    world.advanceBy(500);
    await flood();
    const first = await entriesOf();
    expect(first).toHaveLength(20 + 1 + 10);
    expect(first.filter(({ outcome }) => outcome === 'refused')).toMatchObject([refused]);
    world.advanceBy(1_000);
    await flood();
    const second = await entriesOf();
    expect(second.filter(({ outcome }) => outcome === 'refused')).toMatchObject([refused, refused]);
  });

  test.each(['/xstate4', '/stately'])('has one entry of all messages to %s that are too many', async (path) => {
    const { host, search } = new URL(visualizer.url);
    const viewer = new WebSocket(`ws://${host}${path}${search}`);
    await once(viewer, 'open');
    for (const text of ['{', '{"type":"weather"}', '{"type":"xstate.event","event":"{}"}'])
      for (let n = 0; n < 300; n += 1) viewer.send(text);
    // All that was sent before it has been read when a ping is answered.
    viewer.ping();
    await once(viewer, 'pong');
    const text = `${path}: more than 20 messages in a second: what is too much is not read`;
    expect(await entriesOf()).toMatchObject([
      { viewer: 0, what: 'send', source: '', ids: [], count: 0, event: null, outcome: 'refused', text },
    ]);
    viewer.terminate();
  });

  test('keeps what a page has done while another one asks for things all the time', async () => {
    const page = await open();
    await result(page, { what: 'close', ids: ['1'] });
    const other = await open();
    for (let n = 0; n < 60; n += 1) {
      world.advanceBy(500);
      for (let m = 0; m < 10; m += 1)
        other.send({ type: 'command', ref: n, what: 'close', source: 'echo', ids: ['x'] });
      await other.settled();
    }
    const entries = await entriesOf();
    expect(entries).toHaveLength(500);
    expect(entries[0]).toMatchObject({ n: 1, viewer: 1, ids: ['1'] });
    expect([entries[1]!.n, entries.at(-1)!.n]).toEqual([103, 601]);
  });

  test('keeps of what a page sent no more than 200 characters of a name, and 1 000 of the text', async () => {
    const page = await open();
    connectPeers(1);
    const { outcome } = await result(page, { what: 'send', ids: ['1'], event: { type: 'x'.repeat(50_000) } });
    expect(outcome).toBe('failed');
    await result(page, { what: 'close', source: 's'.repeat(500), ids: ['i'.repeat(500)] });
    const entries = await entriesOf();
    expect(entries.map(({ event, text }) => [event?.length, text.length <= 1_000])).toEqual([
      [200, true],
      [undefined, true],
    ]);
    expect([entries[1]!.source.length, entries[1]!.ids[0]!.length]).toEqual([200, 200]);
  });
});

test.each<[string, (page: TestPage) => void]>([
  ['messages', (page) => page.send({ type: 'ping' })],
  ['binary messages', (page) => page.socket.send(Buffer.of(1))],
])('a page that sends more than 200 %s in a second is dropped', async (_, send) => {
  const page = await open();
  for (let n = 0; n < 250; n += 1) send(page);
  expect((await page.closed)[0]).toBe(1006);
  expect(visualizer.viewers).toBe(0);
});

test('a page that does not answer a ping for 5 s is dropped', async () => {
  const page = await open();
  page.socket.pause();
  world.advanceBy(5_000);
  expect(visualizer.viewers).toBe(1);
  world.advanceBy(5_000);
  page.socket.resume();
  expect((await page.closed)[0]).toBe(1006);
});

describe('a page that stops reading', () => {
  test('gets no ticks while more than 256 kB wait for it, and is dropped after 5 s of that, not 1 tick earlier', async () => {
    const { hub, socket, end } = hubWithPage();
    hub.receive({ type: 'subscribe', topic: 'overview', source: 'echo' });
    const told = () => socket.sent.filter((text) => text.includes('"overview"')).length;
    expect(told()).toBe(1);
    socket.bufferedAmount = 262_144;
    world.advanceBy(1_000);
    expect(told()).toBe(2);
    socket.bufferedAmount = 262_145;
    world.advanceBy(4_900);
    // It has read, and is forgiven.
    socket.bufferedAmount = 0;
    world.advanceBy(100);
    expect(told()).toBe(3);
    socket.bufferedAmount = 262_145;
    world.advanceBy(5_000);
    expect([told(), socket.isTerminated]).toEqual([3, false]);
    world.advanceBy(100);
    expect(socket.isTerminated).toBe(true);
    await end();
  });

  test('and goes on asking is dropped as soon as 4 MiB of answers wait for it', async () => {
    const { hub, socket, end } = hubWithPage();
    socket.bufferedAmount = 4 * 2 ** 20;
    hub.receive({ type: 'ping' });
    expect([socket.sent.at(-1), socket.isTerminated]).toEqual(['{"type":"pong"}', false]);
    socket.bufferedAmount += 1;
    hub.receive({ type: 'ping' });
    expect(socket.isTerminated).toBe(true);
    await end();
  });

  test('and is dropped by the first answer about a session leaves nobody behind who looks at that', async () => {
    connectPeers(1);
    const { hub, socket, feed, end } = hubWithPage();
    const watches: string[] = [];
    const watch = feed.watch.bind(feed);
    vi.spyOn(feed, 'watch').mockImplementation((id, listener) => {
      const looking = watch(id, listener);
      watches.push(`looks at ${id}`);
      const stop = () => {
        watches.push(`has left ${id}`);
        looking.stop();
      };
      return { ...looking, stop };
    });
    socket.bufferedAmount = 4 * 2 ** 20 + 1;
    hub.receive({ type: 'subscribe', topic: 'session', source: 'echo', id: '1' });
    expect(socket.isTerminated).toBe(true);
    expect(watches).toEqual(['looks at 1', 'has left 1']);
    await end();
  });

  test.each([
    ['stops reading is dropped before its ping is missed', false],
    ['reads is not', true],
  ])('on a real connection, one that asks on and on and %s; the sessions go on', async (_, reads) => {
    world.advanceBy(120_000);
    connectPeers(8);
    const startedAtMs = world.time.now();
    const socket = await openRaw();
    if (reads) socket.resume();
    else socket.pause();
    const received = vi.spyOn(Viewer.prototype, 'receive');
    // The last two minutes, again and again, 20 kB each: far more than the kernel takes.
    for (let round = 1; round < 200 && visualizer.viewers === 1; round += 1) {
      for (let n = 1; n <= 8; n += 1) socket.write(frameOf({ type: 'subscribe', topic: 'overview', source: 'echo' }));
      while (received.mock.calls.length < 8 * round && visualizer.viewers === 1)
        await new Promise((resolve) => setImmediate(resolve));
      world.advanceBy(50);
    }
    received.mockRestore();
    expect(visualizer.viewers).toBe(reads ? 1 : 0);
    if (!reads) expect(world.time.now() - startedAtMs).toBeLessThan(9_900);
    expect(server.sessions.size).toBe(8);
  });

  test('others get theirs meanwhile', async () => {
    connectPeers(10);
    const socket = await openRaw();
    socket.pause();
    const page = await open();
    page.send({ type: 'subscribe', topic: 'overview', source: 'echo' });
    for (let n = 0; n < 20; n += 1) {
      world.advanceBy(100);
      await page.settled();
    }
    expect(page.all('overview').length).toBeGreaterThanOrEqual(2);
  });
});

test('a folder that takes 1 s to be looked at is looked at again 9 s later, not 1 tick earlier, while a page shows it', async () => {
  const { hub, whole, socket, end } = hubWithPage();
  let answer: (files: readonly RecordingFile[]) => void = () => {};
  const list = vi
    .spyOn(whole.recordings, 'list')
    .mockImplementation(() => new Promise((resolve) => (answer = resolve)));
  const tick = async (ms: number) => {
    world.advanceBy(ms);
    await new Promise((resolve) => setImmediate(resolve));
  };
  await tick(2_100);
  expect(list).not.toHaveBeenCalled();
  hub.receive({ type: 'subscribe', topic: 'recordings' });
  await tick(2_000);
  await tick(1_000);
  expect(list).toHaveBeenCalledTimes(1);
  answer([]);
  await tick(0);
  await tick(8_900);
  expect(socket.sent.at(-1)).toBe('{"type":"recordings","files":[]}');
  expect(list).toHaveBeenCalledTimes(1);
  await tick(100);
  expect(list).toHaveBeenCalledTimes(2);
  answer([]);
  hub.receive({ type: 'unsubscribe', topic: 'recordings' });
  await tick(30_000);
  expect(list).toHaveBeenCalledTimes(2);
  await end();
});

test('a hidden page is told nothing of its wall, and all that has changed when it is seen again', async () => {
  connectPeers(10);
  const page = await open();
  page.send({ type: 'subscribe', topic: 'wall', source: 'echo', chart: 'session' });
  await page.settled();
  world.advanceBy(100);
  await page.until(() => page.frames[0]);
  page.send({ type: 'pause', on: true });
  await page.settled();
  const peers = Array.from({ length: 5 }, () => world.peer(server));
  world.advanceBy(1_000);
  await page.settled();
  expect(page.frames).toHaveLength(1);
  for (const peer of peers) peer.end();
  page.send({ type: 'pause', on: false });
  await page.settled();
  world.advanceBy(100);
  const frame = await page.until(() => page.frames[1]);
  expect(frame.readUInt32LE(4)).toBe(5);
});

test('a feed that throws is an error of the visualizer, counted and told; the page gets what does not fail, and the server goes on', async () => {
  const feed = createFeed(server);
  const failing = new Proxy(feed, {
    get: (target, name) => {
      if (name === 'totals') return () => expect.fail('no totals today');
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
  const broken = makeVisualizer({ time: world.time }, { targets: () => [{ feed: failing }] });
  const messages: string[] = [];
  broken.errors.subscribe(({ code, message }) => messages.push(`${code} ${message}`));
  await broken.start();
  const page = new TestPage(broken.url);
  await page.told('hello');
  page.send({ type: 'subscribe', topic: 'table', source: 'echo', view: tableView() });
  page.send({ type: 'subscribe', topic: 'overview', source: 'echo' });
  await page.told('error');
  connectPeers(1);
  world.advanceBy(2_000);
  await page.told('order', ({ ids }) => ids.length === 1);
  await page.told('overview', ({ sessions }) => sessions === 1);
  expect(messages.length).toBeGreaterThanOrEqual(3);
  expect(new Set(messages)).toEqual(new Set(['INTERNAL no totals today']));
  expect(broken.errorCount).toBe(messages.length);
  expect(server.state.value).toBe('accepting');
  await broken.stop();
  await page.closed;
});
