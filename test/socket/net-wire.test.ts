/** What goes over real sockets, seen by a plain `node:net` peer; and what a real system adds: paths, names, descriptors. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { config } from 'rxjs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { SocketRecord } from '../../src/socket/socket-layer.js';
import { Harness, pattern } from './layer-harness.js';
import { needsLinux, netUnderTest } from './net-under-test.js';

let h: Harness;
let folder: string;

beforeEach(() => {
  h = new Harness(netUnderTest());
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'wirechart-'));
});

afterEach(async () => {
  await h.dispose();
  fs.rmSync(folder, { recursive: true });
});

describe('a plain peer', () => {
  /** A peer that reports what it sees, and the socket of ours that it is connected to. */
  async function withPeer(): Promise<{ peer: net.Socket; seen: string[]; accepted: SocketRecord }> {
    const server = await h.listen();
    const peer = net.connect({ port: server.local!.port, host: '127.0.0.1', allowHalfOpen: true });
    const seen: string[] = [];
    peer.on('data', (bytes) => seen.push(`data ${bytes.length}`));
    peer.on('end', () => seen.push('end'));
    peer.on('error', (error: NodeJS.ErrnoException) => seen.push(error.code!));
    peer.on('close', () => seen.push('close'));
    await h.untilEvent(server, 'ACCEPT');
    const accepted = h.layer.get(h.last(server, 'ACCEPT').socket)!;
    h.layer.claim(accepted, h);
    h.carryOut(accepted, 'RESUME');
    return { peer, seen, accepted };
  }

  test('SEND_FIN is a FIN: the peer sees `end` behind the data, and no error', async () => {
    const { peer, seen, accepted } = await withPeer();
    h.write(accepted, 'bye');
    h.carryOut(accepted, 'SEND_FIN');
    await once(peer, 'end');
    peer.end();
    await h.untilEvent(accepted, 'CLOSE');
    await h.until('close of the peer', () => seen.includes('close'));
    expect(seen).toEqual(['data 3', 'end', 'close']);
  });

  test('SEND_RST is an RST: the peer sees ECONNRESET and no `end`', async () => {
    const { seen, accepted } = await withPeer();
    h.carryOut(accepted, 'SEND_RST');
    await h.until('close of the peer', () => seen.includes('close'));
    expect(seen).toEqual(['ECONNRESET', 'close']);
  });

  test('SEND_RST in the same turn as SEND_FIN frees the descriptor (Node’s own reset would leak it) and is an RST', async () => {
    const { peer, seen, accepted } = await withPeer();
    h.carryOut(accepted, 'SEND_FIN', 'SEND_RST');
    await h.untilEvent(accepted, 'CLOSE');
    await h.until('the peer’s write fails', () => {
      if (!peer.destroyed) peer.write('x');
      return seen.includes('EPIPE') || seen.includes('ECONNRESET');
    });
  });

  test('a peer that has gone before its ACCEPT is accepted all the same, and CLOSE follows when somebody reads', async () => {
    const server = await h.listen();
    const peer = net.connect(server.local!.port, '127.0.0.1');
    peer.once('connect', () => peer.resetAndDestroy());
    await h.untilEvent(server, 'ACCEPT');
    await once(peer, 'close');
    const accepted = h.layer.get(h.last(server, 'ACCEPT').socket)!;
    h.layer.claim(accepted, h);
    h.carryOut(accepted, 'RESUME');
    await h.untilEvent(accepted, 'CLOSE');
    expect(h.last(accepted, 'CLOSE').byReset).toBe(true);
  });

  test('connections beyond the full queue of an unclaimed server socket are reset: 70 connect, 64 are kept', async () => {
    const server = h.openServer();
    h.carryOut(server, 'LISTEN');
    await h.until('it listens', () => server.local !== undefined);
    h.layer.waitEvents(server.handle).subscribe(); // takes LISTENING, so that the queue is empty
    let resetCount = 0;
    const peers = Array.from({ length: 70 }, () => net.connect(server.local!.port, '127.0.0.1'));
    for (const peer of peers) peer.on('error', () => (resetCount += 1));
    await h.until('6 resets', () => resetCount === 6);
    await h.settle();
    expect(resetCount).toBe(6);
    for (const peer of peers) peer.destroy();
  });
});

describe('addresses', () => {
  test('IPv6: both ends know their addresses', async () => {
    const server = await h.listen({}, { host: '::1', port: 0 });
    const { client, accepted } = await h.connect(server);
    expect(server.local).toMatchObject({ transport: 'tcp', address: '::1', family: 'IPv6' });
    expect(accepted.peer).toEqual(client.local);
    expect(client.peer).toEqual(server.local);
  });

  test('a wildcard listener: an accepted socket tells the address that its peer connected to', async () => {
    const server = await h.listen({}, { host: '0.0.0.0', port: 0 });
    const client = h.openClient({ host: '127.0.0.1', port: server.local!.port });
    h.carryOut(client, 'CONNECT');
    await h.untilEvent(server, 'ACCEPT');
    const accepted = h.layer.get(h.last(server, 'ACCEPT').socket)!;
    expect(accepted.local).toEqual({ ...server.local, address: '127.0.0.1' });
  });

  test('a name is looked up; one that cannot be gives ERROR ENOTFOUND (or EAI_AGAIN without a resolver), for server and client', async () => {
    const { client } = await h.connect(await h.listen({}, { host: 'localhost', port: 0 }));
    expect(client.closed).toBe(false);
    const server = h.openServer({}, { host: 'no-such-host.invalid', port: 0 });
    const lost = h.openClient({ host: 'no-such-host.invalid', port: 1 });
    h.layer.claim(server, h);
    h.layer.claim(lost, h);
    h.carryOut(server, 'RESOLVE');
    h.carryOut(lost, 'CONNECT');
    await h.untilEvent(server, 'ERROR');
    await h.untilEvent(lost, 'CLOSE');
    expect(['ENOTFOUND', 'EAI_AGAIN']).toContain(h.last(server, 'ERROR').code);
    expect(h.types(lost)).toEqual(['ERROR', 'CLOSE']);
  });

  test('an address that is not of this machine is ERROR EADDRNOTAVAIL', async () => {
    const server = h.openServer({}, { host: '192.0.2.1', port: 0 }); // RFC 5737: for documentation
    h.layer.claim(server, h);
    h.carryOut(server, 'LISTEN');
    await h.untilEvent(server, 'ERROR');
    expect(h.last(server, 'ERROR').code).toBe('EADDRNOTAVAIL');
  });

  test('a port of 65 536, an empty host and a misspelt name are refused with OPTION_INVALID, which names them', () => {
    const open = (address: object) => () => h.openServer({}, address as { path: string });
    expect(open({ host: 'x', port: 65_536 })).toThrow(
      'openServer.address.port: expected an integer from 0 to 65535, got 65536',
    );
    expect(open({ host: '', port: 1 })).toThrow('openServer.address.host: expected a string that is not empty, got ""');
    expect(open({ hots: 'x', port: 1 })).toThrow(
      'openServer.address.hots: there is no such option; did you mean host?',
    );
  });
});

describe('Unix sockets', () => {
  test('bytes and FIN go through a path; SEND_RST is a destroy and not called a reset; the file is removed at the end', async () => {
    const file = path.join(folder, 'socket');
    const server = await h.listen({}, { path: file });
    expect(server.local).toEqual({ transport: 'unix', address: file, port: 0, family: 'unix' });
    const { client, accepted } = await h.connect(server);
    expect(accepted).toMatchObject({ local: { address: file }, peer: { transport: 'unix', address: '' } });
    h.write(client, 'x');
    await h.untilEvent(accepted, 'READ');
    expect(h.layer.tcpInfo(accepted)).toBeUndefined();
    expect(server.options.filter(({ applied }) => applied).map(({ option }) => option)).toEqual([
      'backlog',
      'ipv6Only',
      'reusePort',
    ]);
    h.carryOut(accepted, 'SEND_RST');
    await h.untilEvent(accepted, 'CLOSE');
    expect(h.last(accepted, 'CLOSE').byReset).toBe(false);
    h.carryOut(server, 'STOP_LISTENING');
    await h.untilEvent(server, 'STOPPED_LISTENING');
    expect(fs.existsSync(file)).toBe(false);
  });

  test('the file of a dead process is taken over; one where somebody listens, and a plain file, are not touched', async () => {
    const file = path.join(folder, 'socket');
    const dead = net.createServer().listen(file);
    await once(dead, 'listening');
    fs.renameSync(file, `${file}.kept`); // so that closing does not remove it
    dead.close();
    fs.renameSync(`${file}.kept`, file);
    const server = await h.listen({}, { path: file });

    const second = h.openServer({}, { path: file });
    const plain = h.openServer({}, { path: path.join(folder, 'plain') });
    fs.writeFileSync(path.join(folder, 'plain'), 'precious');
    for (const socket of [second, plain]) {
      h.layer.claim(socket, h);
      h.carryOut(socket, 'LISTEN');
      await h.untilEvent(socket, 'ERROR');
      expect(h.last(socket, 'ERROR').code).toBe('EADDRINUSE');
    }
    expect(fs.readFileSync(path.join(folder, 'plain'), 'utf8')).toBe('precious');
    await h.connect(server);
  });
});

describe('descriptors', () => {
  needsLinux();

  const descriptors = (): number => h.layer.descriptors()!.used;

  test('200 refused connects and 200 that were given up leak no descriptor', async () => {
    const server = await h.listen();
    const { port } = server.local!;
    h.carryOut(server, 'STOP_LISTENING');
    await h.untilEvent(server, 'STOPPED_LISTENING');
    const before = descriptors();
    for (let index = 0; index < 200; index += 1) {
      for (const command of ['RESUME', 'SEND_RST'] as const) {
        const client = h.openClient({ host: '127.0.0.1', port });
        h.layer.claim(client, h);
        h.carryOut(client, 'CONNECT', command);
        await h.untilEvent(client, 'CLOSE');
        h.layer.release(client);
      }
    }
    await h.until('all are free', () => descriptors() === before);
  });

  test('200 times SEND_FIN and SEND_RST in one turn leak no descriptor', async () => {
    const server = await h.listen();
    const before = descriptors();
    for (let index = 0; index < 200; index += 1) {
      const { client, accepted } = await h.connect(server);
      h.carryOut(accepted, 'SEND_FIN', 'SEND_RST');
      await h.untilEvent(accepted, 'CLOSE');
      h.layer.release(client);
      h.layer.release(accepted);
    }
    await h.until('all are free', () => descriptors() === before);
  });
});

describe('nothing is left behind', () => {
  test('1 000 times open, listen and close leave no record and no listener on the process', async () => {
    const listeners = (): number => process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0);
    const before = listeners();
    for (let index = 0; index < 1_000; index += 1) {
      const server = h.openServer();
      h.layer.claim(server, h);
      h.carryOut(server, 'LISTEN');
      await h.untilEvent(server, 'LISTENING');
      h.layer.release(server);
    }
    expect([...h.layer.sockets()]).toEqual([]);
    expect(listeners()).toBe(before);
  });

  test('a subscriber that throws does not keep others from their events, nor the socket from going on; the scheduler gets its errors', async () => {
    const unhandled: unknown[] = [];
    let thrownCount = 0;
    const { onUnhandledError } = config;
    config.onUnhandledError = (error) => unhandled.push(error);
    try {
      const server = await h.listen();
      const mistaken = h.layer.events.subscribe(() => {
        thrownCount += 1;
        throw new Error('a user’s mistake');
      });
      const { client, accepted } = await h.connect(server);
      h.write(client, pattern(100_000));
      await h.until('all bytes', () => accepted.statistics.bytesReceived === 100_000);
      h.carryOut(client, 'SEND_FIN');
      await h.untilEvent(accepted, 'PEER_END');
      mistaken.unsubscribe();
      expect(thrownCount).toBeGreaterThan(3);
      expect(errorsOf(() => h.time.advanceBy(0))).toHaveLength(thrownCount);
      await h.settle();
      expect(unhandled).toEqual([]);
    } finally {
      config.onUnhandledError = onUnhandledError;
    }
  });

  test('a subscriber of waitEvents that throws, or that does not take an error, is reported to the scheduler', async () => {
    const server = h.openServer();
    const seen: string[] = [];
    h.layer.waitEvents(server.handle).subscribe({
      next: () => {
        throw new Error('a user’s mistake');
      },
      complete: () => seen.push('complete'),
    });
    h.carryOut(server, 'LISTEN');
    await h.until('the wait is over', () => seen.length > 0);
    expect(errorsOf(() => h.time.advanceBy(0))).toEqual([new Error('a user’s mistake')]);
    h.layer.waitEvents(null).subscribe();
    expect(errorsOf(() => h.time.advanceBy(0))).toMatchObject([{ code: 'HANDLE_NULL' }]);
  });

  test('a process whose sockets are closed ends by itself, also with a socket that was never started', async () => {
    const script = `
      import { createNetLayer } from './src/socket/net/net-layer.ts';
      import { parseTcpSocketOptions } from './src/socket/options.ts';
      import { RealTime } from './src/time/index.ts';
      const layer = createNetLayer({ time: new RealTime() });
      const options = parseTcpSocketOptions();
      const server = layer.openServer({ host: '127.0.0.1', port: 0 }, options);
      layer.openClient({ host: '127.0.0.1', port: 1 }, options);
      layer.claim(server, layer);
      layer.events.subscribe(({ event }) => {
        if (event.type === 'LISTENING') layer.carryOut(server, { type: 'STOP_LISTENING' });
        console.log(event.type);
      });
      layer.carryOut(server, { type: 'LISTEN' });
    `;
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script]);
    let printed = '';
    child.stdout.on('data', (bytes) => (printed += bytes));
    child.stderr.on('data', (bytes) => (printed += bytes));
    const [code] = (await once(child, 'close')) as [number];
    expect({ code, printed }).toEqual({ code: 0, printed: 'LISTENING\nSTOPPED_LISTENING\n' });
  });

  test('an attempt that gets no answer gives way to the next address of the name after 250 ms', async () => {
    // 192.0.2.1 answers nothing, or is refused at once where there is no route: either way localhost's turn comes.
    const server = await h.listen();
    const { default: dns } = await import('node:dns');
    const lookup = dns.lookup;
    dns.lookup = ((_host: string, _options: object, done: (error: null, found: object[]) => void) =>
      process.nextTick(done, null, [
        { address: '192.0.2.1', family: 4 },
        { address: '127.0.0.1', family: 4 },
      ])) as unknown as typeof lookup;
    try {
      const client = h.openClient({ host: 'two.addresses', port: server.local!.port });
      h.layer.claim(client, h);
      h.carryOut(client, 'CONNECT');
      await h.settle();
      h.time.advanceBy(250);
      await h.untilEvent(client, 'CONNECT');
      expect(client.peer).toEqual(server.local);
    } finally {
      dns.lookup = lookup;
    }
  });
});

function errorsOf(act: () => void): unknown[] {
  try {
    act();
  } catch (error) {
    return error instanceof AggregateError ? error.errors : [error];
  }
  return [];
}
