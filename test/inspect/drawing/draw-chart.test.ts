/** `drawChart`: what it takes, what it refuses, and its types. */
import { describe, expect, expectTypeOf, test } from 'vitest';
import { createMachine } from 'xstate';
import { gcSweeperMachine } from '../../../machines/index.js';
import {
  drawChart,
  DrawingError,
  readChart,
  type Chart,
  type DrawingFormat,
  type DrawOptions,
} from '../../../src/inspect/index.js';

test('svg is the default; each format ends with one line break', async () => {
  expect(await drawChart(gcSweeperMachine)).toBe(await drawChart(gcSweeperMachine, { format: 'svg', actions: false }));
  for (const format of ['svg', 'mermaid', 'json', 'scxml'] as const)
    expect(await drawChart(gcSweeperMachine, { format })).toMatch(/[^\n]\n$/);
});

test('json is the chart, and what was parsed of it is drawn like the machine', async () => {
  const chart = JSON.parse(await drawChart(gcSweeperMachine, { format: 'json' })) as Chart;
  expect(chart).toEqual(readChart(gcSweeperMachine));
  for (const format of ['svg', 'mermaid', 'scxml'] as const)
    expect(await drawChart(chart, { format })).toBe(await drawChart(gcSweeperMachine, { format }));
});

test('a machine without an id is called by the name that is given; its data keeps its own', async () => {
  const machine = createMachine({ on: { STOP: {} } });
  expect(await drawChart(machine)).toContain('>(machine)</text>');
  expect(await drawChart(machine, { name: 'echo' })).toContain('>echo</text>');
  expect(await drawChart(machine, { name: 'echo', format: 'mermaid' })).toContain('state "echo" as s_chart');
  expect(await drawChart(machine, { name: 'echo', format: 'scxml' })).toContain(' name="echo" ');
  expect(await drawChart(machine, { name: 'echo', format: 'json' })).toBe(await drawChart(machine, { format: 'json' }));
});

describe('errors name what was wrong and what was expected', () => {
  test.each([
    {
      options: { format: 'png' },
      code: 'OPTION_INVALID',
      message: 'options.format: expected svg or mermaid or json or scxml, got "png"',
    },
    { options: { actions: 1 }, code: 'OPTION_INVALID', message: 'options.actions: expected true or false, got 1' },
    {
      options: { foramt: 'svg' },
      code: 'OPTION_INVALID',
      message: 'options.foramt: there is no such option; known are format, actions, name',
    },
    {
      options: { name: '' },
      code: 'OPTION_INVALID',
      message: 'options.name: expected a string that is not empty, got ""',
    },
  ])('$options', async ({ options, code, message }) => {
    const drawn = drawChart(gcSweeperMachine, options as DrawOptions);
    await expect(drawn).rejects.toThrow(new DrawingError(code as 'OPTION_INVALID', message));
    await expect(drawn).rejects.toMatchObject({ name: 'DrawingError', code });
  });

  test.each([undefined, null, 7, {}, { version: 2, states: [] }, { version: 1, states: [] }])(
    '%j is no chart',
    async (source) => {
      await expect(drawChart(source as never)).rejects.toMatchObject({
        code: 'CHART_INVALID',
        message: 'expected an XState machine, as createMachine returns it',
      });
    },
  );
});

test('a chart of 200 states in 40 groups is drawn', async () => {
  const inner = Object.fromEntries(
    ['a', 'b', 'c', 'd', 'e'].map((key, index, keys) => [key, { on: { NEXT: keys[(index + 1) % keys.length]! } }]),
  );
  const groups = Object.fromEntries(
    Array.from({ length: 40 }, (_, index) => [
      `group${index}`,
      { initial: 'a', states: inner, on: { SKIP: `#big.group${(index + 1) % 40}`, HOME: '#big.group0' } },
    ]),
  );
  const svg = await drawChart(createMachine({ id: 'big', initial: 'group0', states: groups } as never));
  expect(svg.match(/data-state=/g)).toHaveLength(241);
});

test('types: machines of any kind and charts are taken, formats are a union', () => {
  expectTypeOf(drawChart).returns.resolves.toBeString();
  expectTypeOf(readChart(gcSweeperMachine)).toEqualTypeOf<Chart>();
  expectTypeOf<DrawingFormat>().toEqualTypeOf<'svg' | 'mermaid' | 'json' | 'scxml'>();
  // @ts-expect-error there is no such format
  const options: DrawOptions = { format: 'png' };
  expect(options).toBeDefined();
});
