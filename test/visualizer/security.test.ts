/** Who gets in, by which door, and what nobody gets. Real sockets; the page is a folder of three files. */
import { connect } from 'node:net';
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { createTcpServer, type TcpServer } from '../../src/server.js';
import { hostNames } from '../../src/inspect/visualizer/access.js';
import { createVisualizer, makeVisualizer, type Visualizer } from '../../src/inspect/visualizer/visualizer.js';
import type { VisualizerOptions } from '../../src/inspect/visualizer/visualizer-options.js';
import echo from '../../examples/echo/index.js';
import { ask, cookieOf, pageFolder, TestPage, type Answer } from './page.js';

const SECRETS = ['echo', 'wirechart_', 'sources'];

let page: string;
let removePage: () => void;
let started: Visualizer[] = [];

beforeAll(() => {
  [page, removePage] = pageFolder();
});
afterAll(() => removePage());
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const visualizer of started) await visualizer.stop();
  started = [];
});

async function start(options: VisualizerOptions = {}): Promise<Visualizer> {
  const visualizer = makeVisualizer(options, { page });
  started.push(visualizer);
  await visualizer.start();
  return visualizer;
}

/** An upgrade as somebody's program may ask for it. @returns the status of the answer; 101: let in */
async function upgrade(
  url: string,
  headers: Readonly<Record<string, string>>,
  path = '/viz',
): Promise<number | undefined> {
  const { status } = await ask(url, {
    path,
    headers: {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
      ...headers,
    },
  });
  return status;
}

function tellsNothing({ body, headers }: Answer): void {
  for (const secret of SECRETS) expect(body).not.toContain(secret);
  expect(headers['set-cookie']).toBeUndefined();
}

describe('security: the token', () => {
  test('without it there is 401, a page that says what to do, and nothing else', async () => {
    const { url } = await start();
    for (const path of ['/', '/sessions/1', '/assets/index-0123abcd.js', '/recordings/x.jsonl', '/viz']) {
      const answer = await ask(url, { path });
      expect(answer.status).toBe(401);
      expect(answer.body).toContain('?token=');
      tellsNothing(answer);
    }
  });

  test('a wrong one, one of another length and an empty one are 401', async () => {
    const { url } = await start();
    const token = new URL(url).searchParams.get('token')!;
    const last = token.at(-1) === 'A' ? 'B' : 'A';
    for (const wrong of [`${token.slice(0, -1)}${last}`, token.slice(1), `${token}A`, ''])
      expect((await ask(url, { path: `/?token=${wrong}` })).status).toBe(401);
  });

  test('it is 128 bits in letters that a URL takes as they are, and another one for each visualizer', async () => {
    const tokens = [await start(), await start()].map(({ url }) => new URL(url).searchParams.get('token')!);
    for (const token of tokens) expect(token).toMatch(/^[\w-]{22}$/);
    expect(tokens[0]).not.toBe(tokens[1]);
  });

  test('it becomes a cookie that no script sees and no other site sends, and leaves the address; the view and its query stay', async () => {
    const { url } = await start({ token: 'abcdefghijklmnop' });
    const { port } = new URL(url);
    const { status, headers } = await ask(url, { path: '/sessions/4?q=a%20b&token=abcdefghijklmnop&sort=id' });
    expect(status).toBe(303);
    expect(headers.location).toBe('/sessions/4?q=a+b&sort=id');
    expect(headers['set-cookie']).toEqual([`wirechart_${port}=abcdefghijklmnop; HttpOnly; SameSite=Strict; Path=/`]);
    expect((await ask(url, { path: '/sessions/4', headers: cookieOf(url) })).body).toContain('the page');
  });

  test('the redirect stays here, whatever the path looks like', async () => {
    const { url } = await start();
    const { search } = new URL(url);
    for (const path of ['//evil.example/', '/.//evil.example/', '/\\evil.example/', '/%2F/evil.example']) {
      const { headers } = await ask(url, { path: `${path}${search}` });
      const target = new URL(headers.location!, url);
      expect(target.origin).toBe(new URL(url).origin);
    }
  });

  test('an old address whose token is not right any more still leads in who has the cookie', async () => {
    const { url } = await start();
    const { status, headers } = await ask(url, { path: '/wall?token=old', headers: cookieOf(url) });
    expect([status, headers.location]).toEqual([303, '/wall']);
  });

  test('a cookie of another port, a wrong value or the value under another name is 401; ours beside a foreign one is not', async () => {
    const { url } = await start();
    const { cookie } = cookieOf(url);
    const value = cookie.split('=')[1]!;
    for (const wrong of [`wirechart_1=${value}`, `${cookie}x`, `token=${value}`, `x${cookie}`])
      expect((await ask(url, { headers: { cookie: wrong } })).status).toBe(401);
    const beside = `${cookie.split('=')[0]}=planted; ${cookie}`;
    expect((await ask(url, { headers: { cookie: beside } })).status).toBe(200);
  });
});

describe('security: the name by which it is called', () => {
  test('`Host` has to be one of its own addresses with its port: DNS rebinding is 403, with the cookie too', async () => {
    const { url } = await start();
    const { port } = new URL(url);
    for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, `[::1]:${port}`, `LOCALHOST:${port}`])
      expect((await ask(url, { headers: { host, ...cookieOf(url) } })).status).toBe(200);
    const strangers = [
      'evil.example',
      `evil.example:${port}`,
      '127.0.0.1',
      '127.0.0.1:1',
      `127.0.0.1.evil.example:${port}`,
    ];
    for (const host of [...strangers, `localhost:${port}.`, `127.0.0.2:${port}`]) {
      const answer = await ask(url, { headers: { host, ...cookieOf(url) } });
      expect(answer.status).toBe(403);
      tellsNothing(answer);
    }
  });

  test('a name that it was told to listen on is its own in any case: browsers write it small', () => {
    expect(hostNames('Build.Example')).toEqual(['build.example']);
  });

  test('no `Host`, and two of them, are refused', async () => {
    const { url } = await start();
    const { port } = new URL(url);
    const own = `127.0.0.1:${port}`;
    const { cookie } = cookieOf(url);
    const twice = await raw(port, `GET / HTTP/1.1\r\nHost: ${own}\r\nHost: ${own}\r\nCookie: ${cookie}\r\n\r\n`);
    expect(twice).toMatch(/^HTTP\/1\.1 40[03] /);
    expect(await raw(port, `GET / HTTP/1.1\r\nCookie: ${cookie}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 40[03] /);
    expect(await raw(port, `GET / HTTP/1.0\r\nCookie: ${cookie}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 40[03] /);
  });
});

async function raw(port: string, text: string): Promise<string> {
  const socket = connect(Number(port), '127.0.0.1').setEncoding('utf8');
  socket.write(text);
  const [answer] = (await once(socket, 'data')) as [string];
  socket.destroy();
  return answer;
}

describe('security: the WebSocket', () => {
  test('the page gets in: own `Origin`, own `Host`, the cookie', async () => {
    const { url } = await start();
    const { origin } = new URL(url);
    expect(await upgrade(url, { origin, ...cookieOf(url) })).toBe(101);
  });

  test('a foreign `Origin` is 403 with the right cookie: another site, another port, another scheme, `null`, none', async () => {
    const { url } = await start();
    const { host, port } = new URL(url);
    const strangers = ['http://evil.example', 'http://127.0.0.1:1', `https://${host}`, 'null', `http://127.0.0.1`];
    // By another name of ours than the one that it was called by: that is no page of ours either.
    for (const origin of [...strangers, `http://localhost:${port}`, `http://${host}.evil.example`])
      expect(await upgrade(url, { origin, ...cookieOf(url) })).toBe(403);
    expect(await upgrade(url, cookieOf(url))).toBe(403);
  });

  test('a foreign `Host` is 403, also when `Origin` says the same', async () => {
    const { url } = await start();
    const { port } = new URL(url);
    const host = `evil.example:${port}`;
    expect(await upgrade(url, { host, origin: `http://${host}`, ...cookieOf(url) })).toBe(403);
  });

  test('without the cookie, and with a wrong one, it is 401', async () => {
    const { url } = await start();
    const { origin, port } = new URL(url);
    expect(await upgrade(url, { origin })).toBe(401);
    expect(await upgrade(url, { origin, cookie: `wirechart_${port}=AAAAAAAAAAAAAAAAAAAAAA` })).toBe(401);
  });

  test('another path is 404, and only for who is let in', async () => {
    const { url } = await start();
    const { origin } = new URL(url);
    expect(await upgrade(url, { origin, ...cookieOf(url) }, '/other')).toBe(404);
    expect(await upgrade(url, { origin }, '/other')).toBe(401);
  });

  test('the ways in for other tools need the token too, and take no foreign page', async () => {
    const { url } = await start();
    const { search } = new URL(url);
    for (const path of ['/xstate4', '/stately']) {
      expect(await upgrade(url, {}, path)).toBe(401);
      expect(await upgrade(url, { origin: 'http://evil.example' }, `${path}${search}`)).toBe(403);
      expect(await upgrade(url, {}, `${path}${search}`)).toBe(101);
    }
  });
});

describe('security: what is answered', () => {
  test('each answer forbids foreign scripts, frames, guesses of its type, and to be shown elsewhere', async () => {
    const { url } = await start();
    const asked = [{}, { path: '/nothing.js' }, { headers: { host: 'evil.example' } }, { method: 'POST' }];
    for (const one of [...asked, { headers: cookieOf(url) }]) {
      const { headers } = await ask(url, one);
      const policy = headers['content-security-policy'] as string;
      expect(policy).toContain("default-src 'self'");
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).toContain("base-uri 'none'");
      expect(policy).not.toMatch(/unsafe|\*|https?:|data:|blob:/);
      expect(headers['x-content-type-options']).toBe('nosniff');
      expect(headers['referrer-policy']).toBe('no-referrer');
      expect(headers['cross-origin-resource-policy']).toBe('same-origin');
      expect(headers['access-control-allow-origin']).toBeUndefined();
    }
  });

  test('a `Host` cannot put words into the policy', async () => {
    const { url } = await start();
    const { headers } = await ask(url, { headers: { host: "x; script-src 'unsafe-inline'" } });
    expect(headers['content-security-policy']).not.toContain('unsafe');
  });

  test('GET and HEAD alone: all else is 405, and HEAD has no body', async () => {
    const { url } = await start();
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE']) {
      const { status, headers } = await ask(url, { method, headers: cookieOf(url) });
      expect([status, headers.allow]).toEqual([405, 'GET, HEAD']);
    }
    const { status, body, headers } = await ask(url, { method: 'HEAD', headers: cookieOf(url) });
    expect([status, body]).toEqual([200, '']);
    expect(Number(headers['content-length'])).toBeGreaterThan(0);
  });

  test('no path leads out of the folder: what is not a file of the page is the page, or 404', async () => {
    const { url } = await start();
    const paths = [
      '/../../etc/passwd', '/assets/../../../etc/passwd', '/%2e%2e/%2e%2e/etc/passwd', '/..%2f..%2fetc%2fpasswd',
      '/assets/%2e%2e%2f%2e%2e%2fetc/passwd', '//etc/passwd', '/assets/..\\..\\etc\\passwd', '/recordings/..%2f..%2fetc%2fpasswd',
      '/recordings/%00', '/assets/%ff', '/notes.txt',
    ]; // prettier-ignore
    for (const path of paths) {
      const { status, body } = await ask(url, { path, headers: cookieOf(url) });
      expect(body).not.toContain('root:');
      expect(body).not.toContain('no part of a page');
      if (status === 200) expect(body).toContain('the page');
      else expect(status).toBe(404);
    }
  });

  test('views are the page, whatever dots are in them; hashed files are kept for ever, the page is asked for anew', async () => {
    const { url } = await start();
    const get = (path: string, headers = {}) => ask(url, { path, headers: { ...cookieOf(url), ...headers } });
    for (const path of ['/', '/sessions', '/sessions/10.0.0.1', '/machines/a.b']) {
      const { status, headers, body } = await get(path);
      expect([status, headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
      expect(headers['cache-control']).toBe('no-cache');
      expect(body).toContain('the page');
    }
    const asset = await get('/assets/index-0123abcd.js');
    expect(asset.headers['content-type']).toBe('text/javascript; charset=utf-8');
    expect(asset.headers['cache-control']).toContain('immutable');
    expect((await get('/favicon.svg')).headers['content-type']).toBe('image/svg+xml');
    expect((await get('/favicon.ico')).status).toBe(404);
    expect((await get('/', { 'if-none-match': (await get('/')).headers.etag })).status).toBe(304);
  });

  test('a page on another port of this machine, with whose requests the cookie goes along, gets 403', async () => {
    const { url } = await start();
    const get = (site: string, mode: string) =>
      ask(url, { headers: { ...cookieOf(url), 'sec-fetch-site': site, 'sec-fetch-mode': mode } });
    expect((await get('same-site', 'no-cors')).status).toBe(403);
    expect((await get('cross-site', 'cors')).status).toBe(403);
    expect((await get('same-origin', 'cors')).status).toBe(200);
    expect((await get('cross-site', 'navigate')).status).toBe(200);
  });

  test('an address of more than 2 048 characters is 414, and headers of more than 16 KiB are cut off', async () => {
    const { url } = await start();
    expect((await ask(url, { path: `/${'a'.repeat(2_048)}`, headers: cookieOf(url) })).status).toBe(414);
    const { port } = new URL(url);
    const answer = await raw(port, `GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /);
  });

  test('without a built page it says how to build it', async () => {
    const visualizer = makeVisualizer({}, { page: '/nonexistent' });
    started.push(visualizer);
    await visualizer.start();
    const { status, body } = await ask(visualizer.url, { headers: cookieOf(visualizer.url) });
    expect(status).toBe(503);
    expect(body).toContain('npm run build');
  });
});

describe('security: where it listens', () => {
  test('by default on 127.0.0.1 and, where there is one, ::1, on one port; nobody else reaches it', async () => {
    const { url } = await start();
    const { port, hostname } = new URL(url);
    expect(hostname).toBe('127.0.0.1');
    const answer = await ask(`http://[::1]:${port}/`, { headers: { host: `[::1]:${port}`, ...cookieOf(url) } }).catch(
      (error: NodeJS.ErrnoException) => error.code,
    );
    if (typeof answer === 'string') expect(['EADDRNOTAVAIL', 'EAFNOSUPPORT', 'ENETUNREACH']).toContain(answer);
    else expect((answer as Answer).status).toBe(200);
    await expect(ask(`http://127.0.0.2:${port}/`)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  test('a port that is in use is an error that says so, and leaves nothing behind', async () => {
    const { url } = await start();
    const port = Number(new URL(url).port);
    const second = makeVisualizer({ port }, { page });
    await expect(second.start()).rejects.toMatchObject({
      code: 'LISTEN_FAILED',
      message: `127.0.0.1:${port} is in use by another process: choose another port for the visualizer, or 0 for any free one`,
    });
    expect(second.url).toBe('');
  });

  test('it stops, lets go of its port, and starts again', async () => {
    const visualizer = await start();
    const port = Number(new URL(visualizer.url).port);
    const open = new TestPage(visualizer.url);
    await open.told('hello');
    await visualizer.stop();
    expect((await open.closed)[0]).toBe(1006);
    const again = await start({ port });
    expect(new URL(again.url).port).toBe(String(port));
    await visualizer.start();
    expect((await ask(visualizer.url)).status).toBe(401);
    await expect(visualizer.start()).rejects.toMatchObject({ code: 'ALREADY_STARTED' });
  });

  test('a stop that comes while it starts waits for that, and ends it', async () => {
    const visualizer = makeVisualizer({}, { page });
    const starting = visualizer.start();
    await visualizer.stop();
    await starting;
    expect(visualizer.url).toBe('');
  });

  test('with NODE_ENV=production it does not start, unless told to', async () => {
    vi.stubEnv('NODE_ENV', 'production');
    const visualizer = makeVisualizer({}, { page });
    await expect(visualizer.start()).rejects.toMatchObject({ code: 'PRODUCTION' });
    await start({ production: true });
  });
});

describe('security: options', () => {
  test.each([
    [{ contol: true }, 'visualizer.contol: there is no such option; did you mean control?'],
    [{ port: 70_000 }, 'visualizer.port: expected an integer from 0 to 65535, got 70000'],
    [{ control: 1 }, 'visualizer.control: expected true or false, got 1'],
    [{ host: '' }, 'visualizer.host: expected a string that is not empty, got ""'],
    [{ token: 'short' }, 'visualizer.token: expected 16 to 256 letters, digits, - and _'],
    [{ recordings: 3 }, 'visualizer.recordings: expected a string that is not empty, got 3'],
  ])('%j is refused by name', (options, message) => {
    expect(() => createVisualizer([], options as VisualizerOptions)).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID', message }),
    );
  });

  test('what is neither a server nor a client is refused', async () => {
    expect(() => createVisualizer(7 as unknown as TcpServer)).toThrow(/expected what createTcpServer/);
    await expect(createVisualizer({} as TcpServer).start()).rejects.toThrow(/expected what createTcpServer/);
  });
});

test('security: what a page sends never gets out as an exception, and the server that is shown goes on', async () => {
  const server = createTcpServer(echo);
  await server.start();
  const visualizer = createVisualizer(server, { control: true });
  started.push(visualizer);
  await visualizer.start();
  const errors: unknown[] = [];
  visualizer.errors.subscribe((error) => errors.push(error));
  const open = new TestPage(visualizer.url);
  await open.told('hello');
  const nonsense = [
    '', '{', 'null', '[]', '7', '"x"', '{}', '{"type":7}', '{"type":"__proto__"}', '{"type":"unheard-of"}', '['.repeat(30_000),
    '{"type":"subscribe"}', '{"type":"subscribe","topic":"overview"}', '{"type":"subscribe","topic":"overview","source":"x"}',
    '{"type":"subscribe","topic":"table","source":"echo"}', '{"type":"subscribe","topic":"table","source":"echo","view":{"from":-1}}',
    '{"type":"subscribe","topic":"wall","source":"echo","chart":"constructor"}', '{"type":"unsubscribe","topic":"session"}',
    '{"type":"subscribe","topic":"session","source":"echo","id":{"toString":1}}', '{"type":"who","source":"echo","number":1e308}',
    '{"type":"subscribe","topic":"session","source":"__proto__","id":"1"}', '{"type":"pause","on":"yes"}',
    '{"type":"command","ref":1,"what":"destroy","source":"echo","ids":["1"]}', '{"type":"command","ref":1,"what":"close","source":"echo","ids":[]}',
    '{"type":"command","ref":1,"what":"close","source":"echo","ids":"1"}', '{"type":"command","ref":2,"what":"send","source":"echo","ids":["1"],"event":[]}',
    `{"type":"command","ref":1,"what":"close","source":"echo","ids":${JSON.stringify(Array.from({ length: 1_001 }, (_, n) => String(n)))}}`,
  ]; // prettier-ignore
  for (const text of nonsense) open.socket.send(text);
  open.socket.send(Buffer.from([1, 2, 3]));
  await open.settled();
  expect(open.socket.readyState).toBe(WebSocket.OPEN);
  expect(open.all('error').length).toBeGreaterThan(10);
  expect(errors).toEqual([]);
  expect(server.state.value).toBe('accepting');
  await visualizer.stop();
  await server.stop();
});
