/** What stands in a state's box, and how large the box has to be for it: name, tags, actors, and the transitions that do not leave it. */
import { stateLines, transitionLines, lineText, oneLine, type Line } from './labels.js';
import type { ChartState, ChartTransition } from './chart.js';
import { textWidth, type TextStyle } from './text-width.js';

export const NAME: TextStyle = { size: 13, bold: true };
export const LINE: TextStyle = { size: 11 };
export const TAG: TextStyle = { size: 10 };

/** From one baseline to the next, in px. */
export const LINE_HEIGHT = 15;
/** Of a tag's mark. */
export const TAG_HEIGHT = 15;
const TAG_PADDING = 6;
const TAG_GAP = 4;
const NAME_HEIGHT = 17;
const PADDING_X = 12;
const PADDING_Y = 8;
const WIDTH_MIN = 72;
/** Lines are wrapped beyond it, where they can be. */
const WIDTH_WRAP = 230;
const HISTORY_SIZE = 26;

/** Places are from the upper left corner of the box; `y` is a line's middle. */
export interface BoxItem {
  readonly kind: 'name' | 'tag' | 'line';
  readonly x: number;
  readonly y: number;
  /** That it may take. */
  readonly width: number;
  readonly line: Line;
}

export interface BoxContent {
  /** What the content needs, all around included. */
  readonly width: number;
  readonly height: number;
  readonly items: readonly BoxItem[];
}

export interface BoxOptions {
  /** States are below it, so that its name is above them, at the left. */
  readonly isOuter: boolean;
  /** The transitions without a target. */
  readonly inside: readonly ChartTransition[];
  readonly actions: boolean;
}

export function boxContent(state: ChartState, { isOuter, inside, actions }: BoxOptions): BoxContent {
  if (state.type === 'history') return historyContent(state);
  const rows = new Rows();
  const name = oneLine(state.key);
  rows.add('name', [{ kind: 'plain', text: name }], textWidth(name, NAME), NAME_HEIGHT);
  rows.addTags(state.tags.map(oneLine));
  const lines = transitionLines(inside, actions);
  rows.addLines([...stateLines(state, actions), ...(actions ? lines : wrapped(lines))]);
  return rows.content(isOuter);
}

function historyContent({ history }: ChartState): BoxContent {
  const text = history === 'deep' ? 'H*' : 'H';
  const width = textWidth(text, LINE);
  const line: Line = [{ kind: 'plain', text }];
  const item = { kind: 'line', x: (HISTORY_SIZE - width) / 2, y: HISTORY_SIZE / 2, width, line } as const;
  return { width: HISTORY_SIZE, height: HISTORY_SIZE, items: [item] };
}

class Rows {
  readonly #items: BoxItem[] = [];
  #width = 0;
  #height = PADDING_Y;

  add(kind: BoxItem['kind'], line: Line, width: number, height: number): void {
    this.#items.push({ kind, x: PADDING_X, y: this.#height + height / 2, width, line });
    this.#width = Math.max(this.#width, width);
    this.#height += height;
  }

  /** In rows of their own: beside a name of any length they would look like part of it. */
  addTags(tags: readonly string[]): void {
    if (tags.length === 0) return;
    this.#height += 2;
    let x = 0;
    for (const tag of tags) {
      const width = textWidth(tag, TAG) + 2 * TAG_PADDING;
      if (x > 0 && x + width > WIDTH_WRAP) {
        x = 0;
        this.#height += TAG_HEIGHT + TAG_GAP;
      }
      const line: Line = [{ kind: 'plain', text: tag }];
      this.#items.push({ kind: 'tag', x: PADDING_X + x, y: this.#height + TAG_HEIGHT / 2, width, line });
      x += width + TAG_GAP;
      this.#width = Math.max(this.#width, x - TAG_GAP);
    }
    this.#height += TAG_HEIGHT + 2;
  }

  addLines(lines: readonly Line[]): void {
    if (lines.length > 0) this.#height += 3;
    for (const line of lines) this.add('line', line, textWidth(lineText(line), LINE), LINE_HEIGHT);
  }

  content(isOuter: boolean): BoxContent {
    const width = Math.max(WIDTH_MIN, this.#width + 2 * PADDING_X);
    const [name, ...others] = this.#items;
    // A name alone is in the middle.
    const items = !isOuter && others.length === 0 && name ? [{ ...name, x: (width - name.width) / 2 }] : this.#items;
    return { width, height: this.#height + PADDING_Y, items };
  }
}

/** Several to a row, with a dot between them. */
function wrapped(lines: readonly Line[]): Line[] {
  const rows: Line[] = [];
  for (const line of lines) {
    const row = rows.at(-1);
    const joined: Line = row ? [...row, { kind: 'plain', text: '·' }, ...line] : line;
    if (row && textWidth(lineText(joined), LINE) <= WIDTH_WRAP) rows[rows.length - 1] = joined;
    else rows.push(line);
  }
  return rows;
}
