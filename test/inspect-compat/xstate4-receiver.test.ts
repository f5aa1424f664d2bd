/**
 * The real `createWebSocketReceiver` of `@xstate/inspect` 0.8.0, over XState 4.38.3, looks at real sessions on real sockets: it makes
 * machines and states of what it is sent, and what it sends moves the session.
 */
import { once } from 'node:events';
import { afterEach, describe, expect, test } from 'vitest';
import knockKnock from '../../examples/knock-knock/index.js';
import mediaControl from '../../examples/media-control/index.js';
import { sessionMachine } from '../../machines/index.js';
import type { OutletRequest } from '../../src/inspect/outlets/outlet.js';
import { realServer, type RealServer } from './real-server.js';
import { receive, toSCXMLEvent, type ReceivedEvent, type Receiver } from './xstate4.js';

const ends: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** Notes what a receiver is told; waits with a limit that is the test's. */
class Told {
  readonly events: ReceivedEvent[] = [];
  readonly errors: unknown[] = [];
  #looks = new Set<() => void>();

  constructor(receiver: Receiver) {
    receiver.subscribe(
      (event) => {
        this.events.push(event);
        for (const look of [...this.#looks]) look();
      },
      (error) => this.errors.push(error),
    );
  }

  until(isThere: (events: readonly ReceivedEvent[]) => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (!isThere(this.events)) return;
        this.#looks.delete(look);
        resolve();
      };
      this.#looks.add(look);
      look();
    });
  }

  of<T extends ReceivedEvent['type']>(type: T, sessionId?: string): Extract<ReceivedEvent, { type: T }>[] {
    const isWanted = (event: ReceivedEvent): event is Extract<ReceivedEvent, { type: T }> =>
      event.type === type && (sessionId === undefined || event.sessionId === sessionId);
    return this.events.filter(isWanted);
  }

  values(sessionId: string): unknown[] {
    return this.of('service.state', sessionId).map(({ state }) => state.value);
  }
}

async function started(
  protocol: Parameters<typeof realServer>[0],
  options?: Parameters<typeof realServer>[1],
): Promise<RealServer> {
  const real = await realServer(protocol, options);
  ends.push(() => real.end());
  return real;
}

function look({ outlets }: RealServer, query = ''): Told & { receiver: Receiver } {
  const { receiver, socket } = receive(`${outlets}/xstate4${query}`);
  ends.push(async () => {
    if (socket.readyState === socket.CLOSED) return;
    socket.terminate();
    await once(socket, 'close');
  });
  return Object.assign(new Told(receiver), { receiver });
}

describe('the real receiver', () => {
  test('makes machines of the charts, and states of where they are, that its machine understands', async () => {
    const real = await started(mediaControl);
    const { session } = await real.join();
    const told = look(real);
    const ids = ['server-socket', 'sweeper', `${session}/session`, `${session}/protocol`].map(
      (id) => `media-control/${id}`,
    );
    await told.until(() => told.of('service.register').length === ids.length);
    expect(told.of('service.register').map(({ sessionId }) => sessionId)).toEqual(ids);

    const [serverSocket, , transport, protocol] = told.of('service.register');
    expect(serverSocket!.state.value).toBe('accepting');
    expect(transport!.parent).toBe('media-control/server-socket');
    expect(transport!.machine.id).toBe(sessionMachine.id);
    expect(protocol!.machine.id).toBe('mediaControl');
    for (const { machine, state } of told.of('service.register')) {
      expect(machine.resolveState(state).value).toEqual(state.value);
    }
    const live = real.server.sessions.get(session)!;
    expect(protocol!.state.value).toEqual(live.protocolSnapshot.value);
    expect(protocol!.state.context).toMatchObject({ errorCount: 0 });
    expect(transport!.state.tags).toEqual(live.transportSnapshot.tags);
  });

  test('follows a session of a real peer through all its states to its end', async () => {
    const real = await started(knockKnock);
    const peer = await real.join();
    const told = look(real);
    const [protocol, transport] = [`knock-knock/${peer.session}/protocol`, `knock-knock/${peer.session}/session`];
    await told.until(() => told.of('service.register', protocol).length === 1);
    peer.write("Who's there?\n");
    await told.until(() => told.values(protocol).includes('naming'));
    const line = told.of('service.event', protocol).at(-1)!;
    expect(line.event).toMatchObject({ name: 'LINE', data: { type: 'LINE', text: "Who's there?" } });
    peer.write('Boo who?\n');
    await told.until(() => told.of('service.stop').length === 2);

    expect(told.values(protocol)).toEqual(['naming', 'leaving']);
    expect(told.of('service.state', protocol).at(-1)!.state.done).toBe(true);
    expect(told.values(transport).at(-1)).toBe('closed');
    const own = told.events.filter(({ sessionId }) => sessionId === protocol);
    expect(own.map(({ type }) => type)).toEqual([
      'service.register',
      'service.event',
      'service.state',
      'service.event',
      'service.state',
      'service.stop',
    ]);
    // The receiver's machine, which is XState 4's, can go the same way.
    const [{ machine, state }] = told.of('service.register', protocol) as [
      Extract<ReceivedEvent, { type: 'service.register' }>,
    ];
    const free = machine.withConfig({ guards: { 'says "who\'s there?"': () => true, 'says "boo who?"': () => true } });
    const naming = free.transition(free.resolveState(state), 'LINE');
    expect([naming.value, free.transition(naming, 'LINE').value]).toEqual(told.values(protocol));
    expect(told.errors).toEqual([]);
  });

  test('is told of a session that comes while it looks', async () => {
    const real = await started(knockKnock);
    const told = look(real);
    await told.until(() => told.of('service.register').length === 2);
    const { session } = await real.join();
    const id = `knock-knock/${session}/protocol`;
    await told.until(() => told.values(id).length === 1);
    expect(told.of('service.event', id)[0]!.event.name).toBe('xstate.init');
    expect(told.values(id)).toEqual(['knocking']);
  });

  test('moves the session with an event, as XState 4 writes it, and its peer is answered', async () => {
    const requests: OutletRequest[] = [];
    const real = await started(knockKnock, { requested: (request) => requests.push(request) });
    const peer = await real.join();
    const told = look(real);
    const id = `knock-knock/${peer.session}/protocol`;
    await told.until(() => told.of('service.register', id).length === 1);
    const data = { type: 'LINE', text: "who's there?" };
    told.receiver.send({
      type: 'xstate.event',
      event: JSON.stringify(toSCXMLEvent(data, { origin: id })),
      service: id,
    });
    await told.until(() => told.values(id).includes('naming'));
    while (!peer.text().includes('Boo.')) await once(peer.socket, 'data');
    expect(real.server.sessions.get(peer.session)!.protocolSnapshot.value).toBe('naming');
    expect(requests).toMatchObject([{ session: peer.session, event: 'LINE', outcome: 'done' }]);
  });

  test('moves nothing where control is not allowed', async () => {
    let asked: (request: OutletRequest) => void = () => {};
    const request = new Promise<OutletRequest>((resolve) => (asked = resolve));
    const real = await started(knockKnock, { control: false, requested: asked });
    const peer = await real.join();
    const told = look(real);
    const id = `knock-knock/${peer.session}/protocol`;
    await told.until(() => told.of('service.register', id).length === 1);
    const event = JSON.stringify(toSCXMLEvent({ type: 'LINE', text: "who's there?" }, { origin: id }));
    told.receiver.send({ type: 'xstate.event', event, service: id });
    expect(await request).toMatchObject({ outcome: 'refused', text: 'control is not allowed' });
    expect(real.server.sessions.get(peer.session)!.protocolSnapshot.value).toBe('knocking');
    expect(told.values(id)).toEqual([]);
  });

  test('that goes in the middle of a session leaves it as it is', async () => {
    const real = await started(knockKnock);
    const peer = await real.join();
    const { receiver, socket } = receive(`${real.outlets}/xstate4`);
    const told = new Told(receiver);
    await told.until(() => told.of('service.register').length === 4);
    socket.terminate();
    await once(socket, 'close');
    peer.write("Who's there?\n");
    while (!peer.text().includes('Boo.')) await once(peer.socket, 'data');
    expect(real.server.sessions.get(peer.session)!.protocolSnapshot.value).toBe('naming');
    expect(told.values(`knock-knock/${peer.session}/protocol`)).toEqual([]);
  });

  test('has its socket closed with the reason when it asks for what cannot be had', async () => {
    const real = await started(knockKnock);
    const { socket } = receive(`${real.outlets}/xstate4?max=1000`);
    const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
    expect([code, reason.toString()]).toEqual([1008, 'max: expected 1 to 50, got "1000"']);
  });
});
