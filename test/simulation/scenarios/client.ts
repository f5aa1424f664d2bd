/** Clients that lose their server, and come back: with growing delays, never two at once, and never after they were stopped. */
import { emit, setup } from 'xstate';
import type { TcpClient } from '../../../src/client.js';
import { lines, type LineMessage } from '../../../src/codec/lines.js';
import { defineProtocol, type AnyProtocol, type ProtocolCommand } from '../../../src/session/protocol.js';
import type { WorldClientOptions } from '../../../src/testing/world.js';
import { scenario, type Stage } from '../stage.js';
import { errands } from './errand-protocol.js';
import { over } from './server.js';

/** Asks each 400 ms, and has enough when it is told. */
const customer = defineProtocol({
  name: 'customer',
  codecs: { lines: () => lines() },
  initialCodec: 'lines',
  machine: setup({
    types: {} as { events: LineMessage | { type: 'LEAVE' }; emitted: ProtocolCommand<LineMessage> },
    actions: {
      ask: emit({ type: 'SEND', message: { type: 'LINE', text: 'a' } }),
      close: emit({ type: 'CLOSE', option: 'graceful' }),
    },
    delays: { askTimeout: 400 },
  }).createMachine({
    entry: 'ask',
    initial: 'asking',
    states: {
      asking: { after: { askTimeout: { target: 'asking', reenter: true, actions: 'ask' } }, on: { LINE: {} } },
    },
    on: { LEAVE: { actions: 'close' } },
  }),
}) as AnyProtocol;

const OPTIONS = {
  connectTimeoutMs: 1_500,
  backOff: { minMs: 100, maxMs: 2_000, attemptsMax: Infinity },
  stopTimeoutMs: 800,
  closeTimeoutMs: 1_500,
  waitTimeoutCountMax: 20,
} as const;

interface Seen {
  readonly client: TcpClient;
  readonly host: string;
  readonly starts: Promise<string | undefined>[];
}

function makeClient(
  stage: Stage,
  server: Parameters<Stage['world']['client']>[0],
  n: number,
  options: Partial<WorldClientOptions> = {},
): Seen {
  const host = `10.0.2.${n}`;
  const client = stage.world.client(server, customer, { from: host, seed: stage.below(1_000), ...OPTIONS, ...options });
  let enteredMs = 0;
  let was = 'closed';
  stage.watch(client.state, (state) => {
    const nowMs = stage.world.time.now();
    const { attempts, backOffMs } = client.snapshot().context;
    const ceilingMs = Math.min(OPTIONS.backOff.maxMs, OPTIONS.backOff.minMs * 2 ** Math.max(0, attempts - 1));
    const problem =
      state === 'backOff' && (backOffMs < 0 || backOffMs > ceilingMs)
        ? `it waits ${backOffMs} ms after ${attempts} failures`
        : was === 'connecting' && nowMs - enteredMs > OPTIONS.connectTimeoutMs + 0.01
          ? `it tried for ${nowMs - enteredMs} ms`
          : was === 'backOff' && state === 'connecting' && nowMs - enteredMs > OPTIONS.backOff.maxMs + 0.01
            ? `it waited for ${nowMs - enteredMs} ms`
            : undefined;
    if (problem) problems.push(problem);
    [was, enteredMs] = [state, nowMs];
  });
  const problems: string[] = [];
  stage.looks.push(() => {
    const [problem] = problems;
    if (problem) stage.fail(`a client: ${problem}`);
    stage.check(
      (client.session === undefined) === !['connected', 'closing'].includes(client.state.value),
      () => `a client that is ${client.state.value} has ${client.session ? 'a' : 'no'} session`,
    );
  });
  return { client, host, starts: [] };
}

function start(seen: Seen): void {
  const { client, starts } = seen;
  starts.push(
    client.start().then(
      () => undefined,
      (error: unknown) => (error as { code?: string }).code ?? String(error),
    ),
  );
}

const reconnecting = scenario({
  name: 'client: comes back, whatever becomes of its server and its path',
  world: { latencyMs: 5, jitterMs: 10 },
  async play(stage) {
    const { world } = stage;
    const server = await stage.server(errands, {
      waitTimeoutCountMax: 30,
      closeTimeoutMs: 1_000,
      maxSessions: 3,
      sweepIntervalMs: 2_000,
      drainTimeoutMs: 500,
    });
    Object.assign(stage.audit(server), { changesWaits: true, forcesLate: true });
    const all = [1, 2, 3, 4].map((n) => makeClient(stage, server, n));
    all.forEach(start);
    world.drawFaults({ perSecond: 0.3, durationMs: 25_000, kinds: ['stall', 'weather', 'acceptErrors', 'scan'] });
    const stops: Promise<unknown>[] = [];
    let interrupt: { readonly state: string; readonly act: (seen: Seen) => void } | undefined;
    for (const seen of all) {
      stage.watch(seen.client.state, (state) => {
        if (interrupt?.state !== state) return;
        const { act } = interrupt;
        interrupt = undefined;
        act(seen);
      });
    }
    for (let step = 0; step < 50; step += 1) {
      const seen = stage.pick(all);
      const chance = stage.below(100);
      if (chance < 15) world.network.partition(seen.host);
      else if (chance < 35) world.network.heal(stage.pick(all).host);
      else if (chance < 42) server.suspend();
      else if (chance < 55) server.resume();
      else if (chance < 62) stage.pick([...server.sessions])?.close(stage.is(0.5) ? 'force' : 'graceful');
      else if (chance < 68)
        stops.push(
          seen.client.stop(stage.is(0.4) ? { option: 'force' } : stage.is(0.5) ? { deadlineMs: stage.below(300) } : {}),
        );
      else if (chance < 74) seen.client.session?.dispatch({ type: 'LEAVE' });
      else if (chance < 80)
        interrupt = {
          state: stage.pick(['connecting', 'connected', 'backOff', 'closing']),
          act: ({ client }) => void stops.push(client.stop(stage.is(0.5) ? { option: 'force' } : {})),
        };
      if (stage.is(0.4)) for (const one of all) if (one.client.state.value === 'closed') start(one);
      await stage.advanceByAsync(1 + stage.below(900));
    }
    interrupt = undefined;
    world.network.heal();
    server.setMaxSessions(10);
    server.resume();
    await stage.advanceByAsync(5_000);
    for (const one of all) if (one.client.state.value === 'closed') start(one);
    await stage.advanceByAsync(20_000);
    for (const { client } of all) {
      stage.check(
        client.state.value === 'connected',
        () => `with a server and a path again a client is ${client.state.value}`,
      );
      stage.check((client.session?.statistics.bytesReceived ?? 0) > 0, () => 'a client that came back is not served');
      stops.push(client.stop());
    }
    await over(
      stage,
      Promise.all(stops).then(() => undefined),
    );
    for (const { client, starts } of all) {
      stage.check(
        client.state.value === 'closed' && client.session === undefined,
        () => 'a client that was stopped is not closed',
      );
      for (const code of await Promise.all(starts)) {
        stage.check(
          code === undefined || code === 'STOPPED' || code === 'ALREADY_STARTED',
          () => `a start was rejected: ${code}`,
        );
      }
    }
    const connects = all.map(({ client }) => client.statistics.connects);
    await stage.advanceByAsync(5_000);
    stage.check(
      all.every(({ client }, n) => client.statistics.connects === connects[n]),
      () => 'a client that was stopped comes back',
    );
  },
});

/** A server that is not there, that does not answer, that closes at once: each is given up after so many attempts, and says why. */
const givingUp = scenario({
  name: 'client: gives up after so many attempts',
  world: { latencyMs: 2 },
  async play(stage) {
    const { world } = stage;
    const server = await stage.server(errands, { maxSessions: 1, closeTimeoutMs: 1_000 });
    const attemptsMax = 2 + stage.below(3);
    const few = { backOff: { ...OPTIONS.backOff, attemptsMax } };
    const [refused, lost, closed, back] = [1, 2, 3, 4].map((n) => makeClient(stage, server, n, few));
    // Nobody listens.
    server.suspend();
    stage.advanceBy(10);
    stage.check(
      (await over(stage, refused!.client.start())) === 'ECONNREFUSED',
      () => 'a client without a server does not say so',
    );
    stage.check(
      refused!.client.statistics.attempts === attemptsMax,
      () => `it tried ${refused!.client.statistics.attempts} times instead of ${attemptsMax}`,
    );
    // Nobody answers.
    world.network.partition(lost!.host);
    const beganMs = world.time.now();
    stage.check(
      (await over(stage, lost!.client.start())) === 'CONNECT_TIMEOUT',
      () => 'a client without a path does not say so',
    );
    const tookMs = world.time.now() - beganMs;
    stage.check(tookMs >= attemptsMax * OPTIONS.connectTimeoutMs, () => `it gave up after ${tookMs} ms`);
    world.network.heal();
    server.resume();
    await stage.advanceByAsync(200);
    // Somebody has the only place: the others are accepted and reset.
    const first = world.peer(server, { codec: false });
    const talk = () => first.write('a\n');
    stage.every(300, () => (talk(), first.state === 'connected'));
    await stage.advanceByAsync(50);
    void closed!.client.start().catch(() => {});
    await stage.advanceByAsync(attemptsMax * 2_100 + 500);
    stage.check(
      closed!.client.state.value === 'closed',
      () => `a client that is reset each time is ${closed!.client.state.value}`,
    );
    stage.check(
      closed!.client.statistics.attempts === attemptsMax,
      () => `it tried ${closed!.client.statistics.attempts} times`,
    );
    first.end();
    await stage.advanceByAsync(50);
    // One that has had a session counts from the beginning again.
    void back!.client.start().catch(() => {});
    await stage.advanceByAsync(3_000);
    for (let n = 0; n < 2 * attemptsMax; n += 1) {
      for (const session of server.sessions) session.close('force');
      await stage.advanceByAsync(2_500);
    }
    stage.check(
      back!.client.state.value === 'connected',
      () => `a client that is served in between is ${back!.client.state.value}`,
    );
    await over(stage, back!.client.stop());
  },
});

export const CLIENT_SCENARIOS = [reconnecting, givingUp];
