/**
 * The receivers of both packages where users find the outlets: behind the visualizer's door. Each with its own ticket, and one of them in
 * a real browser, over an XState 4 that runs there.
 */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createWebSocketReceiver, type StatelyInspectionEvent } from '@statelyai/inspect';
import { build } from 'vite';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import knockKnock from '../../examples/knock-knock/index.js';
import { createFeed } from '../../src/inspect/create-feed.js';
import { createVisualizer, makeVisualizer, type Visualizer } from '../../src/inspect/visualizer/visualizer.js';
import { createTcpServer, type TcpServer } from '../../src/server.js';
import { hasNoBrowser, newPage } from '../visualizer/browser.js';
import { receive, type ReceivedEvent } from './xstate4.js';

let server: TcpServer;
let visualizer: Visualizer;
/** `127.0.0.1:41234`, and the secret. */
let host: string;
let token: string;
let peers: Socket[] = [];
const ends: (() => Promise<void>)[] = [];

beforeEach(async () => {
  server = createTcpServer(knockKnock);
  await server.start();
  visualizer = createVisualizer(server, { control: true });
  await visualizer.start();
  const url = new URL(visualizer.url);
  host = url.host;
  token = url.searchParams.get('token')!;
});

afterEach(async () => {
  for (const peer of peers) peer.destroy();
  peers = [];
  for (const end of ends.splice(0)) await end();
  await visualizer.stop();
  await server.stop({ option: 'force' });
});

/** A peer that has been told the first line. */
async function joined(): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port: (server.address() as { port: number }).port });
  peers.push(socket);
  await once(socket, 'data');
  return socket;
}

/** How an upgrade ends that is refused. */
async function refusal(path: string, headers: Record<string, string> = {}): Promise<number | undefined> {
  const socket = new WebSocket(`ws://${host}${path}`, { headers });
  const [, response] = (await once(socket, 'unexpected-response')) as [
    unknown,
    { statusCode?: number; destroy(): void },
  ];
  response.destroy();
  return response.statusCode;
}

describe('security: the outlets', () => {
  test.each(['/xstate4', '/stately'])('%s lets nobody in without the token', async (path) => {
    expect(await refusal(path)).toBe(401);
    expect(await refusal(`${path}?token=${token}x`)).toBe(401);
  });

  test.each(['/xstate4', '/stately'])('%s lets no page of another origin in, though it has the token', async (path) => {
    const { port } = new URL(visualizer.url);
    for (const origin of ['http://evil.example', `http://127.0.0.1:${Number(port) + 1}`, 'null'])
      expect(await refusal(`${path}?token=${token}`, { origin })).toBe(403);
  });

  test.each(['/xstate4', '/stately'])('%s is closed to whoever calls it by another name', async (path) => {
    expect(await refusal(`${path}?token=${token}`, { host: 'evil.example' })).toBe(403);
  });

  test('a message of more than 64 kB ends the connection, and nothing else', async () => {
    const socket = new WebSocket(`ws://${host}/xstate4?token=${token}`);
    await once(socket, 'open');
    socket.send(JSON.stringify({ type: 'xstate.inspecting', filler: 'x'.repeat(70_000) }));
    const [code] = (await once(socket, 'close')) as [number];
    expect(code).toBe(1009);
    expect(server.state.value).toBe('accepting');
  });

  test('stop of the visualizer ends its viewers', async () => {
    const socket = new WebSocket(`ws://${host}/xstate4?token=${token}`);
    await once(socket, 'open');
    const closed = once(socket, 'close');
    await visualizer.stop();
    await closed;
    expect(server.state.value).toBe('accepting');
  });
});

describe('with the token in the address', () => {
  test('the receiver of @xstate/inspect follows the sessions', async () => {
    await joined();
    const { receiver, socket } = receive(`${host}/xstate4?token=${token}`);
    const registered = new Promise<ReceivedEvent>((resolve) =>
      receiver.subscribe((event) => {
        if (event.type === 'service.register' && event.sessionId.endsWith('/protocol')) resolve(event);
      }),
    );
    expect(await registered).toMatchObject({ id: 'knock-knock/1/protocol', state: { value: 'knocking' } });
    socket.terminate();
  });

  test('the receiver of @statelyai/inspect follows the sessions', async () => {
    await joined();
    const registered = new Promise<StatelyInspectionEvent>((resolve) =>
      createWebSocketReceiver({ server: `ws://${host}/stately?token=${token}` }).subscribe((event) => {
        if (event.sessionId.endsWith('/protocol')) resolve(event);
      }),
    );
    expect(await registered).toMatchObject({ name: 'knock-knock/1/protocol', snapshot: { value: 'knocking' } });
  });
});

describe.skipIf(hasNoBrowser)('in Chromium', () => {
  let built: string;

  beforeAll(async () => {
    built = mkdtempSync(join(tmpdir(), 'wirechart-compat-'));
    await build({
      root: fileURLToPath(new URL('../../visualizer/inspect-compat', import.meta.url)),
      logLevel: 'error',
      configFile: false,
      build: { outDir: built, emptyOutDir: false },
    });
  });

  afterAll(() => rmSync(built, { recursive: true, force: true }));

  test('the receiver makes a machine of each chart, follows a session to its end, and moves it', async () => {
    const peer = await joined();
    const page = await newPage();
    // The visualizer serves it as its own, under its own policy of what a page may do.
    const targets = () => [{ feed: createFeed(server), target: server }];
    const serving = makeVisualizer({ control: true }, { targets, page: built });
    await serving.start();
    ends.push(() => serving.stop());
    const { host, searchParams } = new URL(serving.url);
    await page.goto(`${serving.url}#${host}/xstate4?token=${searchParams.get('token')}`);
    const status = page.getByRole('status');
    await status.getByText('4 of 4 services run').waitFor();

    const protocol = page.locator('[data-service="knock-knock/1/protocol"]');
    const active = protocol.locator('[aria-current]');
    expect(await protocol.locator('li').allTextContents()).toEqual([
      '(machine)',
      '(machine).knocking',
      '(machine).naming',
      '(machine).leaving',
    ]);
    expect(await active.allTextContents()).toEqual(['(machine)', '(machine).knocking']);
    const transport = page.locator('[data-service="knock-knock/1/session"]');
    const ofTransport = transport.locator('[aria-current]');
    expect(await ofTransport.allTextContents()).toEqual(['session', 'session.accepted']);

    // The peer says what it has to; the page sees it.
    peer.write("Who's there?\n");
    await active.getByText('(machine).naming').waitFor();
    expect((await ofTransport.allTextContents())[1]).toBe('session.connected');
    expect(await protocol.locator('p span').textContent()).toBe('LINE');

    // The page says the rest in its place.
    const answered = once(peer, 'end');
    await protocol.getByRole('textbox').fill('{ "type": "LINE", "text": "boo who?" }');
    await protocol.getByRole('button', { name: 'Send' }).click();
    await status.getByText('2 of 4 services run').waitFor();
    expect(await active.allTextContents()).toEqual(['(machine)', '(machine).leaving']);
    await answered;
    await expect.poll(() => server.sessions.size).toBe(0);
  });
});
