/** Options on real sockets: what was set is read back from the kernel itself, not from our own report. */
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { applyListenOptions, applyTcpOptions } from '../../src/socket/net/apply-options.js';
import { descriptorOf } from '../../src/socket/net/handle.js';
import { type Kernel, type KernelOption, loadKernel } from '../../src/socket/net/kernel.js';
import { createNetLayer } from '../../src/socket/net/net-layer.js';
import { type AppliedOption, parseTcpSocketOptions } from '../../src/socket/options.js';
import type { SocketRecord } from '../../src/socket/socket-layer.js';
import { Harness } from './layer-harness.js';
import { needsKernel, needsLinux, netUnderTest } from './net-under-test.js';

vi.mock('../../src/socket/net/handle.js', { spy: true });
const { descriptorOf: fdOfSocket } = await vi.importActual<{ descriptorOf: typeof descriptorOf }>(
  '../../src/socket/net/handle.js',
);

const kernel = loadKernel()!;
let h: Harness;
afterEach(async () => {
  await h.dispose();
  vi.mocked(descriptorOf).mockReset();
});

describe('options with koffi', () => {
  needsKernel();

  test.each([
    { address: '127.0.0.1', headers: 40 },
    { address: '::1', headers: 60 },
  ])(
    '$address: all of them are in force on accepted and client sockets, MSS = 1 500 - $headers',
    async ({ address, headers }) => {
      h = new Harness(netUnderTest());
      const server = await h.listen({}, { host: address, port: 0 });
      const { client } = await h.connect(server);
      for (const socket of [server, client]) {
        expect(socket.options.filter(({ applied }) => !applied)).toEqual([]);
        expect(reportOf(socket, 'noDelay')).toEqual(
          socket === client
            ? { option: 'noDelay', wanted: true, applied: true, actual: true }
            : {
                option: 'noDelay',
                wanted: true,
                applied: true,
                note: 'set by Node on each accepted connection, and not read back',
              },
        );
        expect(optionsOf(socket)).toMatchObject({
          sendBufferBytes: 32_768,
          receiveBufferBytes: 32_768,
          mtuBytes: 1_500,
          userTimeoutMs: 30_000,
          keepAlive: true,
          'keepAlive.idleMs': 60_000,
          'keepAlive.intervalMs': 10_000,
          'keepAlive.count': 6,
        });
      }
      for (const fd of [h.last(server, 'ACCEPT').descriptor, fdOf(client)]) {
        expect(read(kernel, fd)).toEqual({
          sendBuffer: 32_768,
          receiveBuffer: 32_768,
          maxSegment: 1_500 - headers - 12, // less the timestamps of a connection
          noDelay: 1,
          keepAlive: 1,
          keepAliveIdle: 60,
          keepAliveInterval: 10,
          keepAliveCount: 6,
          userTimeout: 30_000,
        });
      }
    },
  );

  test('"system" and false leave the kernel’s own values', async () => {
    h = new Harness(netUnderTest());
    const system = {
      sendBufferBytes: 'system',
      receiveBufferBytes: 'system',
      mtuBytes: 'system',
      userTimeoutMs: 'system',
    } as const;
    const { client } = await h.pair({ ...system, keepAlive: false, noDelay: false });
    expect(client.options.every(({ applied }) => applied)).toBe(true);
    const values = read(kernel, fdOf(client));
    expect(values).toMatchObject({ noDelay: 0, keepAlive: 0, userTimeout: 0 });
    expect(values.sendBuffer).toBeGreaterThan(100_000);
    expect(values.maxSegment).toBeGreaterThan(1_500);
  });

  test('a buffer above the kernel’s limit, and an MTU that it refuses, are reported as not applied', async () => {
    h = new Harness(netUnderTest());
    const server = await h.listen({ sendBufferBytes: 2 ** 30, mtuBytes: 65_535, backlog: 65_535 });
    const limit = Number(readFileSync('/proc/sys/net/core/wmem_max', 'utf8'));
    expect(reportOf(server, 'sendBufferBytes')).toMatchObject({
      applied: false,
      actual: 2 * limit,
      note: expect.stringContaining('wmem_max'),
    });
    expect(reportOf(server, 'mtuBytes')).toMatchObject({ applied: false, note: expect.stringContaining('EINVAL') });
    const backlog = Number(readFileSync('/proc/sys/net/core/somaxconn', 'utf8'));
    if (backlog < 65_535) {
      expect(reportOf(server, 'backlog')).toMatchObject({
        applied: false,
        actual: backlog,
        note: expect.stringContaining('somaxconn'),
      });
    }
  });

  test.each([true, false])('ipv6Only %s and reusePort are read back', async (ipv6Only) => {
    h = new Harness(netUnderTest());
    const server = await h.listen({ ipv6Only }, { host: '::', port: 0 });
    const read = { wanted: ipv6Only, applied: true, actual: ipv6Only };
    expect(reportOf(server, 'ipv6Only')).toEqual({ option: 'ipv6Only', ...read });
    expect(reportOf(server, 'reusePort')).toEqual({ option: 'reusePort', wanted: false, applied: true, actual: false });
  });

  test('one IPv6 address takes IPv6 alone, whatever was wanted: the report says why', async () => {
    h = new Harness(netUnderTest());
    const server = await h.listen({}, { host: '::1', port: 0 });
    const note = expect.stringContaining('one IPv6 address');
    expect(reportOf(server, 'ipv6Only')).toEqual({
      option: 'ipv6Only',
      wanted: false,
      applied: true,
      actual: true,
      note,
    });
  });

  test('what the kernel does not say as it was wanted is not applied', () => {
    const stubborn: Kernel = { ...kernel, setOption: () => undefined, getOption: () => 0 };
    const options = parseTcpSocketOptions({ ipv6Only: true, reusePort: true });
    const target = { kernel: stubborn, fd: 0, family: 'IPv6' } as const;
    for (const report of [...applyTcpOptions(target, options), ...applyListenOptions(target, options, true)]) {
      if (typeof report.wanted !== 'boolean') continue;
      expect(report).toMatchObject({ wanted: true, applied: false, actual: false, note: 'the kernel says otherwise' });
    }
  });

  test('with koffi, and no descriptor to set them on, Node sets keep-alive and no delay, and the reports say so', async () => {
    const { time, ...under } = netUnderTest();
    const layer = createNetLayer({ time, kernel: { ...kernel, openTcp: () => undefined } });
    h = new Harness({ ...under, time, layer });
    vi.mocked(descriptorOf).mockImplementation((socket) =>
      socket instanceof net.Server ? undefined : fdOfSocket(socket),
    );
    const { server, client } = await h.pair();
    for (const socket of [server, client]) {
      for (const option of ['keepAlive', 'keepAlive.idleMs', 'noDelay'] as const) {
        expect(reportOf(socket, option)).toMatchObject({
          applied: true,
          note: expect.stringContaining('not read back'),
        });
      }
    }
    for (const fd of [h.last(server, 'ACCEPT').descriptor, fdOf(client)]) {
      expect(read(kernel, fd)).toMatchObject({ keepAlive: 1, keepAliveIdle: 60, noDelay: 1 });
    }
  });

  test('without koffi Node sets keep-alive and no delay, on accepted and client sockets', async () => {
    h = new Harness(netUnderTest({ kernel: undefined }));
    const { server, client } = await h.pair();
    for (const fd of [h.last(server, 'ACCEPT').descriptor, fdOf(client)]) {
      expect(read(kernel, fd)).toMatchObject({ keepAlive: 1, keepAliveIdle: 60, noDelay: 1 });
    }
  });
});

describe('options', () => {
  test('without koffi all that Node cannot set is reported as not applied, with the reason', async () => {
    h = new Harness(netUnderTest({ kernel: undefined }));
    const { server, client } = await h.pair();
    for (const socket of [server, client]) {
      const refused = socket.options.filter(({ applied }) => !applied);
      expect(refused.map(({ option }) => option)).toEqual([
        'sendBufferBytes',
        'receiveBufferBytes',
        'mtuBytes',
        'userTimeoutMs',
        'keepAlive.intervalMs',
        'keepAlive.count',
      ]);
      expect(new Set(refused.map(({ note }) => note))).toEqual(new Set(['needs koffi, on Linux']));
    }
    for (const option of ['noDelay', 'keepAlive', 'backlog', 'reusePort'] as const) {
      expect(reportOf(server, option)).toMatchObject({ applied: true, note: expect.stringContaining('not read back') });
    }
    expect(h.layer.tcpInfo(client)).toBeUndefined();
  });

  test('reusePort and ipv6Only that cannot be are reported, not passed over', async () => {
    h = new Harness(netUnderTest());
    const server = await h.listen({ reusePort: true, ipv6Only: true }, { host: '127.0.0.1', port: 0 });
    expect(reportOf(server, 'ipv6Only')).toMatchObject({ applied: false, note: expect.stringContaining('IPv6') });
    const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
    expect(reportOf(server, 'reusePort').applied).toBe(
      major > 23 || (major === 23 && minor >= 1) || (major === 22 && minor >= 12),
    );
  });
});

describe('TcpInfo', () => {
  needsKernel();

  test('TcpInfo of a live connection has its state, times and bytes; of a closed or server socket there is none', async () => {
    h = new Harness(netUnderTest());
    const { server, client, accepted } = await h.pair();
    h.write(client, 'ten bytes.');
    await h.untilEvent(accepted, 'READ');
    const info = h.layer.tcpInfo(client)!;
    expect(info).toMatchObject({
      state: 'ESTABLISHED',
      sendMssBytes: 1_448,
      bytesSent: 10,
      lostSegments: 0,
      retransmittedTotalSegments: 0,
    });
    expect(info.rttMicroseconds).toBeGreaterThan(0);
    expect(info.congestionWindowSegments).toBeGreaterThan(0);
    expect(h.layer.tcpInfo(accepted)?.bytesReceived).toBe(10);
    expect(h.layer.tcpInfo(server)).toBeUndefined();
    h.carryOut(client, 'SEND_RST');
    await h.untilEvent(client, 'CLOSE');
    expect(h.layer.tcpInfo(client)).toBeUndefined();
  });
});

describe('descriptors', () => {
  needsLinux();

  test('descriptors are counted: a connection takes 2 of this process, and closing gives them back', async () => {
    h = new Harness(netUnderTest());
    const server = await h.listen();
    const before = h.layer.descriptors()!;
    const { client, accepted } = await h.connect(server);
    expect(h.layer.descriptors()).toEqual({ limit: before.limit, used: before.used + 2 });
    h.carryOut(client, 'SEND_RST');
    await h.untilEvent(accepted, 'CLOSE');
    await h.until('both are free', () => h.layer.descriptors()!.used === before.used);
  });
});

function reportOf(socket: SocketRecord, option: AppliedOption['option']): AppliedOption {
  return socket.options.find((report) => report.option === option)!;
}

function optionsOf(socket: SocketRecord): Record<string, unknown> {
  return Object.fromEntries(socket.options.map(({ option, actual }) => [option, actual]));
}

function fdOf(socket: SocketRecord): number {
  return fdOfSocket((socket as unknown as { socket: net.Socket }).socket)!;
}

function read(of: Kernel, fd: number): Partial<Record<KernelOption, number | undefined>> {
  const names = [
    'sendBuffer',
    'receiveBuffer',
    'maxSegment',
    'noDelay',
    'keepAlive',
    'keepAliveIdle',
    'keepAliveInterval',
    'keepAliveCount',
    'userTimeout',
  ] as const;
  return Object.fromEntries(names.map((name) => [name, of.getOption(fd, name)]));
}
