import { describe, expect, expectTypeOf, test } from 'vitest';
import { checkBoolean, checkInteger, checkOneOf, refuseUnknown } from '../../src/socket/check.js';
import { SocketError } from '../../src/socket/errors.js';
import { parseTcpSocketOptions, type TcpSocketOptions } from '../../src/socket/options.js';

const DEFAULTS: TcpSocketOptions = {
  sendBufferBytes: 16_384,
  receiveBufferBytes: 16_384,
  mtuBytes: 1_500,
  noDelay: true,
  keepAlive: { idleMs: 60_000, intervalMs: 10_000, count: 6 },
  userTimeoutMs: 30_000,
  backlog: 511,
  ipv6Only: false,
  reusePort: false,
};

describe('options of TCP sockets', () => {
  test('without a word from the user they are the defaults', () => {
    expect(parseTcpSocketOptions()).toEqual(DEFAULTS);
  });

  test('what the user gives is taken, the rest stays', () => {
    const options = parseTcpSocketOptions({ sendBufferBytes: 'system', keepAlive: { count: 3 }, noDelay: false });
    expect(options).toEqual({
      ...DEFAULTS,
      sendBufferBytes: 'system',
      keepAlive: { idleMs: 60_000, intervalMs: 10_000, count: 3 },
      noDelay: false,
    });
    expect(parseTcpSocketOptions({ keepAlive: false }).keepAlive).toBe(false);
    expect(parseTcpSocketOptions(options)).toEqual(options);
  });

  test.each([
    { user: { backlog: 'many' }, message: 'socket.backlog: expected an integer from 1 to 65535, got "many"' },
    { user: { backlog: 0 }, message: 'socket.backlog: expected an integer from 1 to 65535, got 0' },
    {
      user: { sendBufferBytes: 0 },
      message: 'socket.sendBufferBytes: expected an integer from 1 to 2147483647 or "system", got 0',
    },
    {
      user: { receiveBufferBytes: null },
      message: 'socket.receiveBufferBytes: expected an integer from 1 to 2147483647 or "system", got null',
    },
    { user: { mtuBytes: 575 }, message: 'socket.mtuBytes: expected an integer from 576 to 65535 or "system", got 575' },
    {
      user: { mtuBytes: 1500.5 },
      message: 'socket.mtuBytes: expected an integer from 576 to 65535 or "system", got 1500.5',
    },
    {
      user: { userTimeoutMs: Number.NaN },
      message: 'socket.userTimeoutMs: expected an integer from 1 to 2147483647 or "system", got NaN',
    },
    { user: { noDelay: 1 }, message: 'socket.noDelay: expected true or false, got 1' },
    { user: { keepAlive: true }, message: 'socket.keepAlive: expected false or an object, got true' },
    {
      user: { keepAlive: { idleMs: 1_500 } },
      message: 'socket.keepAlive.idleMs: expected whole seconds in ms, from 1000 to 32767000, got 1500',
    },
    {
      user: { keepAlive: { count: 128 } },
      message: 'socket.keepAlive.count: expected an integer from 1 to 127, got 128',
    },
    {
      user: { keepAlive: { cuont: 1 } },
      message: 'socket.keepAlive.cuont: there is no such option; did you mean count?',
    },
    {
      user: { sendBuferBytes: 1 },
      message: 'socket.sendBuferBytes: there is no such option; did you mean sendBufferBytes?',
    },
    { user: [], message: 'socket: expected an object, got an array' },
  ])('$message', ({ user, message }) => {
    const parse = (): unknown => parseTcpSocketOptions(user as object);
    expect(parse).toThrow(SocketError);
    expect(parse).toThrow(message);
    expect(parse).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }));
  });

  test('a name that is near no other is answered with all that there are', () => {
    expect(() => parseTcpSocketOptions({ zzz: 1 } as object)).toThrow(
      /socket\.zzz: there is no such option; known are sendBufferBytes, .*reusePort$/,
    );
  });

  test('the path of the message is the caller’s', () => {
    expect(() => parseTcpSocketOptions({ backlog: -1 }, 'createTcpServer.socket')).toThrow(
      /^createTcpServer\.socket\.backlog: /,
    );
  });
});

describe('checks', () => {
  test('give the value back, typed', () => {
    expectTypeOf(checkOneOf('o', 'a', ['a', 'b'])).toEqualTypeOf<'a' | 'b'>();
    expect(checkOneOf('o', 'b', ['a', 'b'])).toBe('b');
    expect(checkInteger('o', 7, { min: 7, max: 7 })).toBe(7);
    expect(checkBoolean('o', false)).toBe(false);
    refuseUnknown('o', { a: 1 }, ['a']);
  });

  test('checkOneOf names what it would take', () => {
    expect(() => checkOneOf('server.atMaxSessions', 'drop', ['refuse', 'queue'])).toThrow(
      'server.atMaxSessions: expected "refuse" or "queue", got "drop"',
    );
  });
});
