/** A chart as a text: a picture, or a notation that other tools read. The same chart and options give the same text, byte for byte. */
import type { AnyStateMachine } from 'xstate';
import { readChart, type Chart } from './chart.js';
import { DrawingError } from './drawing-error.js';
import { layOut } from './layout.js';
import { writeMermaid } from './mermaid.js';
import { writeScxml } from './scxml.js';
import { writeSvg } from './svg.js';

export const DRAWING_FORMATS = ['svg', 'mermaid', 'json', 'scxml'] as const;

/** `svg`: a picture, light or dark as its reader's system is. `mermaid`: a `stateDiagram-v2`. `json`: the `Chart`. `scxml`: the W3C's notation. */
export type DrawingFormat = (typeof DRAWING_FORMATS)[number];

export interface DrawOptions {
  /** Default `svg`. */
  readonly format?: DrawingFormat;
  /** Shows what a transition does (`/ decode`), and what is done on entry and on exit. For `svg` and `mermaid`; `json` and `scxml` always tell. Default false. */
  readonly actions?: boolean;
  /** What the chart is called in it, for a machine without an id of its own. Not in `json`. Default: the machine's id. */
  readonly name?: string;
}

/**
 * Draws a chart. `svg` lays it out on this thread: 20 to 200 ms for 20 states, 1 to 2 s for 40 with a hundred arrows, so not beside live sessions.
 *
 * @param source an XState machine, or the `Chart` of one, which may come from another process
 * @returns the text of a file, with a line break at its end
 * @throws {DrawingError} OPTION_INVALID, CHART_INVALID, LAYOUT_FAILED
 */
export async function drawChart(source: AnyStateMachine | Chart, options: DrawOptions = {}): Promise<string> {
  const { format, actions, name } = parseDrawOptions(options);
  const read = isChart(source) ? source : readChart(source);
  const chart = name === undefined || format === 'json' ? read : renamed(read, name);
  switch (format) {
    case 'svg':
      return writeSvg(chart, await layOut(chart, { actions }));
    case 'mermaid':
      return writeMermaid(chart, { actions });
    case 'json':
      return `${JSON.stringify(chart, null, 2)}\n`;
    case 'scxml':
      return writeScxml(chart);
  }
}

const OPTION_NAMES = ['format', 'actions', 'name'];

function parseDrawOptions(options: DrawOptions): DrawOptions & { format: DrawingFormat; actions: boolean } {
  const unknown = Object.keys(options).find((name) => !OPTION_NAMES.includes(name));
  if (unknown !== undefined)
    throw new DrawingError(
      'OPTION_INVALID',
      `options.${unknown}: there is no such option; known are ${OPTION_NAMES.join(', ')}`,
    );
  const { format = 'svg', actions = false, name } = options;
  if (!DRAWING_FORMATS.includes(format)) throw invalid('format', DRAWING_FORMATS.join(' or '), format);
  if (typeof actions !== 'boolean') throw invalid('actions', 'true or false', actions);
  if (name === undefined) return { format, actions };
  if (typeof name !== 'string' || name === '') throw invalid('name', 'a string that is not empty', name);
  return { format, actions, name };
}

function invalid(name: string, expected: string, value: unknown): DrawingError {
  return new DrawingError('OPTION_INVALID', `options.${name}: expected ${expected}, got ${JSON.stringify(value)}`);
}

/** Ids stay: transitions name states by them. */
function renamed(chart: Chart, name: string): Chart {
  const [root, ...others] = chart.states;
  return { ...chart, id: name, states: [{ ...root!, key: name }, ...others] };
}

function isChart(source: AnyStateMachine | Chart): source is Chart {
  return (
    source instanceof Object &&
    'version' in source &&
    source.version === 1 &&
    'states' in source &&
    Array.isArray(source.states) &&
    source.states.length > 0
  );
}
