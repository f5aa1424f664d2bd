/** One state of a drawing. Its shape is static; numbers and colours are a few attributes, and only of states that have changed. */
import { memo } from 'react';
import type { ChartState } from '../../../src/inspect/drawing/chart.js';
import { oneLine } from '../../../src/inspect/drawing/labels.js';
import { textWidth } from '../../../src/inspect/drawing/text-width.js';
import { countText } from '../design/text.js';
import { BAR_Y, NAME, PADDING_X } from './layout-plan.js';
import type { ScreenBox } from './screen-layout.js';

const RADIUS = 6;
/** Between the two lines of a final state. */
const RING = 3;
const BAR_WIDTH_MAX = 150;
const BAR_HEIGHT = 3;
const HEAT_TEXT_WIDTH = 52;

export interface StateShapeProps {
  readonly state: ChartState;
  readonly box: ScreenBox;
  /** `undefined`: numbers are not shown. */
  readonly count: number | undefined;
  /** 0 to 1, of all. */
  readonly share: number;
  /** 0 to 1. */
  readonly heat: number;
  readonly heatText: string | undefined;
  /** Of a folded state: what is active in it. */
  readonly inside: string | undefined;
  readonly isActive: boolean;
  readonly isSelected: boolean;
  readonly isFocusable: boolean;
  readonly isButton: boolean;
  readonly label: string;
}

export const StateShape = memo(function StateShape(props: StateShapeProps) {
  const { state, box, count, isActive, isSelected, isFocusable, isButton, label } = props;
  const { x, y, width, height, number, isOuter } = box;
  const kinds = [
    number === 0 && isOuter && 'is-root',
    isOuter && 'is-outer',
    box.isFolded && 'is-folded',
    box.isRegion && 'is-region',
    isActive && 'is-active',
    isSelected && 'is-selected',
    count === 0 && 'is-empty',
    isButton && 'is-button',
  ].filter(Boolean);
  return (
    <g
      className={['statechart-state', ...kinds].join(' ')}
      data-state={state.id}
      data-number={number}
      transform={`translate(${x} ${y})`}
      role={isButton ? 'button' : 'img'}
      tabIndex={isFocusable ? 0 : -1}
      aria-label={label}
    >
      {box.isFolded && (
        <rect className="statechart-box is-behind" x={4} y={4} width={width} height={height} rx={RADIUS} />
      )}
      <rect
        className="statechart-box"
        width={width}
        height={height}
        rx={state.type === 'history' ? height / 2 : RADIUS}
      />
      {props.heat > 0 && (
        <rect
          className="statechart-heat"
          width={width}
          height={height}
          rx={RADIUS}
          fillOpacity={0.08 + 0.47 * props.heat}
        />
      )}
      {state.type === 'final' && (
        <rect
          className="statechart-ring"
          x={RING}
          y={RING}
          width={width - 2 * RING}
          height={height - 2 * RING}
          rx={RADIUS - RING + 1}
        />
      )}
      <Name state={state} box={box} isCounted={count !== undefined} />
      {props.inside !== undefined && (
        <text className="statechart-small" x={PADDING_X} y={BAR_Y + 3}>
          {props.inside}
        </text>
      )}
      {count !== undefined && state.type !== 'history' && (
        <Count box={box} count={count} share={props.share} heatText={props.heatText} />
      )}
    </g>
  );
});

const Name = memo(function Name({ state, box, isCounted }: { state: ChartState; box: ScreenBox; isCounted: boolean }) {
  const { width, height, headHeight, isOuter, isFolded, number } = box;
  if (state.type === 'history')
    return (
      <text className="statechart-name is-history" x={width / 2} y={height / 2 + 4} textAnchor="middle">
        {state.history === 'deep' ? 'H*' : 'H'}
      </text>
    );
  const name = oneLine(state.key);
  const isAlone = !isOuter && !isFolded && !isCounted;
  const baseline = (isCounted || isFolded) && number !== 0 ? 20 : headHeight / 2 + 4.5;
  const end = PADDING_X + textWidth(name, NAME);
  return (
    <>
      {state.description !== null && <title>{state.description}</title>}
      <text
        className="statechart-name"
        x={isAlone ? width / 2 : PADDING_X}
        y={baseline}
        textAnchor={isAlone ? 'middle' : 'start'}
      >
        {name}
      </text>
      {(isOuter || isFolded) && number !== 0 && (
        <g className="statechart-fold" data-fold={number}>
          <rect x={end} y={baseline - 13} width={18} height={18} fillOpacity={0} />
          <path d={isFolded ? `M${end + 7} ${baseline - 8}l4 4l-4 4` : `M${end + 5} ${baseline - 6}l4 4l4 -4`} />
        </g>
      )}
    </>
  );
});

function Count({
  box,
  count,
  share,
  heatText,
}: {
  box: ScreenBox;
  count: number;
  share: number;
  heatText: string | undefined;
}) {
  const { width, number, headHeight } = box;
  const isRoot = number === 0 && box.isOuter;
  const inner = width - 2 * PADDING_X - (heatText === undefined ? 0 : HEAT_TEXT_WIDTH);
  const bar = Math.max(10, Math.min(BAR_WIDTH_MAX, inner));
  return (
    <>
      <text className="statechart-count" x={width - PADDING_X} y={isRoot ? headHeight / 2 + 4.5 : 20} textAnchor="end">
        {shortCount(count)}
      </text>
      {!isRoot && (
        <>
          <rect className="statechart-track" x={PADDING_X} y={BAR_Y - 2} width={bar} height={BAR_HEIGHT} rx={1.5} />
          <rect
            className="statechart-bar"
            x={PADDING_X}
            y={BAR_Y - 2}
            width={count === 0 ? 0 : Math.max(2, Math.round(bar * share * 2) / 2)}
            height={BAR_HEIGHT}
            rx={1.5}
          />
        </>
      )}
      {heatText !== undefined && !isRoot && (
        <text className="statechart-heat-text" x={width - PADDING_X} y={BAR_Y + 3} textAnchor="end">
          {heatText}
        </text>
      )}
    </>
  );
}

/** No wider than `COUNT_WIDTH`. */
export function shortCount(count: number): string {
  if (count < 100_000) return countText(count);
  return count < 10_000_000
    ? `${countText(Math.floor(count / 1_000))}k`
    : `${countText(Math.floor(count / 1_000_000))}M`;
}
