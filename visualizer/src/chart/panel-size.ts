/** The size of a panel, as it changes: coarsely, and when it has settled. */
import { useEffect, useState, type RefObject } from 'react';
import { coarseSize } from './coarse-size.js';
import type { Size } from './layout-plan.js';

/** Around the drawing, at each side: see `PanZoom`. */
export const FIT_PADDING = 8;
/** While somebody drags the border of the window, nothing is laid out. */
const SETTLE_MS = 150;

/** @returns no more room than there is; `undefined` while it has no size */
export function usePanelSize(panel: RefObject<HTMLElement | null>): Size | undefined {
  const [size, setSize] = useState<Size>();
  useEffect(() => {
    const element = panel.current;
    if (!element) return undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isFirst = true;
    const observer = new ResizeObserver(([entry]) => {
      const { width, height } = entry!.contentRect;
      if (width === 0 || height === 0) return;
      const room = { width: width - 2 * FIT_PADDING, height: height - 2 * FIT_PADDING };
      const take = () => setSize((before) => coarseSize(room, before));
      clearTimeout(timer);
      if (isFirst) take();
      else timer = setTimeout(take, SETTLE_MS);
      isFirst = false;
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      clearTimeout(timer);
    };
  }, [panel]);
  return size;
}
