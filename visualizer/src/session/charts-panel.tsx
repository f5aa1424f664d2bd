/** Both charts of a session at one moment: where they are, and the arrow that was taken last. */
import { useMemo, useState, type ReactNode } from 'react';
import type { SessionChart } from '../../../src/inspect/feed.js';
import { StatechartView } from '../chart/statechart-view.js';
import { placeLines, placeText } from './places.js';
import { StateList } from './state-list.js';
import type { Point, Story } from './story.js';

interface ChartsPanelProps {
  readonly story: Story;
  readonly point: Point;
  /** Event types that the protocol's chart would take now; none for the past. */
  readonly possible?: readonly string[] | undefined;
  readonly onEvent?: ((type: string) => void) | undefined;
}

const NAMES: Readonly<Record<SessionChart, string>> = { session: 'Transport', protocol: 'Protocol' };
type Shown = SessionChart | 'both';
/** Where two charts would be too small to read; as in session.css. */
const NARROW = '(max-width: 1240px)';

export function ChartsPanel({ story, point, possible, onEvent }: ChartsPanelProps) {
  const [shown, setShown] = useState<Shown>(() => (matchMedia(NARROW).matches ? 'protocol' : 'both'));
  const charts = (['protocol', 'session'] as const).filter((chart) => shown === 'both' || shown === chart);
  return (
    <div className="session-charts">
      {charts.map((chart, index) => (
        <section className="panel session-chart" key={chart} aria-label={`${NAMES[chart]} chart`}>
          <header>
            <h2>
              {NAMES[chart]} <span className="muted session-chart-id">{story.charts[chart]?.id}</span>
            </h2>
            <span
              className="badge accent session-chart-place"
              title={placeLines(story.charts[chart], point[chart].place)}
            >
              {placeText(story.charts[chart], point[chart].place)}
            </span>
            {index === 0 && <Choice shown={shown} onChoose={setShown} />}
          </header>
          <Drawing
            story={story}
            chart={chart}
            point={point}
            labels={shown === 'both' ? 'none' : 'events'}
            possible={chart === 'protocol' ? possible : undefined}
            onEvent={onEvent}
          />
        </section>
      ))}
    </div>
  );
}

function Choice({ shown, onChoose }: { shown: Shown; onChoose: (shown: Shown) => void }): ReactNode {
  return (
    <div className="session-choice" role="group" aria-label="Which charts">
      {(['protocol', 'session', 'both'] as const).map((one) => (
        <button key={one} className="quiet" aria-pressed={shown === one} onClick={() => onChoose(one)}>
          {one === 'both' ? 'both' : NAMES[one].toLowerCase()}
        </button>
      ))}
    </div>
  );
}

interface DrawingProps extends ChartsPanelProps {
  readonly chart: SessionChart;
  readonly labels: 'none' | 'events';
}

function Drawing({ story, chart, point, labels, possible, onEvent }: DrawingProps) {
  const drawing = story.charts[chart];
  const { place, taken: ids, takenAt: sequence } = point[chart];
  const taken = useMemo(() => ({ ids, sequence }), [ids, sequence]);
  if (!drawing) return <div className="nothing">Its chart is not known.</div>;
  if (!story.hasDrawings) return <StateList chart={drawing} active={place} label={`States of ${drawing.id}`} />;
  return (
    <StatechartView
      chart={drawing}
      mode="session"
      labels={labels}
      active={place}
      taken={taken}
      {...(possible && { possible })}
      {...(onEvent && { onEvent })}
      label={`${NAMES[chart]} chart, ${placeText(drawing, place)}`}
    />
  );
}
