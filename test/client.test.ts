import { emit } from 'xstate';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createTcpClient, type TcpClient, type TcpClientOptions } from '../src/client.js';
import { StartError } from '../src/session/starting.js';
import type { RuntimeError } from '../src/session/errors.js';
import type { AnyProtocol } from '../src/session/protocol.js';
import { VirtualTime } from '../src/time/virtual-time.js';
import { FakeLayer, type FakeSocket } from './session/fake-layer.js';
import { heard, labMachine, labProtocol, says } from './session/lab.js';
import { microtasks, processErrors } from './session/process-errors.js';

const process = processErrors();
beforeEach(() => process.watch());
afterEach(async () => {
  expect(await process.seen()).toEqual([]);
});

interface Made {
  readonly time: VirtualTime;
  readonly layer: FakeLayer;
  readonly client: TcpClient;
  readonly errors: RuntimeError[];
  /** The socket of the last attempt. */
  readonly last: FakeSocket;
}

function made(options: Partial<TcpClientOptions> = {}, protocol: AnyProtocol = labProtocol()): Made {
  const time = new VirtualTime();
  const layer = new FakeLayer(time);
  const client = createTcpClient(protocol, { port: 7_000, time, layer, seed: 1, waitTimeoutCountMax: 0, ...options });
  const errors: RuntimeError[] = [];
  client.errors.subscribe((error) => errors.push(error));
  return {
    time,
    layer,
    client,
    errors,
    get last() {
      return layer.connects.at(-1)!;
    },
  };
}

/** Connected, with its first session. */
async function connected(options: Partial<TcpClientOptions> = {}, protocol?: AnyProtocol): Promise<Made> {
  const all = made(options, protocol);
  const started = all.client.start();
  all.last.report({ type: 'CONNECT' });
  await started;
  return all;
}

const refuse = ({ last }: Made) => {
  last.report({ type: 'ERROR', code: 'ECONNREFUSED', message: 'connect ECONNREFUSED' });
};

async function nothingIsLeft({ client, layer, time }: Made): Promise<void> {
  const stopped = client.stop({ option: 'force' });
  await time.runUntilAsync(() => client.state.value === 'closed');
  await stopped;
  expect([client.session, layer.size, time.pendingCount]).toEqual([undefined, 0, 0]);
}

describe('start', () => {
  test('resolves at CONNECT: there is a session that sends and receives, in `connected.flowing`', async () => {
    const all = await connected();
    const { client, last } = all;
    expect(client.state.value).toBe('connected');
    expect(client.session).toMatchObject({ id: '1', transportState: { connected: 'flowing' } });
    says(last, 'one');
    client.session!.send({ type: 'LINE', text: 'two' } as never);
    expect(heard(last)).toEqual(['one', 'two']);
    await nothingIsLeft(all);
  });

  test('rejects with the last failure when 3 attempts are spent, and the sockets of all of them are gone', async () => {
    const all = made({ backOff: { attemptsMax: 3 } });
    const failed = all.client.start().catch((error: unknown) => error);
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      expect(all.layer.connects).toHaveLength(attempt);
      refuse(all);
      await all.time.advanceToNextAsync();
    }
    const failure = await failed;
    expect(failure).toBeInstanceOf(StartError);
    expect(failure).toMatchObject({
      code: 'ECONNREFUSED',
      message: 'cannot connect to 127.0.0.1:7000, tried 3 times: connect ECONNREFUSED',
    });
    expect(all.layer.connects).toHaveLength(3);
    await nothingIsLeft(all);
  });

  test('rejects with CONNECT_TIMEOUT when the only attempt is not answered for 10 000 ms, not 1 ms earlier', async () => {
    const all = made({ backOff: { attemptsMax: 1 } });
    const failed = all.client.start().catch((error: unknown) => error);
    await all.time.advanceByAsync(9_999);
    expect(all.client.state.value).toBe('connecting');
    await all.time.advanceByAsync(1);
    expect(await failed).toMatchObject({ code: 'CONNECT_TIMEOUT' });
    expect(all.last.types).toEqual(['CONNECT', 'SEND_RST']);
    await nothingIsLeft(all);
  });

  test('a second start rejects with ALREADY_STARTED, while it connects and while it is connected; after a stop it starts anew', async () => {
    const all = made();
    const first = all.client.start();
    await expect(all.client.start()).rejects.toMatchObject({ name: 'StartError', code: 'ALREADY_STARTED' });
    all.last.report({ type: 'CONNECT' });
    await first;
    await expect(all.client.start()).rejects.toMatchObject({ code: 'ALREADY_STARTED' });
    await all.client.stop();
    const again = all.client.start();
    all.last.report({ type: 'CONNECT' });
    await again;
    expect(all.client.session?.id).toBe('2');
    await nothingIsLeft(all);
  });

  test('rejects with SHARED_FAILED when a shared chart cannot be started, connects to nothing, and can be tried again', async () => {
    let fails = true;
    const input = () => {
      if (fails) throw new Error('boom');
    };
    const all = made({}, labProtocol({ shared: { room: { machine: labMachine(), input } } }));
    await expect(all.client.start()).rejects.toMatchObject({ name: 'StartError', code: 'SHARED_FAILED' });
    expect([all.client.state.value, all.layer.connects.length]).toEqual(['closed', 0]);
    fails = false;
    const started = all.client.start();
    all.last.report({ type: 'CONNECT' });
    await started;
    await nothingIsLeft(all);
  });

  test('that fails after an earlier one had connected rejects, and reports nothing', async () => {
    const all = await connected({ backOff: { attemptsMax: 1 } });
    await all.client.stop();
    const failed = all.client.start().catch((error: unknown) => error);
    refuse(all);
    expect(await failed).toMatchObject({ name: 'StartError', code: 'ECONNREFUSED' });
    expect(all.errors).toEqual([]);
    expect(all.client.statistics.connects).toBe(1);
    await nothingIsLeft(all);
  });

  test('with a signal that is aborted already, while it connects, or while it waits to, rejects with STOPPED', async () => {
    const all = made();
    await expect(all.client.start({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'STOPPED' });
    expect(all.layer.connects).toHaveLength(0);
    for (const when of ['connecting', 'backOff']) {
      const abort = new AbortController();
      const failed = all.client.start({ signal: abort.signal }).catch((error: unknown) => error);
      if (when === 'backOff') refuse(all);
      expect(all.client.state.value).toBe(when);
      abort.abort();
      expect(await failed).toMatchObject({ name: 'StartError', code: 'STOPPED' });
      expect([all.layer.size, all.time.pendingCount]).toEqual([0, 0]);
    }
    await nothingIsLeft(all);
  });

  test('what comes late of a socket that was given up is ignored', async () => {
    const all = made();
    const started = all.client.start();
    const first = all.last;
    refuse(all);
    await all.time.advanceToNextAsync();
    first.report({ type: 'CONNECT' });
    expect(all.client.state.value).toBe('connecting');
    all.last.report({ type: 'CONNECT' });
    await started;
    expect(all.client.statistics.connects).toBe(1);
    await nothingIsLeft(all);
  });

  test('with options that cannot be is refused when the client is made', () => {
    const wrong: [object, string][] = [
      [{ port: undefined }, 'client.port: expected an integer from 1 to 65535, got undefined'],
      [{ port: 0 }, 'client.port: expected an integer from 1 to 65535, got 0'],
      [
        { backOff: { minMs: 100, maxMs: 50 } },
        'client.backOff.maxMs: expected an integer from 100 to 2147483647, got 50',
      ],
      [{ backOff: { attempts: 1 } }, 'client.backOff.attempts: there is no such option'],
      [{ connectTimeoutMs: 0 }, 'client.connectTimeoutMs: expected an integer from 1 to 2147483647, got 0'],
      [{ seed: -1 }, 'client.seed: expected an integer from 0 to 4294967295, got -1'],
      [{ backOff: null }, 'client.backOff: expected an object, got null'],
    ];
    for (const [options, message] of wrong) {
      expect(() => made(options)).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }));
      expect(() => made(options)).toThrow(message);
    }
  });
});

describe('back-off', () => {
  /** Delays between refused attempts. */
  async function delays(seed: number, attempts: number): Promise<number[]> {
    const all = made({ seed, backOff: { attemptsMax: Infinity } });
    void all.client.start().catch(() => {});
    const seen: number[] = [];
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      const fromMs = all.time.now();
      refuse(all);
      expect(all.client.state.value).toBe('backOff');
      await all.time.advanceToNextAsync();
      expect(all.client.state.value).toBe('connecting');
      seen.push(all.time.now() - fromMs);
    }
    void all.client.stop();
    expect([all.layer.size, all.time.pendingCount]).toEqual([0, 0]);
    return seen;
  }

  test('delays are drawn from 0 to a ceiling of 100 ms that doubles to 30 000 ms: over 200 seeds never above, and near both ends', async () => {
    const drawn = await Promise.all(Array.from({ length: 200 }, (_, seed) => delays(seed * 7_919, 12)));
    for (let attempt = 0; attempt < 12; attempt += 1) {
      const ceiling = Math.min(30_000, 100 * 2 ** attempt);
      const shares = drawn.map((all) => all[attempt]! / ceiling);
      expect(Math.max(...shares)).toBeLessThanOrEqual(1);
      expect(Math.max(...shares)).toBeGreaterThan(0.9);
      expect(Math.min(...shares)).toBeLessThan(0.1);
    }
  });

  test('one seed gives the same delays each time, and another seed others', async () => {
    const first = await delays(1, 10);
    expect(await delays(1, 10)).toEqual(first);
    expect(await delays(2, 10)).not.toEqual(first);
  });

  test('a server that accepts and closes at once is a failed attempt: 3 of them are enough, with growing delays', async () => {
    const all = made({ backOff: { attemptsMax: 3 } });
    const started = all.client.start();
    const ceilings: number[] = [];
    for (let attempt = 0; attempt < 3; attempt += 1) {
      all.last.report({ type: 'CONNECT' });
      await started;
      all.last.peerEnds();
      const fromMs = all.time.now();
      if (attempt < 2) all.time.advanceToNext();
      ceilings.push(all.time.now() - fromMs);
    }
    expect(all.client.state.value).toBe('closed');
    expect(all.layer.connects).toHaveLength(3);
    expect(all.client.recent.map(({ reason }) => reason)).toEqual(['peer closed', 'peer closed', 'peer closed']);
    expect(ceilings[0]).toBeLessThanOrEqual(100);
    expect(ceilings[1]).toBeLessThanOrEqual(200);
    await nothingIsLeft(all);
  });

  test('after a success begins at the first ceiling of 100 ms again', async () => {
    const all = made();
    const started = all.client.start();
    for (let attempt = 0; attempt < 5; attempt += 1) {
      refuse(all);
      await all.time.advanceToNextAsync();
    }
    all.last.report({ type: 'CONNECT' });
    await started;
    says(all.last, 'x');
    all.last.peerResets();
    expect(all.client.statistics.attempts).toBe(0);
    expect(all.client.state.value).toBe('backOff');
    await all.time.advanceByAsync(100);
    expect(all.client.state.value).toBe('connecting');
    await nothingIsLeft(all);
  });
});

describe('the end of a session', () => {
  test.each([
    ['the peer resets it', (all: Made) => all.last.peerResets(), 'peer reset'],
    ['the peer closes it', (all: Made) => all.last.peerEnds(), 'peer closed'],
    ['its frame is broken', (all: Made) => all.last.read(Uint8Array.of(0xff, 0x0a)), 'bad frame'],
  ])('when %s: the client comes back within 100 ms with a new session', async (_, end, reason) => {
    const all = await connected();
    end(all);
    expect(all.client.recent).toMatchObject([{ id: '1', reason }]);
    expect(all.client.session).toBeUndefined();
    expect(all.client.state.value).toBe('backOff');
    all.time.advanceBy(100);
    all.last.report({ type: 'CONNECT' });
    says(all.last, 'again');
    expect(heard(all.last)).toEqual(['again']);
    expect(all.client.session?.id).toBe('2');
    expect(all.client.statistics).toMatchObject({ connects: 2, closed: 1 });
    await nothingIsLeft(all);
  });

  test.each(['final', 'CLOSE'])(
    'when its own protocol wanted it (%s) closes the client: it does not come back',
    async (how) => {
      const protocol = labProtocol({
        implementations: { actions: { close: emit({ type: 'CLOSE', option: 'graceful' }) } },
        machine: {
          initial: 'a',
          on: {},
          states: {
            a: { on: { LINE: how === 'final' ? { target: 'b' } : { actions: 'close' } } },
            b: { type: 'final' },
          },
        },
      });
      const all = await connected({}, protocol);
      says(all.last, 'bye');
      expect(all.client.state.value).toBe('closed');
      expect(all.client.recent).toMatchObject([{ reason: how === 'final' ? 'protocol done' : 'protocol asked' }]);
      await nothingIsLeft(all);
    },
  );

  test.each([
    ['an input factory', { input: () => { throw new Error('boom'); } }],
    ['a first entry', { implementations: { actions: { boom: () => { throw new Error('boom'); } } }, machine: { entry: 'boom' } }],
  ])('that fails at once in %s: reported, and the client comes back 2 times and no oftener than its back-off', async (_, lab) => {
    const all = made({}, labProtocol(lab));
    void all.client.start();
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      expect(all.layer.connects).toHaveLength(attempt);
      all.last.report({ type: 'CONNECT' });
      expect(all.client.state.value).toBe('backOff');
      expect(all.client.session).toBeUndefined();
      expect(all.errors).toHaveLength(attempt);
      await all.time.advanceToNextAsync();
    }
    expect(all.errors[0]).toMatchObject({ code: 'PROTOCOL_FAILED', session: '1', cause: { message: 'boom' } });
    await nothingIsLeft(all);
  }); // prettier-ignore

  test('whose codec factory throws makes no session: reported, the socket is reset, and the client comes back', async () => {
    const codec = labProtocol().codecs.lines;
    let calls = 0;
    const all = made({}, labProtocol({
      codecs: { lines: () => {
        if ((calls += 1) === 2) throw new Error('boom');
        return codec();
      } },
    })); // prettier-ignore
    void all.client.start();
    all.last.report({ type: 'CONNECT' });
    expect(all.errors).toMatchObject([{ code: 'PROTOCOL_FAILED' }]);
    expect(all.last.types.at(-1)).toBe('SEND_RST');
    expect(all.client.state.value).toBe('backOff');
    expect(all.layer.size).toBe(0);
    all.last.report({ type: 'CLOSE', byReset: true, bytesDropped: 0 }); // late, of a socket that is ours no more
    expect(all.client.state.value).toBe('backOff');
    await all.time.advanceToNextAsync();
    all.last.report({ type: 'CONNECT' });
    expect(all.client.state.value).toBe('connected');
    await nothingIsLeft(all);
  });
});

describe('stop', () => {
  test('resolves at once when it never ran, and when it is closed already', async () => {
    const all = made();
    await all.client.stop();
    await nothingIsLeft(all);
    await all.client.stop();
  });

  test.each(['connecting', 'backOff'])(
    'while %s gives up at once, and the start rejects with STOPPED',
    async (state) => {
      const all = made();
      const failed = all.client.start().catch((error: unknown) => error);
      if (state === 'backOff') refuse(all);
      expect(all.client.state.value).toBe(state);
      await all.client.stop();
      expect(await failed).toMatchObject({ name: 'StartError', code: 'STOPPED' });
      all.time.advanceBy(100_000);
      expect(all.layer.connects).toHaveLength(1);
      await nothingIsLeft(all);
    },
  );

  test('while connected ends the session gracefully, once, and a second stop joins the first', async () => {
    const all = await connected();
    all.last.answersFin = false;
    let resolved = 0;
    const stopped = [all.client.stop(), all.client.stop()].map((stop) => stop.then(() => void (resolved += 1)));
    await microtasks(4);
    expect([all.client.state.value, resolved, all.last.types.at(-1)]).toEqual(['closing', 0, 'SEND_FIN']);
    all.last.peerEnds();
    await Promise.all(stopped);
    expect(all.client.recent).toMatchObject([{ reason: 'protocol asked', closedBy: 'fin' }]);
    await nothingIsLeft(all);
  });

  test('with a deadline of 200 ms resets the session at 200 ms, not 1 ms earlier', async () => {
    const all = await connected();
    all.last.answersFin = false;
    const stopped = all.client.stop({ deadlineMs: 200 });
    await all.time.advanceByAsync(199);
    expect(all.last.types.at(-1)).toBe('SEND_FIN');
    await all.time.advanceByAsync(1);
    await stopped;
    expect(all.last.types.at(-1)).toBe('SEND_RST');
    expect(all.client.recent).toMatchObject([{ reason: 'protocol asked', closedBy: 'rst' }]);
    await nothingIsLeft(all);
  });

  test.each(['a first entry', 'the input factory'])(
    'from %s of a session ends that session, long before its deadline',
    async (where) => {
      const stop = () => void all.client.stop();
      const all: Made = made(
        {},
        where === 'the input factory'
          ? labProtocol({ input: stop })
          : labProtocol({ implementations: { actions: { stop } }, machine: { entry: 'stop' } }),
      );
      void all.client.start().catch(() => {});
      all.last.report({ type: 'CONNECT' });
      await microtasks(4);
      expect(all.client.state.value).toBe('closed');
      expect(all.client.recent).toMatchObject([{ reason: 'protocol asked', closedBy: 'fin' }]);
      expect(all.time.now()).toBe(0);
      await nothingIsLeft(all);
    },
  );

  test('by force resets at once, also when a graceful one is under way', async () => {
    for (const first of [false, true]) {
      const all = await connected();
      all.last.answersFin = false;
      const stopped = first ? all.client.stop() : undefined;
      await all.client.stop({ option: 'force' });
      await stopped;
      expect(all.last.types.at(-1)).toBe('SEND_RST');
      await nothingIsLeft(all);
    }
  });

  test('with a deadline of 0 ms is closed only when its session is: a socket that is never reported closed is given up and released', async () => {
    const all = await connected();
    all.last.answersFin = false;
    all.last.closesOnRst = false;
    const stopped = all.client.stop({ deadlineMs: 0 });
    await all.time.advanceByAsync(4_999);
    expect(all.client.state.value).toBe('closing');
    await all.time.advanceByAsync(1);
    await stopped;
    expect(all.client.recent).toHaveLength(1);
    await nothingIsLeft(all);
  });

  test('as an async disposal', async () => {
    const all = await connected();
    {
      await using client = all.client;
      expect(client.state.value).toBe('connected');
    }
    expect(all.client.state.value).toBe('closed');
    await nothingIsLeft(all);
  });
});

test('state: the present one first, then each change, once', async () => {
  const all = made();
  const seen: string[] = [];
  all.client.state.subscribe((state) => seen.push(state));
  const started = all.client.start();
  refuse(all);
  await all.time.advanceToNextAsync();
  all.last.report({ type: 'CONNECT' });
  await started;
  all.last.answersFin = false;
  const stopped = all.client.stop();
  await all.time.advanceByAsync(5_000);
  await stopped;
  expect(seen).toEqual(['closed', 'connecting', 'backOff', 'connecting', 'connected', 'closing', 'closed']);
  await nothingIsLeft(all);
});

test('1 000 connections, each ended by the peer, by RST and by FIN, leave nothing', async () => {
  const all = await connected();
  for (let n = 0; n < 1_000; n += 1) {
    says(all.last, 'x');
    if (n % 2 === 0) all.last.peerEnds();
    else all.last.peerResets();
    all.time.advanceBy(100);
    all.last.report({ type: 'CONNECT' });
  }
  expect(all.client.statistics).toMatchObject({ connects: 1_001, closed: 1_000 });
  expect(all.layer.size).toBe(1);
  expect(all.client.recent).toHaveLength(16);
  await nothingIsLeft(all);
});
