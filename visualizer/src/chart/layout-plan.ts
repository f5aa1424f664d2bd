/** What has to be placed on a screen, and how large each of it is. */
import type { Chart, ChartState } from '../../../src/inspect/drawing/chart.js';
import { oneLine } from '../../../src/inspect/drawing/labels.js';
import { textWidth, type TextStyle } from '../../../src/inspect/drawing/text-width.js';
import { planArrows, Tree, type PlannedArrow } from './arrows.js';

export interface LayoutChoice {
  readonly labels: 'none' | 'events';
  /** Room for a number and a bar in every state. */
  readonly counts: boolean;
  /** Numbers of compound states whose inside is not shown; `auto`: as few as let the rest be read. */
  readonly folded: readonly number[] | 'auto';
  /** What it has to fit, in px. */
  readonly panel: Size;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface LabelLine {
  readonly text: string;
  /** Event type; empty for what is no event. */
  readonly event: string;
  readonly isTimeout: boolean;
}

export const NAME: TextStyle = { size: 13, bold: true };
export const COUNT: TextStyle = { size: 12, bold: true };
export const SMALL: TextStyle = { size: 10.5 };
export const PADDING_X = 11;
/** Five digits, and the blank between the thousands; beyond that it is `123k`. */
export const COUNT_WIDTH = textWidth('00 000', COUNT);
export const NAME_Y = 16;
export const BAR_Y = 31;
export const SMALL_LINE = 14;
const GAP = 10;
/** Of the mark that folds what is inside. */
export const FOLD_WIDTH = 18;
const HISTORY_SIZE = 26;
const MARK_HEIGHT = 20;
/** From the left border of the state to the dot above it. */
export const DOT_X = 14;
const LINES_MAX = 4;

/** What has to be placed. */
export interface Plan {
  readonly tree: Tree;
  readonly choice: LayoutChoice;
  readonly folded: readonly number[];
  /** See `planArrows`. */
  readonly visible: readonly number[];
  readonly arrows: readonly PlannedArrow[];
  /** For each arrow. */
  readonly lines: readonly (readonly LabelLine[])[];
}

export function planOf(
  chart: Chart,
  choice: LayoutChoice,
  { folded, isTerse }: { folded: readonly number[]; isTerse: boolean },
): Plan {
  const tree = new Tree(chart);
  const visible = visibleStates(tree, folded);
  const all = planArrows(tree, visible, isTerse);
  // Without words a loop says nothing: when it is taken, its state lights up.
  const arrows =
    choice.labels === 'none' ? all.filter(({ kind, source, target }) => kind !== 'plain' || source !== target) : all;
  const lines = arrows.map((arrow) => (choice.labels === 'events' ? labelLines(arrow) : []));
  return { tree, choice, folded, visible, arrows, lines };
}

/** How large it can be shown in a panel, 1 being its own size. */
export function scaleIn(panel: Size, { width, height }: Size): number {
  return Math.min(panel.width / width, panel.height / height);
}

/** For each state the number of the one that is seen in its place. */
export function visibleStates({ parents }: Tree, folded: readonly number[]): number[] {
  const visible: number[] = [];
  parents.forEach((parent, number) => {
    const outer = parent < 0 ? number : visible[parent]!;
    visible.push(parent >= 0 && (outer !== parent || folded.includes(parent)) ? outer : number);
  });
  return visible;
}

interface HeadSize {
  readonly width: number;
  readonly height: number;
  /** From the left border to the end of the name. */
  readonly nameWidth: number;
  /** From the beginning of the number to the right border. */
  readonly countWidth: number;
}

/** Of the words, numbers and bar of a state. */
export function headSize({ tree, visible, choice }: Plan, number: number): HeadSize {
  const { chart, children } = tree;
  const { counts } = choice;
  const { key, type, path } = chart.states[number]!;
  if (type === 'history') return { width: HISTORY_SIZE, height: HISTORY_SIZE, nameWidth: 0, countWidth: 0 };
  const fold = children[number]!.length > 0 ? FOLD_WIDTH : 0;
  const nameWidth = textWidth(oneLine(key), NAME) + fold + PADDING_X;
  const countWidth = counts ? GAP + COUNT_WIDTH + PADDING_X : PADDING_X;
  // The chart itself has no border: what it is called stands above it.
  const isOuter = children[number]!.some((child) => visible[child] === child);
  if (number === 0 && isOuter) return { width: nameWidth + countWidth, height: 28, nameWidth, countWidth };
  // Which state in it is active is written below the name of one that is folded.
  const inside = chart.states.flatMap((state, other) =>
    fold > 0 && !isOuter && tree.isInside(other, number) ? [textWidth(innerPath(state, path), SMALL)] : [],
  );
  const width = Math.max(64, nameWidth + countWidth, Math.max(0, ...inside) + 2 * PADDING_X);
  return { width, height: counts || inside.length > 0 ? 42 : 30, nameWidth, countWidth };
}

/** Of a state within another. */
export function innerPath(inner: ChartState, outerPath: string): string {
  return oneLine(outerPath === '' ? inner.path : inner.path.slice(outerPath.length + 1));
}

export function markSize({ mark }: PlannedArrow, lines: readonly LabelLine[]): { width: number; height: number } {
  const width = Math.max(textWidth(mark, SMALL), ...lines.map(({ text }) => textWidth(text, SMALL)));
  return { width: width + 18, height: MARK_HEIGHT + lines.length * SMALL_LINE };
}

export function linesSize(lines: readonly LabelLine[]): { width: number; height: number } {
  return {
    width: Math.max(...lines.map(({ text }) => textWidth(text, SMALL))) + 8,
    height: lines.length * SMALL_LINE + 4,
  };
}

/** Events alone; guards are told when somebody points at the arrow. */
function labelLines({ transitions }: PlannedArrow): LabelLine[] {
  const lines = new Map<string, LabelLine>();
  for (const { label, event, kind } of transitions) {
    const text = oneLine(label);
    lines.set(text, { text, event: kind === 'event' ? event : '', isTimeout: kind === 'after' });
  }
  const all = [...lines.values()];
  if (all.length <= LINES_MAX) return all;
  const more = { text: `${all.length - LINES_MAX + 1} more`, event: '', isTimeout: false };
  return [...all.slice(0, LINES_MAX - 1), more];
}

export function round(value: number): number {
  return Math.round(value * 10) / 10;
}
