/** Where a chart is: from a state value, as recordings have it, to the numbers of the chart's states, and to words. */
import type { Chart, ChartState } from '../../../src/inspect/drawing/chart.js';
import type { Place } from '../../../src/inspect/feed.js';
import { isPlainObject } from './plain.js';

/** `'accepted'`, `{ connected: 'flowing' }`, `{ open: { audio: 'idle', video: {} } }`. */
export type StateValue = string | { readonly [key: string]: StateValue };

interface ChartIndex {
  readonly numbers: ReadonlyMap<string, number>;
  readonly children: ReadonlyMap<string, ReadonlyMap<string, number>>;
  /** Of each state: those around it, the outermost first, the chart itself left out. */
  readonly around: readonly Place[];
}

const indexes = new WeakMap<Chart, ChartIndex>();

export function indexOf(chart: Chart): ChartIndex {
  let index = indexes.get(chart);
  if (!index) indexes.set(chart, (index = makeIndex(chart)));
  return index;
}

function makeIndex({ states }: Chart): ChartIndex {
  const numbers = new Map(states.map(({ id }, number) => [id, number]));
  const children = new Map<string, Map<string, number>>();
  const around: Place[] = [];
  states.forEach(({ key, parent }, number) => {
    if (parent === null) return around.push([]);
    const siblings = children.get(parent) ?? new Map<string, number>();
    children.set(parent, siblings.set(key, number));
    const outer = numbers.get(parent)!;
    return around.push(outer === 0 ? [] : [...around[outer]!, outer]);
  });
  return { numbers, children, around };
}

/** @returns all active states, outermost first, in the order of the chart; what the chart does not have is left out */
export function placeOf(chart: Chart, value: StateValue): Place {
  const { children } = indexOf(chart);
  const place: number[] = [];
  const walk = (parent: string, inner: StateValue): void => {
    for (const [key, below] of typeof inner === 'string' ? [[inner, ''] as const] : Object.entries(inner)) {
      const number = children.get(parent)?.get(key);
      if (number === undefined) continue;
      place.push(number);
      if (below !== '') walk(chart.states[number]!.id, below);
    }
  };
  walk(chart.states[0]!.id, value);
  return place.sort((a, b) => a - b);
}

export function isStateValue(value: unknown): value is StateValue {
  return typeof value === 'string' || (isPlainObject(value) && Object.values(value).every(isStateValue));
}

/** The active states that have no active state inside. */
export function innermost(chart: Chart, place: Place): number[] {
  const parents = new Set(place.map((number) => chart.states[number]?.parent));
  return place.filter((number) => !parents.has(chart.states[number]?.id ?? null));
}

/** `closing.finWait`; of regions side by side `open: ready · idle · idle`. */
export function placeText(chart: Chart | undefined, place: Place): string {
  if (!chart || place.length === 0) return '\u2013';
  const leaves = innermost(chart, place).map((number) => chart.states[number]!.path);
  const [first] = leaves;
  if (leaves.length === 1) return first!;
  const outer = sharedStart(leaves);
  const inner = leaves.map(
    (path) =>
      path
        .split('.')
        .slice(outer.length + 1)
        .join('.') || path.split('.').at(-1)!,
  );
  return `${outer.length > 0 ? `${outer.join('.')}: ` : ''}${inner.join(' · ')}`;
}

/** Each innermost state with its whole path: what `placeText` has no room for. */
export function placeLines(chart: Chart | undefined, place: Place): string {
  return chart
    ? innermost(chart, place)
        .map((number) => chart.states[number]!.path)
        .join('\n')
    : '';
}

function sharedStart(paths: readonly string[]): string[] {
  const [first = [], ...others] = paths.map((path) => path.split('.'));
  const length = first.findIndex((key, at) => others.some((other) => other[at] !== key));
  return first.slice(0, length < 0 ? first.length - 1 : length);
}

export function samePlace(a: Place, b: Place): boolean {
  return a.length === b.length && a.every((number, index) => number === b[index]);
}

/** The state with this path. @returns its number, or `undefined` */
export function stateAt(chart: Chart, path: string): number | undefined {
  const number = chart.states.findIndex((state, at) => at > 0 && state.path === path);
  return number < 0 ? undefined : number;
}

/**
 * The states of a recording that was made before recordings had drawings: its header describes each state by its path. There are no
 * arrows in it.
 */
export function chartOfDescription(id: string, states: PlainStates): Chart {
  const idOf = (path: string) => (path === '' ? id : `${id}.${path}`);
  const all = Object.entries(states).map(([path, description]): ChartState => {
    const keys = path.split('.');
    return {
      id: idOf(path),
      key: path === '' ? id : keys.at(-1)!,
      path,
      type: typeOf(description['type']),
      parent: path === '' ? null : idOf(keys.slice(0, -1).join('.')),
      initial: null,
      history: null,
      historyTargets: [],
      tags: [],
      entry: [],
      exit: [],
      invokes: [],
      description: null,
    };
  });
  const root = all.find(({ path }) => path === '');
  // Parents stand before their children there; a path whose parent is missing is no state of the chart.
  const known = new Set<string | null>([null]);
  const ordered = [...(root ? [root] : []), ...all.filter((state) => state !== root)].filter(
    ({ id: own, parent }) => known.has(parent) && known.add(own),
  );
  return { version: 1, id, states: ordered, transitions: [] };
}

export type PlainStates = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

const TYPES = ['atomic', 'compound', 'parallel', 'final', 'history'] as const;

function typeOf(type: unknown): ChartState['type'] {
  return TYPES.find((one) => one === type) ?? 'atomic';
}
