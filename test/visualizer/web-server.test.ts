/** Who asks for recordings and does not read them: files that stay open, connections that stay. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { WebServer } from '../../src/inspect/visualizer/web-server.js';
import { ask, cookieOf } from './page.js';

const TOKEN = 'abcdefghijklmnop';

let web: WebServer;
/** Recordings that were opened, in order. */
let opened: Readable[];
let errors: unknown[];
let sockets: Socket[];

beforeEach(() => {
  [opened, errors, sockets] = [[], [], []];
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await web.close();
  for (const text of opened) await closed(text);
  expect(errors).toEqual([]);
});

/** @param textOf of each recording that is asked for; without an end unless told otherwise */
async function listen({ textOf = endless, idleTimeoutMs = 60_000 } = {}): Promise<void> {
  web = new WebServer({
    host: '127.0.0.1',
    port: 0,
    token: TOKEN,
    page: new Map(),
    recording: () => {
      const text = textOf();
      opened.push(text);
      return Promise.resolve(text);
    },
    upgrade: (_request, socket) => socket.destroy(),
    upgradeElsewhere: () => false,
    failed: (error) => errors.push(error),
    idleTimeoutMs,
  });
  await web.listen();
}

const KILOBYTES = Buffer.alloc(65_536, 'x');

function endless(): Readable {
  return new Readable({ read: function (this: Readable) { this.push(KILOBYTES); } }); // prettier-ignore
}

const short = () => Readable.from([Buffer.from('short')]);

/** Requests one behind the other on one connection, which reads when it is told to. */
function request(count = 1): Socket {
  const { port, host } = new URL(web.url);
  const socket = connect(Number(port), '127.0.0.1');
  sockets.push(socket);
  socket.on('error', () => {}).pause();
  const { cookie } = cookieOf(web.url);
  socket.write(`GET /recordings/a.jsonl HTTP/1.1\r\nHost: ${host}\r\nCookie: ${cookie}\r\n\r\n`.repeat(count));
  return socket;
}

/** However it ended. */
function closed(text: Readable): Promise<void> {
  return new Promise((resolve) => {
    if (text.closed) resolve();
    else text.once('close', () => resolve());
  });
}

async function openedAre(count: number): Promise<void> {
  while (opened.length < count) await new Promise((resolve) => setImmediate(resolve));
}

const get = (method = 'GET') => ask(web.url, { method, path: '/recordings/a.jsonl', headers: cookieOf(web.url) });

test('8 recordings are sent at a time; who asks for another one has to ask again, and gets it when one has gone', async () => {
  await listen();
  for (let n = 0; n < 8; n += 1) request();
  await openedAre(8);
  const { status, headers, body } = await get();
  expect([status, headers['retry-after'], body]).toEqual([503, '1', 'Others are being sent: ask again.\n']);
  expect(opened).toHaveLength(8);
  sockets[0]!.destroy();
  await closed(opened[0]!);
  request();
  await openedAre(9);
});

test('of 500 requests that come at once on one connection one opens a recording', async () => {
  await listen();
  const socket = request(500);
  await openedAre(1);
  socket.resume();
  await once(socket, 'data');
  expect(opened).toHaveLength(1);
});

test('one after the other on one connection each is sent', async () => {
  await listen({ textOf: short });
  for (let n = 0; n < 20; n += 1) expect(await get()).toMatchObject({ status: 200, body: 'short' });
});

test('who does not read is given no more than the kernel takes, and is dropped after idleTimeoutMs', async () => {
  await listen({ idleTimeoutMs: 100 });
  const socket = request();
  await openedAre(1);
  await closed(opened[0]!);
  socket.resume();
  await once(socket, 'close');
});

test('who goes away closes the recording that was being sent to him', async () => {
  await listen();
  const socket = request();
  await openedAre(1);
  socket.destroy();
  await closed(opened[0]!);
});

test('HEAD opens none for longer than it takes to say so', async () => {
  await listen();
  expect(await get('HEAD')).toMatchObject({ status: 200, body: '' });
  expect(opened[0]!.destroyed).toBe(true);
});

test('a recording that cannot be read to its end cuts the connection off, and is told', async () => {
  let left = 1;
  await listen({
    textOf: () =>
      new Readable({
        read: function (this: Readable) {
          if ((left -= 1) === 0) this.push('begin');
          else this.destroy(new Error('the disk is gone'));
        },
      }),
  });
  await expect(get()).rejects.toMatchObject({ code: 'ECONNRESET' });
  expect(errors.splice(0)).toMatchObject([{ message: 'the disk is gone' }]);
});
