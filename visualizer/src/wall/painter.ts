/** Draws cells. 20 000 at once take a few milliseconds; what changes is drawn alone. */
import { EMPTY, type Cells } from './cells.js';
import type { CellStyle, Filling } from './cell-styles.js';

/** Few steps: with each of them every cell has another place. */
const SIZES = [34, 26, 20, 16, 13, 10, 8, 7, 6, 5, 4, 3] as const;
/** Below, there is no room for a line between cells. */
const SIZE_WITH_GAP = 5;
/** Cells get larger only when this much more would still fit: they do not change their size back and forth. */
const SLACK = 1.3;
const DIMMED = 0.16;

export interface Palette {
  /** By a state's number. */
  readonly styles: ReadonlyMap<number, CellStyle>;
  /** By token. */
  readonly colours: ReadonlyMap<string, string>;
  /** Of a cell whose session is gone. */
  readonly empty: string;
}

export class Painter {
  /** Of a cell, in CSS pixels, the line between cells included. */
  size: number = SIZES[0];
  columns = 1;
  rows = 0;
  readonly #canvas: HTMLCanvasElement;
  readonly #context: CanvasRenderingContext2D;
  #width = 0;
  #height = 0;
  #ratio = 1;
  #palette: Palette | undefined;
  #lit: number | undefined;

  constructor(canvas: HTMLCanvasElement) {
    this.#canvas = canvas;
    this.#context = canvas.getContext('2d')!;
  }

  /** @returns whether all has to be drawn anew */
  resize(width: number, height: number, length: number): boolean {
    const size = this.#sizeFor(width, height, length);
    const columns = Math.max(1, Math.floor(width / size));
    // Whole screens of rows, so that the canvas is not made anew with each session.
    const rows = Math.max(Math.floor(height / size), Math.ceil(length / columns));
    const ratio = devicePixelRatio;
    const isSame =
      size === this.size &&
      columns === this.columns &&
      rows === this.rows &&
      ratio === this.#ratio &&
      width === this.#width &&
      height === this.#height;
    if (isSame) return false;
    Object.assign(this, { size, columns, rows });
    [this.#width, this.#height, this.#ratio] = [width, height, ratio];
    const [fullWidth, fullHeight] = [columns * size, rows * size];
    this.#canvas.width = Math.round(fullWidth * ratio);
    this.#canvas.height = Math.round(fullHeight * ratio);
    this.#canvas.style.width = `${fullWidth}px`;
    this.#canvas.style.height = `${fullHeight}px`;
    return true;
  }

  setPalette(palette: Palette): void {
    this.#palette = palette;
  }

  /** Cells of other states are dimmed. */
  light(state: number | undefined): void {
    this.#lit = state;
  }

  drawAll(cells: Cells): void {
    this.#begin();
    this.#context.clearRect(0, 0, this.columns * this.size, this.rows * this.size);
    for (let cell = 0; cell < cells.length; cell += 1) this.#cell(cell, cells.states[cell]!);
  }

  draw(cells: Cells, changed: readonly number[]): void {
    this.#begin();
    for (const cell of changed) {
      this.#context.clearRect(this.left(cell), this.top(cell), this.size, this.size);
      this.#cell(cell, cells.states[cell]!);
    }
  }

  left(cell: number): number {
    return (cell % this.columns) * this.size;
  }

  top(cell: number): number {
    return Math.floor(cell / this.columns) * this.size;
  }

  /** -1: there is none. @param x in CSS pixels from the canvas's left */
  cellAt(x: number, y: number, cells: Cells): number {
    const column = Math.floor(x / this.size);
    const cell = Math.floor(y / this.size) * this.columns + column;
    return column >= 0 && column < this.columns && cell >= 0 && cell < cells.length ? cell : -1;
  }

  #sizeFor(width: number, height: number, length: number): number {
    const holds = (size: number) => Math.floor(width / size) * Math.floor(height / size);
    return SIZES.find((size) => holds(size) >= (size > this.size ? length * SLACK : length)) ?? SIZES.at(-1)!;
  }

  #begin(): void {
    this.#context.setTransform(this.#ratio, 0, 0, this.#ratio, 0, 0);
  }

  #cell(cell: number, state: number): void {
    const palette = this.#palette;
    if (!palette) return;
    const context = this.#context;
    const side = this.size >= SIZE_WITH_GAP ? this.size - 1 : this.size;
    const [x, y] = [this.left(cell), this.top(cell)];
    if (state === EMPTY) {
      context.globalAlpha = 1;
      context.fillStyle = palette.empty;
      const dot = Math.max(1, Math.floor(side / 4));
      const inset = Math.floor((side - dot) / 2);
      context.fillRect(x + inset, y + inset, dot, dot);
      return;
    }
    const style = palette.styles.get(state);
    context.fillStyle = (style && palette.colours.get(style.colour)) ?? palette.empty;
    context.globalAlpha = this.#lit === undefined || this.#lit === state ? 1 : DIMMED;
    fill(context, style?.filling ?? 'full', x, y, side);
    context.globalAlpha = 1;
  }
}

/** Fills one cell; legends draw theirs with it too. */
export function fill(context: CanvasRenderingContext2D, filling: Filling, x: number, y: number, side: number): void {
  const alpha = context.globalAlpha;
  if (filling === 'full') {
    // Thousands of full cells side by side would glare.
    context.globalAlpha = alpha * 0.82;
    context.fillRect(x, y, side, side);
    context.globalAlpha = alpha;
    return;
  }
  // A tint below, so that a cell is one thing and not its pieces.
  context.globalAlpha = alpha * 0.3;
  context.fillRect(x, y, side, side);
  context.globalAlpha = alpha;
  const line = Math.max(1, Math.round(side / 6));
  if (filling === 'frame') {
    context.fillRect(x, y, side, line);
    context.fillRect(x, y + side - line, side, line);
    context.fillRect(x, y + line, line, side - 2 * line);
    context.fillRect(x + side - line, y + line, line, side - 2 * line);
  } else if (filling === 'half') {
    const half = Math.ceil(side / 2);
    context.fillRect(x, y + side - half, side, half);
  } else if (filling === 'bar') {
    context.fillRect(x, y, Math.ceil(side / 3), side);
  } else {
    const dot = Math.max(1, Math.round(side / 2));
    const inset = Math.floor((side - dot) / 2);
    context.fillRect(x + inset, y + inset, dot, dot);
  }
}
