/** The page in a real browser, looking at real TCP connections. */
import { emit } from 'xstate';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { afterEach, describe, expect, test } from 'vitest';
import echo from '../../examples/echo/index.js';
import { createVisualizer } from '../../src/inspect/index.js';
import { createTcpServer, type TcpServerOptions } from '../../src/server.js';
import type { AnyProtocol } from '../../src/session/protocol.js';
import { createSimulatedNetwork } from '../../src/socket/simulated/network.js';
import { Peers } from '../../src/explore/peer.js';
import { VirtualTime } from '../../src/time/index.js';
import { labProtocol } from '../session/lab.js';
import { closePages, expectComplaint, hasNoBrowser, newPage, type Page } from './browser.js';
import { chatPeers, type ChatPeer, type Depth } from './fleet.js';
import { activeStates, countIn, startSite, type Site } from './site.js';

let site: Site | undefined;
const peers: ChatPeer[] = [];

afterEach(async () => {
  for (const { socket } of peers.splice(0)) socket.destroy();
  await site?.stop();
  site = undefined;
});

async function start(options?: Parameters<typeof startSite>[0]): Promise<Site> {
  return (site = await startSite(options));
}

async function come(to: Site, count: number, depth: Depth): Promise<ChatPeer[]> {
  const come = await chatPeers(to.port, count, depth);
  peers.push(...come);
  return come;
}

async function idOf(of: Site, peer: ChatPeer): Promise<string> {
  await expect.poll(() => of.server.sessions.size).toBeGreaterThan(0);
  return [...of.server.sessions].find((session) => session.peer.port === peer.port)!.id;
}

/** Echo, unless told otherwise. Time passes when the test says so, for all but the page. */
async function startOnVirtualTime(options: TcpServerOptions = {}, protocol: AnyProtocol = echo) {
  const time = new VirtualTime();
  const network = createSimulatedNetwork({ time, seed: 1 });
  const address = { host: '10.0.0.1', port: 7_000 };
  const server = createTcpServer(protocol, { ...options, ...address, time, layer: network.layer(address.host) });
  const started = server.start();
  await time.advanceByAsync(10);
  await started;
  const visualizer = createVisualizer(server);
  await visualizer.start();
  const talkers = new Peers(network.layer('10.0.0.2'));
  return {
    time,
    server,
    connect: () => {
      const peer = talkers.connect(address, { answersFin: false });
      time.advanceBy(10);
      return peer;
    },
    open: async (path: string) => {
      const page = await newPage();
      await page.goto(visualizer.url);
      await page.goto(new URL(path, visualizer.url).href);
      return page;
    },
    stop: async () => {
      await closePages();
      await visualizer.stop();
      const stopped = server.stop({ option: 'force' });
      await time.advanceByAsync(10_000);
      await stopped;
    },
  };
}

/** From the first line on it waits for an hour. */
const patient = labProtocol({
  machine: { on: { LINE: { actions: emit({ type: 'SET_WAITS', count: 36_000 }) } } },
});

const chosen = (page: Page, name: RegExp | string) => page.getByRole('button', { name });

describe.skipIf(hasNoBrowser)('security: who is let in', () => {
  test('without the token there is a page that says what to do, and no data', async () => {
    const here = await start();
    expectComplaint(/401/);
    const page = await newPage();
    const response = await page.goto(new URL('/', here.visualizer.url).href);
    expect(response!.status()).toBe(401);
    expect(await page.textContent('body')).toContain('token');
    expect(await page.content()).not.toContain('chat');
  });

  test('with it the page comes up, the address is clean, and it comes up again when it is loaded again', async () => {
    const here = await start();
    const page = await here.open('/sessions?sort=-age');
    await page.getByRole('table').waitFor();
    expect(new URL(page.url()).search).toBe('?sort=-age');
    await page.reload();
    await page.getByRole('table').waitFor();
    expect(page.url()).not.toContain(new URL(here.visualizer.url).searchParams.get('token'));
    const cookies = await page.context().cookies();
    expect(cookies).toMatchObject([{ httpOnly: true, sameSite: 'Strict', path: '/' }]);
    expect(await page.evaluate('document.cookie')).toBe('');
  });

  test('a page of another port of this machine, whose requests carry the cookie, gets no WebSocket', async () => {
    const here = await start();
    const page = await here.open('/');
    await page.getByRole('navigation').first().waitFor();
    const foreign = createServer((_, response) => {
      response.setHeader('content-type', 'text/html').end('<title>foreign</title>');
    });
    await once(foreign.listen(0, '127.0.0.1'), 'listening');
    try {
      expectComplaint(/WebSocket|403|favicon|404/);
      const other = await page.context().newPage();
      await other.goto(`http://127.0.0.1:${(foreign.address() as AddressInfo).port}/`);
      const { port } = new URL(here.visualizer.url);
      const outcome = await other.evaluate(
        `new Promise((resolve) => {
          const socket = new WebSocket('ws://127.0.0.1:${port}/viz');
          socket.onmessage = () => resolve('told');
          socket.onclose = () => resolve('refused');
        })`,
      );
      expect(outcome).toBe('refused');
    } finally {
      foreign.close();
      foreign.closeAllConnections();
    }
  });
});

describe.skipIf(hasNoBrowser)('overview', () => {
  test('300 real clients are counted where they are, and are gone from the chart when they have gone', async () => {
    const here = await start();
    const page = await here.open('/?chart=both');
    await come(here, 120, 'nameless');
    await come(here, 80, 'outside');
    await come(here, 100, 'inside');
    await expect.poll(() => countIn(page, 'chat.nameless')).toBe(120);
    await expect.poll(() => countIn(page, 'chat.outside')).toBe(80);
    await expect.poll(() => countIn(page, 'chat.inside')).toBe(100);
    // Who has said nothing is accepted and no more.
    await expect.poll(() => countIn(page, 'session.accepted')).toBe(120);
    await expect.poll(() => countIn(page, 'session.connected.flowing')).toBe(180);
    expect(await countIn(page, 'session.connected')).toBe(180);
    expect(await countIn(page, 'session')).toBe(here.server.sessions.size);
    for (const { socket } of peers.splice(0)) socket.destroy();
    for (const state of ['session', 'session.connected', 'session.accepted', 'chat.nameless', 'chat.inside'])
      await expect.poll(() => countIn(page, state)).toBe(0);
  });

  test('the server socket’s and the sweeper’s states are marked, and follow', async () => {
    const here = await start();
    const page = await here.open('/');
    const panel = page.getByRole('region', { name: /Server socket/ });
    await expect.poll(() => panel.locator('li[aria-current]').allTextContents()).toEqual(['accepting']);
    here.server.suspend();
    await expect.poll(() => panel.locator('li[aria-current]').allTextContents()).toEqual(['suspended']);
  });

  test('a state of the chart leads to its sessions', async () => {
    const here = await start();
    const page = await here.open('/?chart=protocol');
    await come(here, 3, 'nameless');
    const [inside] = await come(here, 1, 'inside');
    await expect.poll(() => countIn(page, 'chat.inside')).toBe(1);
    await page.locator('[data-state="chat.inside"] > .statechart-box').click();
    await expect.poll(() => new URL(page.url()).searchParams.get('state')).toBe('protocol:inside');
    await expect.poll(() => page.locator('.sessions-row').count()).toBe(1);
    expect(await page.locator('.sessions-row').textContent()).toContain(`127.0.0.1:${inside!.port}`);
  });
});

describe.skipIf(hasNoBrowser)('a session', () => {
  test('what its peer sends lights its states, its arrow and a row of the sequence', async () => {
    const here = await start();
    const [peer] = await come(here, 1, 'nameless');
    const page = await here.open(`/sessions/${await idOf(here, peer!)}`);
    await expect.poll(() => activeStates(page)).toEqual(['chat.nameless', 'session.accepted']);
    peer!.say(`nick ${peer!.nick}`);
    await expect
      .poll(() => activeStates(page))
      .toEqual(['chat.outside', 'session.connected', 'session.connected.flowing']);
    const rows = page.getByRole('listbox', { name: /Sequence/ });
    await rows.getByRole('option', { name: /from the peer, NICK/ }).waitFor();
    await rows.getByRole('option', { name: /inside, NICK_GIVEN.*state outside/ }).waitFor();
    await rows.getByRole('option', { name: /to the peer, LINE/ }).waitFor();
    await expect.poll(() => page.locator('[data-taken]').count()).toBeGreaterThan(0);
  });

  test('a row that is chosen shows its moment: state, message, and how many bytes it had, but not which', async () => {
    const here = await start();
    const [peer] = await come(here, 1, 'nameless');
    const page = await here.open(`/sessions/${await idOf(here, peer!)}`);
    await expect.poll(() => activeStates(page)).toContain('chat.nameless');
    peer!.say('nick Zaphod');
    await expect.poll(() => activeStates(page)).toContain('chat.outside');
    await page.getByRole('option', { name: /from the peer, NICK/ }).click();
    await expect.poll(() => activeStates(page)).toContain('chat.claimingNick');
    await page.getByText('"Zaphod"').first().waitFor();
    await page
      .getByRole('option', { name: /to the peer, LINE/ })
      .first()
      .click();
    await page.getByText('--payloads').first().waitFor();
    expect(await page.locator('body').textContent()).not.toMatch(/5a 61 70/);
  });

  test('with payloads its bytes are shown', async () => {
    const here = await start({ visualizer: { payloads: true } });
    const [peer] = await come(here, 1, 'outside');
    const page = await here.open(`/sessions/${await idOf(here, peer!)}`);
    await expect.poll(() => activeStates(page)).toContain('chat.outside');
    peer!.say('join Magrathea');
    await expect.poll(() => activeStates(page)).toContain('chat.inside');
    await page
      .getByRole('option', { name: /to the peer, LINE/ })
      .first()
      .click();
    await expect.poll(() => page.locator('body').textContent()).toMatch(/4d 61 67/);
  });

  test('its waits come one by one, 0 to 60, and the last one ends it: on the server’s own clock', async () => {
    const { time, server, connect, open, stop } = await startOnVirtualTime();
    try {
      const peer = connect();
      peer.write(Uint8Array.of(0, 0, 0, 1, 65));
      time.advanceBy(10);
      const page = await open('/sessions/1');
      const ring = page.getByRole('img', { name: /waits have ended/ });
      await expect.poll(() => ring.getAttribute('aria-label')).toMatch(/^0 of 60/);
      for (const waits of [1, 2, 30, 59]) {
        const { context } = [...server.sessions][0]!.transportSnapshot;
        time.advanceBy((waits - context.waitTimeoutCount) * 100);
        expect(context.waitTimeoutCount).toBeLessThan(waits);
        await expect.poll(() => ring.getAttribute('aria-label')).toMatch(new RegExp(`^${waits} of 60`));
        await expect.poll(() => activeStates(page)).toContain('session.connected.flowing');
      }
      time.advanceBy(100);
      await expect.poll(() => activeStates(page)).toContain('session.closing.finWait');
      time.advanceBy(10_000);
      await page.getByText(/It has ended: wait timeout/).waitFor();
    } finally {
      await stop();
    }
  });

  test('the ring of its row is full where all its own waits are left, however many they are', async () => {
    // 10 minutes, and after a message an hour: what passes in the browser meanwhile is next to nothing.
    const { time, connect, open, stop } = await startOnVirtualTime({ waitTimeoutCountMax: 6_000 }, patient);
    try {
      const peers = [connect(), connect(), connect()];
      peers[1]!.write(Uint8Array.of(10));
      time.advanceBy(300_000);
      peers[2]!.write(Uint8Array.of(10));
      time.advanceBy(10);
      const page = await open('/sessions?sort=id');
      const drawn = async (id: string) => {
        const ring = page.locator(`.sessions-row[data-id="${id}"] .wait-mark`);
        const [lit, whole] = (await ring.locator('.ring-on').getAttribute('stroke-dasharray'))!.split(' ').map(Number);
        return { share: Math.round((20 * lit!) / whole!) / 20, tone: await ring.getAttribute('class') };
      };
      expect(await drawn('1')).toEqual({ share: 0.5, tone: 'wait-mark ring-warn' });
      expect(await drawn('2')).toEqual({ share: 0.9, tone: 'wait-mark ring-calm' });
      expect(await drawn('3')).toEqual({ share: 1, tone: 'wait-mark ring-calm' });
    } finally {
      await stop();
    }
  });
});

describe.skipIf(hasNoBrowser)('control', () => {
  test('a graceful close ends with a FIN at the peer, and is in the log', async () => {
    const here = await start({ visualizer: { control: true } });
    const [peer] = await come(here, 1, 'inside');
    const id = await idOf(here, peer!);
    const page = await here.open(`/sessions/${id}`);
    await chosen(page, 'Close gracefully').click();
    await peer!.ended();
    expect(peer!.closedBy).toBe('fin');
    await page.getByText(/It has ended/).waitFor();
    await page.getByRole('link', { name: 'Log' }).click();
    const row = page.getByRole('row').filter({ hasText: 'close' });
    await row.filter({ hasText: 'done' }).first().waitFor();
    expect(await row.first().textContent()).toContain(id);
  });

  test('a reset asks for the id of the session first, and is an RST at the peer', async () => {
    const here = await start({ visualizer: { control: true } });
    const [peer] = await come(here, 1, 'inside');
    const id = await idOf(here, peer!);
    const page = await here.open(`/sessions/${id}`);
    await chosen(page, 'Reset…').click();
    const confirm = page.getByRole('dialog').getByRole('button', { name: 'Reset' });
    expect(await confirm.isDisabled()).toBe(true);
    await page.getByRole('dialog').getByRole('textbox').fill(id);
    await confirm.click();
    await peer!.ended();
    expect(peer!.closedBy).toBe('rst');
  });

  test('an event that the chart can take now moves the session', async () => {
    const here = await start({ visualizer: { control: true } });
    const [peer] = await come(here, 1, 'inside');
    const page = await here.open(`/sessions/${await idOf(here, peer!)}`);
    await expect.poll(() => activeStates(page)).toContain('chat.inside');
    await chosen(page, 'Send event ▾').click();
    await page.locator('.send-panel select').selectOption('QUIT');
    await chosen(page, /^Send$/).click();
    await peer!.hears('bye');
    await peer!.ended();
  });

  test('read only: the buttons say why, and a message made by hand is refused by the server', async () => {
    const here = await start();
    const [peer] = await come(here, 1, 'inside');
    const id = await idOf(here, peer!);
    const page = await here.open(`/sessions/${id}`);
    await chosen(page, 'Close gracefully').waitFor();
    expect(await chosen(page, 'Close gracefully').isDisabled()).toBe(true);
    expect(await chosen(page, 'Close gracefully').getAttribute('title')).toContain('--allow-control');
    const command = { type: 'command', ref: 7, what: 'reset', source: 'chat', ids: [id], confirm: id };
    const answer = await page.evaluate(
      `new Promise((resolve) => {
        const socket = new WebSocket('ws://' + location.host + '/viz');
        socket.onmessage = ({ data }) => {
          const message = JSON.parse(data);
          if (message.type === 'hello') socket.send(${JSON.stringify(JSON.stringify(command))});
          if (message.type === 'result') resolve(message);
        };
      })`,
    );
    expect(answer).toMatchObject({ ref: 7, outcome: 'refused' });
    expect(here.server.sessions.size).toBe(1);
  });
});

describe.skipIf(hasNoBrowser)('what goes wrong', () => {
  test('a visualizer that goes away and comes back: the page says so, and then shows what is there now', async () => {
    const token = 'a-token-for-both-of-them';
    const first = await startSite({ visualizer: { token } });
    const { port } = new URL(first.visualizer.url);
    expectComplaint(/ERR_CONNECTION_REFUSED|WebSocket/);
    const page = await first.open('/');
    await expect.poll(() => countIn(page, 'session')).toBe(0);
    await first.visualizer.stop();
    await first.server.stop({ option: 'force' });
    await page
      .getByText(/reconnecting/i)
      .first()
      .waitFor();
    const second = await start({ visualizer: { token, port: Number(port) } });
    await come(second, 5, 'outside');
    await expect.poll(() => countIn(page, 'session')).toBe(5);
    await page.getByText(/live 10 Hz/).waitFor();
  });

  test('nobody sees the page: it asks for no ticks, gets none, and the present when somebody does again', async () => {
    const time = new VirtualTime();
    const here = await start({ visualizer: { time } });
    const page = await newPage();
    const sent: string[] = [];
    const told: string[] = [];
    page.on('websocket', (socket) => {
      socket.on('framesent', ({ payload }) => sent.push(String(payload)));
      socket.on('framereceived', ({ payload }) => told.push(String(payload)));
    });
    await page.goto(here.visualizer.url);
    await expect.poll(() => (time.advanceBy(100), countIn(page, 'session'))).toBe(0);
    const hide = (hidden: boolean) =>
      page.evaluate(
        `Object.defineProperty(document, 'hidden', { value: ${hidden}, configurable: true });
        document.dispatchEvent(new Event('visibilitychange'));`,
      );
    await hide(true);
    await expect.poll(() => sent.at(-1)).toBe('{"type":"pause","on":true}');
    await come(here, 3, 'outside');
    // By now the server has read the pause.
    time.advanceBy(5_000);
    await come(here, 1, 'outside');
    await hide(false);
    await expect.poll(() => (time.advanceBy(100), countIn(page, 'session'))).toBe(4);
    // One came after the other: of the three in between nothing was said.
    const counts = told
      .filter((text) => text.startsWith('{"type":"overview"'))
      .map((text) => JSON.parse(text) as { sessions: number });
    expect([...new Set(counts.map(({ sessions }) => sessions))]).toEqual([0, 4]);
  });

  test('a layout worker that cannot be loaded: states are a list, with their numbers', async () => {
    const here = await start();
    await come(here, 2, 'outside');
    const page = await newPage();
    expectComplaint(/Failed to load resource|ERR_FAILED|worker/i);
    await page.route('**/*worker*', (route) => route.abort());
    await page.goto(here.visualizer.url);
    await page.getByText('The chart could not be drawn').first().waitFor();
    await expect
      .poll(() => page.locator('li[data-state="session.connected.flowing"] .statechart-tree-count').textContent())
      .toBe('2');
  });

  test('a layout worker that never comes to an end: the page works meanwhile, and after 5 s states are a list', async () => {
    const here = await start();
    await come(here, 2, 'outside');
    const page = await newPage();
    await page.route('**/*worker*', (route) => route.fulfill({ contentType: 'text/javascript', body: 'for (;;);' }));
    await page.goto(here.visualizer.url);
    await page.getByText('laying out').first().waitFor();
    await page.getByRole('link', { name: 'Sessions' }).first().click();
    await page.getByRole('cell', { name: `127.0.0.1:${peers[0]!.port}` }).waitFor();
    await page.getByRole('link', { name: 'Overview' }).click();
    await page.getByText('The chart could not be drawn').first().waitFor();
    expect(await page.locator('li[data-state="session.connected.flowing"]').count()).toBe(1);
  });
});
