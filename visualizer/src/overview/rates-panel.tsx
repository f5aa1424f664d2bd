/** The last two minutes of every rate, one line each, under one crosshair: what happened at the same time stands in one column. */
import { useEffect, useMemo, useRef, useState } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { Source } from '../../../src/inspect/visualizer/messages.js';
import { useSamples } from '../connection/use-overview.js';
import { tokenValue, useIsDark } from '../design/theme.js';
import { ratesOf, seriesOf, SPAN_SECONDS, type Rate } from './rates.js';

const WIDTH = 120;
const HEIGHT = 26;

export function RatesPanel({ source }: { source: Source }) {
  const samples = useSamples();
  const rates = useMemo(() => ratesOf(source.kind), [source.kind]);
  const series = useMemo(() => seriesOf(samples, rates), [samples, rates]);
  const [pointed, setPointed] = useState<number | undefined>(undefined);
  const isPointed = pointed !== undefined && series.x[pointed] !== undefined;
  const at = isPointed ? pointed : series.x.length - 1;
  const secondsAgo = Math.round(-(series.x[at] ?? 0));
  return (
    <section className="panel overview-rates" aria-labelledby="overview-rates">
      <header>
        <h2 id="overview-rates">Rates</h2>
        <span className="muted">
          {isPointed && secondsAgo > 0 ? `${secondsAgo} s ago` : 'now, and the last 2 minutes'}
        </span>
      </header>
      <dl onPointerLeave={() => setPointed(undefined)}>
        {rates.map((rate, index) => {
          const values = series.y[index]!;
          const value = values[at];
          return (
            <div key={rate.id}>
              <dt>{rate.name}</dt>
              <dd className="overview-rate-line">
                <Sparkline rate={rate} x={series.x} y={values} onPoint={setPointed} />
              </dd>
              <dd
                className="number"
                data-zero={!value || undefined}
                data-bad={(rate.isBad && Boolean(value)) || undefined}
              >
                {value === null || value === undefined ? '\u2013' : rate.text(value)}
              </dd>
            </div>
          );
        })}
      </dl>
    </section>
  );
}

function Sparkline({
  rate,
  x,
  y,
  onPoint,
}: {
  rate: Rate;
  x: readonly number[];
  y: readonly (number | null)[];
  onPoint: (index: number | undefined) => void;
}) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const isDark = useIsDark();
  useEffect(() => {
    const made = new uPlot(optionsOf(rate, onPoint), [[], []], place.current!);
    plot.current = made;
    return () => made.destroy();
    // Colours are read when it is made: the theme makes it anew.
  }, [rate, onPoint, isDark]);
  useEffect(() => {
    plot.current?.setData([x as number[], y as (number | null)[]]);
  }, [x, y, isDark]);
  const known = y.filter((value) => value !== null);
  const most = known.length > 0 ? rate.text(Math.max(...known)) : 'unknown';
  return (
    <div
      ref={place}
      className="overview-sparkline"
      role="img"
      aria-label={`${rate.name}: at most ${most} in 2 minutes`}
    />
  );
}

function optionsOf(rate: Rate, onPoint: (index: number | undefined) => void): uPlot.Options {
  const colour = tokenValue(rate.colour);
  return {
    width: WIDTH,
    height: HEIGHT,
    pxAlign: false,
    padding: [3, 2, 1, 2],
    legend: { show: false },
    axes: [{ show: false }, { show: false }],
    scales: {
      x: { time: false, range: [-SPAN_SECONDS, 0] },
      // From 0 on, so that heights can be compared; with nothing at all the line lies at the bottom.
      y: { range: (_, _least, most) => [0, Math.max(most * 1.05, 1e-9)] },
    },
    cursor: {
      y: false,
      drag: { x: false, y: false },
      points: { size: 5, fill: colour, stroke: colour },
      sync: { key: 'overview-rates' },
    },
    hooks: {
      setCursor: [({ cursor: { idx, left = -1 } }) => onPoint(left < 0 ? undefined : (idx ?? undefined))],
    },
    series: [
      {},
      { stroke: colour, width: 1.25, fill: `color-mix(in srgb, ${colour} 14%, transparent)`, points: { show: false } },
    ],
  };
}
