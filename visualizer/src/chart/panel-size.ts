/** The shape of a panel, coarsely: a chart is laid out anew where it has become another, not with every pixel. */
import { useEffect, useState, type RefObject } from 'react';
import type { Size } from './layout-plan.js';

/** Width by height. */
const RATIOS = [0.5, 0.9, 1.5, 2, 2.6, 5];
/** Of the sides, roughly, in px. */
const LENGTHS = [265, 330, 405, 500, 610, 735];

const SHAPES: readonly Size[] = RATIOS.flatMap((ratio) =>
  LENGTHS.map((length) => ({
    width: Math.round(length * Math.sqrt(ratio)),
    height: Math.round(length / Math.sqrt(ratio)),
  })),
);

/** @returns `undefined` while it has no size */
export function usePanelSize(panel: RefObject<HTMLElement | null>): Size | undefined {
  const [size, setSize] = useState<Size>();
  useEffect(() => {
    const element = panel.current;
    if (!element) return undefined;
    const observer = new ResizeObserver(([entry]) => {
      const { width, height } = entry!.contentRect;
      if (width > 0 && height > 0) setSize((before) => shapeOf({ width, height }, before));
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [panel]);
  return size;
}

/** Another one has to be nearer by far: a panel at the edge between two is not laid out to and fro. */
function shapeOf(panel: Size, before: Size | undefined): Size {
  const distance = ({ width, height }: Size) =>
    Math.abs(Math.log(width / panel.width)) + Math.abs(Math.log(height / panel.height));
  const nearest = SHAPES.reduce((best, one) => (distance(one) < distance(best) ? one : best));
  return before && distance(before) < distance(nearest) + 0.1 ? before : nearest;
}
