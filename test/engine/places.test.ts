/** Places of actors: numbers as a chart's drawing has them, one array for one place, and word of each change. */
import { describe, expect, test } from 'vitest';
import {
  assign,
  createMachine,
  emit,
  setup,
  type AnyMachineSnapshot,
  type AnyStateMachine,
  type AnyStateNode,
} from 'xstate';
import { createEngine, type EngineActor } from '../../src/engine/engine.js';
import { PlaceFollower, placesOf, tryNodes, type Place } from '../../src/engine/places.js';
import { readChart } from '../../src/inspect/drawing/chart.js';
import { VirtualTime } from '../../src/time/virtual-time.js';
import { charts } from '../inspect/drawing/charts.js';

class Moves extends PlaceFollower {
  readonly seen: (readonly [Place, Place])[] = [];
  override moved(before: Place): void {
    this.seen.push([before, this.place]);
  }
}

function nodesBelow(node: AnyStateNode): AnyStateNode[] {
  return [node, ...(Object.values(node.states) as AnyStateNode[]).flatMap(nodesBelow)];
}

const SILENT = { carryOut: () => {}, failed: () => {} };

function started(machine: AnyStateMachine): EngineActor<AnyStateMachine> {
  const actor = createEngine(new VirtualTime()).createActor(machine, undefined, undefined, SILENT);
  actor.start();
  return actor;
}

const regions = setup({ types: {} as { context: { count: number } } }).createMachine({
  context: { count: 0 },
  type: 'parallel',
  states: {
    one: { initial: 'a', states: { a: { on: { ONE: 'b' } }, b: { on: { ONE: 'a' } } } }, // 1: 2, 3
    two: { initial: 'c', states: { c: { on: { TWO: 'd' } }, d: { on: { TWO: 'c' } } } }, // 4: 5, 6
  },
  on: { COUNT: { actions: assign({ count: ({ context }) => context.count + 1 }) } },
}) as AnyStateMachine;

describe.each(charts)('the places of $name', ({ machine }) => {
  test('number as many states as its drawing has, in its order', () => {
    const { states } = readChart(machine);
    expect(placesOf(machine).size).toBe(states.length);
    const nodes = new Map(nodesBelow(machine.root).map((node) => [node.id, node]));
    states.forEach(({ id }, index) => {
      expect(placesOf(machine).ofNodes([nodes.get(id)])).toEqual(index === 0 ? [] : [index]);
    });
  });
});

test('a place has each active state but the chart itself, the outer one before the inner one', () => {
  const machine = createMachine({
    initial: 'a',
    states: { a: {}, b: { initial: 'c', states: { c: {}, d: {} } } },
    on: { GO: '.b.d' },
  }) as AnyStateMachine;
  const actor = started(machine);
  expect(actor.place).toEqual([1]);
  actor.send({ type: 'GO' });
  expect(actor.place).toEqual([2, 4]);
});

test('states side by side are in one list, in whichever order they were entered, and one place is one array', () => {
  const [left, right] = [started(regions), started(regions)];
  for (const type of ['ONE', 'TWO']) left.send({ type });
  for (const type of ['TWO', 'ONE']) right.send({ type });
  expect(left.place).toEqual([1, 3, 4, 6]);
  expect(right.place).toBe(left.place);
});

test('a chart without states has an empty place', () => {
  expect(started(createMachine({}) as AnyStateMachine).place).toEqual([]);
});

describe('a follower', () => {
  test('is told of each change of place with the place before, and of no event that changes the context alone', () => {
    const actor = started(regions);
    const moves = new Moves();
    actor.follow(moves);
    expect(moves.place).toEqual([1, 2, 4, 5]);
    for (const type of ['COUNT', 'ONE', 'COUNT', 'UNKNOWN', 'TWO', 'ONE']) actor.send({ type });
    expect(moves.seen).toEqual([
      [[1, 2, 4, 5], [1, 3, 4, 5]],
      [[1, 3, 4, 5], [1, 3, 4, 6]],
      [[1, 3, 4, 6], [1, 2, 4, 6]],
    ]); // prettier-ignore
  });

  test('is told nothing when a history alone has changed', () => {
    const machine = createMachine({
      initial: 'a',
      states: {
        a: {
          initial: 'one',
          on: { AGAIN: { target: 'a', reenter: true } },
          states: { one: {}, then: { type: 'history' } },
        },
      },
    }) as AnyStateMachine;
    const actor = started(machine);
    const moves = new Moves();
    actor.follow(moves);
    const { nodes } = moves;
    actor.send({ type: 'AGAIN' });
    expect(moves.nodes).not.toBe(nodes);
    expect(moves.seen).toEqual([]);
  });

  test('is told before the commands of the step are carried out', () => {
    const machine = setup({ types: {} as { emitted: { type: 'GONE' } } }).createMachine({
      initial: 'a',
      states: { a: { on: { GO: 'b' } }, b: { entry: emit({ type: 'GONE' }) } },
    }) as AnyStateMachine;
    const moves = new Moves();
    const heard: Place[] = [];
    const carryOut = () => heard.push(moves.place);
    const actor = createEngine(new VirtualTime()).createActor(machine, undefined, undefined, { ...SILENT, carryOut });
    actor.start();
    actor.follow(moves);
    actor.send({ type: 'GO' });
    expect(heard).toEqual([[2]]);
  });

  test('of three, the one in the middle leaves, and the others are told on', () => {
    const actor = started(regions);
    const [first, second, third] = [new Moves(), new Moves(), new Moves()];
    for (const moves of [first, second, third]) actor.follow(moves);
    actor.unfollow(second);
    actor.unfollow(second);
    actor.send({ type: 'ONE' });
    expect([first, second, third].map(({ seen }) => seen.length)).toEqual([1, 0, 1]);
    for (const moves of [third, first]) actor.unfollow(moves);
    actor.send({ type: 'ONE' });
    expect([first, second, third].map(({ seen }) => seen.length)).toEqual([1, 0, 1]);
  });

  test('is told of a final state, and of nothing after it', () => {
    const actor = started(
      createMachine({
        initial: 'a',
        states: { a: { on: { END: 'over' } }, over: { type: 'final' } },
      }) as AnyStateMachine,
    );
    const moves = new Moves();
    actor.follow(moves);
    for (const type of ['END', 'END']) actor.send({ type });
    expect(moves.seen).toEqual([[[1], [2]]]);
  });
});

describe('a release of XState that keeps active states elsewhere is an error that says so, and no wrong count', () => {
  const nodesOf = (snapshot: AnyMachineSnapshot) => (snapshot as unknown as { _nodes: readonly unknown[] })._nodes;

  test('this one does not', () => {
    expect(() => tryNodes(nodesOf)).not.toThrow();
  });

  test.each<[string, (snapshot: AnyMachineSnapshot) => unknown]>([
    ['without the list', () => undefined],
    ['with another list for each snapshot', (snapshot) => [...nodesOf(snapshot)]],
    [
      'with leaves alone',
      (snapshot) => nodesOf(snapshot).filter((node) => (node as { type: string }).type === 'atomic'),
    ],
  ])('one %s', (_name, ofSnapshot) => {
    expect(() => tryNodes(ofSnapshot)).toThrow(/^this release of xstate keeps active states elsewhere/);
  });
});
