/** How each thing of a chart is written for XState 4; that it means the same: test/inspect-compat. */
import { describe, expect, test } from 'vitest';
import { machineDefinition, type StateDefinition } from '../../../src/inspect/outlets/machine-definition.js';
import { readChart } from '../../../src/inspect/index.js';
import { charts, everything } from '../drawing/charts.js';

const definition = machineDefinition(readChart(everything));
const ID = everything.id;

function at(path: string): StateDefinition {
  return path.split('/').reduce<StateDefinition>((state, key) => state.states[key]!, definition);
}

describe('a chart as a machine of XState 4', () => {
  test.each(charts)('is JSON, the same when it is read back: $name', ({ machine }) => {
    const written = machineDefinition(readChart(machine));
    expect(JSON.parse(JSON.stringify(written))).toEqual(written);
  });

  test('has its states below their parents, by their keys, with their ids and order', () => {
    expect(definition).toMatchObject({ id: ID, key: ID, type: 'compound', order: 0, initial: 'first' });
    expect(Object.keys(definition.states)).toEqual(['first', 'work', 'remembering', 'end']);
    expect(at('work/region two')).toMatchObject({ id: `${ID}.work.region two`, key: 'region two', initial: 'c' });
    expect(at('work')).toMatchObject({ type: 'parallel' });
    expect(at('work')).not.toHaveProperty('initial');
    expect(at('work/one/a')).not.toHaveProperty('initial');
    expect(at('end')).toMatchObject({ type: 'final', tags: ['over'] });
  });

  test('is left where `reenter` says so, and stays inside where it does not, or has no target', () => {
    const [inside] = definition.on['RESET']!;
    expect(inside).toEqual({ target: [`#${ID}.first`], internal: true, actions: [] });
    expect(definition.on['AGAIN']).toEqual([{ target: [`#${ID}`], internal: false, actions: [] }]);
    expect(definition.on['IGNORED']).toEqual([{ internal: true, actions: [] }]);
    expect(at('work').on['BOTH']![0]!.target).toEqual([`#${ID}.work.one.b`, `#${ID}.work.region two.d`]);
  });

  test('has guards and actions by their names, with what they are given', () => {
    expect(at('first').on['GO']!.map(({ cond }) => cond)).toEqual([
      { type: 'xstate.guard', name: 'says "boo \\"who\\"?"' },
      { type: 'xstate.guard', name: '(isOdd and not isEven) or in work.one.a' },
      { type: 'xstate.guard', name: 'a guard without a name' },
    ]);
    expect(definition.entry).toEqual([{ type: 'note' }]);
    expect(definition.exit).toMatchObject([{ type: 'say', params: expect.any(String) as string }]);
    // The types of XState's own actions mean something else to version 4, which would carry them out.
    expect([at('work').entry, at('work').exit]).toEqual([[{ type: '(emit FLUSH)' }], [{ type: '(assign)' }]]);
  });

  test('has timers, ends and actors by version 4’s names, and not what XState 5 adds to carry them out', () => {
    const first = at('first');
    expect(Object.keys(first.on)).toEqual(
      expect.arrayContaining([`xstate.after(1500)#${ID}.first`, `xstate.after(patience)#${ID}.first`]),
    );
    expect([first.entry, first.exit]).toEqual([[], []]);
    expect(Object.keys(at('work').on)).toContain(`done.state.${ID}.work`);
    const { invoke, on } = at('remembering');
    const [{ id } = { id: '' }] = invoke;
    expect(invoke).toEqual([{ id, src: { type: 'look' } }]);
    expect(Object.keys(on)).toEqual(expect.arrayContaining([`done.invoke.${id}`, `error.platform.${id}`]));
  });

  test('has transitions without an event in `always`, not under an empty name', () => {
    const { always, on } = at('work/one/b');
    expect(always).toEqual([
      {
        target: [`#${ID}.work.one.finished`],
        internal: true,
        cond: { type: 'xstate.guard', name: 'isEven' },
        actions: [],
      },
    ]);
    expect(Object.keys(on)).not.toContain('');
  });

  test('has history states with what they remember, and where they lead at first', () => {
    expect(at('remembering/back')).toMatchObject({
      type: 'history',
      history: 'deep',
      target: `#${ID}.remembering.f`,
    });
    expect(at('remembering/shallow')).toMatchObject({ type: 'history', history: 'shallow' });
    expect(at('remembering/shallow')).not.toHaveProperty('target');
  });
});
