/** What the cells mean: every state with its look and its sessions. Pointing at one lights its cells; a click keeps them lit. */
import { useEffect, useRef } from 'react';
import { hrefOf } from '../app/route.js';
import { Icon } from '../design/icons.js';
import { countText } from '../design/text.js';
import { tokenValue, useIsDark } from '../design/theme.js';
import type { CellStyle } from './cell-styles.js';
import { fill } from './painter.js';

const SIDE = 14;

export function Legend({
  styles,
  counts,
  kept,
  tableQuery,
  onLight,
  onKeep,
}: {
  styles: readonly CellStyle[];
  counts: ReadonlyMap<number, number>;
  /** State whose cells stay lit. */
  kept: number | undefined;
  tableQuery: (path: string) => Readonly<Record<string, string | undefined>>;
  onLight: (state: number | undefined) => void;
  onKeep: (state: number | undefined) => void;
}) {
  return (
    <ul className="wall-legend">
      {styles.map((style) => {
        const count = counts.get(style.state) ?? 0;
        return (
          <li key={style.state} data-zero={count === 0 || undefined}>
            <button
              className="quiet"
              aria-pressed={kept === style.state}
              onPointerEnter={() => onLight(style.state)}
              onPointerLeave={() => onLight(undefined)}
              onFocus={() => onLight(style.state)}
              onBlur={() => onLight(undefined)}
              onClick={() => onKeep(kept === style.state ? undefined : style.state)}
              title={`Light the sessions in ${style.path}`}
            >
              <Swatch style={style} />
              <span className="mono wall-legend-path">{style.path}</span>
              <span className="number">{countText(count)}</span>
            </button>
            <a
              className="wall-legend-link"
              href={hrefOf(['sessions'], tableQuery(style.path))}
              aria-label={`Table of the sessions in ${style.path}`}
              title="Show them in the table"
            >
              <Icon name="sessions" size={14} />
            </a>
          </li>
        );
      })}
    </ul>
  );
}

export function Swatch({ style }: { style: CellStyle }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const isDark = useIsDark();
  useEffect(() => {
    const element = canvas.current!;
    element.width = element.height = Math.round(SIDE * devicePixelRatio);
    const context = element.getContext('2d')!;
    context.scale(devicePixelRatio, devicePixelRatio);
    context.fillStyle = tokenValue(style.colour);
    fill(context, style.filling, 0, 0, SIDE);
  }, [style, isDark]);
  return <canvas ref={canvas} className="wall-swatch" aria-hidden="true" />;
}
