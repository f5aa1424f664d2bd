/**
 * SCXML is read back by a reader that is not ours: XState 4's, which makes a machine of it. That machine then goes through the same
 * states as the chart itself, for random events: what was written means what the chart means.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { xml2js, type Element } from 'xml-js';
import {
  initialTransition,
  transition,
  type AnyMachineSnapshot,
  type AnyStateMachine,
  type AnyStateNode,
} from 'xstate';
import { toMachine } from 'xstate4/lib/scxml.js';
import { drawChart, readChart, type Chart } from '../../../src/inspect/index.js';
import { charts, everything } from './charts.js';
import { namesIn } from './guard-names.js';

/** What the test uses of a machine of XState 4. */
interface OldMachine {
  readonly context: Record<string, unknown> | undefined;
  readonly initialState: OldState;
  readonly stateIds: string[];
  withContext(context: object): OldMachine;
  transition(state: OldState, event: string): OldState;
}
interface OldState {
  readonly configuration: readonly { readonly id: string; readonly type: string }[];
}

/** That reader knows no `cancel`, and `transition` runs no timers. Ids have dots, which it would take for paths. */
function read(xml: string): OldMachine {
  const known = xml.replace(/<cancel [^>]*\/>/g, '').replace(/<onexit>\s*<\/onexit>/g, '');
  return (toMachine as (xml: string, options: { delimiter: string }) => unknown)(known, {
    delimiter: '\n',
  }) as OldMachine;
}

const elements = (element: Element): Element[] =>
  [element, ...(element.elements ?? []).flatMap(elements)].filter(({ type }) => type === 'element');

describe.each(charts)('$name', ({ machine }) => {
  const chart = readChart(machine);
  const drawing = drawChart(machine, { format: 'scxml' });

  test('is well-formed, in the W3C’s namespace, and the same byte for byte when it is written again', async () => {
    const xml = await drawing;
    const [root, ...others] = elements((xml2js(xml) as Element).elements!.find(({ type }) => type === 'element')!);
    expect(root).toMatchObject({
      name: 'scxml',
      attributes: { xmlns: 'http://www.w3.org/2005/07/scxml', version: '1.0', name: chart.id },
    });
    expect(others.map(({ name }) => name).filter((name) => !NAMES.has(name!))).toEqual([]);
    expect(await drawChart(chart, { format: 'scxml' })).toBe(xml);
  });

  test('has each state once, by an id that XML allows, and every id that is named', async () => {
    const all = elements(xml2js(await drawing) as Element);
    const states = all.filter(({ name }) => ['state', 'parallel', 'final', 'history'].includes(name!));
    const ids = states.map(({ attributes }) => String(attributes!['id']));
    expect(ids).toHaveLength(chart.states.length);
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) expect(id).toMatch(/^[A-Za-z_][\w.-]*$/);
    const named = all
      .flatMap(({ attributes }) => [attributes?.['target'], attributes?.['initial']])
      .flatMap((value) => (value === undefined ? [] : String(value).split(' ')));
    expect(named.filter((id) => !ids.includes(id))).toEqual([]);
  });
});

const NAMES = new Set([
  'datamodel', 'data', 'state', 'parallel', 'final', 'history', 'initial', 'onentry', 'onexit', 'transition', 'log', 'send', 'cancel', 'invoke',
]); // prettier-ignore

/** The chart alone: no guard but those that a run sets, no action, no code. */
function bare(machine: AnyStateMachine, guards: (name: string) => boolean): AnyStateMachine {
  const { implementations } = machine as unknown as {
    implementations: Record<'guards' | 'actions' | 'delays', object>;
  };
  const names = (kind: 'guards' | 'actions' | 'delays') => Object.keys(implementations[kind]);
  return machine.provide({
    guards: Object.fromEntries(names('guards').map((name) => [name, () => guards(name)])),
    actions: Object.fromEntries(names('actions').map((name) => [name, () => {}])),
    delays: Object.fromEntries(names('delays').map((name) => [name, 1_000])),
  } as never);
}

/** An id as SCXML has it: XState calls a machine without one `(machine)`. */
const written = (id: string) => id.replace(/[^\w.-]+/g, '_');

function activeOf(snapshot: AnyMachineSnapshot): string[] {
  return (snapshot as unknown as { _nodes: AnyStateNode[] })._nodes.map(({ id }) => written(id)).sort();
}

function oldActiveOf({ configuration }: OldState): string[] {
  return configuration
    .map(({ id }) => id)
    .filter((id) => id !== '(machine)')
    .sort();
}

/** Each event as XState 5 and as SCXML call it. */
function eventsOf({ transitions }: Chart): { own: string; scxml: string }[] {
  const names = new Map(
    transitions.flatMap(({ kind, event, delay, source }) => {
      if (kind === 'event' && !event.includes('*')) return [[event, event] as const];
      return kind === 'after'
        ? [[event, `after.${typeof delay === 'number' ? `${delay}ms` : delay}.${written(source)}`] as const]
        : [];
    }),
  );
  return [...names].map(([own, scxml]) => ({ own, scxml }));
}

describe.each(charts.filter(({ machine }) => machine !== everything && readChart(machine).transitions.length > 0))(
  '$name, read back by XState 4',
  ({ machine }) => {
    const chart = readChart(machine);
    const guards = [...new Set(chart.transitions.flatMap(({ guard }) => (guard ? namesIn(guard) : [])))];

    test('is a machine with the same states', async () => {
      const ids = read(await drawChart(machine, { format: 'scxml' })).stateIds;
      expect(ids.filter((id) => id !== '(machine)').sort()).toEqual(chart.states.map(({ id }) => written(id)).sort());
    });

    test('goes through the same states as the chart, whatever the guards say, for 200 random runs of up to 30 events', async () => {
      const old = read(await drawChart(machine, { format: 'scxml' }));
      const events = eventsOf(chart);
      const run = fc.array(fc.nat({ max: events.length - 1 }), { maxLength: 30 });
      let moves = 0;
      fc.assert(
        fc.property(
          fc.array(fc.boolean(), { minLength: guards.length, maxLength: guards.length }),
          run,
          (passes, steps) => {
            const says = new Map(guards.map((name, index) => [name, passes[index]!]));
            const own = bare(machine, (name) => says.get(name) ?? false);
            const context = Object.fromEntries(
              Object.entries(old.context ?? {}).map(([name, value]) => [name, valueOf(name, value, says)]),
            );
            const other = old.withContext(context);
            let [snapshot] = initialTransition(own, INPUT as never) as [AnyMachineSnapshot, unknown];
            let state = other.initialState;
            expect(oldActiveOf(state)).toEqual(activeOf(snapshot));
            for (const step of steps) {
              const event = events[step]!;
              const before = activeOf(snapshot).join();
              [snapshot] = transition(own, snapshot, { type: event.own } as never) as [AnyMachineSnapshot, unknown];
              // A machine that has ended takes no more events; XState 4's `transition` would.
              if (snapshot.status !== 'active') break;
              state = other.transition(state, event.scxml);
              expect(oldActiveOf(state), event.own).toEqual(activeOf(snapshot));
              if (activeOf(snapshot).join() !== before) moves += 1;
            }
          },
        ),
        { numRuns: 200, seed: 7 },
      );
      if (chart.states.length > 3) expect(moves).toBeGreaterThan(50);
    });
  },
);

/** A guard's item is called as it is, or with what it was given behind it. */
function valueOf(name: string, value: unknown, says: ReadonlyMap<string, boolean>): unknown {
  if (typeof value !== 'boolean') return value;
  return says.get(name) ?? [...says].find(([guard]) => name.startsWith(`${guard}_`))?.[1] ?? value;
}

/** Any chart's: those that read theirs find something there. */
const INPUT = { session: 1, seed: 1, id: 'a', peer: { host: '127.0.0.1', port: 1 }, info: { id: 'a' } };

test('an `after` is sent on entry, cancelled on exit, and a transition; a static delay is in ms, a named one an item of the data model', async () => {
  const xml = await drawChart(everything, { format: 'scxml' });
  expect(xml).toContain(
    '<send id="after.1500ms.every_thing_-_--.first" event="after.1500ms.every_thing_-_--.first" delay="1500ms"/>'.replaceAll(
      'every_thing_-_--',
      ID,
    ),
  );
  expect(xml).toContain(
    `<send id="after.patience.${ID}.first" event="after.patience.${ID}.first" delayexpr="patience"/>`,
  );
  expect(xml).toContain(`<cancel sendid="after.patience.${ID}.first"/>`);
  expect(xml).toContain(`<transition event="after.1500ms.${ID}.first" target="${ID}.work"/>`);
  expect(xml).toContain(`<data id="patience" expr="'1s'"/>`);
});

test('guards are expressions over items that are true, joined as the chart joins them, and `In` is the W3C’s', async () => {
  const xml = await drawChart(everything, { format: 'scxml' });
  expect(xml).toContain(`cond="((isOdd &amp;&amp; !isEven) || (In('${ID}.work.one.a')))"`);
  expect(xml).toContain('<data id="says_boo_who" expr="true"/>');
  expect(xml).toContain('<data id="isOdd" expr="true"/>');
});

test('a history, several targets, a transition that stays inside, and the ends of states and actors have the W3C’s names', async () => {
  const xml = await drawChart(everything, { format: 'scxml' });
  expect(xml).toContain(`<history id="${ID}.remembering.back" type="deep">`);
  expect(xml).toContain(`<transition target="${ID}.remembering.f"/>`);
  expect(xml).toContain(`<transition event="BOTH" target="${ID}.work.one.b ${ID}.work.region_two.d" type="internal"/>`);
  expect(xml).toContain(`<transition event="done.state.${ID}.work" target="${ID}.end"/>`);
  expect(xml).toMatch(/<transition event="done\.invoke\.\S+" target="\S+remembering\.f" type="internal"\/>/);
  expect(xml).toMatch(/<transition event="error\.platform\.\S+" target="\S+\.end"\/>/);
  expect(() => xml2js(xml)).not.toThrow();
});

/** Of the chart with everything: what is no letter of an id is one `_`. */
const ID = 'every_thing_--';
