/** FAULTS.md, sessions: cases 57 to 60: what a user's code can do to the session that it runs in. */
import { assign, emit, fromCallback, fromPromise, raise, setup } from 'xstate';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { lines } from '../../../src/codec/lines.js';
import type { SessionInfo } from '../../../src/session/protocol.js';
import { simulatedHandler } from '../../../src/testing/simulated-handler.js';
import { brokenLines, labProtocol, type Lab } from '../../session/lab.js';
import { processErrors } from '../../session/process-errors.js';
import { EXAMPLES, makeScene, ofLines, type Example } from './scene.js';

const process = processErrors();
beforeEach(() => process.watch());
afterEach(async () => {
  expect(await process.seen()).toEqual([]);
});

const boom = (): never => {
  throw new Error('boom');
};
const isBad = { guards: { isBad: ({ event }: { event: { text?: string } }) => event.text === 'bad' } };
/** The line `bad` takes the chart from `a` to `b`; all others are echoed. */
const intoB = (b: object, a: object = {}) => ({
  initial: 'a',
  on: {},
  states: {
    a: { on: { LINE: [{ guard: 'isBad', target: 'b' }, { actions: 'echo' }] }, ...a },
    b: { on: { LINE: { actions: 'echo' } }, ...b },
  },
});
const onBad = (actions: string): Record<string, unknown> => ({
  on: { LINE: [{ guard: 'isBad', actions }, { actions: 'echo' }] },
});
const asks = (handler: object): Lab => ({
  implementations: { ...isBad, actions: { ask: emit({ type: 'ASK' }) } },
  machine: onBad('ask'),
  handlers: { ASK: handler },
});
const child = setup({ actions: { boom } }).createMachine({ entry: 'boom' });
const endlessChild = setup({}).createMachine({ initial: 'a', states: { a: { always: 'b' }, b: { always: 'a' } } });

/** Each throws at the line `bad`, or a moment later. */
const POSITIONS: Record<string, Lab> = {
  'an action': { implementations: { ...isBad, actions: { boom } }, machine: onBad('boom') },
  'a guard': {
    implementations: { guards: { boom: ({ event }: { event: { text?: string } }) => event.text === 'bad' && boom() } },
    machine: { on: { LINE: [{ guard: 'boom' }, { actions: 'echo' }] } },
  },
  'an assign': { implementations: { ...isBad, actions: { boom: assign(boom as never) } }, machine: onBad('boom') },
  'an emit': { implementations: { ...isBad, actions: { boom: emit(boom as never) } }, machine: onBad('boom') },
  'a raise': { implementations: { ...isBad, actions: { boom: raise(boom as never) } }, machine: onBad('boom') },
  'an entry': { implementations: { ...isBad, actions: { boom } }, machine: intoB({ entry: 'boom' }) },
  'an exit': { implementations: { ...isBad, actions: { boom } }, machine: intoB({}, { exit: 'boom' }) },
  'a delay expression': { implementations: { ...isBad, delays: { boom } }, machine: intoB({ after: { boom: 'a' } }) },
  'an action of a timer': {
    implementations: { ...isBad, actions: { boom } },
    machine: intoB({ after: { 5: { actions: 'boom' } } }),
  },
  'a guard of a timer': {
    implementations: { guards: { boom, ...isBad.guards } },
    machine: intoB({ after: { 5: { guard: 'boom', target: 'a' } } }),
  },
  'an invoked callback': {
    implementations: { ...isBad, actors: { boom: fromCallback(boom) } },
    machine: intoB({ invoke: { src: 'boom' } }),
  },
  'an invoked chart': {
    implementations: { ...isBad, actors: { child } },
    machine: intoB({ invoke: { src: 'child' } }),
  },
  'what makes an invoked promise': {
    implementations: { ...isBad, actors: { boom: fromPromise(boom) } },
    machine: intoB({ invoke: { src: 'boom' } }),
  },
  'an invoked promise that is rejected': {
    implementations: { ...isBad, actors: { boom: fromPromise(() => Promise.reject(new Error('boom'))) } },
    machine: intoB({ invoke: { src: 'boom' } }),
  },
  'the input of what is invoked': {
    implementations: { ...isBad, actors: { fine: fromPromise(() => Promise.resolve()) } },
    machine: intoB({ invoke: { src: 'fine', input: boom } }),
  },
  'a handler': asks({ run: boom, deadlineMs: 100 }),
  'a handler that rejects': asks({ run: () => Promise.reject(new Error('boom')), deadlineMs: 100 }),
  'a handler that rejects 40 ms later': asks(
    simulatedHandler({ rejects: () => new Error('boom'), afterMs: 40, deadlineMs: 100 }),
  ),
  'a handler that never answers': asks(simulatedHandler({ afterMs: Infinity, deadlineMs: 100 })),
  'an encoder': {
    codecs: {
      lines: () =>
        brokenLines({
          encode: (message: { text: string }) => (message.text === 'bad' ? boom() : lines().encode(message as never)),
        }),
      spare: lines,
    },
  },
};

/** Each throws when the session of the host 10.0.1.66 begins. */
const isVictim = ({ peer }: SessionInfo) => peer.address === '10.0.1.66';
const AT_THE_START: Record<string, Lab> = {
  'an input factory': { input: (session: SessionInfo) => (isVictim(session) ? boom() : {}) },
  'a context factory': {
    input: (session: SessionInfo) => session,
    machine: { context: ({ input }: { input: SessionInfo }) => (isVictim(input) ? boom() : {}) },
  },
  'an entry of the first state': {
    input: (session: SessionInfo) => session,
    implementations: { actions: { boom: ({ context }: { context: { victim: boolean } }) => context.victim && boom() } },
    machine: { context: ({ input }: { input: SessionInfo }) => ({ victim: isVictim(input) }), entry: 'boom' },
  },
  'a delay of the first state': {
    input: (session: SessionInfo) => session,
    implementations: {
      delays: { boom: ({ context }: { context: { victim: boolean } }) => (context.victim ? boom() : 1e6) },
    },
    machine: {
      context: ({ input }: { input: SessionInfo }) => ({ victim: isVictim(input) }),
      initial: 'a',
      states: { a: { after: { boom: 'a' } } },
    },
  },
};

async function endsAlone(example: Example, host: string, said: string, message: RegExp): Promise<void> {
  const scene = await makeScene(example, { world: { seed: 7, jitterMs: 2, splitRate: 0.3 } });
  const { world } = scene;
  const bystanders = [scene.intrudeAsTalker(), scene.intrudeAsTalker()];
  const peer = world.peer(scene.server, { codec: false, host });
  world.advanceBy(30);
  if (said !== '') peer.write(said);
  await world.advanceByAsync(200);
  expect(peer.closedBy).toBe('fin');
  if (said !== '') expect(peer.text).toMatch(/^fine\n/);
  for (const { talker } of bystanders) talker.ask(3);
  world.advanceBy(50);
  for (const { talker, peer: other } of bystanders) {
    talker.expectAnswers();
    other.end();
  }
  world.advanceBy(30);
  expect(scene.errors).toHaveLength(1);
  expect(scene.errors[0]!.session).toBe('4');
  expect(scene.errors[0]!.message).toMatch(message);
  await scene.over({ 'protocol failed': 1, 'peer closed': 2 }, { errors: ['PROTOCOL_FAILED'] });
}

describe('case 57: a throw in a user’s code, in each of 25 positions, ends its session with `protocol failed`, is reported once, and 3 others never notice', () => {
  test.each(Object.entries(POSITIONS))('%s', async (name, lab) => {
    const message = name === 'a handler that never answers' ? /no answer to ASK within 100 ms/ : /boom/;
    await endsAlone(ofLines(name, labProtocol(lab)), '10.0.1.66', 'fine\nbad\n', message);
  });

  test.each(Object.entries(AT_THE_START))('%s', async (name, lab) => {
    await endsAlone(ofLines(name, labProtocol(lab)), '10.0.1.66', '', /boom/);
  });

  test('a codec factory: no session is made, the connection is reset', async () => {
    let broken = false;
    const scene = await makeScene(
      ofLines('factory', labProtocol({ codecs: { lines: () => (broken ? boom() : lines()), spare: lines } })),
    );
    const peer = scene.world.peer(scene.server, { codec: false });
    broken = true;
    scene.world.advanceBy(30);
    broken = false;
    expect(peer.closedBy).toBe('rst');
    await scene.over({}, { errors: ['PROTOCOL_FAILED'] });
  });
});

describe('case 58: a chart that never comes to rest, by `always` or by events that it raises itself, is ended after 1 000 steps', () => {
  test.each([
    {
      name: '`always` there and back',
      lab: {
        implementations: isBad,
        machine: { ...intoB({ always: 'c' }), states: { ...intoB({ always: 'c' }).states, c: { always: 'b' } } },
      },
    },
    {
      name: 'an event that raises itself',
      lab: {
        implementations: { ...isBad, actions: { again: raise({ type: 'AGAIN' }) } },
        machine: intoB({ entry: 'again', on: { AGAIN: { actions: 'again' } } }),
      },
    },
    {
      name: 'a chart that it invokes',
      lab: {
        implementations: { ...isBad, actors: { endlessChild } },
        machine: intoB({ invoke: { src: 'endlessChild' } }),
      },
    },
  ] as { name: string; lab: Lab }[])('$name', async ({ name, lab }) => {
    await endsAlone(ofLines(name, labProtocol(lab)), '10.0.1.66', 'fine\nbad\n', /Infinite loop/);
  });
});

/** What was decoded, frozen to the ground. */
function frozen<T>(value: T): T {
  return value instanceof Uint8Array ? value : Object.freeze(value);
}

describe('case 59: frozen and mutated events, a context of 8 MiB, and one that cannot be serialised are a chart’s own affair', () => {
  test('events that the codec froze are answered as any other; who writes to them is ended alone', async () => {
    const codec = () => {
      const inner = lines();
      return brokenLines({ decode: (buffer) => frozen(inner.decode(buffer as never)) });
    };
    const writes = ({ event }: { event: { text: string } }) => {
      if (event.text === 'bad') event.text = 'changed';
    };
    const lab = {
      codecs: { lines: codec },
      implementations: { actions: { writes } },
      machine: { on: { LINE: { actions: ['writes', 'echo'] } } },
    };
    await endsAlone(ofLines('frozen', labProtocol(lab)), '10.0.1.66', 'fine\nbad\n', /read only|assign/);
  });

  test('an event that the chart changes is changed for this session and this frame alone', async () => {
    const writes = ({ event }: { event: { text: string; type: string } }) => {
      if (event.text !== 'bad') return;
      event.text = 'changed';
      event.type = 'OTHER';
    };
    const lab = {
      implementations: { actions: { writes } },
      machine: { on: { LINE: { actions: ['writes', 'echo'] } } },
      codecs: { lines, spare: lines },
    };
    const scene = await makeScene(ofLines('mutated', labProtocol(lab)));
    const { peer, session } = scene.intrude();
    peer.write('one\nbad\ntwo\nbad\n');
    scene.world.advanceBy(30);
    expect(peer.text).toBe('one\nchanged\ntwo\nchanged\n');
    expect(session.protocolSnapshot.status).toBe('active');
    peer.end();
    scene.world.advanceBy(30);
    await scene.over({ 'peer closed': 1 });
  });

  test('a context that grows to 8 MiB, of functions and circles, ends with its session, and nothing of it is kept', async () => {
    const grow = assign({
      held: ({ context }: { context: { held: unknown[] } }) => [...context.held, new Uint8Array(1_048_576)],
    } as never);
    const self: Record<string, unknown> = { call: () => self };
    self['self'] = self;
    const scene = await makeScene(
      ofLines(
        'huge',
        labProtocol({
          implementations: { ...isBad, actions: { grow } },
          machine: {
            context: () => ({ self, held: [] }),
            on: { LINE: [{ guard: 'isBad', actions: ['grow', 'echo'] }, { actions: 'echo' }] },
          },
        }),
      ),
    );
    const { world } = scene;
    const { peer, session } = scene.intrude();
    peer.write('bad\n'.repeat(8));
    world.advanceBy(30);
    expect(peer.text).toBe('bad\n'.repeat(8));
    const { context } = session.protocolSnapshot as unknown as {
      context: { held: Uint8Array[]; self: { call(): unknown } };
    };
    expect(context.held).toHaveLength(8);
    expect(() => JSON.stringify(context)).toThrow('circular');
    expect(context.self.call()).toBe(self);
    peer.end();
    world.advanceBy(30);
    expect(JSON.stringify(scene.recordOf(session)).length).toBeLessThan(1_000);
    await scene.over({ 'peer closed': 1 });
  });
});

describe.each(EXAMPLES)('$name', (example) => {
  test('case 60: a process that stands still for 2 000 ms ends nobody whose bytes came meanwhile; who was silent is ended as it wakes', async () => {
    for (const speaks of [true, false]) {
      const scene = await makeScene(example, { server: { waitTimeoutCountMax: 60 } });
      const { world } = scene;
      const { talker, peer, session } = scene.intrudeAsTalker();
      talker.ask();
      world.runUntil(() => talker.isAnswered);
      const lastReadMs = world.time.now() - 5;
      world.advanceTo(lastReadMs + 5_000);
      world.faults([{ atMs: 0, kind: 'stall', durationMs: 2_000 }]);
      world.advanceTo(lastReadMs + 5_990);
      if (speaks) talker.ask(); // it arrives while nobody reads, and before the 6 s are over
      world.advanceTo(lastReadMs + 6_999);
      expect(session.transportState).toEqual({ connected: 'flowing' });
      world.advanceTo(lastReadMs + 7_020);
      if (speaks) {
        talker.expectAnswers();
        expect(session.transportState).toEqual({ connected: 'flowing' });
        peer.end();
        world.advanceBy(30);
      }
      expect(scene.recordOf(session)?.reason).toBe(speaks ? 'peer closed' : 'wait timeout');
      await scene.over({ [speaks ? 'peer closed' : 'wait timeout']: 1 }, { lateMax: 2 });
    }
  });
});
