/** Lines of a drawing as SVG paths. */
import type { Area, Point } from '../../../src/inspect/drawing/places.js';
import type { ScreenArrow } from './screen-layout.js';

const BEND_RADIUS = 5;
const HEAD_LENGTH = 7;
const HEAD_WIDTH = 6.4;

/** With round corners; it ends a little before its tip, where the head begins. */
export function linePath(points: readonly Point[]): string {
  const [first] = points;
  if (!first) return '';
  let path = `M${at(first)}`;
  points.forEach((point, index) => {
    const [before, after] = [points[index - 1], points[index + 1]];
    if (!before) return;
    if (!after) {
      path += `L${at(towards(point, before, HEAD_LENGTH - 1))}`;
      return;
    }
    const radius = Math.min(BEND_RADIUS, distance(before, point) / 2, distance(point, after) / 2);
    path += `L${at(towards(point, before, radius))}Q${at(point)} ${at(towards(point, after, radius))}`;
  });
  return path;
}

export function headPath(points: readonly Point[], length = HEAD_LENGTH): string {
  const [before, tip] = points.slice(-2);
  if (!before || !tip) return '';
  const back = towards(tip, before, length);
  const half = (HEAD_WIDTH * length) / HEAD_LENGTH / 2;
  const whole = distance(before, tip) || 1;
  const [x, y] = [((tip.y - before.y) / whole) * half, ((before.x - tip.x) / whole) * half];
  return `M${at(tip)}L${at({ x: back.x + x, y: back.y + y })}L${at({ x: back.x - x, y: back.y - y })}Z`;
}

/** From one box to another, past what is between: for what has no arrow of its own. */
export function leapPoints(from: Area, to: Area): readonly [Point, Point, Point] {
  const [a, b] = [centre(from), centre(to)];
  const middle = { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
  const bow = Math.min(60, distance(a, b) / 4);
  const length = distance(a, b) || 1;
  const bend = { x: middle.x + ((b.y - a.y) / length) * bow, y: middle.y - ((b.x - a.x) / length) * bow };
  return [borderTowards(from, bend), bend, borderTowards(to, bend)];
}

export function leapPath([from, bend, to]: readonly [Point, Point, Point]): string {
  return `M${at(from)}Q${at(bend)} ${at(towards(to, bend, HEAD_LENGTH - 1))}`;
}

/** Where words about an arrow are put: at its longest part, beside it or above it. */
export interface Anchor extends Point {
  readonly place: 'on' | 'beside' | 'before' | 'above' | 'below';
}

/** Around a box, the best one first. */
export function anchorsAround({ x, y, width, height }: Area): Anchor[] {
  const middle = { x: x + width / 2, y: y + height / 2 };
  return [
    { ...middle, y, place: 'above' },
    { ...middle, x: x + width, place: 'beside' },
    { ...middle, x, place: 'before' },
    { ...middle, y: y + height, place: 'below' },
  ];
}

/** Of those the first where words of this size cover nothing; if there is none, the first. */
export function freeArea(
  anchors: readonly Anchor[],
  size: { readonly width: number; readonly height: number },
  { page, taken }: { page: { readonly width: number; readonly height: number }; taken: readonly Area[] },
): Area {
  const areas = anchors.map((anchor): Area => {
    const { x, y } = beginningAt(anchor, size);
    return {
      x: Math.max(2, Math.min(page.width - size.width - 2, x)),
      y: Math.max(2, Math.min(page.height - size.height - 2, y)),
      ...size,
    };
  });
  return areas.find((area) => !taken.some((other) => areOver(area, other))) ?? areas[0]!;
}

function beginningAt({ x, y, place }: Anchor, { width, height }: { width: number; height: number }): Point {
  if (place === 'beside') return { x: x + 6, y: y - height / 2 };
  if (place === 'before') return { x: x - width - 6, y: y - height / 2 };
  if (place === 'above') return { x: x - width / 2, y: y - height - 5 };
  if (place === 'below') return { x: x - width / 2, y: y + 5 };
  return { x: x - width / 2, y: y - height / 2 };
}

/** A border that is touched is not covered. */
function areOver(a: Area, b: Area): boolean {
  const least = 2;
  return (
    Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x) > least &&
    Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y) > least
  );
}

/** Of `gather` the mark is part of it. */
export function anchorOf({ mark, label, points }: ScreenArrow): Anchor {
  if (mark || label) return { ...centre((mark ?? label)!), place: 'on' };
  let best = { length: -1, anchor: { x: 0, y: 0, place: 'on' } as Anchor };
  points.forEach((point, index) => {
    const before = points[index - 1];
    if (!before) return;
    const length = distance(before, point);
    const place = Math.abs(before.x - point.x) < Math.abs(before.y - point.y) ? 'beside' : 'above';
    const middle = { x: (before.x + point.x) / 2, y: (before.y + point.y) / 2 };
    if (length > best.length) best = { length, anchor: { ...middle, place } };
  });
  return best.anchor;
}

export function centre({ x, y, width, height }: Area): Point {
  return { x: x + width / 2, y: y + height / 2 };
}

function borderTowards(area: Area, point: Point): Point {
  const { x, y } = centre(area);
  const [dx, dy] = [point.x - x, point.y - y];
  const share = Math.min(
    dx === 0 ? Infinity : area.width / 2 / Math.abs(dx),
    dy === 0 ? Infinity : area.height / 2 / Math.abs(dy),
    1,
  );
  return { x: x + dx * share, y: y + dy * share };
}

function towards(from: Point, to: Point, length: number): Point {
  const share = Math.min(1, length / (distance(from, to) || 1));
  return { x: from.x + (to.x - from.x) * share, y: from.y + (to.y - from.y) * share };
}

function distance(a: Point, b: Point): number {
  return Math.hypot(a.x - b.x, a.y - b.y);
}

function at({ x, y }: Point): string {
  return `${Math.round(x * 100) / 100} ${Math.round(y * 100) / 100}`;
}
