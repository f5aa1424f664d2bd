/** Every live session as one cell, in the order of arrival: crowds, waves and stragglers at one look. */
import { useCallback, useEffect, useMemo, useRef, useState, type KeyboardEvent, type MouseEvent } from 'react';
import type { SessionChart } from '../../../src/inspect/feed.js';
import type { SessionRow, Source } from '../../../src/inspect/visualizer/messages.js';
import { go, hrefOf, useRoute } from '../app/route.js';
import { useSourceInAddress } from '../app/source.js';
import { useHello, useLink, useMessages, useSubscription } from '../connection/use-link.js';
import { countText } from '../design/text.js';
import { tokenValue, useIsDark } from '../design/theme.js';
import { Cells, EMPTY } from './cells.js';
import { cellStyles } from './cell-styles.js';
import { Legend, Swatch } from './legend.js';
import { Painter } from './painter.js';
import './wall.css';

/** Of the legend's numbers: faster than that nobody reads. */
const COUNTS_EACH_MS = 250;
/** The pointer stays that long on a cell before the server is asked who it is. */
const ASK_AFTER_MS = 80;
/** No room for it above the first rows. */
const TIP_HEIGHT = 32;
/** Of a page of cells, in rows. */
const PAGE_ROWS = 10;

const CHARTS: readonly { readonly id: SessionChart; readonly name: string }[] = [
  { id: 'session', name: 'Transport' },
  { id: 'protocol', name: 'Protocol' },
];

export function WallView({ source }: { source: Source }) {
  const link = useLink();
  const hello = useHello()!;
  const { query } = useRoute();
  const sourceName = useSourceInAddress(source);
  const isDark = useIsDark();
  const chartName: SessionChart = query.get('chart') === 'protocol' ? 'protocol' : 'session';
  const chart = hello.charts[source.charts[chartName]]!;
  const styles = useMemo(() => cellStyles(chart, chartName === 'session'), [chart, chartName]);
  const byState = useMemo(() => new Map(styles.map((style) => [style.state, style])), [styles]);

  const [cells] = useState(() => new Cells());
  const scroll = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement | null>(null);
  const [painter, setPainter] = useState<Painter | undefined>(undefined);
  const attach = useCallback((element: HTMLCanvasElement | null) => {
    canvas.current = element;
    setPainter(element ? new Painter(element) : undefined);
  }, []);
  const [counts, setCounts] = useState<ReadonlyMap<number, number>>(new Map());
  /** Number of the session that is pointed at, by the pointer or by keys. */
  const [pointed, setPointed] = useState<number | undefined>(undefined);
  const [row, setRow] = useState<SessionRow | undefined>(undefined);
  const [lit, setLit] = useState<number | undefined>(undefined);
  const [kept, setKept] = useState<number | undefined>(undefined);
  const opening = useRef<number>(undefined);

  useSubscription({ type: 'subscribe', topic: 'wall', source: source.name, chart: chartName });

  const fit = useCallback(() => {
    const box = scroll.current!;
    return painter?.resize(box.clientWidth, box.clientHeight, cells.length) ?? false;
  }, [painter, cells]);

  useEffect(() => {
    const observer = new ResizeObserver(() => {
      if (fit()) painter?.drawAll(cells);
    });
    observer.observe(scroll.current!);
    return () => observer.disconnect();
  }, [painter, cells, fit]);

  useEffect(() => {
    const colours = new Map(styles.map(({ colour }) => [colour, tokenValue(colour)]));
    painter?.setPalette({ styles: byState, colours, empty: tokenValue('--border-strong') });
    painter?.drawAll(cells);
  }, [painter, cells, styles, byState, isDark]);

  useEffect(() => {
    painter?.light(lit ?? kept);
    painter?.drawAll(cells);
  }, [painter, cells, lit, kept]);

  // States of the chart that was shown before mean nothing in this one. Not with the frames: the first one would be lost.
  useEffect(() => cells.clear(), [cells, chartName]);

  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const end = link.onFrame((frame) => {
      const changed = cells.take(frame);
      if (fit() || changed === 'all') painter?.drawAll(cells);
      else painter?.draw(cells, changed);
      timer ??= setTimeout(() => {
        timer = undefined;
        setCounts(new Map(cells.counts));
      }, COUNTS_EACH_MS);
    });
    return () => {
      clearTimeout(timer);
      end();
    };
  }, [link, painter, cells, fit]);

  useEffect(() => {
    if (pointed === undefined) return;
    const timer = setTimeout(() => link.send({ type: 'who', source: source.name, number: pointed }), ASK_AFTER_MS);
    return () => clearTimeout(timer);
  }, [link, source.name, pointed]);

  useMessages('who', (message) => {
    if (message.source !== source.name) return;
    if (message.number === opening.current && message.row)
      go(hrefOf(['sessions', message.row.id], { source: sourceName }));
    if (message.number !== pointed) return;
    setRow(message.row ?? undefined);
  });
  useMessages('hello', () => cells.clear());

  const numberIn = (cell: number) => (cell < 0 || cells.states[cell] === EMPTY ? undefined : cells.numbers[cell]);
  const point = (cell: number) => {
    const number = numberIn(cell);
    if (number === pointed) return;
    setPointed(number);
    setRow(undefined);
  };
  const open = (number: number | undefined) => {
    if (number === undefined) return;
    opening.current = number;
    link.send({ type: 'who', source: source.name, number });
  };
  const cellAt = (event: MouseEvent) => {
    const box = canvas.current!.getBoundingClientRect();
    return painter?.cellAt(event.clientX - box.left, event.clientY - box.top, cells) ?? -1;
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.key === 'Enter') return open(pointed);
    const at = pointed === undefined ? -1 : cells.cellOf(pointed);
    const to = painter && cellTo(event.key, at, painter.columns, cells);
    if (to === undefined) return;
    event.preventDefault();
    point(to);
    const [box, top, bottom] = [scroll.current!, painter!.top(to), painter!.top(to) + painter!.size];
    if (top < box.scrollTop) box.scrollTop = top;
    else if (bottom > box.scrollTop + box.clientHeight) box.scrollTop = bottom - box.clientHeight;
  };

  const live = [...counts.values()].reduce((sum, count) => sum + count, 0);
  return (
    <div className="wall">
      <section className="panel wall-panel" aria-labelledby="wall-title">
        <header>
          <h1 id="wall-title">Wall</h1>
          <span className="muted wall-hint">
            One cell for each session, the newest last. Click a cell to open its session.
          </span>
          <div className="segments" role="group" aria-label="Chart">
            {CHARTS.map(({ id, name }) => (
              <button
                key={id}
                aria-pressed={id === chartName}
                onClick={() => {
                  setKept(undefined);
                  go(hrefOf(['wall'], { source: sourceName, chart: id === 'session' ? undefined : id }), {
                    replace: true,
                  });
                }}
              >
                {name}
              </button>
            ))}
          </div>
        </header>
        <div className="wall-scroll" ref={scroll}>
          <canvas
            ref={attach}
            className="wall-canvas"
            tabIndex={0}
            role="application"
            aria-label={`Wall of ${live} sessions. Arrow keys go from session to session, Enter opens one.`}
            aria-describedby="wall-pointed"
            onPointerMove={(event) => point(cellAt(event))}
            onPointerLeave={() => point(-1)}
            onClick={(event) => open(numberIn(cellAt(event)))}
            onKeyDown={onKey}
            onBlur={() => point(-1)}
          />
          {pointed !== undefined && (
            <Cursor cell={cells.cellOf(pointed)} painter={painter} id={row?.id} path={styleOf(pointed)?.path} />
          )}
          {live === 0 && <p className="nothing wall-nothing">No session lives now. Each that comes is a cell here.</p>}
        </div>
      </section>
      <section className="panel wall-side" aria-labelledby="wall-legend">
        <header>
          <h2 id="wall-legend">States</h2>
          <span className="muted number">{countText(live)}</span>
        </header>
        <Legend
          styles={styles}
          counts={counts}
          kept={kept}
          tableQuery={(path) => ({ source: sourceName, state: `${chartName}:${path}` })}
          onLight={setLit}
          onKeep={setKept}
        />
        <div className="wall-pointed" id="wall-pointed" aria-live="polite">
          <Pointed number={pointed} row={row} style={styleOf(pointed)} />
        </div>
      </section>
    </div>
  );

  function styleOf(number: number | undefined) {
    const cell = number === undefined ? -1 : cells.cellOf(number);
    return cell < 0 ? undefined : byState.get(cells.states[cell]!);
  }
}

interface CursorProps {
  readonly cell: number;
  readonly painter: Painter | undefined;
  readonly id: string | undefined;
  /** Of its state. */
  readonly path: string | undefined;
}

function Cursor({ cell, painter, id, path }: CursorProps) {
  if (cell < 0 || !painter) return null;
  const [left, top, side] = [painter.left(cell), painter.top(cell), painter.size + 3];
  const isRight = left > (painter.columns * painter.size) / 2;
  return (
    <span className="wall-cursor" style={{ left: left - 2, top: top - 2, width: side, height: side }}>
      {/* Said by the panel beside it. */}
      <span
        aria-hidden="true"
        className={`wall-tip mono ${isRight ? 'is-left' : 'is-right'} ${top < TIP_HEIGHT ? 'is-below' : 'is-above'}`}
      >
        <span className="wall-id">{id}</span>
        <span>{path}</span>
      </span>
    </span>
  );
}

function Pointed({
  number,
  row,
  style,
}: {
  number: number | undefined;
  row: SessionRow | undefined;
  style: ReturnType<typeof cellStyles>[number] | undefined;
}) {
  if (number === undefined) return <p className="muted">Point at a cell to see whose it is.</p>;
  return (
    <dl>
      <div>
        <dt>session</dt>
        <dd className="mono">
          <span className="wall-id" title={row?.id}>
            {row ? row.id : `no. ${number}`}
          </span>
        </dd>
      </div>
      <div>
        <dt>state</dt>
        <dd className="mono">
          {style && <Swatch style={style} />} {style?.path ?? 'gone'}
        </dd>
      </div>
      <div>
        <dt>peer</dt>
        <dd className="mono">{row?.peer ?? '\u2026'}</dd>
      </div>
      <div>
        <dt>in / out</dt>
        <dd className="mono">{row ? `${countText(row.bytesReceived)} / ${countText(row.bytesSent)} B` : '\u2026'}</dd>
      </div>
    </dl>
  );
}

/** Where a key leads to, over gaps; `undefined`: it is no such key, or leads nowhere. */
function cellTo(key: string, at: number, columns: number, cells: Cells): number | undefined {
  const steps: Readonly<Record<string, number>> = {
    ArrowLeft: -1,
    ArrowRight: 1,
    ArrowUp: -columns,
    ArrowDown: columns,
    PageUp: -columns * PAGE_ROWS,
    PageDown: columns * PAGE_ROWS,
  };
  const step = key === 'Home' ? 1 : key === 'End' ? -1 : steps[key];
  if (step === undefined) return undefined;
  let to = key === 'Home' ? 0 : key === 'End' ? cells.length - 1 : at < 0 ? 0 : at + step;
  while (to >= 0 && to < cells.length && cells.states[to] === EMPTY) to += Math.sign(step);
  return to >= 0 && to < cells.length ? to : undefined;
}
