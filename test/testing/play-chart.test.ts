/** Charts and sessions over time, as marbles: the six seconds of silence at the level of a chart and of a whole server. */
import { map } from 'rxjs';
import { emit, fromPromise, setup } from 'xstate';
import { describe, expect } from 'vitest';
import { sessionMachine } from '../../machines/session.js';
import echo from '../../examples/echo/index.js';
import { playMarbles, recordMarbles } from '../../src/testing/marbles.js';
import { matchesMarbles } from '../../src/testing/marble-comparison.js';
import { playChart } from '../../src/testing/play-chart.js';
import { sessionStates } from '../../src/testing/session-states.js';
import { test } from '../../src/testing/vitest/index.js';
import { createWorld } from '../../src/testing/world.js';
import { frame, start } from '../session/start.js';
import { labProtocol, nothingIsLeft, says } from '../session/lab.js';

const light = setup({
  types: {} as { events: { type: 'FAIL' } | { type: 'OFF' }; input: { greenMs: number }; emitted: { type: 'SHOW'; what: string } },
  actions: {
    show: emit((_, what: string) => ({ type: 'SHOW' as const, what })),
    boom: () => {
      throw new Error('boom');
    },
  },
  delays: { greenTimeout: ({ context }) => (context as { greenMs: number }).greenMs },
}).createMachine({
  id: 'light',
  context: ({ input }) => ({ greenMs: input.greenMs }),
  initial: 'green',
  on: { FAIL: { actions: 'boom' }, OFF: '.off' },
  states: {
    green: { entry: { type: 'show', params: 'green' }, after: { greenTimeout: 'red' } },
    red: {
      entry: { type: 'show', params: 'red' },
      initial: 'long',
      states: { long: { after: { 500: 'short' } }, short: {} },
    },
    off: { type: 'final' },
  },
}); // prettier-ignore

const LIGHT = { g: 'green', l: 'red.long', s: 'red.short', o: 'off' };

describe('playChart', () => {
  test('writes down states by their paths and commands, to the end of the events, and gives the rest of the clock away', () => {
    const { states, commands, snapshot, time } = playChart(light, { events: '2s', input: { greenMs: 1_000 } });
    expect(states).toMatchMarbles('g 999ms l 499ms s', LIGHT);
    expect(commands).toMatchMarbles('g 999ms r', {
      g: { type: 'SHOW', what: 'green' },
      r: { type: 'SHOW', what: 'red' },
    });
    expect(snapshot).toBeInState('red.short');
    expect([time.now(), time.pendingCount]).toEqual([2_000, 0]);
  });

  test('sends events at their ms, before a timer of that moment; a final state ends both records', () => {
    const played = playChart(light, {
      events: '1s f',
      values: { f: { type: 'OFF' } },
      input: { greenMs: 1_000 },
    });
    expect(played.states).toMatchMarbles('g 999ms (o|)', LIGHT);
    expect(played.commands).toMatchMarbles('g 999ms |', { g: { type: 'SHOW', what: 'green' } });
  });

  test('runs for `forMs` where that is given, and goes on with its clock', () => {
    const played = playChart(light, { events: '', forMs: 1_200, input: { greenMs: 1_000 } });
    expect(played.snapshot).toBeInState('red.long');
    played.time.advanceBy(300);
    expect(played.snapshot).toBeInState('red.short');
    expect(played.states).toMatchMarbles('g 999ms l 499ms s', LIGHT);
  });

  test('of a chart that throws ends its records with the error', () => {
    const { states } = playChart(light, {
      events: '-f 5s',
      values: { f: { type: 'FAIL' } },
      input: { greenMs: 1_000 },
    });
    expect(states).toMatchMarbles('g#', { ...LIGHT, '#': new Error('boom') });
  });

  test('refuses an event without a value, an end of the events, and an option that there is not', () => {
    const input = { greenMs: 1 };
    expect(() => playChart(light, { events: 'x', values: {}, input })).toThrow('there is no value for "x"');
    expect(() => playChart(light, { events: '-|', input })).toThrow('nobody takes its `complete` at 1 ms');
    expect(() => playChart(light, { event: 'x', input } as never)).toThrow('playChart.event: there is no such option');
  });

  test('of a chart that invokes a promise throws PROMISE_PENDING, which names the promise and the chart', () => {
    const asking = setup({ actors: { ask: fromPromise(() => Promise.resolve()) } }).createMachine({
      id: 'asking',
      initial: 'waiting',
      states: { waiting: { invoke: { id: 'answer', src: 'ask', onDone: 'done' } }, done: {} },
    });
    expect(() => playChart(asking, { events: '10ms' })).toThrow('the promise answer of the chart asking');
  });
});

describe('6 s of silence', () => {
  const STATES = { a: 'accepted', f: 'connected.flowing', w: 'closing.flushing', x: 'reset' };

  test('as marbles of the session chart: 5 999 ms after a READ it is open, at 6 000 ms it closes', () => {
    const input = {
      waitTimeoutCountMax: 60, closeTimeoutMs: 5_000, sendTimeoutMs: 30_000, frameTimeoutMs: 30_000, discardedBytesMax: 1_000_000, facts: [],
    }; // prettier-ignore
    const values = {
      r: { type: 'READ', bytes: Uint8Array.of(1) },
      w: { type: 'WAIT_TIMEOUT', waits: 59 },
      l: { type: 'WAIT_TIMEOUT', waits: 1 },
    } as const;
    const { states } = playChart(sessionMachine, { events: 'r 5899ms w 99ms l', values, input });
    expect(states).toMatchMarbles('(af) 5996ms w', STATES);
  });

  test('as marbles of a whole server on virtual time: open at 5 999 ms, closing at 6 000 ms, closed at once as the peer answers', async () => {
    const started = await start(echo);
    const { time, server, layer } = started;
    const states = recordMarbles(time, sessionStates(server));
    const peer = layer.connect();
    playMarbles(time, 'r 5999ms', { r: frame('hello') }, { next: (bytes: Uint8Array) => peer.read(bytes) });
    time.advanceBy(5_999);
    expect(states).toMatchMarbles('(af)', STATES);
    time.advanceBy(1);
    expect(states).toMatchMarbles('(af) 5996ms (wnlc|)', {
      ...STATES,
      n: 'closing.finWait',
      l: 'closing.lastAck',
      c: 'closed',
    });
    await nothingIsLeft(started);
  });

  test('as marbles of a world 5 ms away: the FIN leaves the server 6 000 ms after its accept and is with the peer 5 ms later', async () => {
    const world = createWorld({ seed: 3, latencyMs: 5 });
    const { time } = world;
    const server = await world.server(echo);
    const states = recordMarbles(time, sessionStates(server));
    const peer = world.peer(server);
    const seen = recordMarbles(time, peer.events.pipe(map(({ type }) => type)));
    world.advanceBy(7_000);
    // SYN and its answer take 10 ms; the server knows of the connection 15 ms after it began, and counts from there.
    expect(states).toMatchMarbles('15ms a 5999ms (wn) 6ms (lc|)', {
      ...STATES,
      n: 'closing.finWait',
      l: 'closing.lastAck',
      c: 'closed',
    });
    expect(seen).toMatchMarbles('10ms c 6009ms (ex|)', { c: 'CONNECT', e: 'END', x: 'CLOSE' });
    states.stop();
    seen.stop();
    await world.end();
  });
});

describe('sessionStates', () => {
  test('begins with the oldest live session, or with the one that it is told, and ends with it', async () => {
    const started = await start(labProtocol());
    const { time, server, layer } = started;
    const [first, second] = [layer.connect(), layer.connect()];
    const oldest = recordMarbles(time, sessionStates(server));
    const other = recordMarbles(time, sessionStates(server, { id: '2' }));
    const never = recordMarbles(time, sessionStates(server, { id: '3' }));
    time.advanceBy(10);
    says(second, 'x');
    time.advanceBy(10);
    first.peerResets();
    expect(oldest).toMatchMarbles('a 19ms (rx|)', { a: 'accepted', r: 'reset', x: 'closed' });
    expect(other).toMatchMarbles('a 9ms f', { a: 'accepted', f: 'connected.flowing' });
    expect(never).toMatchMarbles('');
    other.stop();
    never.stop();
    await nothingIsLeft(started);
  });

  test('of the protocol are those of its own chart', async () => {
    const protocol = labProtocol({
      machine: { initial: 'idle', on: {}, states: { idle: { on: { LINE: 'ready' } }, ready: {} } },
    });
    const started = await start(protocol, { waitTimeoutCountMax: 0 });
    const { time, server, layer } = started;
    const states = recordMarbles(time, sessionStates(server, { chart: 'protocol' }));
    const peer = layer.connect();
    time.advanceBy(5);
    says(peer, 'x');
    expect(matchesMarbles(states, 'i----r', { i: 'idle', r: 'ready' }).difference).toMatch(/^they match/);
    expect(() => sessionStates(server, { chart: 'both' } as never)).toThrow('sessionStates.chart: expected');
    await nothingIsLeft(started);
  });
});
