/**
 * A laid-out chart as one SVG file that needs nothing: its styles are inside, light and dark by `prefers-color-scheme`, its
 * arrow heads are paths of their own (a marker's id could meet another's in a page with several drawings), its fonts the reader's.
 */
import type { Chart } from './chart.js';
import { lineText, oneLine, type Line } from './labels.js';
import { LABEL_PADDING_X, LABEL_PADDING_Y } from './layout.js';
import type { Arrow, ChartLayout, Point, StateBox } from './places.js';
import { LINE_HEIGHT, TAG_HEIGHT, type BoxItem } from './state-box.js';
import { FONT_FAMILY } from './text-width.js';

/** Of a bend, in px. */
const BEND_RADIUS = 6;
const HEAD_LENGTH = 8;
const HEAD_WIDTH = 7;
const RADIUS = 9;
/** Between the two lines of a final state. */
const RING = 3;

export function writeSvg(chart: Chart, layout: ChartLayout): string {
  const { width, height, boxes, dots, arrows } = layout;
  const id = `chart-${chart.id.replace(/[^A-Za-z0-9-]+/g, '-')}`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" class="wirechart" width="${number(width)}" height="${number(height)}" viewBox="0 0 ${number(width)} ${number(height)}" role="img" aria-labelledby="${id}-title ${id}-description">`,
    `<title id="${id}-title">${escaped(`Statechart ${chart.id}`)}</title>`,
    `<desc id="${id}-description">${escaped(description(chart))}</desc>`,
    `<style>${STYLE}</style>`,
    `<rect class="page" width="${number(width)}" height="${number(height)}" rx="12"/>`,
    ...boxes.map(box),
    ...dots.map(
      ({ state, ...dot }) =>
        `<circle class="dot" data-initial-of="${escaped(state)}" cx="${number(dot.x + dot.width / 2)}" cy="${number(dot.y + dot.height / 2)}" r="${number(dot.width / 2)}"/>`,
    ),
    ...arrows.map(arrow),
    // Above all arrows, so that none is drawn over another's words.
    ...arrows.flatMap(label),
    '</svg>',
    '',
  ].join('\n');
}

/** For those who hear it: what there is, in a few sentences. */
function description({ states, transitions }: Chart): string {
  const [root, ...others] = states;
  const named = others
    .filter(({ type }) => type !== 'history')
    .map(({ path, type }) => (type === 'final' ? `${path} (final)` : path));
  const begins = root?.initial?.targets.map((id) => states.find((state) => state.id === id)?.path).join(', ');
  const count = (n: number, what: string) => `${n} ${what}${n === 1 ? '' : 's'}`;
  return oneLine(
    `${count(named.length, 'state')} and ${count(transitions.length, 'transition')}.${begins ? ` It begins in ${begins}.` : ''} States: ${named.join(', ')}.`,
  );
}

function box(one: StateBox): string {
  const { state, depth, isRegion, isShared, content, headX, headY, x, y, width, height } = one;
  const kinds = [state.type, isShared ? 'shared' : isRegion ? 'region' : '', `depth-${depth % 2}`].filter(
    (kind) => kind !== '',
  );
  const parts = [`<g class="state ${kinds.join(' ')}" data-state="${escaped(state.id)}">`];
  if (state.description !== null) parts.push(`<title>${escaped(oneLine(state.description))}</title>`);
  const radius = state.type === 'history' ? width / 2 : RADIUS;
  parts.push(rect('box', { x, y, width, height, radius }));
  if (state.type === 'final')
    parts.push(
      rect('ring', {
        x: x + RING,
        y: y + RING,
        width: width - 2 * RING,
        height: height - 2 * RING,
        radius: RADIUS - RING,
      }),
    );
  if (isShared) parts.push(`<path class="divider" d="M${point({ x, y })}H${number(x + width)}"/>`);
  parts.push(...content.items.map((item) => boxItem(item, { x: x + headX, y: y + headY })));
  return [...parts, '</g>'].join('\n');
}

function boxItem({ kind, x, y, width, line }: BoxItem, origin: Point): string {
  const [left, middle] = [origin.x + x, origin.y + y];
  if (kind !== 'tag') return text(kind, { x: left, y: middle, width, line });
  const mark = rect('mark', { x: left, y: middle - TAG_HEIGHT / 2, width, height: TAG_HEIGHT, radius: TAG_HEIGHT / 2 });
  return `${mark}\n${text('tag', { x: left + width / 2, y: middle, width, line })}`;
}

function arrow({ source, target, isInitial, points, transitions }: Arrow): string {
  const from = points.at(-2)!;
  const tip = points.at(-1)!;
  const kinds = [
    isInitial ? 'initial' : '',
    transitions.length > 0 && transitions.every(({ kind }) => kind === 'after') ? 'timed' : '',
  ];
  return [
    `<g class="${['arrow', ...kinds].filter((kind) => kind !== '').join(' ')}" data-source="${escaped(source)}" data-target="${escaped(target)}">`,
    `<path class="line" d="${lineData(points)}"/>`,
    `<path class="head" d="${headData(from, tip)}"/>`,
    '</g>',
  ].join('\n');
}

function label({ source, target, label: words }: Arrow): string[] {
  if (!words) return [];
  const { x, y, width, height, lines } = words;
  return [
    `<g class="label" data-source="${escaped(source)}" data-target="${escaped(target)}">`,
    rect('paper', { x, y, width, height, radius: 5 }),
    ...lines.map((line, index) =>
      text('line', {
        x: x + LABEL_PADDING_X,
        y: y + LABEL_PADDING_Y + (index + 0.5) * LINE_HEIGHT,
        width: width - 2 * LABEL_PADDING_X,
        line,
      }),
    ),
    '</g>',
  ];
}

/** Straight from bend to bend, with round corners; it ends inside of the head, whose tip is at the border. */
function lineData(points: readonly Point[]): string {
  const tip = points.at(-1)!;
  const corners = [...points.slice(0, -1), towards(tip, points.at(-2)!, HEAD_LENGTH - 2)];
  const parts = [`M${point(corners[0]!)}`];
  for (let index = 1; index < corners.length - 1; index += 1) {
    const [before, corner, after] = [corners[index - 1]!, corners[index]!, corners[index + 1]!];
    const radius = Math.min(BEND_RADIUS, distance(before, corner) / 2, distance(corner, after) / 2);
    parts.push(
      `L${point(towards(corner, before, radius))}`,
      `Q${point(corner)} ${point(towards(corner, after, radius))}`,
    );
  }
  return [...parts, `L${point(corners.at(-1)!)}`].join('');
}

function headData(from: Point, tip: Point): string {
  const base = towards(tip, from, HEAD_LENGTH);
  const [dx, dy] = [(tip.x - base.x) / HEAD_LENGTH, (tip.y - base.y) / HEAD_LENGTH];
  const side = (sign: number) => ({
    x: base.x - (dy * sign * HEAD_WIDTH) / 2,
    y: base.y + (dx * sign * HEAD_WIDTH) / 2,
  });
  return `M${point(tip)}L${point(side(1))}L${point(side(-1))}Z`;
}

function towards(from: Point, to: Point, length: number): Point {
  const all = distance(from, to);
  const share = all === 0 ? 0 : length / all;
  return { x: from.x + (to.x - from.x) * share, y: from.y + (to.y - from.y) * share };
}

function distance(a: Point, b: Point): number {
  return Math.hypot(b.x - a.x, b.y - a.y);
}

interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly radius: number;
}

function rect(kind: string, { x, y, width, height, radius }: Rectangle): string {
  return `<rect class="${kind}" x="${number(x)}" y="${number(y)}" width="${number(width)}" height="${number(height)}" rx="${number(radius)}"/>`;
}

interface TextPlace {
  readonly x: number;
  /** Its middle. */
  readonly y: number;
  /** That it may take; kept for those who check a drawing without a browser. */
  readonly width: number;
  readonly line: Line;
}

function text(kind: string, { x, y, width, line }: TextPlace): string {
  const runs =
    line.length === 1 && line[0]!.kind === 'plain'
      ? escaped(lineText(line))
      : line.map((run) => `<tspan class="${run.kind}">${escaped(run.text)}</tspan>`).join(' ');
  return `<text class="${kind}" x="${number(x)}" y="${number(y + BASELINE[kind]!)}" data-width="${number(width)}">${runs}</text>`;
}

/** From the middle of a line down to its baseline: a third of the font size, since `dominant-baseline` is not understood everywhere. */
const BASELINE: Readonly<Record<string, number>> = { name: 4.5, line: 4, tag: 3.5 };

function point({ x, y }: Point): string {
  return `${number(x)} ${number(y)}`;
}

/** At most two decimals, the same on every machine. */
function number(value: number): string {
  return String(Math.round(value * 100) / 100);
}

function escaped(value: string): string {
  return value
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\ufffd')
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/"/g, '&quot;');
}

const LIGHT = {
  page: '#ffffff', even: '#f7f9fc', odd: '#eef2f8', leaf: '#ffffff', border: '#b6c2d4', strong: '#64748b', name: '#0f172a', line: '#7588a3',
  event: '#1e293b', timeout: '#9a4a06', guard: '#0b6b74', action: '#6d3fb0', plain: '#64748b', mark: '#e2e8f0', markText: '#475569', paper: '#ffffff', paperBorder: '#d9e1ec',
  final: '#334155',
}; // prettier-ignore
const DARK: typeof LIGHT = {
  page: '#0d131f', even: '#131b2a', odd: '#192335', leaf: '#222e43', border: '#41506a', strong: '#8fa1bd', name: '#f1f5f9', line: '#7f92b0',
  event: '#e2e8f0', timeout: '#f5b463', guard: '#5fd3de', action: '#c4a5f5', plain: '#9fb0c8', mark: '#33425c', markText: '#c5d2e4', paper: '#0f1726', paperBorder: '#2b384f',
  final: '#cbd5e1',
}; // prettier-ignore

const STYLE = `
.wirechart{font-family:${FONT_FAMILY}}
.wirechart .name{font-size:13px;font-weight:600}
.wirechart .line,.wirechart .plain{font-size:11px}
.wirechart .tag{font-size:10px;text-anchor:middle}
.wirechart path.line{fill:none;stroke-width:1.4}
.wirechart .box,.wirechart .ring{stroke-width:1.2}
.wirechart .ring{fill:none}
.wirechart .region>.box,.wirechart .divider{stroke-dasharray:5 4}
.wirechart .divider{stroke-width:1.2}
${colours(LIGHT)}
@media (prefers-color-scheme:dark){
${colours(DARK)}
}
`;

function colours(c: typeof LIGHT): string {
  const rules: Readonly<Record<string, string>> = {
    '.page': `fill:${c.page}`,
    '.divider': `stroke:${c.border}`,
    '.box': `fill:${c.leaf};stroke:${c.strong}`,
    '.compound>.box,.parallel>.box': `stroke:${c.border}`,
    '.compound.depth-0>.box,.parallel.depth-0>.box': `fill:${c.even}`,
    '.compound.depth-1>.box,.parallel.depth-1>.box': `fill:${c.odd}`,
    '.state.shared>.box': 'fill:none;stroke:none',
    '.final>.box,.ring': `stroke:${c.final}`,
    '.name': `fill:${c.name}`,
    'text.line,.plain': `fill:${c.plain}`,
    '.event': `fill:${c.event}`,
    '.timeout': `fill:${c.timeout}`,
    '.guard': `fill:${c.guard}`,
    '.action': `fill:${c.action}`,
    '.mark': `fill:${c.mark}`,
    '.tag': `fill:${c.markText}`,
    '.paper': `fill:${c.paper};stroke:${c.paperBorder}`,
    '.dot': `fill:${c.final}`,
    'path.line': `stroke:${c.line}`,
    '.head': `fill:${c.line}`,
    '.timed path.line': `stroke:${c.timeout};stroke-dasharray:1 3;stroke-linecap:round`,
    '.timed .head': `fill:${c.timeout}`,
  };
  return Object.entries(rules)
    .map(
      ([selectors, rule]) =>
        `${selectors
          .split(',')
          .map((one) => `.wirechart ${one}`)
          .join(',')}{${rule}}`,
    )
    .join('\n');
}
