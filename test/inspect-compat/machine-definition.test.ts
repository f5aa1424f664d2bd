/**
 * What is written of a chart is read by the real XState 4, whose machine then goes through the same states as the chart itself, for random
 * events and whatever the guards say: it means what the chart means.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { initialTransition, transition, type AnyMachineSnapshot, type AnyStateMachine } from 'xstate';
import { machineDefinition, oldEventName, type StateDefinition } from '../../src/inspect/outlets/machine-definition.js';
import { guardText, type ChartGuard } from '../../src/inspect/chart-names.js';
import { readChart, type Chart } from '../../src/inspect/index.js';
import { charts } from '../inspect/drawing/charts.js';
import { namesIn } from '../inspect/drawing/guard-names.js';
import { createMachine, versions, type OldMachine, type OldState } from './xstate4.js';

test('the packages are those that the bridge is for, and XState here is another', async () => {
  expect(versions).toEqual({ inspect: '0.8.0', xstate: '4.38.3' });
  const { version } = (await import('xstate/package.json', { with: { type: 'json' } })).default as { version: string };
  expect(version).toMatch(/^5\./);
});

const definitionOf = (chart: Chart) => JSON.parse(JSON.stringify(machineDefinition(chart))) as StateDefinition;

/** Guards and actions say and do nothing of their own. */
function bare(machine: AnyStateMachine, says: (name: string) => boolean): AnyStateMachine {
  const { implementations } = machine as unknown as {
    implementations: Record<'guards' | 'actions' | 'delays', object>;
  };
  const names = (kind: 'guards' | 'actions' | 'delays') => Object.keys(implementations[kind]);
  return machine.provide({
    guards: Object.fromEntries(names('guards').map((name) => [name, () => says(name)])),
    actions: Object.fromEntries(names('actions').map((name) => [name, () => {}])),
    delays: Object.fromEntries(names('delays').map((name) => [name, 1_000])),
  } as never);
}

/** A guard as a function of version 4, which is found by the text that stands for it. */
function predicateOf(guard: ChartGuard, says: (name: string) => boolean) {
  const holds = (one: ChartGuard, state: OldState): boolean => {
    switch (one.type) {
      case 'named':
        return says(one.name);
      case 'and':
        return one.guards.every((inner) => holds(inner, state));
      case 'or':
        return one.guards.some((inner) => holds(inner, state));
      case 'not':
        return !holds(one.guard, state);
      case 'in':
        return state.matches(one.state);
      case 'code': // the only one asks for the event that it is asked about
        return true;
    }
  };
  return (_context: never, _event: never, { state }: { state: OldState }) => holds(guard, state);
}

/**
 * What may be sent: each as version 5 and as version 4 call it. Ends of states raise their own; partial wildcards are text to version 4,
 * and so is where a history state leads that remembers nothing: its `transition` takes the initial state, whatever is written.
 */
function eventsOf({ states, transitions }: Chart): { readonly own: string; readonly old: string }[] {
  const unlike = new Set(states.flatMap(({ id, historyTargets }) => (historyTargets.length > 0 ? [id] : [])));
  const isUnlike = ({ kind, event, targets }: Chart['transitions'][number]) =>
    kind === 'always' ||
    kind === 'snapshot' ||
    event.startsWith('xstate.done.state.') ||
    event.includes('*') ||
    targets.some((id) => unlike.has(id));
  const left = new Set(transitions.filter(isUnlike).map(({ event }) => event));
  const names = new Map(
    transitions.filter(({ event }) => !left.has(event)).map((one) => [one.event, oldEventName(one)]),
  );
  return [...names, ['NOBODY_KNOWS_THIS', 'NOBODY_KNOWS_THIS'] as const].map(([own, old]) => ({ own, old }));
}

/** Any chart's: those that read theirs find something there. */
const INPUT = { session: 1, seed: 1, id: 'a', peer: { host: '127.0.0.1', port: 1 }, info: { id: 'a' } };
const SEED = Number(process.env['SEED'] ?? 11);

describe.each(charts)('$name, read by XState 4', ({ name, machine }) => {
  const chart = readChart(machine);
  const old = createMachine(definitionOf(chart));

  test('is a machine with the same states', () => {
    expect([...old.stateIds].sort()).toEqual(chart.states.map(({ id }) => id).sort());
  });

  test(`agrees with the chart on every state, for 300 random runs of up to 40 events (seed ${SEED})`, () => {
    const guards = chart.transitions.flatMap(({ guard }) => (guard ? [guard] : []));
    const names = [...new Set(guards.flatMap(namesIn))];
    const events = eventsOf(chart);
    let moves = 0;
    const truths = fc.array(fc.boolean(), { minLength: names.length, maxLength: names.length });
    const runs = fc.array(fc.nat({ max: events.length - 1 }), { maxLength: 40, size: 'max' });
    fc.assert(
      fc.property(truths, runs, (truth, steps) => {
        const says = (name: string) => truth[names.indexOf(name)] ?? false;
        const own = bare(machine, says);
        const other: OldMachine = old.withConfig({
          guards: Object.fromEntries(guards.map((guard) => [guardText(guard), predicateOf(guard, says)])),
        });
        let [snapshot] = initialTransition(own, INPUT as never) as [AnyMachineSnapshot, unknown];
        let state = other.initialState;
        expect(state.value).toEqual(snapshot.value);
        for (const step of steps) {
          const event = events[step]!;
          const before = JSON.stringify(snapshot.value);
          [snapshot] = transition(own, snapshot, { type: event.own } as never) as [AnyMachineSnapshot, unknown];
          state = other.transition(state, event.old);
          expect(state.value, `${event.own} in ${before}`).toEqual(snapshot.value);
          if (JSON.stringify(snapshot.value) !== before) moves += 1;
          // A chart that has ended takes no more events; version 4's `transition` would.
          if (snapshot.status !== 'active') break;
        }
      }),
      { numRuns: 300, seed: SEED },
    );
    if (chart.states.length > 3) expect(moves, name).toBeGreaterThan(75);
  });
});
