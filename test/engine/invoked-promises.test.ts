/** Promises that charts invoke, on a clock that takes note of them. */
import { Observable } from 'rxjs';
import { assign, fromCallback, fromObservable, fromPromise, fromTransition, setup, type AnyActorLogic } from 'xstate';
import { expect, test } from 'vitest';
import { createEngine } from '../../src/engine/engine.js';
import { isPromiseLogic } from '../../src/engine/invoked-promises.js';
import { RealTime } from '../../src/time/real-time.js';
import { VirtualTime } from '../../src/time/virtual-time.js';

const never = fromPromise(() => new Promise<void>(() => {}));
const promise = (work: () => Promise<unknown>) => fromPromise(work);

/** Waits for `logic`, then is in `done` or `failed`; GO leaves it. */
const waiting = (logic: AnyActorLogic) =>
  setup({ actors: { logic } }).createMachine({
    id: 'waiting',
    initial: 'idle',
    states: {
      idle: { on: { ASK: 'asking' } },
      asking: { on: { GO: 'idle' }, invoke: { id: 'answer', src: 'logic', onDone: 'done', onError: 'failed' } },
      done: {},
      failed: {},
    },
  });

function started(machine: ReturnType<typeof waiting>, time = new VirtualTime()) {
  const actor = createEngine(time).createActor(machine, undefined, undefined, { carryOut: () => {}, failed: () => {} });
  actor.start();
  return { time, actor, send: (type: string) => actor.send({ type }) };
}

test.each([
  ['resolves', () => Promise.resolve(1), 'done'],
  ['rejects', () => Promise.reject(new Error('no')), 'failed'],
])('a promise that a chart invokes and that %s is held until then, by its id and the chart', async (_, work, end) => {
  const { time, actor, send } = started(waiting(promise(work)));
  expect(time.heldPromises).toEqual([]);
  send('ASK');
  expect(time.heldPromises).toEqual(['the promise answer of the chart waiting']);
  expect(() => time.advanceBy(1)).toThrow('the promise answer of the chart waiting');
  await time.settle();
  expect([actor.snapshot.value, time.heldPromises]).toEqual([end, []]);
});

test('one that a chart leaves, or is stopped with, is let go; one that it invokes anew is held anew', () => {
  const { time, actor, send } = started(waiting(never));
  send('ASK');
  send('GO');
  expect(time.heldPromises).toEqual([]);
  send('ASK');
  expect(time.heldPromises).toHaveLength(1);
  actor.stop();
  expect(time.heldPromises).toEqual([]);
});

test('one that is spawned, and one that a chart below invokes or invokes later, are held', () => {
  const spawning = setup({ actors: { logic: never, below: waiting(never) } }).createMachine({
    id: 'spawning',
    entry: assign({ ref: ({ spawn }) => spawn('logic', { id: 'spawned' }) }),
    invoke: { id: 'below', src: 'below' },
    on: { FORWARD: { actions: ({ self }) => self.getSnapshot().children['below']!.send({ type: 'ASK' }) } },
  });
  const { time, actor, send } = started(spawning as never);
  expect(time.heldPromises).toEqual(['the promise spawned of the chart spawning']);
  send('FORWARD');
  expect(time.heldPromises.toSorted()).toEqual([
    'the promise answer of the chart below',
    'the promise spawned of the chart spawning',
  ]);
  actor.stop();
  expect(time.heldPromises).toEqual([]);
});

test('an error of a chart below is still its parent’s to handle', async () => {
  const below = setup({ actors: { logic: promise(() => Promise.reject(new Error('no'))) } }).createMachine({
    invoke: { id: 'answer', src: 'logic' },
  });
  const { time, actor, send } = started(waiting(below));
  send('ASK');
  expect(time.heldPromises).toHaveLength(1);
  await time.settle();
  expect([actor.snapshot.value, time.heldPromises]).toEqual(['failed', []]);
});

let reduced = 0;
test.each<[string, AnyActorLogic, boolean]>([
  ['a promise', never, true],
  [
    'a promise with a wrapper around it',
    { ...never, transition: (...all) => never.transition(...all) } as AnyActorLogic,
    true,
  ],
  ['a callback', fromCallback(() => {}), false],
  ['an observable', fromObservable(() => new Observable()), false],
  ['a reducer', fromTransition(() => (reduced += 1), 0), false],
  ['a chart', waiting(never), false],
])('%s is told from the others by what it does: no code of a user runs for it', (_, logic, is) => {
  expect([isPromiseLogic(logic), isPromiseLogic(logic)]).toEqual([is, is]);
  expect(reduced).toBe(0);
});

test('a clock that takes no note costs no look at the children', () => {
  let asked = 0;
  const logic = Object.assign({}, never, {
    transition: (...all: Parameters<typeof never.transition>) => {
      asked += 1;
      return never.transition(...all);
    },
  });
  const { actor, send } = started(waiting(logic as never), new RealTime() as never);
  send('ASK');
  expect(asked).toBe(0);
  expect(actor.snapshot.value).toBe('asking');
  actor.stop();
});
