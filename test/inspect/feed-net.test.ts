/** A feed of a server on real sockets: what it counts, tells and ends is what the peers see. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { filter, firstValueFrom, map, timeout } from 'rxjs';
import { expect, test } from 'vitest';
import chat from '../../examples/chat/index.js';
import { createFeed } from '../../src/inspect/create-feed.js';
import type { Feed, FeedChange, RecordingLine } from '../../src/inspect/feed.js';
import { createTcpServer } from '../../src/server.js';

const WITHIN = { first: 10_000, each: 10_000 };

/** @returns when the innermost state of the protocol's chart is this one */
function reached(feed: Feed, id: string, path: string): Promise<unknown> {
  const isThere = () => {
    const place = feed.session(id)?.protocol ?? [];
    return feed.charts.protocol.states[place.at(-1) ?? 0]!.path === path;
  };
  if (isThere()) return Promise.resolve();
  return firstValueFrom(feed.changes.pipe(filter(isThere), timeout(WITHIN)));
}

const next = (feed: Feed, type: FeedChange['type']) =>
  firstValueFrom(
    feed.changes.pipe(
      filter((change) => change.type === type),
      map(({ session }) => session),
      timeout(WITHIN),
    ),
  );

async function comes(feed: Feed, port: number): Promise<{ socket: Socket; id: string; peer: string }> {
  const added = next(feed, 'added');
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {}); // a reset is what one of them is asked for
  const [{ id, peer }] = await Promise.all([added, once(socket, 'connect')]);
  return { socket, id, peer };
}

test('three peers come, talk and go, one by FIN, one by RST, one because the feed was asked to; every step is counted', async () => {
  const server = createTcpServer(chat);
  const feed = createFeed(server);
  expect(feed.address).toBeUndefined();
  await server.start();
  const { port } = server.address()!;
  expect(feed.address).toBe(`127.0.0.1:${port}`);
  const peers = [await comes(feed, port), await comes(feed, port), await comes(feed, port)];
  const [ann, bob, eve] = peers as [(typeof peers)[0], (typeof peers)[0], (typeof peers)[0]];
  expect(ann.peer).toBe(`127.0.0.1:${ann.socket.localPort}`);

  const lines: RecordingLine[] = [];
  const ended = new Promise<void>((resolve) => {
    feed.watch(ann.id, { line: (line) => lines.push(line), ended: resolve });
  });
  ann.socket.write('nick ann\n');
  bob.socket.write('nick bob\n');
  await Promise.all([reached(feed, ann.id, 'outside'), reached(feed, bob.id, 'outside')]);
  const { counts } = feed.population('protocol');
  const countOf = (path: string) => counts[feed.charts.protocol.states.findIndex((state) => state.path === path)];
  expect([countOf('nameless'), countOf('outside'), counts[0]]).toEqual([1, 2, 3]);

  const annGone = next(feed, 'removed');
  ann.socket.end();
  await Promise.all([ended, annGone]);
  expect(lines.at(-1)).toMatchObject({ kind: 'end', record: { id: ann.id, reason: 'peer closed', closedBy: 'fin' } });

  const bobGone = next(feed, 'removed');
  bob.socket.resetAndDestroy();
  expect((await bobGone).id).toBe(bob.id);

  const eveGone = next(feed, 'removed');
  const closed = new Promise((resolve) => eve.socket.once('close', resolve));
  eve.socket.resume();
  feed.closeSession(eve.id, 'force');
  await Promise.all([eveGone, closed]);

  expect([...counts].every((count) => count === 0)).toBe(true);
  expect(feed.totals()).toMatchObject({ accepted: 3, closed: 3, reasons: { 'peer closed': 1, 'peer reset': 1 } });
  expect(feed.recent.map(({ id }) => id)).toEqual([ann.id, bob.id, eve.id]);
  await server.stop();
  feed.end();
});

test('while somebody looks, a silent peer is seen waiting, wait by wait, and ends when it would have ended', async () => {
  const server = createTcpServer(chat, { waitTimeoutMs: 20, waitTimeoutCountMax: 10 });
  const feed = createFeed(server);
  await server.start();
  const { socket, id } = await comes(feed, server.address()!.port);
  socket.resume();
  const lines: RecordingLine[] = [];
  const ended = new Promise<void>((resolve) => {
    feed.watch(id, { line: (line) => lines.push(line), ended: resolve });
  });
  await ended;
  const waits = lines.flatMap(({ event }) => {
    const { type, waits = 0 } = (event ?? {}) as { type?: string; waits?: number };
    return type === 'WAIT_TIMEOUT' ? [waits] : [];
  });
  expect(waits.reduce((sum, count) => sum + count, 0)).toBe(10);
  expect(waits.length).toBeGreaterThan(2); // a stall of this machine makes one of several
  const { startedAtMs, endedAtMs, reason } = feed.recent[0]!;
  expect(reason).toBe('wait timeout');
  expect(endedAtMs - startedAtMs).toBeGreaterThanOrEqual(200);
  await server.stop();
  feed.end();
});
