/** What types cannot say is checked once, when a protocol is defined. */
import { setup } from 'xstate';
import { describe, expect, test } from 'vitest';
import echo from '../../examples/echo/index.js';
import { defineProtocol, isProtocol } from '../../src/session/protocol.js';
import { brokenLines, heard, labMachine, labProtocol, nothingIsLeft, says } from './lab.js';
import { start } from './start.js';

const messages = (type: unknown, direction = 'in') => ({
  lines: () => ({ ...brokenLines({}), messages: [{ type, direction, fields: {} }] }),
});

describe('defineProtocol refuses', () => {
  test.each([
    [{ name: '' }, 'protocol.name: expected a non-empty string, got ""'],
    [{ codecs: {} }, 'protocol.codecs: expected at least one codec factory, by name, got an object'],
    [{ codecs: { lines: 7 } }, 'protocol.codecs.lines: expected a function that makes a codec, got 7'],
    [{ codecs: { lines: () => ({}) } }, 'protocol.codecs.lines: expected a codec with a method `encode`, got an object'],
    [{ initialCodec: 'none' }, 'protocol.initialCodec: expected one of lines, got "none"'],
    [{ initialCodec: 'toString' }, 'protocol.initialCodec: expected one of lines, got "toString"'],
    [{ facts: ['DRAINED'] }, 'protocol.facts: expected some of PEER_END, CONGESTED, FLOWING, DRAIN, WAIT_TIMEOUT, got "DRAINED"'],
    [{ reasons: ['peer closed'] }, 'protocol.reasons: expected a non-empty string that is not built in, got "peer closed"'],
    [{ handlers: { SEND: { run: () => {}, deadlineMs: 1 } } }, 'protocol.handlers.SEND: expected a command of the protocol, not a built-in one, got "SEND"'],
    [{ handlers: { ASK: { run: () => {} } } }, 'protocol.handlers.ASK.deadlineMs: expected an integer from 1 to 2147483647, got undefined'],
    [{ handlers: { ASK: () => {} } }, 'protocol.handlers.ASK: expected an object with `run` and `deadlineMs`, got a function'],
    [{ handlers: { ASK: { run: () => {}, deadlineMs: 1, hold: true } } }, 'protocol.handlers.ASK.hold: there is no such option; did you mean holds?'],
    [{ shared: { room: {} } }, 'protocol.shared.room.machine: expected a machine made by setup().createMachine() of xstate 5, got undefined'],
    [{ options: { maxIterations: 0 } }, 'protocol.options.maxIterations: expected an integer from 1 to 1000000, got 0'],
    [{ option: {} }, 'protocol.option: there is no such option; did you mean options?'],
    ...['PEER_END', 'CONGESTED', 'FLOWING', 'DRAIN', 'WAIT_TIMEOUT', 'KEY_SET', 'KEY_TAKEN', 'SESSION_CLOSED'].map(
      (type) => [{ codecs: messages(type) }, `protocol.codecs.lines.messages: expected a type other than PEER_END`] as const,
    ),
    ...['xstate.stop', 'xstate.', 'done.x', '*', 'a.*', ''].map(
      (type) => [{ codecs: messages(type) }, `protocol.codecs.lines.messages: expected a type that is not`] as const,
    ),
  ] as [object, string][])('%j', (parts, message) => {
    expect(() => labProtocol(parts as never)).toThrow(message);
    expect(() => labProtocol(parts as never)).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }));
  }); // prettier-ignore

  test('what is no machine', () => {
    const parts = { name: 'x', codecs: { lines: () => brokenLines({}) }, initialCodec: 'lines', machine: {} };
    expect(() => defineProtocol(parts as never)).toThrow('protocol.machine: expected a machine');
  });

  test('not a message that is only sent, however it is named', () => {
    expect(isProtocol(labProtocol({ codecs: messages('DRAIN', 'out') }))).toBe(true);
  });
});

test('a protocol is frozen, and known as one; what looks like it is not', () => {
  expect(Object.isFrozen(echo)).toBe(true);
  expect([isProtocol(echo), isProtocol({ ...echo }), isProtocol({}), isProtocol(null)]).toEqual([
    true,
    true,
    false,
    false,
  ]);
});

test.each([
  [{ SHOUT: [{}] }, 'protocol.samples: expected types of messages that a codec decodes (LINE), got "SHOUT"'],
  [{ LINE: { text: 'a' } }, 'protocol.samples.LINE: expected an array of one sample or more, got an object'],
  [{ LINE: [] }, 'protocol.samples.LINE: expected an array of one sample or more, got an array'],
  [{ LINE: [7] }, 'protocol.samples.LINE[0]: expected a message, several in an array, or bytes, got 7'],
])('samples %j are refused by name', (samples, message) => {
  expect(() => labProtocol({ samples })).toThrow(message);
});

test('samples are messages, rows of them, or bytes', () => {
  const samples = { LINE: [{ text: 'a' }, [{ type: 'LINE', text: 'b' }], 'c\n', Uint8Array.of(10)] };
  expect(labProtocol({ samples }).samples).toBe(samples);
});

test('the machine that was given stays as it is: the bound of its loops is set on a copy', () => {
  const machine = labMachine();
  const before = JSON.stringify(machine.config);
  labProtocol({ options: { maxIterations: 7 } });
  expect(JSON.stringify(machine.config)).toBe(before);
});

test.each([
  [9, true],
  [8, false],
])('maxIterations %i lets a chain of 8 raises through: %s', async (maxIterations, passes) => {
  // One iteration for each raised event, one for finding that there is none left.
  const chain = Object.fromEntries(
    Array.from({ length: 9 }, (_, n) => [
      `s${n}`,
      n === 8 ? { on: { LINE: { actions: 'echo' } } } : { always: `s${n + 1}` },
    ]),
  );
  const started = await start(
    labProtocol({
      machine: { initial: 'idle', on: {}, states: { idle: { on: { LINE: 's0' } }, ...chain } },
      options: { maxIterations },
    }),
  );
  const peer = started.layer.connect();
  says(peer, 'go', 'x');
  expect(heard(peer)).toEqual(passes ? ['x'] : []);
  expect(started.errors).toHaveLength(passes ? 0 : 1);
  await nothingIsLeft(started);
});

test("a protocol's options are defaults: the server's own win, and socket options are merged one by one", async () => {
  const protocol = labProtocol({ options: { waitTimeoutMs: 10, waitTimeoutCountMax: 10, socket: { noDelay: false } } });
  for (const [options, endsMs] of [
    [{}, 100],
    [{ waitTimeoutCountMax: 20 }, 200],
  ] as const) {
    const started = await start(protocol, options);
    started.layer.connect();
    started.time.advanceBy(endsMs - 1);
    expect(started.server.sessions.size).toBe(1);
    started.time.advanceBy(1);
    expect(started.server.sessions.size).toBe(0);
    await nothingIsLeft(started);
  }
  expect(() => labProtocol({ options: { waitTimeoutMs: 0 } })).toThrow(
    'protocol.options.waitTimeoutMs: expected an integer from 1 to 2147483647, got 0',
  );
});

test('a chart without a state tagged `hold` is never asked for one', () => {
  expect(labProtocol().canHold).toBe(false);
  const held = { initial: 'a', states: { a: { initial: 'b', states: { b: { tags: ['x', 'hold'] } } } } };
  expect(labProtocol({ machine: held }).canHold).toBe(true);
  expect(isProtocol(labProtocol({ machine: setup({}).createMachine({}).config as never }))).toBe(true);
});
