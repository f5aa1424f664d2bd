/**
 * A fixed number of seeds of each scenario, and what they must have seen between them: a scenario that leads nowhere proves nothing.
 * Longer runs: `npm run simulate`.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { clientMachine } from '../../machines/client.js';
import { gcSweeperMachine } from '../../machines/gc-sweeper.js';
import { serverSocketMachine } from '../../machines/server-socket.js';
import { sessionMachine } from '../../machines/session.js';
import { CLOSE_REASONS } from '../../machines/events.js';
import { simulate } from '../../src/testing/simulate.js';
import { Coverage } from './coverage.js';
import { SCENARIOS } from './scenarios/list.js';

const SEEDS = 6;
/** Those of server sockets lead to many rare places; those with much traffic, or with worlds of many sessions, take long. */
const SEEDS_OF_SERVERS = 12;
const SEEDS_OF_LARGE = 3;
const LARGE = /misbehave beside|chat:|media-control: (requests|peers)|stops in the midst|each leads/;

const seedCountOf = (name: string) =>
  LARGE.test(name) ? SEEDS_OF_LARGE : name.startsWith('server') ? SEEDS_OF_SERVERS : SEEDS;

/** Reasons that no end in a simulated world has. */
const NEVER_SEEN: Readonly<Record<string, string>> = {
  'handshake timeout': 'there is no TLS yet',
  swept: 'a session that outlives its socket is a defect: the world says so (the sweeper has a scenario of its own)',
};

/** Transitions that no world leads to, and why. */
const NEVER_TAKEN: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  session: {
    'accepted on INPUT_FULL': 'input comes with READ, which leaves the state first',
    'accepted on INPUT_LOW': 'as INPUT_FULL',
    'accepted on FRAME_STARTED': 'as INPUT_FULL',
    'accepted on FRAME_ENDED': 'as INPUT_FULL',
    'accepted on FRAME_TIMEOUT': 'as INPUT_FULL',
    'halfClosed.byUs.sending on ERROR': 'the looks at a stalled output come before the kernel gives up',
    'halfClosed.byUs.ended on WAIT_TIMEOUT': 'waits are delivered in states that count them',
    'halfClosed.byUs.ended on FRAME_TIMEOUT': 'the deadline is disarmed on the way in, and no frame begins there',
    'reset on ERROR': 'the simulated kernel answers an RST with nothing',
    'reset on after closeTimeout': 'the simulated kernel closes at once',
  },
  serverSocket: {
    '* on ACCEPT': 'the simulated kernel accepts nothing after STOP_LISTENING',
    'closed on STOP': '`stop` of a server that is closed asks nobody',
    'resolving on after resolveTimeout': 'the simulated resolver answers at once; in a stall, before the timer',
    'opening on after openTimeout 1': 'as the resolver',
    'opening on after openTimeout 2': 'as the resolver',
    'configuring on ERROR 1': 'the simulated kernel refuses no option',
    'configuring on ERROR 2': 'as above',
    'configuring on after openTimeout 1': 'as the resolver',
    'configuring on after openTimeout 2': 'as the resolver',
    'saturated on QUEUE_LEFT': 'a paused connection shows no end, and the layer closes none by itself',
    'draining.forcing on STOP': 'sessions that are reset are gone at once',
    'draining.forcing on after forceTimeout': 'as above',
  },
  client: { 'closing.forcing on after forceTimeout': 'a session that is reset is gone at once' },
  sweeper: {},
};

const coverage: Record<string, Coverage> = {};
const reasons: Record<string, number> = {};

beforeAll(() => {
  coverage['session'] = new Coverage(sessionMachine);
  coverage['serverSocket'] = new Coverage(serverSocketMachine);
  coverage['client'] = new Coverage(clientMachine);
  coverage['sweeper'] = new Coverage(gcSweeperMachine);
});

afterAll(() => {
  for (const one of Object.values(coverage)) one.end();
});

describe('no property is broken, and two runs of a seed are equal to the byte', () => {
  test.each(SCENARIOS)(
    '$name',
    async (scenario) => {
      const seedCount = seedCountOf(scenario.name);
      const report = await simulate(scenario, { seedCount });
      expect(report.failures.map(({ message }) => message)).toEqual([]);
      for (const [reason, count] of Object.entries(report.reasons)) reasons[reason] = (reasons[reason] ?? 0) + count;
    },
    90_000,
  );
});

describe('between them the seeds', () => {
  test('end sessions by each reason that there is', () => {
    const missed = CLOSE_REASONS.filter((reason) => reasons[reason] === undefined);
    expect(missed).toEqual(Object.keys(NEVER_SEEN));
    expect(reasons).toHaveProperty('errand over');
  });

  test.each(Object.keys(NEVER_TAKEN))('take each transition of the %s chart but those that they cannot', (chart) => {
    const { missed, count } = coverage[chart]!;
    const known = Object.keys(NEVER_TAKEN[chart]!);
    expect(missed.filter((transition) => !known.includes(transition))).toEqual([]);
    expect(count - missed.length).toBeGreaterThan(0);
  });
});
