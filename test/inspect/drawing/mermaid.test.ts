// @vitest-environment happy-dom
/** Mermaid's own parser reads what is written for it; it wants a DOM, if only to clean texts. */
import mermaid from 'mermaid';
import { describe, expect, test } from 'vitest';
import { drawChart, readChart } from '../../../src/inspect/index.js';
import { charts, everything } from './charts.js';

/** What Mermaid makes of a diagram of states. */
interface Database {
  getRelations(): { id1: string; id2: string; relationTitle?: string }[];
}

async function parsed(text: string): Promise<Database> {
  const diagram = await mermaid.mermaidAPI.getDiagramFromText(text);
  return diagram.db as unknown as Database;
}

describe.each(charts.flatMap(({ name, machine }) => [false, true].map((actions) => ({ name, machine, actions }))))(
  '$name, actions: $actions',
  ({ machine, actions }) => {
    test('is a state diagram to Mermaid, the same byte for byte when it is drawn again', async () => {
      const text = await drawChart(machine, { format: 'mermaid', actions });
      expect(await mermaid.parse(text)).toMatchObject({ diagramType: 'stateDiagram' });
      expect(await drawChart(machine, { format: 'mermaid', actions })).toBe(text);
    });

    test('has an arrow for each two states that a transition leads between, unless one is inside of the other', async () => {
      const { states, transitions } = readChart(machine);
      const around = (id: string): string[] => {
        const parent = states.find((state) => state.id === id)?.parent;
        return parent == null ? [] : [parent, ...around(parent)];
      };
      const hasStates = (id: string) => states.some(({ parent }) => parent === id);
      const expected = new Set(
        transitions.flatMap(({ source, targets }) =>
          targets
            .filter((target) => !around(target).includes(source) && !(target === source && hasStates(source)))
            .map((target) => `${source} ${target}`),
        ),
      );
      const histories = states.flatMap(({ historyTargets }) => historyTargets);
      const text = await drawChart(machine, { format: 'mermaid', actions });
      const database = await parsed(text);
      // Those from a beginning and to an end are not of the chart's transitions.
      const isOfChart = (id: string) => id.startsWith('s_') && text.includes(` as ${id}`);
      const drawn = database.getRelations().filter(({ id1, id2 }) => isOfChart(id1) && isOfChart(id2));
      expect(new Set(drawn.map(({ id1, id2 }) => `${id1} ${id2}`)).size).toBe(expected.size + histories.length);
    });
  },
);

test('knock-knock, as a whole', async () => {
  const knocks = charts.find(({ name }) => name === 'knock-knock')!.machine;
  expect(await drawChart(knocks, { format: 'mermaid', actions: true })).toBe(`stateDiagram-v2
  direction LR
  [*] --> s_knocking
  state "knocking" as s_knocking
  state "naming" as s_naming
  state "leaving" as s_leaving
  s_leaving --> [*]
  s_knocking --> s_naming : LINE [says #34;who's there?#34;]
  s_knocking --> s_leaving : after 10000 ms
  s_naming --> s_leaving : LINE [says #34;boo who?#34;]<br/>after 10000 ms
  note right of s_knocking
    entry / say "Knock, knock."
  end note
  note right of s_naming
    entry / say "Boo."
  end note
  note right of s_leaving
    entry / say "Don't cry, it is only a joke."
  end note
`);
});

test('names that are no ids there are told apart, and what is syntax there is only words', async () => {
  const text = await drawChart(everything, { format: 'mermaid', actions: true });
  expect(text).toContain('state "sam.e" as s_remembering_sam_e\n');
  expect(text).toContain('state "sam e" as s_remembering_sam_e_2\n');
  expect(text).toContain('state "every#34;thing#34; #60;&#62; #45;#45;" as s_chart {');
  expect(text).toContain(' exit / say "good \\"bye\\" ‹b› & --› ; ＃35; % % : {x}"\n');
});

test('Mermaid finds fault with a diagram that is none', async () => {
  await expect(mermaid.parse('stateDiagram-v2\n  a --> \n')).rejects.toThrow(/Parse error/);
});
