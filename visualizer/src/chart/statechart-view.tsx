/**
 * A statechart, live: how many sessions are where (`population`), where one is and what it did last (`session`), or nothing but the
 * chart (`plain`).
 *
 * Laid out once per chart and shape of its panel, by a worker; an update changes texts and attributes alone. Where it cannot be laid
 * out, its states are a list.
 */
import {
  useCallback,
  useImperativeHandle,
  useMemo,
  useRef,
  useState,
  type KeyboardEvent,
  type MouseEvent,
  type Ref,
} from 'react';
import type { Chart } from '../../../src/inspect/drawing/chart.js';
import type { Place } from '../../../src/inspect/feed.js';
import { countText } from '../design/text.js';
import { ArrowNote, ArrowShape, TakenArrows, type Taken } from './arrow-shape.js';
import './chart.css';
import { centre } from './geometry.js';
import { useLayout } from './layouts.js';
import { Legend } from './legend.js';
import { usePanZoom } from './pan-zoom.js';
import { usePanelSize } from './panel-size.js';
import { innerPath, type LayoutChoice } from './layout-plan.js';
import type { ScreenBox, ScreenLayout } from './screen-layout.js';
import { StateShape } from './state-shape.js';
import { StateTree } from './state-tree.js';
import { exportedSvg } from './svg-export.js';

export interface StatechartHandle {
  /** @returns the text of an SVG file; `undefined` while nothing is drawn */
  exportSvg(): string | undefined;
  fit(): void;
}

export interface StatechartViewProps {
  readonly chart: Chart;
  readonly mode: 'population' | 'session' | 'plain';
  /** `events`: what leads along an arrow is written at it, which needs more room. */
  readonly labels: 'none' | 'events';
  /** Sessions, by the number of their state; the first is all of them. */
  readonly counts?: ArrayLike<number>;
  /** 0 to 1, by state. */
  readonly heat?: ArrayLike<number>;
  /** What `heat` says in words, by state: at most eight characters. */
  readonly heatText?: readonly (string | undefined)[];
  readonly active?: Place;
  readonly taken?: Taken;
  /** Types of events that can be sent now; without it, and without `onEvent`, none are offered. */
  readonly possible?: readonly string[];
  readonly onState?: (state: number) => void;
  readonly onEvent?: (type: string) => void;
  readonly selected?: number;
  /** What the drawing is, for those who do not see it. */
  readonly label: string;
  readonly ref?: Ref<StatechartHandle>;
}

const NOWHERE: Place = [];

export function StatechartView(props: StatechartViewProps) {
  const { chart, mode, labels, counts, possible, onEvent, onState, label, ref } = props;
  const panel = useRef<HTMLDivElement>(null);
  const size = usePanelSize(panel);
  const [folded, setFolded] = useState<readonly number[] | 'auto'>(mode === 'plain' ? [] : 'auto');
  const choice = useMemo<LayoutChoice | undefined>(
    () => size && { labels, counts: mode === 'population', folded, panel: size },
    [labels, mode, folded, size],
  );
  const layout = useLayout(chart, choice);
  const drawing = useRef<StatechartHandle>(null);
  useImperativeHandle(ref, () => ({
    exportSvg: () => drawing.current?.exportSvg(),
    fit: () => drawing.current?.fit(),
  }));
  const hasChoices = possible !== undefined && onEvent !== undefined;
  return (
    <div className="statechart">
      <div className="statechart-panel" ref={panel}>
        {layout.is === 'ready' && <Drawing {...props} ref={drawing} layout={layout.layout} onFold={setFolded} />}
        {layout.is === 'waiting' && (
          <div className="statechart-waiting" role="status">
            laying out…
          </div>
        )}
        {layout.is === 'failed' && (
          <StateTree chart={chart} label={label} counts={counts} active={props.active ?? NOWHERE} onState={onState} />
        )}
      </div>
      {hasChoices && (
        <div className="statechart-choices" role="group" aria-label="Events that can be sent now">
          {possible.length === 0 && <span className="muted">no event can be sent now</span>}
          {possible.map((type) => (
            <button key={type} onClick={() => onEvent(type)}>
              {type}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}

interface DrawingProps extends StatechartViewProps {
  readonly layout: ScreenLayout;
  readonly onFold: (folded: readonly number[]) => void;
}

function Drawing(props: DrawingProps) {
  const { chart, layout, mode, labels, counts, heat, heatText, active = NOWHERE, taken, possible, label, ref } = props;
  const { onState, onEvent, onFold } = props;
  const svg = useRef<SVGSVGElement>(null);
  const content = useRef<SVGGElement>(null);
  const camera = usePanZoom(svg, content, { size: layout, isReadable: mode === 'plain' });
  const [pointedAt, setPointedAt] = useState<number>();
  const [focused, setFocused] = useState(0);
  const [isExplained, setIsExplained] = useState(false);
  useImperativeHandle(ref, () => ({
    exportSvg: () => (svg.current && content.current ? exportedSvg(svg.current, content.current, layout) : undefined),
    fit: () => camera.current?.fit(),
  }));

  const shown = useMemo(() => new Map(layout.boxes.map((box) => [box.number, box])), [layout]);
  const boxOf = useCallback(
    (id: string) => {
      const numbers = new Map(chart.states.map((state, number) => [state.id, number]));
      for (let at: string | null = id; at !== null;) {
        const number: number = numbers.get(at) ?? 0;
        const box = shown.get(number);
        if (box) return box;
        at = chart.states[number]!.parent;
      }
      return undefined;
    },
    [chart, shown],
  );
  const order = useMemo(() => layout.boxes.map(({ number }) => number), [layout]);
  const focusable = shown.has(focused) ? focused : (order[0] ?? 0);
  const total = counts?.[0] ?? 0;
  const choices = labels === 'events' && onEvent && possible?.length ? possible.join('\n') : undefined;
  const activeSet = useMemo(() => new Set(active), [active]);

  const fold = (number: number) => {
    const next = layout.folded.includes(number)
      ? layout.folded.filter((one) => one !== number)
      : [...layout.folded, number];
    onFold(next);
  };
  const onClick = (event: MouseEvent) => {
    const target = event.target as Element;
    const type = target.closest('[data-event]')?.getAttribute('data-event');
    if (type) return onEvent?.(type);
    const folding = target.closest('[data-fold]')?.getAttribute('data-fold');
    if (folding) return fold(Number(folding));
    const number = target.closest('[data-number]')?.getAttribute('data-number');
    if (number) {
      setFocused(Number(number));
      onState?.(Number(number));
    }
  };
  const onPointerOver = (event: MouseEvent) => {
    const index = (event.target as Element).closest('[data-arrow]')?.getAttribute('data-arrow');
    setPointedAt(index ? Number(index) : undefined);
  };
  const focusOn = (number: number) => {
    setFocused(number);
    const box = shown.get(number);
    if (box) camera.current?.reveal(box);
    content.current?.querySelector<SVGGElement>(`[data-number="${number}"]`)?.focus({ preventScroll: true });
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const from = shown.get(focusable);
    const done = () => {
      event.preventDefault();
      event.stopPropagation();
    };
    const direction = ARROW_KEYS[event.key];
    if (event.key === '+' || event.key === '=') camera.current?.zoomBy(1.2);
    else if (event.key === '-') camera.current?.zoomBy(1 / 1.2);
    else if (event.key === '0') camera.current?.fit();
    else if (event.key === 'Enter') onState?.(focusable);
    else if (event.key === ' ' && from && (from.isFolded || (from.isOuter && from.number !== 0))) fold(focusable);
    else if (event.key === 'Home') focusOn(order[0] ?? 0);
    else if (event.key === 'End') focusOn(order.at(-1) ?? 0);
    else if (direction && from) focusOn(nextBox(layout.boxes, from, direction));
    else return;
    done();
  };

  return (
    <>
      <svg
        ref={svg}
        className={`statechart-svg is-${mode}`}
        role="group"
        aria-label={label}
        onClick={onClick}
        onPointerOver={onPointerOver}
        onPointerLeave={() => setPointedAt(undefined)}
        onKeyDown={onKeyDown}
        onFocus={({ target }) => {
          const number = target.getAttribute('data-number');
          if (number) setFocused(Number(number));
        }}
      >
        <g ref={content}>
          {layout.boxes.map((box) => {
            const { number } = box;
            const state = chart.states[number]!;
            const count = mode === 'population' ? (counts?.[number] ?? 0) : undefined;
            const isActive = mode === 'session' && activeSet.has(number);
            return (
              <StateShape
                key={number}
                state={state}
                box={box}
                count={count}
                share={count === undefined || total === 0 ? 0 : Math.min(1, count / total)}
                heat={mode === 'population' && number > 0 ? Math.round((heat?.[number] ?? 0) * 100) / 100 : 0}
                heatText={mode === 'population' ? heatText?.[number] : undefined}
                inside={box.isFolded && mode === 'session' ? insideOf(chart, number, active) : undefined}
                isActive={isActive}
                isSelected={props.selected === number}
                isFocusable={focusable === number}
                isButton={onState !== undefined}
                label={labelOf(state.path === '' ? chart.id : state.path, {
                  count,
                  words: heatText?.[number],
                  isActive,
                })}
              />
            );
          })}
          {layout.arrows.map((arrow, index) => (
            <ArrowShape
              key={index}
              chart={chart}
              arrow={arrow}
              index={index}
              isPointedAt={pointedAt === index}
              choices={choices}
            />
          ))}
          {taken && <TakenArrows chart={chart} layout={layout} boxOf={boxOf} taken={taken} />}
          {pointedAt !== undefined && layout.arrows[pointedAt] && (
            <ArrowNote chart={chart} arrow={layout.arrows[pointedAt]} layout={layout} />
          )}
        </g>
      </svg>
      <div className="statechart-tools" role="group" aria-label="Chart">
        <button title="Smaller (-)" aria-label="Smaller" onClick={() => camera.current?.zoomBy(1 / 1.25)}>
          −
        </button>
        <button title="All of it (0)" aria-label="All of it" onClick={() => camera.current?.fit()}>
          ⤢
        </button>
        <button title="Larger (+)" aria-label="Larger" onClick={() => camera.current?.zoomBy(1.25)}>
          +
        </button>
        <button
          title="What the signs mean"
          aria-label="What the signs mean"
          aria-expanded={isExplained}
          onClick={() => setIsExplained(!isExplained)}
        >
          ?
        </button>
      </div>
      {isExplained && <Legend isCounted={mode === 'population'} />}
    </>
  );
}

/** The innermost active states in one. */
function insideOf(chart: Chart, number: number, active: Place): string | undefined {
  const outer = chart.states[number]!;
  const inner = active.map((at) => chart.states[at]!).filter(({ path }) => path.startsWith(`${outer.path}.`));
  const innermost = inner.filter(({ id }) => !inner.some(({ parent }) => parent === id));
  return innermost.length === 0 ? undefined : innermost.map((state) => innerPath(state, outer.path)).join(', ');
}

function labelOf(
  path: string,
  { count, words, isActive }: { count: number | undefined; words: string | undefined; isActive: boolean },
): string {
  const number = count === undefined ? '' : `: ${countText(count)} ${count === 1 ? 'session' : 'sessions'}`;
  return `${path}${number}${words && count !== undefined ? `, ${words}` : ''}${isActive ? ', active' : ''}`;
}

const ARROW_KEYS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowRight: [1, 0],
  ArrowLeft: [-1, 0],
  ArrowDown: [0, 1],
  ArrowUp: [0, -1],
};

/** The nearest one in a direction; what lies beside the way counts twice. */
function nextBox(boxes: readonly ScreenBox[], from: ScreenBox, [dx, dy]: readonly [number, number]): number {
  const at = anchor(from);
  let best = { number: from.number, distance: Infinity };
  for (const box of boxes) {
    const { x, y } = anchor(box);
    const [along, across] = [(x - at.x) * dx + (y - at.y) * dy, Math.abs((x - at.x) * dy) + Math.abs((y - at.y) * dx)];
    if (box === from || along < 4) continue;
    const distance = along + 2 * across;
    if (distance < best.distance) best = { number: box.number, distance };
  }
  return best.number;
}

/** Of an outer state its head, which is where its name is. */
function anchor(box: ScreenBox) {
  return centre(box.isOuter ? { ...box, height: box.headHeight } : box);
}
