/** Moving about a drawing: by hand, wheel, fingers and keys. The page is not rendered for it: one attribute changes. */
import { useLayoutEffect, useRef, type RefObject } from 'react';
import type { Area, Point } from '../../../src/inspect/drawing/places.js';
import type { Size } from './layout-plan.js';
import { FIT_PADDING } from './panel-size.js';

const SCALE_MIN = 0.15;
const SCALE_MAX = 4;
/** A small chart is not blown up to a poster. */
const FIT_MAX = 1.2;
/** Nor on paper: so wide, of the drawing, is a sheet at least. */
const PAPER_MIN = 600;
/** Names are of 13 px, words at arrows of 10.5: smaller than that, they could not be read. */
const READABLE = 0.75;
/** Less is a click of a hand that trembles. */
const DRAG_MIN = 4;

interface Transform extends Point {
  readonly scale: number;
}

/**
 * @param size of the drawing
 * @param isReadable it begins at a size that can be read, and not always with all of it
 * @returns the camera; `null` before there is a drawing
 */
export function usePanZoom(
  svg: RefObject<SVGSVGElement | null>,
  content: RefObject<SVGGElement | null>,
  { size, isReadable }: { size: Size; isReadable: boolean },
): RefObject<PanZoom | null> {
  const camera = useRef<PanZoom>(null);
  useLayoutEffect(() => {
    if (!svg.current || !content.current) return undefined;
    const made = new PanZoom(svg.current, content.current, isReadable);
    camera.current = made;
    return () => made.end();
  }, [svg, content, isReadable]);
  // One camera for all layouts of a chart: a hand that is dragging does not lose it to the next one.
  useLayoutEffect(() => camera.current?.show(size), [size, isReadable]);
  return camera;
}

export class PanZoom {
  #transform: Transform = { x: 0, y: 0, scale: 1 };
  /** By a person: it then stays where it is when the panel changes. */
  #isMoved = false;
  /** All of it was asked for. */
  #isFitted = false;
  #isDragging = false;
  #pressedAt: Point | undefined;
  #size: Size | undefined;
  readonly #pointers = new Map<number, Point>();
  readonly #end = new AbortController();
  readonly #observer = new ResizeObserver(() => {
    if (!this.#isMoved) this.#begin();
  });

  constructor(
    readonly svg: SVGSVGElement,
    readonly content: SVGGElement,
    readonly isReadable: boolean,
  ) {
    this.#observer.observe(svg);
    const { signal } = this.#end;
    svg.addEventListener('wheel', this.#onWheel, { passive: false, signal });
    svg.addEventListener('pointerdown', this.#onPointerDown, { signal });
    svg.addEventListener('pointermove', this.#onPointerMove, { signal });
    svg.addEventListener('pointerup', this.#onPointerEnd, { signal });
    svg.addEventListener('pointercancel', this.#onPointerEnd, { signal });
    svg.addEventListener('click', this.#onClick, { capture: true, signal });
    addEventListener('beforeprint', () => svg.setAttribute('viewBox', this.#onPaper()), { signal });
    addEventListener('afterprint', () => svg.removeAttribute('viewBox'), { signal });
  }

  end(): void {
    this.#observer.disconnect();
    this.#end.abort();
  }

  /** A drawing of another size: it is shown from its beginning, unless a person has moved the one before. */
  show(size: Size): void {
    this.#size = size;
    if (!this.#isMoved) this.#begin();
  }

  fit(): void {
    this.#isMoved = false;
    this.#isFitted = true;
    this.#begin();
  }

  #begin(): void {
    const { width, height } = this.#panel();
    if (!this.#size || width === 0 || height === 0) return;
    const { width: own, height: tall } = this.#size;
    const whole = Math.min(FIT_MAX, (width - 2 * FIT_PADDING) / own, (height - 2 * FIT_PADDING) / tall);
    const scale = Math.max(this.isReadable && !this.#isFitted ? READABLE : 0.05, whole);
    // Of what has no room, its beginning.
    const begin = (room: number, length: number) => Math.max(0, (room - length) / 2);
    this.#set({ scale, x: begin(width, own * scale), y: begin(height, tall * scale) });
  }

  /** On paper nothing can be moved: all is there, or what a person has moved into view. How large paper is, only its layout knows. */
  #onPaper(): string {
    const panel = this.#panel();
    if (this.#isMoved || !this.#size) return `0 0 ${panel.width} ${panel.height}`;
    const { x, y, scale } = this.#transform;
    const [width, height] = [this.#size.width * scale, this.#size.height * scale];
    const margin = FIT_PADDING + Math.max(0, PAPER_MIN * scale - width) / 2;
    return [x - margin, y - FIT_PADDING, width + 2 * margin, height + 2 * FIT_PADDING].map(Math.round).join(' ');
  }

  zoomBy(factor: number): void {
    const { width, height } = this.#panel();
    this.#zoomAt(factor, { x: width / 2, y: height / 2 });
  }

  /** Moves as little as it takes to see an area, of the drawing; one that is seen as a whole stays where it is. */
  reveal(area: Area): void {
    if (this.#isAllSeen()) return;
    const { width, height } = this.#panel();
    const { x, y, scale } = this.#transform;
    const into = (from: number, length: number, room: number) =>
      from < 0 || length > room ? FIT_PADDING - from : Math.min(0, room - FIT_PADDING - from - length);
    const dx = into(area.x * scale + x, area.width * scale, width);
    const dy = into(area.y * scale + y, area.height * scale, height);
    this.#set({ scale, x: x + dx, y: y + dy });
  }

  #panel(): DOMRect {
    return this.svg.getBoundingClientRect();
  }

  #set(next: Transform): void {
    this.#transform = next;
    const { x, y, scale } = next;
    this.content.setAttribute('transform', `translate(${x.toFixed(2)} ${y.toFixed(2)}) scale(${scale.toFixed(4)})`);
  }

  #panBy(dx: number, dy: number): void {
    this.#isMoved = true;
    const { x, y, scale } = this.#transform;
    this.#set({ scale, x: x + dx, y: y + dy });
  }

  #zoomAt(factor: number, { x, y }: Point): void {
    const { scale, ...before } = this.#transform;
    const next = Math.min(SCALE_MAX, Math.max(SCALE_MIN, scale * factor));
    this.#isMoved = true;
    this.#set({ scale: next, x: x - ((x - before.x) * next) / scale, y: y - ((y - before.y) * next) / scale });
  }

  #isAllSeen(): boolean {
    if (!this.#size) return true;
    const { width, height } = this.#panel();
    const { x, y, scale } = this.#transform;
    return x >= 0 && y >= 0 && x + this.#size.width * scale <= width && y + this.#size.height * scale <= height;
  }

  #placeOf({ clientX, clientY }: MouseEvent): Point {
    const { left, top } = this.#panel();
    return { x: clientX - left, y: clientY - top };
  }

  readonly #onWheel = (event: WheelEvent): void => {
    const step = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      const way = Math.max(-60, Math.min(60, event.deltaY * step));
      this.#zoomAt(Math.exp(-way / 180), this.#placeOf(event));
      return;
    }
    // There is nowhere to go, and the page may want to scroll.
    if (this.#isAllSeen()) return;
    event.preventDefault();
    const [x, y] = event.shiftKey ? [event.deltaY, event.deltaX] : [event.deltaX, event.deltaY];
    this.#panBy(-x * step, -y * step);
  };

  readonly #onPointerDown = (event: PointerEvent): void => {
    if (event.button !== 0) return;
    this.#pressedAt = this.#placeOf(event);
    this.#pointers.set(event.pointerId, this.#pressedAt);
    this.#isDragging = false;
  };

  readonly #onPointerMove = (event: PointerEvent): void => {
    const before = this.#pointers.get(event.pointerId);
    if (!before) return;
    // It was let go outside of the page.
    if (event.buttons === 0) return this.#onPointerEnd(event);
    const now = this.#placeOf(event);
    if (this.#pointers.size === 1 && !this.#isDragging) {
      if (!this.#pressedAt || distance(now, this.#pressedAt) < DRAG_MIN) return;
      this.#isDragging = true;
      this.svg.setPointerCapture(event.pointerId);
      this.svg.classList.add('is-dragged');
    }
    this.#pointers.set(event.pointerId, now);
    const other = [...this.#pointers].find(([id]) => id !== event.pointerId)?.[1];
    if (!other) return this.#panBy(now.x - before.x, now.y - before.y);
    this.#isDragging = true;
    const was = distance(before, other);
    if (was > 0) this.#zoomAt(distance(now, other) / was, { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 });
  };

  readonly #onPointerEnd = (event: PointerEvent): void => {
    this.#pointers.delete(event.pointerId);
    this.svg.classList.remove('is-dragged');
  };

  /** The end of a drag is no click. */
  readonly #onClick = (event: MouseEvent): void => {
    if (!this.#isDragging) return;
    this.#isDragging = false;
    event.stopPropagation();
    event.preventDefault();
  };
}

function distance(a: Point, b: Point): number {
  return Math.hypot(a.x - b.x, a.y - b.y);
}
