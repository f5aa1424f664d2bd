/** Arrows of a drawing, what is said about the one that is pointed at, and the ones that were taken last. */
import { memo, type ReactNode } from 'react';
import { guardText } from '../../../src/inspect/chart-names.js';
import type { Chart, ChartTransition } from '../../../src/inspect/drawing/chart.js';
import { oneLine } from '../../../src/inspect/drawing/labels.js';
import type { Area, Point } from '../../../src/inspect/drawing/places.js';
import { textWidth } from '../../../src/inspect/drawing/text-width.js';
import {
  anchorOf,
  anchorsAround,
  freeArea,
  headPath,
  leapPath,
  leapPoints,
  linePath,
  type Anchor,
} from './geometry.js';
import { SMALL, SMALL_LINE, type LabelLine } from './layout-plan.js';
import type { ScreenArrow, ScreenBox, ScreenLayout } from './screen-layout.js';

export interface ArrowShapeProps {
  readonly chart: Chart;
  readonly arrow: ScreenArrow;
  readonly index: number;
  readonly isPointedAt: boolean;
  /** Events at it that can be chosen; `undefined`: none. */
  readonly choices: string | undefined;
}

export const ArrowShape = memo(function ArrowShape({ chart, arrow, index, isPointedAt, choices }: ArrowShapeProps) {
  const { kind, source, target, points, label, mark, isTimed } = arrow;
  const classes = ['statechart-arrow', `is-${kind}`, isTimed && 'is-timed', isPointedAt && 'is-pointed-at'];
  const path = linePath(points);
  const [begin] = points;
  return (
    <g
      className={classes.filter(Boolean).join(' ')}
      data-arrow={index}
      data-kind={kind}
      data-source={chart.states[source]!.id}
      data-target={chart.states[target]!.id}
    >
      {kind === 'initial' && begin && <circle className="statechart-dot" cx={begin.x} cy={begin.y} r={3} />}
      <path className="statechart-line" d={path} />
      <path className="statechart-tip" d={headPath(points, kind === 'initial' ? 5 : undefined)} />
      {kind !== 'initial' && <path className="statechart-hit" d={path} />}
      {mark && (
        <>
          <rect className="statechart-mark" {...areaOf(mark)} rx={10} />
          <text className="statechart-small" x={mark.x + mark.width / 2} y={mark.y + 14} textAnchor="middle">
            {mark.text}
          </text>
          <Lines
            lines={mark.lines}
            x={mark.x + mark.width / 2}
            y={mark.y + 14 + SMALL_LINE}
            choices={choices}
            isCentred
          />
        </>
      )}
      {label && (
        <>
          <rect className="statechart-label" {...areaOf(label)} rx={4} />
          <Lines lines={label.lines} x={label.x + 4} y={label.y + 12.5} choices={choices} />
        </>
      )}
    </g>
  );
});

function Lines({
  lines,
  x,
  y,
  choices,
  isCentred = false,
}: {
  lines: readonly LabelLine[];
  x: number;
  y: number;
  choices: string | undefined;
  isCentred?: boolean;
}) {
  const events = choices?.split('\n') ?? [];
  return lines.map(({ text, event, isTimeout }, index) => {
    const isChoice = event !== '' && events.includes(event);
    const classes = ['statechart-small', isTimeout && 'is-timed', isChoice && 'is-choice'];
    return (
      <text
        key={index}
        className={classes.filter(Boolean).join(' ')}
        x={x}
        y={y + index * SMALL_LINE}
        textAnchor={isCentred ? 'middle' : 'start'}
        {...(isChoice && { 'data-event': event })}
      >
        {text}
      </text>
    );
  });
}

function areaOf({ x, y, width, height }: Area): Area {
  return { x, y, width, height };
}

interface NoteProps {
  readonly lines: readonly string[];
  /** Places for it, the best one first. */
  readonly at: readonly Anchor[];
  readonly layout: ScreenLayout;
  readonly className?: string;
}

/** Lines of words on a ground of their own, above everything, where they cover no name if that can be. */
function Note({ lines, at, layout, className = '' }: NoteProps) {
  const size = {
    width: Math.max(...lines.map((line) => textWidth(line, SMALL))) + 16,
    height: lines.length * SMALL_LINE + 8,
  };
  const taken = [...layout.boxes.map(headOf), ...layout.arrows.flatMap(({ mark }) => mark ?? [])];
  const { x, y } = freeArea(at, size, { page: layout, taken });
  return (
    <g className={`statechart-note ${className}`}>
      <rect x={x} y={y} {...size} rx={5} />
      {lines.map((line, index) => (
        <text key={index} className="statechart-small" x={x + 8} y={y + 14.5 + index * SMALL_LINE}>
          {line}
        </text>
      ))}
    </g>
  );
}

/** About half of a box. */
const FURTHER = 14;

/** Of words about an arrow. */
function anchorsAt(arrow: ScreenArrow): Anchor[] {
  if (arrow.mark) return anchorsAround(arrow.mark);
  const anchor = anchorOf(arrow);
  if (anchor.place === 'beside') return [anchor, { ...anchor, place: 'before' }];
  if (anchor.place !== 'above') return [anchor];
  // A short arrow between boxes: words are wider than it is long.
  const [far, below] = [
    { ...anchor, y: anchor.y - FURTHER },
    { ...anchor, place: 'below' as const },
  ];
  return [anchor, below, far, { ...below, y: below.y + FURTHER }];
}

const NOTE_LINES_MAX = 12;

/** All that leads along an arrow, with guards; where it stands for several states, with these. */
export function ArrowNote({
  chart,
  arrow,
  layout,
}: {
  chart: Chart;
  arrow: ScreenArrow;
  layout: ScreenLayout;
}): ReactNode {
  const ids = new Set(arrow.transitions);
  const transitions = chart.transitions.filter(({ id }) => ids.has(id));
  if (transitions.length === 0) return null;
  const sources = new Set(transitions.map(({ source }) => source));
  const pathOf = new Map(chart.states.map(({ id, path, key }) => [id, path === '' ? key : path]));
  const lines = [
    ...new Set(transitions.map((one) => (sources.size > 1 ? `${pathOf.get(one.source)}: ` : '') + wordsOf(one))),
  ];
  const shown =
    lines.length > NOTE_LINES_MAX
      ? [...lines.slice(0, NOTE_LINES_MAX - 1), `${lines.length - NOTE_LINES_MAX + 1} more`]
      : lines;
  return <Note lines={shown} at={anchorsAt(arrow)} layout={layout} />;
}

function wordsOf({ label, guard }: ChartTransition): string {
  return oneLine(guard ? `${label} [${guardText(guard)}]` : label);
}

export interface Taken {
  /** Of transitions. */
  readonly ids: readonly string[];
  /** Another one lights them again. */
  readonly sequence: number;
}

interface TakenArrowsProps {
  readonly chart: Chart;
  readonly layout: ScreenLayout;
  readonly boxOf: (id: string) => ScreenBox | undefined;
  readonly taken: Taken;
}

/** Thick, in one colour, and fading to a thinner line that stays. */
export const TakenArrows = memo(function TakenArrows({ chart, layout, boxOf, taken }: TakenArrowsProps) {
  return taken.ids.map((id) => {
    const transition = chart.transitions.find((one) => one.id === id);
    if (!transition) return null;
    const arrows = layout.arrows.filter(({ transitions }) => transitions.includes(id));
    const source = boxOf(transition.source);
    return (
      <g key={`${taken.sequence} ${id}`} className="statechart-taken" data-taken={id}>
        {arrows.length === 0 && source && <StateTaken box={source} transition={transition} layout={layout} />}
        {arrows.map((arrow, index) => (
          <ArrowTaken
            key={index}
            arrow={arrow}
            source={source}
            target={boxOf(chart.states[arrow.target]!.id)}
            transition={transition}
            layout={layout}
          />
        ))}
      </g>
    );
  });
});

/** It stayed where it was. */
function StateTaken({
  box,
  transition,
  layout,
}: {
  box: ScreenBox;
  transition: ChartTransition;
  layout: ScreenLayout;
}) {
  const frame = { x: box.x - 2, y: box.y - 2, width: box.width + 4, height: box.height + 4, rx: 8 };
  return (
    <>
      <rect className="statechart-last" {...frame} />
      <rect className="statechart-flash" {...frame} />
      <Note
        className="is-taken"
        lines={[oneLine(transition.label)]}
        at={anchorsAround({ ...box, y: box.y + 2 })}
        layout={layout}
      />
    </>
  );
}

function ArrowTaken({
  arrow,
  source,
  target,
  transition,
  layout,
}: {
  arrow: ScreenArrow;
  source: ScreenBox | undefined;
  target: ScreenBox | undefined;
  transition: ChartTransition;
  layout: ScreenLayout;
}) {
  // A mark tells that states lead here, not which one has: a leap does. What the chart itself takes comes from none of them.
  const leap =
    arrow.kind === 'gather' && source && source.number !== 0 && target
      ? leapPoints(headOf(source), headOf(target))
      : undefined;
  const at = leap ? [middleOfLeap(leap)] : anchorsAt(arrow);
  const path = leap ? leapPath(leap) : linePath(arrow.points);
  const kind = leap ? 'is-leap' : '';
  return (
    <>
      <path className={`statechart-last ${kind}`} d={path} />
      <path className={`statechart-flash ${kind}`} d={path} />
      <path className="statechart-tip" d={headPath(leap ?? arrow.points)} />
      {!arrow.label && <Note className="is-taken" lines={[oneLine(transition.label)]} at={at} layout={layout} />}
    </>
  );
}

function headOf({ x, y, width, height, headHeight, isOuter }: ScreenBox): Area {
  return { x, y, width, height: isOuter ? headHeight : height };
}

function middleOfLeap([from, bend, to]: readonly [Point, Point, Point]): Anchor {
  return { x: from.x / 4 + bend.x / 2 + to.x / 4, y: from.y / 4 + bend.y / 2 + to.y / 4, place: 'on' };
}
