/** A name with several addresses: in which order they are tried, for how long, and which failure is told at the end. */
import dns from 'node:dns';
import net from 'node:net';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { SocketRecord } from '../../src/socket/socket-layer.js';
import { Harness } from './layer-harness.js';
import { netUnderTest } from './net-under-test.js';

/** What the attempts at one address meet, in their order; the last goes on. */
type Fate = 'silence' | 'refusal' | 'answer';

let h: Harness;
let tried: string[];

beforeEach(() => {
  h = new Harness(netUnderTest());
  tried = [];
});

afterEach(async () => {
  vi.restoreAllMocks();
  await h.dispose();
});

/** A client of a name whose addresses are played; who answers is localhost. */
async function connecting(fates: Record<string, Fate[]>): Promise<SocketRecord> {
  const server = await h.listen();
  const addresses = Object.keys(fates).map((address) => ({ address, family: 4 }));
  vi.spyOn(dns, 'lookup').mockImplementation(((_host: string, _options: object, done: (...found: unknown[]) => void) =>
    process.nextTick(done, null, addresses)) as never);
  const { connect } = net.Socket.prototype as { connect: (this: net.Socket, options: object) => net.Socket };
  vi.spyOn(net.Socket.prototype, 'connect').mockImplementation(function (this: net.Socket, ...[options]: unknown[]) {
    const { host, port } = options as { host: string; port: number };
    tried.push(host);
    const left = fates[host]!;
    const fate = left.length > 1 ? left.shift() : left[0];
    if (fate === 'answer') return connect.call(this, { host: '127.0.0.1', port });
    if (fate === 'refusal') this.destroy(Object.assign(new Error(`refused by ${host}`), { code: 'ECONNREFUSED' }));
    return this;
  });
  const client = h.openClient({ host: 'some.addresses', port: server.local!.port });
  h.layer.claim(client, h);
  h.carryOut(client, 'CONNECT');
  await h.settle();
  return client;
}

async function pass(ms: number): Promise<void> {
  h.time.advanceBy(ms);
  await h.settle();
}

test('a slow address is tried again when the last one is refused, now for as long as it takes', async () => {
  const client = await connecting({ slow: ['silence', 'answer'], refusing: ['refusal'] });
  await pass(250);
  await h.untilEvent(client, 'CONNECT');
  expect(tried).toEqual(['slow', 'refusing', 'slow']);
});

test('the only address that is left is not given up', async () => {
  const client = await connecting({ slow: ['silence'], refusing: ['refusal'] });
  await pass(250);
  await pass(3_600_000);
  expect(tried).toEqual(['slow', 'refusing', 'slow']);
  expect(h.types(client)).toEqual([]);
});

test('addresses that are silent take turns, for four times as long each round: a silent one hides no slow one', async () => {
  const client = await connecting({ dead: ['silence'], slow: ['silence', 'silence', 'answer'] });
  for (const [ms, count] of [
    [250, 2],
    [250, 3],
    [999, 3],
    [1, 4],
    [1_000, 5],
    [4_000, 6],
  ] as const) {
    // prettier-ignore
    await pass(ms);
    expect(tried).toHaveLength(count);
  }
  await h.untilEvent(client, 'CONNECT');
  expect(tried).toEqual(['dead', 'slow', 'dead', 'slow', 'dead', 'slow']);
});

test('it fails when each address has failed, with the failure of the last', async () => {
  const client = await connecting({ slow: ['silence', 'refusal'], refusing: ['refusal'] });
  await pass(250);
  await h.untilEvent(client, 'CLOSE');
  expect(h.types(client)).toEqual(['ERROR', 'CLOSE']);
  expect(h.last(client, 'ERROR')).toMatchObject({ code: 'ECONNREFUSED', message: 'refused by slow' });
});
