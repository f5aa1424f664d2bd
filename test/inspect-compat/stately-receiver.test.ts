/** The real receiver of `@statelyai/inspect`, which is for XState 5, looks at real sessions on real sockets through our own server. */
import { once } from 'node:events';
import { createWebSocketReceiver, type StatelyInspectionEvent } from '@statelyai/inspect';
import { afterEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { createMachine, getNextSnapshot, getInitialSnapshot } from 'xstate';
import knockKnock from '../../examples/knock-knock/index.js';
import { realServer, type RealServer } from './real-server.js';

const ends: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function started(options?: Parameters<typeof realServer>[1]): Promise<RealServer> {
  const real = await realServer(knockKnock, options);
  ends.push(() => real.end());
  return real;
}

function look({ outlets }: RealServer, query = '') {
  const events: StatelyInspectionEvent[] = [];
  const looks = new Set<() => void>();
  createWebSocketReceiver({ server: `ws://${outlets}/stately${query}` }).subscribe((event) => {
    events.push(event);
    for (const one of [...looks]) one();
  });
  const of = (sessionId: string) => events.filter((event) => event.sessionId === sessionId);
  const snapshots = (sessionId: string) =>
    of(sessionId).flatMap((event) =>
      event.type === '@xstate.snapshot' ? [event.snapshot as unknown as { value: unknown; status: string }] : [],
    );
  const until = (isThere: () => boolean) =>
    new Promise<void>((resolve) => {
      const one = () => {
        if (!isThere()) return;
        looks.delete(one);
        resolve();
      };
      looks.add(one);
      one();
    });
  return { events, of, snapshots, until };
}

describe('the real receiver of @statelyai/inspect', () => {
  test('is told of each chart once, under its own name, with a definition that XState 5 reads, and a parent', async () => {
    const real = await started();
    const { session } = await real.join();
    const told = look(real);
    const ids = ['server-socket', 'sweeper', `${session}/session`, `${session}/protocol`].map(
      (id) => `knock-knock/${id}`,
    );
    await told.until(() => told.events.length >= ids.length);
    expect(told.events.map(({ type, sessionId }) => `${type} ${sessionId}`)).toEqual(
      ids.map((id) => `@xstate.actor ${id}`),
    );
    const protocol = told.events.at(-1) as Extract<StatelyInspectionEvent, { type: '@xstate.actor' }>;
    expect(protocol).toMatchObject({
      name: ids[3],
      parentId: ids[0],
      snapshot: { status: 'active', value: 'knocking', context: {} },
    });
    const machine = createMachine(JSON.parse(protocol.definition!) as object).provide({
      guards: { says: () => true },
      actions: { say: () => {} },
    } as never);
    const first = getInitialSnapshot(machine);
    expect(first.value).toBe('knocking');
    expect(getNextSnapshot(machine, first, { type: 'LINE' }).value).toBe('naming');
  });

  test('follows a session of a real peer through all its states to its end', async () => {
    const real = await started();
    const peer = await real.join();
    const told = look(real);
    const [protocol, transport] = [`knock-knock/${peer.session}/protocol`, `knock-knock/${peer.session}/session`];
    await told.until(() => told.of(protocol).length > 0);
    peer.write("Who's there?\n");
    await told.until(() => told.snapshots(protocol).length > 0);
    peer.write('Boo who?\n');
    await told.until(() => told.snapshots(transport).at(-1)?.status === 'done');
    expect(told.snapshots(protocol).map(({ value, status }) => [value, status])).toEqual([
      ['naming', 'active'],
      ['leaving', 'done'],
    ]);
    expect(told.of(protocol).map(({ type }) => type)).toEqual([
      '@xstate.actor',
      '@xstate.event',
      '@xstate.snapshot',
      '@xstate.event',
      '@xstate.snapshot',
    ]);
    expect(told.of(protocol)[1]).toMatchObject({ event: { type: 'LINE', text: "Who's there?" } });
    expect(told.snapshots(transport).at(-1)).toMatchObject({ value: 'closed' });
  });

  test('is told that a chart was stopped which its session’s end did not let finish', async () => {
    const real = await started();
    const peer = await real.join();
    const told = look(real);
    const protocol = `knock-knock/${peer.session}/protocol`;
    await told.until(() => told.of(protocol).length > 0);
    peer.socket.resetAndDestroy();
    await told.until(() => told.snapshots(protocol).length > 0);
    expect(told.snapshots(protocol)).toEqual([expect.objectContaining({ value: 'knocking', status: 'stopped' })]);
  });

  test('can say nothing: what it sends is ignored', async () => {
    const real = await started();
    const peer = await real.join();
    const socket = new WebSocket(`ws://${real.outlets}/stately`);
    await once(socket, 'message');
    socket.send(
      JSON.stringify({
        type: '@xstate.event',
        sessionId: `knock-knock/${peer.session}/protocol`,
        event: { type: 'LINE', text: "who's there?" },
      }),
    );
    socket.close();
    await once(socket, 'close');
    expect(real.server.sessions.get(peer.session)!.protocolSnapshot.value).toBe('knocking');
  });
});
