/** FAULTS.md 57: a throw at each place where a user's code runs ends one session, and neither the process nor another session. */
import { assign, emit, fromCallback, fromPromise, raise, setup } from 'xstate';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { RuntimeError } from '../../src/session/errors.js';
import { lines } from '../../src/codec/lines.js';
import { PeerError } from '../../src/codec/codec.js';
import { brokenLines, heard, labProtocol, nothingIsLeft, says, type Lab } from './lab.js';
import { processErrors, settled } from './process-errors.js';
import { start } from './start.js';

const process = processErrors();
beforeEach(() => process.watch());
afterEach(async () => {
  expect(await process.seen()).toEqual([]);
});

interface Case extends Lab {
  /** Of the error on `server.errors`. Default PROTOCOL_FAILED. */
  readonly code?: string;
  /** Default `protocol failed`. */
  readonly reason?: string;
  /** Default: what was thrown is the error's cause. */
  readonly says?: RegExp;
  /** It is met after the frames that came with it. */
  readonly later?: boolean;
}

/** What is thrown: only the first session, or the one that says `bad`, meets it. */
const boom = () => {
  throw new Error('boom');
};
const bad = (event: unknown) => (event as { text?: string }).text === 'bad';
const onBad = ({ event }: { event: unknown }) => (bad(event) ? boom() : undefined);
const toB = { initial: 'a', on: { LINE: { actions: 'echo' } } };
/** `bad` takes the chart from `a` to `b`; every other line is echoed. */
const isBad = { guards: { isBad: ({ event }: any) => bad(event) } };
const intoB = (b: object, more: object = {}) => ({
  ...toB,
  on: {},
  states: {
    a: { on: { LINE: [{ guard: 'isBad', target: 'b' }, { actions: 'echo' }] }, ...more },
    b: { on: { LINE: { actions: 'echo' } }, ...b },
  },
});
/** `bad` makes the chart emit the command; every other line is echoed. */
const emits = (command: unknown): Lab => ({
  implementations: { ...isBad, actions: { bad: emit(command as never) } },
  machine: { on: { LINE: [{ guard: 'isBad', actions: 'bad' }, { actions: 'echo' }] } },
});
const codec = (broken: Parameters<typeof brokenLines>[0]) => ({ codecs: { lines: () => brokenLines(broken) } });
/** A decode that does something else for the line `bad`. */
const decodesBadAs = (what: () => unknown) => {
  const whole = () => lines();
  return {
    codecs: {
      lines: () => {
        const inner = whole();
        return brokenLines({
          decode: (buffer) => {
            const message = inner.decode(buffer as never);
            return message?.text === 'bad' ? what() : message;
          },
        });
      },
    },
  };
};

const ENDLESS = setup({}).createMachine({ initial: 'a', states: { a: { always: 'b' }, b: { always: 'a' } } });

const MET_BY_THE_LINE_BAD: Record<string, Case> = {
  'a guard': { implementations: { guards: { boom: onBad } }, machine: { on: { LINE: [{ guard: 'boom' }, { actions: 'echo' }] } }, says: /boom/ },
  'an action': { implementations: { actions: { boom: onBad } }, machine: { on: { LINE: { actions: ['boom', 'echo'] } } } },
  'an assign': { implementations: { actions: { boom: assign(onBad as never) } }, machine: { on: { LINE: { actions: ['boom', 'echo'] } } } },
  'an emit': { implementations: { actions: { boom: emit(boom as never) }, ...isBad }, machine: { on: { LINE: [{ guard: 'isBad', actions: 'boom' }, { actions: 'echo' }] } } },
  'an entry': { implementations: { actions: { boom }, ...isBad }, machine: intoB({ entry: 'boom' }) },
  'an exit': { implementations: { actions: { boom }, ...isBad }, machine: intoB({}, { exit: 'boom' }) },
  'a delay expression': { implementations: { delays: { boom }, ...isBad }, machine: intoB({ after: { boom: 'a' } }) },
  'an action of a timer': { later: true, implementations: { actions: { boom }, ...isBad }, machine: intoB({ after: { 0: { actions: 'boom' } } }) },
  'a guard of a timer': { later: true, implementations: { guards: { boom, ...isBad.guards } }, machine: intoB({ after: { 0: { guard: 'boom' } } }), says: /boom/ },
  'an action of a delayed raise': { later: true,
    implementations: { actions: { boom, later: raise({ type: 'LATER' }, { delay: 1 }) }, ...isBad },
    machine: intoB({ entry: 'later', on: { LINE: { actions: 'echo' }, LATER: { actions: 'boom' } } }),
  },
  'an invoked callback': { implementations: { actors: { boom: fromCallback(boom) }, ...isBad }, machine: intoB({ invoke: { src: 'boom' } }) },
  'a promise creator': { implementations: { actors: { boom: fromPromise(boom) }, ...isBad }, machine: intoB({ invoke: { src: 'boom' } }) },
  'an invoked promise that rejects': { later: true,
    implementations: { actors: { boom: fromPromise(() => Promise.reject(new Error('boom'))) }, ...isBad },
    machine: intoB({ invoke: { src: 'boom' } }),
  },
  'an action of onDone': { later: true,
    implementations: { actors: { fine: fromPromise(() => Promise.resolve()) }, actions: { boom }, ...isBad },
    machine: intoB({ invoke: { src: 'fine', onDone: { actions: 'boom' } } }),
  },
  'the input of an invoked actor': {
    implementations: { actors: { fine: fromPromise(() => Promise.resolve()) }, ...isBad },
    machine: intoB({ invoke: { src: 'fine', input: boom } }),
  },
  'an invoked child machine': {
    implementations: { actors: { child: setup({ actions: { boom } }).createMachine({ entry: 'boom' }) }, ...isBad },
    machine: intoB({ invoke: { src: 'child' } }),
  },
  'an endless `always` loop': { implementations: isBad, machine: intoB({ always: 'c' }, {}), says: /Infinite loop/ },
  'an endless `raise` loop': {
    implementations: { actions: { again: raise({ type: 'AGAIN' }) }, ...isBad },
    machine: intoB({ entry: 'again', on: { AGAIN: { actions: 'again' } } }),
    says: /Infinite loop/,
  },
  'an endless loop of a chart that it invokes': {
    implementations: { actors: { child: ENDLESS }, ...isBad },
    machine: intoB({ invoke: { src: 'child' } }),
    says: /Infinite loop/,
  },
  'an endless loop of a chart that it invokes in place': {
    implementations: isBad,
    machine: intoB({ invoke: [{ src: ENDLESS }] }),
    says: /Infinite loop/,
  },
  'a handler that throws': { ...emits({ type: 'ASK' }), handlers: { ASK: { run: boom, deadlineMs: 100 } } },
  'a handler that rejects': { later: true, ...emits({ type: 'ASK' }), handlers: { ASK: { run: () => Promise.reject(new Error('boom')), deadlineMs: 100 } } },
  'a `failure` that throws': { later: true, ...emits({ type: 'ASK' }), handlers: { ASK: { run: () => Promise.reject(new Error('no')), failure: boom, deadlineMs: 100 } } },
  'a `failure` that throws after a throw': { ...emits({ type: 'ASK' }), handlers: { ASK: { run: () => { throw new Error('no'); }, failure: boom, deadlineMs: 100 } } },
  'a handler whose promise throws from `then`': { ...emits({ type: 'ASK' }), handlers: { ASK: { run: () => ({ then: boom }), deadlineMs: 100 } } },
  'a handler that answers with a number': { ...emits({ type: 'ASK' }), handlers: { ASK: { run: () => 5, deadlineMs: 100 } }, says: /answered 5 instead of an event/ },
  'a handler that answers with null': { ...emits({ type: 'ASK' }), handlers: { ASK: { run: () => null, deadlineMs: 100 } }, says: /answered null instead of an event/ },
  'a handler that resolves to an object without a type': { later: true, ...emits({ type: 'ASK' }), handlers: { ASK: { run: () => Promise.resolve({}), deadlineMs: 100 } }, says: /instead of an event/ },
  'a handler that answers with an event of XState': { ...emits({ type: 'ASK' }), handlers: { ASK: { run: () => ({ type: 'xstate.stop' }), deadlineMs: 100 } }, says: /instead of an event/ },
  'a `failure` that gives no event': { ...emits({ type: 'ASK' }), handlers: { ASK: { run: boom, failure: () => undefined, deadlineMs: 100 } }, says: /instead of an event/ },
  'a command that nobody handles': { ...emits({ type: 'UNKNOWN' }), says: /UNKNOWN.*no handler/ },
  'a TELL to a shared actor that is not there': { ...emits({ type: 'TELL', to: 'nobody', event: { type: 'X' } }), says: /no shared actor "nobody"/ },
  'a USE_CODEC of a codec that is not there': { ...emits({ type: 'USE_CODEC', name: 'none' }), says: /no codec "none"/ },
  'a USE_CODEC named like a method of Object': { ...emits({ type: 'USE_CODEC', name: 'toString' }), says: /no codec "toString"/ },
  'a CLOSE with a reason that is not listed': { ...emits({ type: 'CLOSE', option: 'graceful', reason: 'whim' }), says: /"whim" is not in the reasons/ },
  'a CLOSE with an option that is none': { ...emits({ type: 'CLOSE', option: 'softly' }), says: /'graceful' or 'force', got softly/ },
  'a SET_WAITS of -1': { ...emits({ type: 'SET_WAITS', count: -1 }), says: /0 or more, got -1/ },
  'a command that is called like a method of Object': { ...emits({ type: 'toString' }), handlers: { ASK: { run: () => {}, deadlineMs: 1 } }, says: /no handler/ },
  'an encode that throws': { ...codec({ encode: (m) => (m.text === 'bad' ? boom() : lines().encode(m)) }) },
  'an encode that returns a string': { ...codec({ encode: (m) => (m.text === 'bad' ? 'bad' : lines().encode(m)) }), says: /instead of a Uint8Array/ },
  'a SEND without a message': { ...emits({ type: 'SEND' }), says: /could not be encoded/ },
  'a decode that throws a TypeError': { ...decodesBadAs(() => { throw new TypeError('boom'); }) },
  'a decode that throws a PeerError': {
    ...decodesBadAs(() => { throw new PeerError('FRAME_INVALID', 'boom'); }), code: 'PEER_FAILED', reason: 'bad frame',
  },
  'a decode that returns a promise': { ...decodesBadAs(() => Promise.resolve({ type: 'LINE', text: 'x' })), says: /returned a promise/ },
  'a decode that returns a number': { ...decodesBadAs(() => 7), says: /returned 7/ },
  'a decode that returns null': { ...decodesBadAs(() => null), says: /returned null/ },
  'a decode that returns a type of XState': { ...decodesBadAs(() => ({ type: 'xstate.stop' })), says: /xstate\.stop/ },
  'a decode that returns a `done.` type': { ...decodesBadAs(() => ({ type: 'done.x' })), says: /done\.x/ },
  'a decode that returns the type `*`': { ...decodesBadAs(() => ({ type: '*' })), says: /"\*"/ },
  'a codec factory of a swap': {
    ...emits({ type: 'USE_CODEC', name: 'other' }),
    codecs: { lines: () => lines(), other: failsFromCall(2) },
  },
}; // prettier-ignore
MET_BY_THE_LINE_BAD['an endless `always` loop']!.machine!['states'] = {
  ...(MET_BY_THE_LINE_BAD['an endless `always` loop']!.machine!['states'] as object),
  c: { always: 'b' },
};

/** A factory that works when the protocol is checked, and throws from its n-th call on. */
function failsFromCall(first: number) {
  let calls = 0;
  return () => {
    if ((calls += 1) >= first) boom();
    return lines();
  };
}

describe('a session that meets', () => {
  test.each(Object.entries(MET_BY_THE_LINE_BAD))(
    '%s ends alone, with its reason, and the error is reported once',
    async (_, lab) => {
      const { code = 'PROTOCOL_FAILED', reason = 'protocol failed', says: text, later = false, ...parts } = lab;
      const started = await start(labProtocol(parts));
      const { layer, server, errors, time } = started;
      const [victim, other] = [layer.connect(), layer.connect()];
      says(victim, 'fine');
      says(other, 'before');
      says(victim, 'bad', 'never');
      await time.advanceByAsync(1);
      await settled();
      expect(server.sessions.recent).toMatchObject([{ id: '1', reason, option: 'graceful', closedBy: 'fin' }]);
      expect(heard(victim)[0]).toBe('fine');
      expect(heard(victim)).toEqual(later ? ['fine', 'never'] : ['fine']);
      expectOneError(errors, code, '1', text);
      says(other, 'after');
      expect(heard(other)).toEqual(['before', 'after']);
      expect(errors).toHaveLength(1);
      await nothingIsLeft(started);
    },
  );
});

function expectOneError(
  errors: readonly RuntimeError[],
  code: string,
  session: string | undefined,
  text?: RegExp,
): void {
  expect(errors).toMatchObject([{ name: 'RuntimeError', code, session }]);
  if (text) expect(errors[0]!.message).toMatch(text);
  else expect(errors[0]!.cause).toMatchObject({ message: 'boom' });
}

/** These are met at the start of a session: the protocol throws for the peer with port 1 alone. */
const isVictim = (input: { peer: { port: number } }) => input.peer.port === 1;
const MET_AT_THE_START: Record<string, Lab> = {
  'an input factory': { input: (session: any) => (isVictim(session) ? boom() : {}) },
  'a context factory': { input: (session: any) => session, machine: { context: ({ input }: any) => (isVictim(input) ? boom() : {}) } },
  'an entry of the first state': {
    input: (session: any) => session,
    implementations: { actions: { boom: ({ context }: any) => (context.victim ? boom() : undefined) } },
    machine: { context: ({ input }: any) => ({ victim: isVictim(input) }), entry: 'boom' },
  },
  'a delay of the first state': {
    input: (session: any) => session,
    implementations: { delays: { wait: ({ context }: any) => (context.victim ? boom() : 1_000) } },
    machine: { context: ({ input }: any) => ({ victim: isVictim(input) }), initial: 'a', states: { a: { after: { wait: 'a' } } } },
  },
}; // prettier-ignore

describe.each([
  ['that the peer answers at once', true],
  ['whose FIN the peer never answers', false],
])('a session %s', (_, answersFin) => {
  test.each(Object.entries(MET_AT_THE_START))(
    'and that meets %s ends alone, also when its chart may hold',
    async (_, lab) => {
      for (const states of [undefined, { a: {}, b: { tags: 'hold' } }]) {
        const machine = states ? { initial: 'a', states, ...lab.machine } : lab.machine;
        if (states && lab.machine?.['states']) machine!['states'] = { ...lab.machine['states'], b: { tags: 'hold' } };
        const started = await start(labProtocol({ ...lab, machine: machine ?? {} }));
        const { layer, server, errors, time } = started;
        const other = layer.connect({ port: 2 });
        const victim = layer.connect({ port: 1 }, 10, { answersFin });
        await settled();
        expectOneError(errors, 'PROTOCOL_FAILED', '2');
        says(other, 'still here');
        says(victim, 'anybody?');
        expect(heard(other)).toEqual(['still here']);
        expect(heard(victim)).toEqual([]);
        if (!answersFin) {
          expect(server.sessions.size).toBe(2);
          time.advanceBy(5_000);
        }
        expect(server.sessions.recent).toMatchObject([
          { id: '2', reason: 'protocol failed', option: 'graceful', closedBy: answersFin ? 'fin' : 'rst' },
        ]);
        expect(server.sessions.size).toBe(1);
        expect(errors).toHaveLength(1);
        await nothingIsLeft(started);
      }
    },
  );
});

test('a codec factory that throws makes no session of the connection: it is reset, the error is reported, the others go on', async () => {
  const started = await start(labProtocol({ codecs: { lines: failsFromCall(3) } }));
  const { layer, server, errors } = started;
  const [other, victim] = [layer.connect(), layer.connect()];
  expectOneError(errors, 'PROTOCOL_FAILED', undefined);
  expect(victim.types).toEqual(['SEND_RST']);
  expect(server.sessions.size).toBe(1);
  expect(layer.size).toBe(2);
  says(other, 'still here');
  expect(heard(other)).toEqual(['still here']);
  await nothingIsLeft(started);
});

test.each([
  ['throws a PeerError', new PeerError('FRAME_TRUNCATED', 'boom'), 'truncated frame', 'PEER_FAILED'],
  ['throws a TypeError', new TypeError('boom'), 'protocol failed', 'PROTOCOL_FAILED'],
])('a codec whose `end` %s ends its session with the reason of that', async (_, error, reason, code) => {
  const started = await start(
    labProtocol(
      codec({
        end: () => {
          throw error;
        },
      }),
    ),
  );
  const [victim, other] = [started.layer.connect(), started.layer.connect()];
  says(victim, 'fine');
  victim.peerEnds();
  expect(started.server.sessions.recent).toMatchObject([{ id: '1', reason }]);
  expectOneError(started.errors, code, '1');
  says(other, 'still here');
  expect(heard(other)).toEqual(['still here']);
  await nothingIsLeft(started);
});

const NO_ERRORS: Record<string, unknown> = {
  undefined: undefined,
  null: null,
  'the number 0': 0,
  'the empty string': '',
  false: false,
  'a text': 'text',
  'a symbol': Symbol('thrown'),
  'an object that throws when it is shown': { toString: boom },
};

test.each(Object.keys(NO_ERRORS))(
  'what is no Error (%s) ends the session in each place where it is thrown, and is the cause of what is reported',
  async (name) => {
    const thrown = NO_ERRORS[name];
    const throws = () => {
      throw thrown;
    };
    const places: Lab[] = [
      { implementations: { actions: { throws } }, machine: { on: { LINE: { actions: 'throws' } } } },
      { implementations: { actors: { throws: fromCallback(throws) } }, machine: { on: { LINE: '.b' }, initial: 'a', states: { a: {}, b: { invoke: { src: 'throws' } } } } },
      { implementations: { actions: { ask: emit({ type: 'ASK' }) } }, machine: { on: { LINE: { actions: 'ask' } } }, handlers: { ASK: { run: throws, deadlineMs: 1 } } },
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
      { implementations: { actions: { ask: emit({ type: 'ASK' }) } }, machine: { on: { LINE: { actions: 'ask' } } }, handlers: { ASK: { run: () => Promise.reject(thrown), deadlineMs: 1 } } },
      codec({ encode: throws }),
      codec({ decode: (buffer) => ((buffer as { byteLength: number }).byteLength > 0 ? throws() : undefined) }),
      { input: throws },
    ]; // prettier-ignore
    for (const lab of places) {
      const started = await start(labProtocol(lab));
      const victim = started.layer.connect();
      says(victim, 'bad');
      await settled();
      expect(started.server.sessions.recent).toMatchObject([{ id: '1', reason: 'protocol failed' }]);
      expect(started.errors).toMatchObject([{ code: 'PROTOCOL_FAILED', session: '1' }]);
      expect(started.errors[0]!.cause).toBe(thrown);
      await nothingIsLeft(started);
    }
  },
);

describe('a direct subscriber that throws', () => {
  test.each(['events', 'errors', 'state', 'statistics', 'changes'] as const)(
    'of `%s` ends nothing, and is told on',
    async (name) => {
      const started = await start(labProtocol());
      const { server, layer, errors, time } = started;
      const stream = name === 'changes' ? server.sessions.changes : server[name];
      const told: unknown[] = [];
      const throwing = (stream as typeof server.events).subscribe((value) => {
        told.push(value);
        throw new Error('boom');
      });
      const calm: unknown[] = [];
      throwing.add((stream as typeof server.events).subscribe((value) => void calm.push(value)));
      const peer = layer.connect();
      says(peer, 'one', 'two');
      if (name === 'errors') server.sessions.get('1')!.send({ type: 'NONE' });
      time.advanceBy(1_000);
      says(layer.connect(), 'other');
      server.suspend();
      await settled();
      expect(told.length).toBeGreaterThan(0);
      expect(told).toHaveLength(calm.length);
      expect(heard(peer)).toEqual(['one', 'two']);
      expect(server.sessions.size).toBe(name === 'errors' ? 1 : 2);
      if (name === 'errors') expect(errors).toMatchObject([{ code: 'PROTOCOL_FAILED' }]);
      else {
        expect(errors).toHaveLength(told.length);
        expect(errors[0]).toMatchObject({ code: 'SUBSCRIBER_FAILED', cause: { message: 'boom' } });
      }
      throwing.unsubscribe();
      await nothingIsLeft(started);
    },
  );

  test('of `errors`, and that causes another error by what it does, does not keep that from the others', async () => {
    const started = await start(labProtocol());
    const { server, layer, errors } = started;
    for (let n = 0; n < 3; n += 1) layer.connect();
    server.errors.subscribe(
      ({ session }) => void server.sessions.get(String(Number(session) + 1))?.send({ type: 'NONE' }),
    );
    server.sessions.get('1')!.send({ type: 'NONE' });
    expect(errors.map(({ session }) => session)).toEqual(['1', '2', '3']);
    expect(server.sessions.size).toBe(0);
    await nothingIsLeft(started);
  });

  test('as an observer object, in `next`, `error` or `complete`, is caught as well', async () => {
    const started = await start(labProtocol());
    started.server.events.subscribe({ next: boom, error: boom, complete: boom });
    started.layer.connect();
    expect(started.errors).toMatchObject([{ code: 'SUBSCRIBER_FAILED' }]);
    await nothingIsLeft(started);
  });
});

test('a message that cannot be encoded ends the session that broadcasts it, and none of those that it was for', async () => {
  const started = await start(
    labProtocol({
      implementations: { ...isBad, actions: { all: emit({ type: 'BROADCAST', message: { type: 'NONE' } }) } },
      machine: { on: { LINE: [{ guard: 'isBad', actions: 'all' }, { actions: 'echo' }] } },
    }),
  );
  const [a, b, c] = [started.layer.connect(), started.layer.connect(), started.layer.connect()];
  says(b, 'bad');
  expect(started.server.sessions.recent).toMatchObject([{ id: '2', reason: 'protocol failed' }]);
  for (const peer of [a, c]) {
    says(peer, 'still here');
    expect(heard(peer)).toEqual(['still here']);
  }
  expect(started.errors).toMatchObject([{ code: 'PROTOCOL_FAILED', session: '2' }]);
  await nothingIsLeft(started);
});

test('names that mean something to Object or to XState are no events and no keys of anything: 6 lines of them are echoed', async () => {
  const names = ['__proto__', 'constructor', 'toString', 'xstate.stop', 'done.x', '*'];
  const started = await start(labProtocol());
  const peer = started.layer.connect();
  says(peer, ...names);
  expect(heard(peer)).toEqual(names);
  await nothingIsLeft(started);
});

test('an event that was frozen by the codec is handled as any other', async () => {
  const inner = lines();
  const started = await start(labProtocol(codec({ decode: (buffer) => Object.freeze(inner.decode(buffer as never)) })));
  const peer = started.layer.connect();
  says(peer, 'one');
  expect(heard(peer)).toEqual(['one']);
  await nothingIsLeft(started);
});

test('a codec that throws at its n-th frame, for each n of 10, has answered the n - 1 before, and none after', async () => {
  for (let n = 1; n <= 10; n += 1) {
    const inner = lines();
    let frames = 0;
    const decode = (buffer: never) => {
      const message = inner.decode(buffer);
      if (message && (frames += 1) === n) throw new PeerError('FRAME_INVALID', 'boom');
      return message;
    };
    const started = await start(labProtocol(codec({ decode })));
    const peer = started.layer.connect();
    says(peer, ...Array.from({ length: 10 }, (_, at) => `${at + 1}`));
    expect(heard(peer)).toHaveLength(n - 1);
    expect(started.server.sessions.recent).toMatchObject([{ reason: 'bad frame' }]);
    await nothingIsLeft(started);
  }
});
