/**
 * Regions of a parallel state share its whole box, with a dashed line between them. ELK gives each a box of its own, so they are
 * widened here; where that cannot be (they are not one below the other, or an arrow ends at one's border), they keep their boxes, dashed.
 */
import type { Area, Arrow, Label, StateBox } from './places.js';

/** Above the first region. */
const GAP = 10;

/** @returns the boxes, in their order, with regions widened to the borders of their parents */
export function widenRegions(boxes: readonly StateBox[], arrows: readonly Arrow[]): StateBox[] {
  const widened = new Map<string, StateBox>();
  for (const parent of boxes) {
    if (parent.state.type !== 'parallel') continue;
    const regions = boxes.filter(({ state }) => state.parent === parent.state.id && state.type !== 'history');
    if (!canShare(regions, boxes, arrows)) continue;
    const sorted = [...regions].sort((a, b) => a.y - b.y);
    sorted.forEach((region, index) => {
      const above = sorted[index - 1];
      const below = sorted[index + 1];
      const top = above ? (above.y + above.height + region.y) / 2 : region.y - GAP;
      const bottom = below ? (region.y + region.height + below.y) / 2 : parent.y + parent.height;
      const area = { x: parent.x, y: top, width: parent.width, height: bottom - top };
      const headY = region.y + region.headY - top;
      const head = { x: parent.x, y: top + headY, width: region.content.width, height: region.content.height };
      const headX = isFree(head, region, arrows) ? 0 : region.x - parent.x;
      widened.set(region.state.id, { ...region, ...area, headX, headY, isShared: true });
    });
  }
  return boxes.map((box) => widened.get(box.state.id) ?? box);
}

function canShare(regions: readonly StateBox[], boxes: readonly StateBox[], arrows: readonly Arrow[]): boolean {
  const ids = new Set(regions.map(({ state }) => state.id));
  if (
    regions.length < 2 ||
    boxes.some(({ state }) => state.type === 'history' && state.parent === regions[0]!.state.parent)
  )
    return false;
  if (arrows.some(({ source, target, isInitial }) => (ids.has(source) && !isInitial) || ids.has(target))) return false;
  const sorted = [...regions].sort((a, b) => a.y - b.y);
  return sorted.every((region, index) => index === 0 || sorted[index - 1]!.y + sorted[index - 1]!.height <= region.y);
}

/** Between the parent's border and the region's own, where the head of the region goes. */
function isFree(head: Area, region: Area, arrows: readonly Arrow[]): boolean {
  const place = { ...head, width: Math.max(head.width, region.x - head.x) };
  return !arrows.some(
    ({ points, label }) =>
      (label && meets(place, label)) ||
      points.some((to, index) => index > 0 && meets(place, between(points[index - 1]!, to))),
  );
}

function between(from: { x: number; y: number }, to: { x: number; y: number }): Area {
  return {
    x: Math.min(from.x, to.x),
    y: Math.min(from.y, to.y),
    width: Math.abs(to.x - from.x),
    height: Math.abs(to.y - from.y),
  };
}

function meets(a: Area, b: Area | Label): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}
