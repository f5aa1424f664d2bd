/** Attacks on a port of this machine: on real sockets, so few and short. */
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { afterEach, describe, expect, test } from 'vitest';
import { isLoopback, loopbackAddressOf } from '../../src/explore/attack-address.js';
import type { Attack, AttackContext } from '../../src/explore/attack.js';
import type { HealthyLoad } from '../../src/explore/attack-load.js';
import { attackPort } from '../../src/explore/attack-port.js';
import { ExploreError } from '../../src/explore/explore-error.js';
import { createTcpServer, type TcpServer } from '../../src/server.js';
import echo from '../../examples/echo/index.js';

let server: TcpServer | undefined;
let bare: Server | undefined;

afterEach(async () => {
  await server?.stop({ option: 'force' });
  bare?.close();
  [server, bare] = [undefined, undefined];
});

async function portOfEcho(): Promise<number> {
  server = createTcpServer(echo);
  await server.start();
  return server.address()!.port;
}

describe('an attack on a port', () => {
  test('tells what became of each connection, and how long healthy peers waited with it and without', async () => {
    const port = await portOfEcho();
    const seen: string[] = [];
    const report = await attackPort({
      port,
      protocol: echo,
      seconds: 2,
      connections: 10,
      attacks: ['garbage', 'mid-frame-rst'],
      onAttack: ({ name }) => seen.push(name),
    });
    expect(report.problems).toEqual([]);
    expect(report.attacks.flatMap(({ problems }) => problems)).toEqual([]);
    expect(report.survived).toBe(true);
    expect(seen).toEqual(['garbage', 'mid-frame-rst']);
    expect(report.probe).toMatchObject({ request: { type: 'FRAME' } });
    for (const { connections, endings } of report.attacks) {
      expect(connections).toBeGreaterThan(5);
      expect(Object.values(endings).reduce((sum, count) => sum + count, 0)).toBe(connections);
    }
    expect(report.alone.count).toBeGreaterThan(50);
    expect(report.attacked.count).toBeGreaterThan(50);
    expect(report.ratio).toBeGreaterThan(0);
  });

  test('without a protocol tries the attacks that need no frames of one', async () => {
    const port = await portOfEcho();
    const report = await attackPort({ port, seconds: 1, connections: 5, attacks: ['scan-rst', 'never-reading'] });
    expect(report.attacks.map(({ name, survived }) => ({ name, survived }))).toEqual([
      { name: 'scan-rst', survived: true },
    ]);
    expect(report.skipped).toEqual(['never-reading']);
    expect(report.alone.count).toBeGreaterThan(0);
  });

  test('says that healthy peers were cut off by a server that resets whoever is there when one goes without a word', async () => {
    const sockets = new Set<Socket>();
    bare = createServer({ allowHalfOpen: true }, (socket) => {
      sockets.add(socket);
      socket.on('error', () => {}).on('close', () => sockets.delete(socket));
      socket.on('data', (bytes) => socket.write(bytes));
      socket.on('end', () => {
        socket.end();
        if (socket.bytesRead > 0) return;
        for (const one of sockets) one.resetAndDestroy();
      });
    }).listen(0, '127.0.0.1');
    await once(bare, 'listening');
    const { port } = bare.address() as AddressInfo;
    const report = await attackPort({ port, protocol: echo, seconds: 1, attacks: ['scan-fin'] });
    expect(report.survived).toBe(false);
    expect(report.attacks[0]!.problems.join()).toMatch(/healthy peers were cut off \d+ times/);
  });

  test('rejects with UNREACHABLE where nobody listens', async () => {
    const port = await portOfEcho();
    await server!.stop();
    await expect(attackPort({ port, protocol: echo, seconds: 1 })).rejects.toMatchObject({ code: 'UNREACHABLE' });
  });

  test('whose healthy peers are gone rejects, and no connection of an attacker comes after that', async () => {
    const port = await portOfEcho();
    let takes = 0;
    // Asked after the warm-up, before the attack, and in the midst of it.
    const healthy = (): HealthyLoad => ({
      start: () => Promise.resolve(),
      take: () => {
        takes += 1;
        if (takes === 3) return Promise.reject(new ExploreError('UNREACHABLE', 'they are gone'));
        return Promise.resolve({ asked: 0, answered: 0, lost: 0, cutOff: 0, latenciesMs: [] });
      },
      finish: () => Promise.resolve(),
      stop: () => {},
    });
    let run: AttackContext | undefined;
    const mine: Attack = {
      name: 'mine',
      does: 'Connects.',
      goodServer: 'Serves.',
      run: (context) => {
        run = context;
        context.every(10, () => context.connect());
      },
    };
    await expect(attackPort({ port, seconds: 1, attacks: [mine], healthy })).rejects.toThrow('they are gone');
    expect(takes).toBe(3);
    expect(run!.connect()).toBeUndefined();
  });

  test('ends early when its signal is aborted, with what it has found by then', async () => {
    const port = await portOfEcho();
    const stop = new AbortController();
    const report = await attackPort({
      port,
      protocol: echo,
      seconds: 2,
      connections: 5,
      signal: stop.signal,
      onAttack: () => stop.abort(),
    });
    expect(report.attacks).toHaveLength(1);
  });
});

describe('an address', () => {
  test.each(['127.0.0.1', '127.255.255.254', '::1', '0:0:0:0:0:0:0:1', '::ffff:127.0.0.1'])(
    '%s is loopback',
    async (host) => {
      expect(isLoopback(host)).toBe(true);
      expect(await loopbackAddressOf(host)).toBe(host);
    },
  );

  test.each(['10.0.0.1', '0.0.0.0', '::', '128.0.0.1', '192.168.1.1', '::2', '::ffff:10.0.0.1'])(
    '%s is not, and is refused',
    async (host) => {
      await expect(loopbackAddressOf(host)).rejects.toMatchObject({ code: 'NOT_LOOPBACK' });
    },
  );

  test('a name leads to the address that is connected to: it is looked up once, and IPv4 comes first', async () => {
    const addresses = (await lookup('localhost', { all: true })).map(({ address }) => address);
    const expected = addresses.includes('127.0.0.1') ? '127.0.0.1' : '::1';
    expect(await loopbackAddressOf('localhost')).toBe(expected);
  });

  test('a name that cannot be looked up is refused', async () => {
    await expect(loopbackAddressOf('a..b')).rejects.toThrow('attacks go to loopback addresses alone');
  });

  test('nothing is sent where an attack may not go', async () => {
    await expect(attackPort({ port: 7, host: '10.0.0.1' })).rejects.toMatchObject({ code: 'NOT_LOOPBACK' });
  });
});
