/** A session at one moment: its charts, what is known of it, and the sequence that led there. The same for live and for replay. */
import { useMemo, useState, type ReactNode } from 'react';
import { ChartsPanel } from './charts-panel.js';
import { ContextPanel } from './context-panel.js';
import { rowsOf } from './rows.js';
import { Sequence } from './sequence.js';
import { StepPanel } from './step-panel.js';
import { lastNumber, pointAt, type Point, type Story } from './story.js';

interface StoryPanelsProps {
  readonly story: Story;
  /** Number of the entry that is looked at; `undefined`: the last one. */
  readonly marked: number | undefined;
  readonly onMark: (number: number | undefined) => void;
  /** What is above the context. */
  readonly above: ReactNode;
  readonly below?: ReactNode;
  readonly payloadsHint: ReactNode;
  readonly serverName: string;
  readonly empty: string;
  readonly isReplay: boolean;
  /** The moment that the context is compared with, if not the one before. */
  readonly pinned?: number | undefined;
  readonly contextTools?: ReactNode;
  /** Of a live session at this moment: where it is, where its story does not say it. */
  readonly now?: { readonly session: readonly number[]; readonly protocol: readonly number[] } | undefined;
  readonly possible?: readonly string[] | undefined;
  readonly onEvent?: ((type: string) => void) | undefined;
  readonly isAll: boolean;
  readonly onAll: (isAll: boolean) => void;
}

export function StoryPanels(props: StoryPanelsProps) {
  const { story, marked, onMark, isReplay, pinned, now, isAll } = props;
  const rows = useMemo(() => rowsOf(story, { isAll }), [story, isAll]);
  const number = marked ?? lastNumber(story);
  const point = withNow(pointAt(story, number), marked === undefined ? now : undefined);
  const before = beforeOf(story, number, pinned);
  return (
    <div className="story">
      <ChartsPanel
        story={story}
        point={point}
        possible={marked === undefined ? props.possible : undefined}
        onEvent={props.onEvent}
      />
      <div className="panel vitals" tabIndex={0} role="region" aria-label="Session at this moment">
        {props.above}
        <ContextPanel
          story={story}
          point={point}
          before={before}
          beforeText={pinned === undefined ? 'before this step' : `at entry ${pinned}`}
        >
          {props.contextTools}
        </ContextPanel>
        {props.below}
      </div>
      <div className="story-right">
        <section className="panel story-sequence" aria-label="Sequence">
          <header>
            <h2>Sequence</h2>
            <label className="story-all">
              <input type="checkbox" checked={isAll} onChange={({ target }) => props.onAll(target.checked)} />
              transport steps
            </label>
            {!isReplay && (
              <button
                className="story-follow"
                aria-pressed={marked === undefined}
                title="Show what happens now"
                onClick={() => onMark(marked === undefined ? number : undefined)}
              >
                {marked === undefined ? 'following' : 'follow'}
              </button>
            )}
          </header>
          <Sequence
            rows={rows}
            marked={marked}
            onMark={onMark}
            dimsFuture={isReplay}
            serverName={props.serverName}
            empty={props.empty}
          />
        </section>
        <StepPanel story={story} number={marked ?? rows.at(-1)?.number ?? number} payloadsHint={props.payloadsHint} />
      </div>
    </div>
  );
}

/** The vitals are younger than the last line where a chart has been still for longer than its story is kept. */
function withNow(point: Point, now: StoryPanelsProps['now']): Point {
  if (!now) return point;
  const at = (chart: 'session' | 'protocol') =>
    point[chart].value === undefined ? { ...point[chart], place: now[chart] } : point[chart];
  return { ...point, session: at('session'), protocol: at('protocol') };
}

function beforeOf(story: Story, number: number, pinned: number | undefined): Point | undefined {
  if (pinned !== undefined) return pointAt(story, pinned);
  return number > 0 ? pointAt(story, number - 1) : undefined;
}

/** Kept while the page is there, for all sessions. */
export function useTransportSteps(): [boolean, (isAll: boolean) => void] {
  const [isAll, setAll] = useState(() => sessionStorage.getItem(STEPS_KEY) === 'all');
  const choose = (next: boolean) => {
    sessionStorage.setItem(STEPS_KEY, next ? 'all' : '');
    setAll(next);
  };
  return [isAll, choose];
}

const STEPS_KEY = 'wirechart.transportSteps';
