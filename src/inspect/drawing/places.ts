/** Where everything of a drawing is: what a layout finds, and what is drawn from it. */
import type { ChartState, ChartTransition } from './chart.js';
import type { Line } from './labels.js';
import type { BoxContent } from './state-box.js';

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** In px, from the upper left corner of the drawing. */
export interface Area extends Point {
  readonly width: number;
  readonly height: number;
}

export interface StateBox extends Area {
  readonly state: ChartState;
  /** States around it: 0 for the chart itself. */
  readonly depth: number;
  readonly isRegion: boolean;
  /** A region that has no border of its own: see `regions.ts`. */
  readonly isShared: boolean;
  readonly content: BoxContent;
  /** Where the content begins in the box. */
  readonly headX: number;
  readonly headY: number;
}

export interface Label extends Area {
  readonly lines: readonly Line[];
}

export interface Arrow {
  /** Id of a state. Of an arrow from a dot: of the state that begins there. */
  readonly source: string;
  readonly target: string;
  /** Begins at the dot of `source`. */
  readonly isInitial: boolean;
  readonly transitions: readonly ChartTransition[];
  /** Along the border of the source, the bends, the border of the target. */
  readonly points: readonly Point[];
  readonly label: Label | undefined;
}

export interface ChartLayout {
  readonly width: number;
  readonly height: number;
  /** Parents before their children. */
  readonly boxes: readonly StateBox[];
  /** Where compound states begin: a dot each. */
  readonly dots: readonly (Area & { readonly state: string })[];
  readonly arrows: readonly Arrow[];
}
