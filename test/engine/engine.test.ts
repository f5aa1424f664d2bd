import { assign, emit, fromCallback, fromPromise, raise, sendTo, setup, type AnyStateMachine } from 'xstate';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createEngine, type ActorOwner, type EngineActor } from '../../src/engine/engine.js';
import { VirtualTime } from '../../src/time/virtual-time.js';
import { processErrors, settled } from '../session/process-errors.js';

interface Seen {
  readonly log: string[];
  readonly actor: EngineActor<AnyStateMachine>;
  readonly time: VirtualTime;
}

type OnCommand = (command: { type: string }, seen: Seen) => void;

/** An actor whose commands, end and failure are written down, with the state in which each command found it. */
function play(machine: AnyStateMachine, onCommand: OnCommand = () => {}, input?: unknown): Seen {
  const time = new VirtualTime();
  const owner: ActorOwner<Seen, { type: string }> = {
    carryOut: (seen, command) => {
      seen.log.push(`${command.type} in ${JSON.stringify(seen.actor.snapshot.value)}`);
      onCommand(command, seen);
    },
    failed: (seen, error) => void seen.log.push(`failed: ${String((error as Error)?.message ?? error)}`),
    done: (seen, output) => void seen.log.push(`done: ${JSON.stringify(output)}`),
    moved: (seen) => void seen.log.push('moved'),
  };
  const seen = { log: [], time } as unknown as { -readonly [K in keyof Seen]: Seen[K] };
  seen.actor = createEngine(time).createActor(machine, input as never, seen as Seen, owner);
  return seen;
}

const process = processErrors();
beforeEach(() => process.watch());
afterEach(async () => {
  expect(await process.seen()).toEqual([]);
});

const two = setup({
  actions: { a: emit({ type: 'A' }), b: emit({ type: 'B' }), c: emit({ type: 'C' }) },
}).createMachine({
  initial: 'one',
  states: {
    one: { exit: 'a', on: { GO: { target: 'two', actions: 'b' } } },
    two: { entry: 'c', on: { AGAIN: { actions: 'a' }, END: 'end' } },
    end: { type: 'final', entry: 'b' },
  },
});

describe('commands', () => {
  test('of exit, transition and entry come in that order, all after the macrostep: each finds the new state', () => {
    const { actor, log } = play(two);
    actor.start();
    actor.send({ type: 'GO' });
    expect(log).toEqual(['A in "two"', 'B in "two"', 'C in "two"']);
  });

  test('of the entry into the first state are carried out by start, before it returns', () => {
    const { actor, log } = play(
      setup({ actions: { a: emit({ type: 'A' }) } }).createMachine({ initial: 'one', states: { one: { entry: 'a' } } }),
    );
    expect(log).toEqual([]);
    actor.start();
    expect(log).toEqual(['A in "one"']);
  });

  test('have their own consequences complete before the next command of the same transition', () => {
    const { actor, log } = play(two, ({ type }, seen) => {
      if (type === 'B') seen.actor.send({ type: 'AGAIN' });
    });
    actor.start();
    actor.send({ type: 'GO' });
    expect(log).toEqual(['A in "two"', 'B in "two"', 'A in "two"', 'C in "two"']);
  });

  test('three levels deep still come out in depth-first order', () => {
    const machine = setup({
      actions: { say: emit(({ event }) => ({ type: event.type })), then: emit({ type: 'THEN' }) },
    });
    const { actor, log } = play(
      machine.createMachine({ on: { '*': { actions: ['say', 'then'] } } }),
      ({ type }, seen) => {
        if (type === 'X') seen.actor.send({ type: 'Y' });
        if (type === 'Y') seen.actor.send({ type: 'Z' });
      },
    );
    actor.start();
    actor.send({ type: 'X' });
    expect(log.map((line) => line.split(' ')[0])).toEqual(['X', 'Y', 'Z', 'THEN', 'THEN', 'THEN']);
  });

  test('of two actors that answer each other are in the order of cause and effect', () => {
    const time = new VirtualTime();
    const engine = createEngine(time);
    const log: string[] = [];
    const machine = setup({
      types: {} as { input: string; context: { name: string } },
      actions: {
        one: emit(({ context }) => ({ type: `${context.name}1` })),
        two: emit(({ context }) => ({ type: `${context.name}2` })),
      },
    }).createMachine({ context: ({ input }) => ({ name: input }), on: { GO: { actions: ['one', 'two'] } } });
    const owner: ActorOwner<string, { type: string }> = {
      carryOut: (_, { type }) => {
        log.push(type);
        if (type === 'a1') b.send({ type: 'GO' });
      },
      failed: () => expect.unreachable(),
    };
    const a = engine.createActor(machine, 'a', 'a', owner);
    const b = engine.createActor(machine, 'b', 'b', owner);
    a.start();
    b.start();
    a.send({ type: 'GO' });
    expect(log).toEqual(['a1', 'b1', 'b2', 'a2']);
  });

  test('of an `after` of 100 ms come at 100 ms and not 1 ms earlier, and the owner is told once that the chart has moved', () => {
    const { actor, log, time } = play(
      setup({ actions: { a: emit({ type: 'A' }), b: emit({ type: 'B' }) } }).createMachine({
        initial: 'one',
        states: { one: { after: { 100: { target: 'two', actions: ['a', 'b'] } } }, two: {} },
      }),
    );
    actor.start();
    time.advanceBy(99);
    expect(log).toEqual([]);
    time.advanceBy(1);
    expect(log).toEqual(['A in "two"', 'B in "two"', 'moved']);
  });

  test('a timer that only changes the state is told as well, and a send is not', () => {
    const { actor, log, time } = play(
      setup({}).createMachine({
        initial: 'one',
        on: { GO: '.two' },
        states: { one: { after: { 5: 'two' } }, two: {} },
      }),
    );
    actor.start();
    actor.send({ type: 'GO' });
    expect(log).toEqual([]);
    const other = play(setup({}).createMachine({ initial: 'one', states: { one: { after: { 5: 'two' } }, two: {} } }));
    other.actor.start();
    other.time.advanceBy(5);
    expect(other.log).toEqual(['moved']);
    time.advanceBy(5);
    expect(log).toEqual([]);
  });

  test('of a raise delayed by 50 ms find the state that it has led to, and their events are handled at once', () => {
    const { actor, log, time } = play(
      setup({ actions: { later: raise({ type: 'LATER' }, { delay: 50 }), a: emit({ type: 'A' }) } }).createMachine({
        initial: 'one',
        entry: 'later',
        states: { one: { on: { LATER: { target: 'two', actions: 'a' } } }, two: { on: { NEXT: 'three' } }, three: {} },
      }),
      (_, seen) => seen.actor.send({ type: 'NEXT' }),
    );
    actor.start();
    time.advanceBy(50);
    expect(log).toEqual(['A in "two"', 'moved']);
    expect(actor.snapshot.value).toBe('three');
  });

  test('of an invoked promise come when it has settled, without any other event', async () => {
    const { actor, log } = play(
      setup({
        actors: { ask: fromPromise(() => Promise.resolve(7)) },
        actions: { a: emit({ type: 'A' }) },
      }).createMachine({
        initial: 'one',
        states: { one: { invoke: { src: 'ask', onDone: { target: 'two', actions: 'a' } } }, two: {} },
      }),
    );
    actor.start();
    await settled();
    expect(log).toEqual(['A in "two"', 'moved']);
  });

  test('of an invoked callback that sends at once come within start', () => {
    const { actor, log } = play(
      setup({
        actors: { call: fromCallback(({ sendBack }) => sendBack({ type: 'HI' })) },
        actions: { a: emit({ type: 'A' }) },
      }).createMachine({ invoke: { src: 'call' }, on: { HI: { actions: 'a' } } }),
    );
    actor.start();
    expect(log.map((line) => line.split(' ')[0])).toEqual(['A']);
  });
});

describe('an error', () => {
  const boom = () => {
    throw new Error('boom');
  };
  const types = {} as { context: { n: number }; events: { type: 'GO' } };
  const at: Record<string, () => AnyStateMachine> = {
    'a guard': () => setup({ types, guards: { boom } }).createMachine({ context: { n: 0 }, on: { GO: { guard: 'boom' } } }),
    'an action': () => setup({ types, actions: { boom } }).createMachine({ context: { n: 0 }, on: { GO: { actions: 'boom' } } }),
    'an assign': () =>
      setup({ types, actions: { boom: assign({ n: boom }) } }).createMachine({ context: { n: 0 }, on: { GO: { actions: 'boom' } } }),
    'an emit': () =>
      setup({ types, actions: { boom: emit(boom as never) } }).createMachine({ context: { n: 0 }, on: { GO: { actions: 'boom' } } }),
    'an entry': () =>
      setup({ types, actions: { boom } }).createMachine({ context: { n: 0 }, initial: 'a', states: { a: { on: { GO: 'b' } }, b: { entry: 'boom' } } }),
    'an exit': () =>
      setup({ types, actions: { boom } }).createMachine({ context: { n: 0 }, initial: 'a', states: { a: { exit: 'boom', on: { GO: 'b' } }, b: {} } }),
    'a delay': () =>
      setup({ types, delays: { boom } }).createMachine({ context: { n: 0 }, initial: 'a', states: { a: { on: { GO: 'b' } }, b: { after: { boom: 'a' } } } }),
    'an entry of the first state': () =>
      setup({ types, actions: { boom } }).createMachine({ context: { n: 0 }, initial: 'a', states: { a: { entry: 'boom' } } }),
    'a delay of the first state': () =>
      setup({ types, delays: { boom } }).createMachine({ context: { n: 0 }, initial: 'a', states: { a: { after: { boom: 'a' } } } }),
    'a context factory': () => setup({ types }).createMachine({ context: boom }),
    'an invoked callback': () =>
      setup({ types, actors: { boom: fromCallback(boom) } }).createMachine({ context: { n: 0 }, initial: 'a', states: { a: { on: { GO: 'b' } }, b: { invoke: { src: 'boom' } } } }),
    'an invoked promise': () =>
      setup({ types, actors: { boom: fromPromise(() => Promise.reject(new Error('boom'))) } }).createMachine({
        context: { n: 0 }, initial: 'a', states: { a: { on: { GO: 'b' } }, b: { invoke: { src: 'boom' } } },
      }),
    'the input of an invoked actor': () =>
      setup({ types, actors: { ask: fromPromise(() => Promise.resolve(1)) } }).createMachine({
        context: { n: 0 }, initial: 'a', states: { a: { on: { GO: 'b' } }, b: { invoke: { src: 'ask', input: boom } } },
      }),
  }; // prettier-ignore

  test.each(Object.entries(at))('in %s is `failed` once, and no event is processed afterwards', async (_, machine) => {
    const { actor, log, time } = play(machine());
    actor.start();
    actor.send({ type: 'GO' });
    await settled();
    const failures = log.filter((line) => line !== 'moved');
    expect(failures).toHaveLength(1);
    expect(failures[0]).toMatch(/^failed: (.|\n)*boom$/); // XState puts the name of the guard before what it threw
    actor.send({ type: 'GO' });
    time.advanceBy(1_000);
    await settled();
    expect(log.filter((line) => line !== 'moved')).toHaveLength(1);
    expect(time.pendingCount).toBe(0);
  });

  test.each([undefined, null, 0, '', false, 'text', { a: 1 }])(
    'that is %j and no Error is `failed` once as it is',
    (thrown) => {
      const machine = setup({
        actions: {
          boom: () => {
            // eslint-disable-next-line @typescript-eslint/only-throw-error
            throw thrown;
          },
        },
      }).createMachine({ on: { GO: { actions: 'boom' } } });
      const failures: unknown[] = [];
      const actor = createEngine(new VirtualTime()).createActor(machine, undefined, undefined, {
        carryOut: () => {},
        failed: (_, error) => void failures.push(error),
      });
      actor.start();
      actor.send({ type: 'GO' });
      expect(failures).toEqual([thrown]);
    },
  );

  test('in a transition that a timer takes is `failed` when the timer has run, and other actors go on', () => {
    const time = new VirtualTime();
    const engine = createEngine(time);
    const log: string[] = [];
    const machine = setup({
      types: {} as { input: boolean; context: { bad: boolean } },
      actions: {
        act: ({ context }) => {
          if (context.bad) boom();
        },
        a: emit({ type: 'A' }),
      },
    }).createMachine({ context: ({ input }) => ({ bad: input }), initial: 'one', states: { one: { after: { 10: { target: 'two', actions: ['act', 'a'] } } }, two: {} } }); // prettier-ignore
    for (const bad of [false, true, false]) {
      engine
        .createActor(machine, bad, bad, {
          carryOut: (owner) => void log.push(`A of ${owner}`),
          failed: (owner) => void log.push(`failed of ${owner}`),
        })
        .start();
    }
    time.advanceBy(10);
    expect(log).toEqual(['A of false', 'failed of true', 'A of false']);
  });

  test('of a chart that loops for ever by `always` is `failed` after maxIterations', () => {
    const { actor, log } = play(
      setup({}).createMachine({
        initial: 'idle',
        options: { maxIterations: 100 },
        states: { idle: { on: { GO: 'a' } }, a: { always: 'b' }, b: { always: 'a' } },
      } as never) as never,
    );
    actor.start();
    actor.send({ type: 'GO' });
    expect(log).toHaveLength(1);
    expect(log[0]).toMatch(/^failed: Infinite loop detected/);
  });
});

describe('the end', () => {
  test('is told once, after the commands of the last transition and what they led to', () => {
    const { actor, log } = play(two, ({ type }, seen) => {
      if (type === 'B') seen.actor.send({ type: 'AGAIN' });
    });
    actor.start();
    actor.send({ type: 'GO' });
    log.length = 0;
    actor.send({ type: 'END' });
    actor.send({ type: 'END' });
    expect(log).toEqual(['B in "end"', 'done: undefined']);
  });

  test('of a chart that is final at its start is told, with its output', () => {
    const { actor, log } = play(
      setup({}).createMachine({ initial: 'end', output: { n: 1 }, states: { end: { type: 'final' } } }) as never,
    );
    actor.start();
    expect(log).toEqual(['done: {"n":1}']);
  });

  test('that a timer brings is told after its commands', () => {
    const { actor, log, time } = play(
      setup({ actions: { a: emit({ type: 'A' }) } }).createMachine({
        initial: 'one',
        states: { one: { after: { 10: 'end' } }, end: { type: 'final', entry: 'a' } },
      }),
    );
    actor.start();
    time.advanceBy(10);
    expect(log.filter((line) => line !== 'moved')).toEqual(['A in "end"', 'done: undefined']);
  });
});

describe('stop', () => {
  test('is without a word: no command, no `done`, no timer left, and what is sent later is ignored', async () => {
    const { actor, log, time } = play(
      setup({ actions: { a: emit({ type: 'A' }) } }).createMachine({
        initial: 'one',
        states: { one: { exit: 'a', after: { 10: 'two' }, on: { GO: 'two' } }, two: {} },
      }),
    );
    actor.start();
    expect(time.pendingCount).toBe(1);
    actor.stop();
    actor.send({ type: 'GO' });
    time.advanceBy(20);
    await settled();
    expect(log).toEqual([]);
    expect(time.pendingCount).toBe(0);
    actor.stop();
  });

  test('from inside a command ends the commands that would have followed it', () => {
    const { actor, log } = play(two, ({ type }, seen) => {
      if (type === 'A') seen.actor.stop();
    });
    actor.start();
    actor.send({ type: 'GO' });
    expect(log).toEqual(['A in "two"']);
  });

  test('from inside an action of the chart itself ends it without `done` as well', () => {
    let stop = () => {};
    const { actor, log } = play(
      setup({ actions: { stop: () => stop(), a: emit({ type: 'A' }) } }).createMachine({
        on: { GO: { actions: ['stop', 'a'] } },
      }),
    );
    stop = () => actor.stop();
    actor.start();
    actor.send({ type: 'GO' });
    actor.send({ type: 'GO' });
    expect(log).toEqual([]);
  });

  test("ends an invoked promise: what it answers later is nobody's", async () => {
    let answer: (value: number) => void = () => {};
    const { actor, log } = play(
      setup({
        actors: { ask: fromPromise(() => new Promise<number>((resolve) => (answer = resolve))) },
        actions: { a: emit({ type: 'A' }) },
      }).createMachine({ initial: 'one', states: { one: { invoke: { src: 'ask', onDone: { actions: 'a' } } } } }),
    );
    actor.start();
    actor.stop();
    answer(1);
    await settled();
    expect(log).toEqual([]);
  });
});

describe('watch', () => {
  test('is told after each change until it is ended, before the commands of that change are carried out', () => {
    const { actor, log } = play(two);
    actor.start();
    const unwatch = actor.watch(({ value }) => void log.push(`watched ${String(value)}`));
    actor.send({ type: 'GO' });
    expect(log).toEqual(['watched two', 'A in "two"', 'B in "two"', 'C in "two"']);
    unwatch();
    actor.send({ type: 'AGAIN' });
    expect(log).toHaveLength(5);
  });

  test('begun by a watcher is told of the next change, not of the one under way; ended by one, of none', () => {
    const { actor, log } = play(two);
    actor.start();
    let unwatchLast = () => {};
    const unwatchFirst = actor.watch(({ value }) => {
      unwatchFirst();
      unwatchLast();
      log.push(`first ${String(value)}`);
      actor.watch((snapshot) => void log.push(`inner ${String(snapshot.value)}`));
    });
    unwatchLast = actor.watch(() => void log.push('last'));
    actor.send({ type: 'GO' });
    actor.send({ type: 'END' });
    expect(log.filter((line) => !line.includes(' in '))).toEqual(['first two', 'inner end', 'done: undefined']);
  });

  test('of an actor that fails does not throw into the process', async () => {
    const { actor, log } = play(
      setup({
        actions: {
          boom: () => {
            throw new Error('boom');
          },
        },
      }).createMachine({ on: { GO: { actions: 'boom' } } }),
    );
    actor.watch(() => {});
    actor.start();
    actor.send({ type: 'GO' });
    await settled();
    expect(log).toEqual(['failed: boom']);
  });
});

test('an event that a chart sends to itself by `sendTo` is part of the turn that caused it', () => {
  const { actor, log } = play(
    setup({ actions: { self: sendTo(({ self }) => self, { type: 'NEXT' }), a: emit({ type: 'A' }) } }).createMachine({
      initial: 'one',
      states: { one: { on: { GO: { actions: 'self' }, NEXT: { target: 'two', actions: 'a' } } }, two: {} },
    }),
  );
  actor.start();
  actor.send({ type: 'GO' });
  expect(log).toEqual(['A in "two"']);
});
