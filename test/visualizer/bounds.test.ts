/** What a page cannot do to the process: grow its memory, keep it busy, or slow the sessions down. */
import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import echo from '../../examples/echo/index.js';
import { createFeed } from '../../src/inspect/create-feed.js';
import { LIMITS, type PageMessage } from '../../src/inspect/visualizer/messages.js';
import { VisualizerHub } from '../../src/inspect/visualizer/visualizer-hub.js';
import { createVisualizer, makeVisualizer, type Visualizer } from '../../src/inspect/visualizer/visualizer.js';
import type { TcpServer } from '../../src/server.js';
import { createWorld, type World } from '../../src/testing/world.js';
import { cookieOf, tableView, TestPage } from './page.js';

let world: World;
let server: TcpServer;
let visualizer: Visualizer;
let pages: TestPage[];
let sockets: Socket[];

beforeEach(async () => {
  world = createWorld();
  [pages, sockets] = [[], []];
  server = await world.server(echo, { waitTimeoutCountMax: 0 });
  visualizer = createVisualizer(server, { time: world.time, control: true });
  await visualizer.start();
});

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await visualizer.stop();
  for (const page of pages) await page.closed;
  expect(visualizer.errorCount).toBe(0);
  await world.end();
});

async function open(): Promise<TestPage> {
  const page = new TestPage(visualizer.url);
  pages.push(page);
  await page.told('hello');
  return page;
}

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
  return { hub, socket, feed, end };
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

test('a page that sends more than 200 messages in a second is dropped', async () => {
  const page = await open();
  for (let n = 0; n < 250; n += 1) page.send({ type: 'ping' });
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
    connectPeers(8);
    const socket = await openRaw();
    if (reads) socket.resume();
    else socket.pause();
    // The past of eight sessions, again and again: in the end more than the kernel takes.
    for (let round = 0; round < 199 && visualizer.viewers === 1; round += 1) {
      for (let n = 1; n <= 8; n += 1)
        socket.write(frameOf({ type: 'subscribe', topic: 'session', source: 'echo', id: String(n) }));
      await new Promise((resolve) => setImmediate(resolve));
      world.advanceBy(50);
    }
    expect(visualizer.viewers).toBe(reads ? 1 : 0);
    if (!reads) expect(world.time.now()).toBeLessThan(9_950);
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
