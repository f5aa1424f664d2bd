/**
 * Places for a chart on a screen, found by ELK: everything at a size that can be read in a panel, unlike the drawings of
 * `wirechart graph`, which tell every word of a chart and are as large as they need to be.
 *
 * - Arrows are those of `arrows.ts`; words at them are optional, and few.
 * - Charts are laid out to the right and downwards, and the one that can be shown larger is taken.
 * - What comes out is JSON, so that a page can keep it: the same chart and choice always give the same places.
 */
import type { Chart } from '../../../src/inspect/drawing/chart.js';
import type { Area, Point } from '../../../src/inspect/drawing/places.js';
import { Tree, type PlannedArrow } from './arrows.js';
import { Composition, DOT_HEIGHT, joined, PAGE, type Block, type LayoutEngine } from './composition.js';
import {
  DOT_X,
  headSize,
  planOf,
  round,
  scaleIn,
  type LabelLine,
  type LayoutChoice,
  type Plan,
} from './layout-plan.js';

export interface ScreenBox extends Area {
  readonly number: number;
  readonly isOuter: boolean;
  readonly isFolded: boolean;
  readonly isRegion: boolean;
  /** Of the head: the words of an outer state are above what is in it. */
  readonly headHeight: number;
}

export interface ScreenArrow {
  readonly kind: PlannedArrow['kind'];
  readonly source: number;
  readonly target: number;
  /** Ids. */
  readonly transitions: readonly string[];
  /** Timeouts alone lead along it. */
  readonly isTimed: boolean;
  readonly points: readonly Point[];
  readonly label: (Area & { readonly lines: readonly LabelLine[] }) | null;
  /** Of `gather`. */
  readonly mark: (Area & { readonly text: string; readonly lines: readonly LabelLine[] }) | null;
}

export interface ScreenLayout {
  readonly width: number;
  readonly height: number;
  readonly folded: readonly number[];
  readonly boxes: readonly ScreenBox[];
  readonly arrows: readonly ScreenArrow[];
}

/** Smaller than that, and arrows that say little are left out; */
const SCALE_GOOD = 0.75;
/** smaller than that, and what is deeper inside is folded; */
const SCALE_OF_DEEP = 0.7;
/** smaller than that, and names, of 13 px, could not be read: outer states are folded, the one with the most inside first. */
const SCALE_OF_NAMES = 0.66;

/** No more is to be had by leaving out arrows that say little. */
const GAIN_OF_TERSE_MAX = 1.5;

/** Smaller than that, and words at arrows cannot be read: they are left out where the states gain by it. */
const SCALE_OF_WORDS = 0.8;
const GAIN_WITHOUT_WORDS = 1.25;

/** @throws {Error} where ELK finds no places, which is no reason to show nothing: the states can be listed */
export async function layOutForScreen(engine: LayoutEngine, chart: Chart, choice: LayoutChoice): Promise<ScreenLayout> {
  if (choice.folded !== 'auto') return layOut(engine, chart, choice, { folded: choice.folded, enough: 0 });
  if (choice.labels === 'none') return layOutFolded(engine, chart, choice);
  const all = await layOut(engine, chart, choice, { folded: [], enough: 0 });
  const scale = scaleIn(choice.panel, all);
  if (scale >= SCALE_OF_WORDS) return all;
  const wordless = await layOutFolded(engine, chart, { ...choice, labels: 'none' });
  return scaleIn(choice.panel, wordless) > scale * GAIN_WITHOUT_WORDS ? wordless : layOutFolded(engine, chart, choice);
}

async function layOutFolded(engine: LayoutEngine, chart: Chart, choice: LayoutChoice): Promise<ScreenLayout> {
  const tree = new Tree(chart);
  const compound = chart.states.flatMap((_, number) =>
    number > 0 && tree.children[number]!.length > 0 ? [number] : [],
  );
  const deep = compound.filter((number) => tree.depths[number]! >= 2);
  const insideOf = (number: number) => chart.states.filter((_, other) => tree.isInside(other, number)).length;
  const outer = compound.filter((number) => !deep.includes(number)).sort((a, b) => insideOf(b) - insideOf(a));
  // One after the other, until one is large enough: each with the scale at which the next one is not looked at.
  const ways = outer.map((_, count) => ({ folded: [...deep, ...outer.slice(0, count)], enough: SCALE_OF_NAMES }));
  if (deep.length > 0) ways.unshift({ folded: [], enough: SCALE_OF_DEEP });
  for (const { folded, enough } of ways) {
    const layout = await layOut(engine, chart, choice, { folded, enough });
    if (scaleIn(choice.panel, layout) >= enough) return layout;
  }
  return layOut(engine, chart, choice, { folded: compound, enough: 0 });
}

/** @param enough a layout that comes to less than this scale is not wanted */
async function layOut(
  engine: LayoutEngine,
  chart: Chart,
  choice: LayoutChoice,
  { folded, enough }: { folded: readonly number[]; enough: number },
): Promise<ScreenLayout> {
  const full = await compose(engine, planOf(chart, choice, { folded, isTerse: false }));
  const scale = scaleIn(choice.panel, full);
  // With words it is read part by part anyway.
  if (choice.labels === 'events' || scale >= SCALE_GOOD || scale * GAIN_OF_TERSE_MAX < enough) return full;
  const terse = await compose(engine, planOf(chart, choice, { folded, isTerse: true }));
  return scaleIn(choice.panel, terse) > scale * 1.05 ? terse : full;
}

async function compose(engine: LayoutEngine, plan: Plan): Promise<ScreenLayout> {
  const composition = new Composition(engine, plan);
  const [best] = await composition.blocksOf(PAGE, 'RIGHT');
  return screenLayout(plan, best!, (index) => joined(best!, composition.pathNames(index)));
}

function screenLayout(plan: Plan, block: Block, pathOf: (index: number) => Point[]): ScreenLayout {
  const { tree, folded, visible, arrows, lines } = plan;
  const { states } = tree.chart;
  const areas = new Map(block.areas);
  const boxes = states.flatMap((state, number): ScreenBox[] => {
    if (visible[number] !== number) return [];
    const isOuter = tree.children[number]!.some((child) => visible[child] === child);
    const isFolded = !isOuter && tree.children[number]!.length > 0;
    const isRegion = states[tree.parents[number]!]?.type === 'parallel' && state.type !== 'history';
    const headHeight = headSize(plan, number).height;
    return [{ number, isOuter, isFolded, isRegion, headHeight, ...rounded(areas.get(`state ${number}`)!) }];
  });
  return {
    width: Math.ceil(block.width),
    height: Math.ceil(block.height),
    folded,
    boxes,
    arrows: arrows.map(({ kind, source, target, transitions, mark: text }, index): ScreenArrow => {
      const label = areas.get(`label ${index}`);
      const mark = areas.get(`mark ${index}`);
      return {
        kind,
        source,
        target,
        transitions: transitions.map(({ id }) => id),
        isTimed: transitions.length > 0 && transitions.every((one) => one.kind === 'after'),
        points: kind === 'initial' ? beginning(areas.get(`state ${target}`)!) : pathOf(index),
        label: label ? { ...rounded(label), lines: lines[index]! } : null,
        mark: mark ? { ...rounded(mark), text, lines: lines[index]! } : null,
      };
    }),
  };
}

function beginning({ x, y }: Area): Point[] {
  return [
    { x: round(x + DOT_X), y: round(y - DOT_HEIGHT + 4) },
    { x: round(x + DOT_X), y: round(y) },
  ];
}

function rounded({ x, y, width, height }: Area): Area {
  return { x: round(x), y: round(y), width: round(width), height: round(height) };
}
