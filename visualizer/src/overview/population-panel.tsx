/** Where the sessions are: their charts as a heat map. */
import { useCallback, useMemo } from 'react';
import type { Chart } from '../../../src/inspect/drawing/chart.js';
import type { SessionChart } from '../../../src/inspect/feed.js';
import type { Source } from '../../../src/inspect/visualizer/messages.js';
import { go, hrefOf, useRoute } from '../app/route.js';
import { useSourceInAddress } from '../app/source.js';
import { StatechartView } from '../chart/statechart-view.js';
import { useHello } from '../connection/use-link.js';
import { useOverview } from '../connection/use-overview.js';
import { useMedia } from '../design/use-media.js';
import { HEATS, heatOf, sessionsIn, type HeatOf } from './heat.js';

type Shown = SessionChart | 'both';

const SHOWN: readonly { readonly id: Shown; readonly name: string }[] = [
  { id: 'session', name: 'Transport' },
  { id: 'protocol', name: 'Protocol' },
  { id: 'both', name: 'Both' },
];

export function PopulationPanel({ source }: { source: Source }) {
  const charts = useHello()!.charts;
  const { query } = useRoute();
  const isWide = useMedia('(min-width: 1640px)');
  const shown = SHOWN.find(({ id }) => id === query.get('chart'))?.id ?? (isWide ? 'both' : 'session');
  const heat = HEATS.find(({ id }) => id === query.get('colour')) ?? HEATS[0]!;
  const set = (name: string, value: string) => {
    const next = new URLSearchParams(query);
    next.set(name, value);
    go(`/?${next}`, { replace: true });
  };
  const names: readonly SessionChart[] = shown === 'both' ? ['session', 'protocol'] : [shown];
  return (
    <section className="panel overview-population" aria-labelledby="overview-population">
      <header>
        <h2 id="overview-population">Sessions by state</h2>
        <div className="segments" role="group" aria-label="Chart">
          {SHOWN.map(({ id, name }) => (
            <button key={id} aria-pressed={id === shown} onClick={() => set('chart', id)}>
              {name}
            </button>
          ))}
        </div>
      </header>
      <div className="overview-charts">
        {names.map((name) => (
          <PopulationChart
            key={name}
            source={source}
            name={name}
            chart={charts[source.charts[name]]!}
            what={heat.id}
            hasTitle={shown === 'both'}
          />
        ))}
      </div>
      <footer>
        <label>
          Colour{' '}
          <select value={heat.id} onChange={(event) => set('colour', event.target.value)}>
            {HEATS.map(({ id, name }) => (
              <option key={id} value={id}>
                {name}
              </option>
            ))}
          </select>
        </label>
        <span className="overview-scale" aria-hidden="true">
          {heat.few}
          <span />
          {heat.many}
        </span>
        <span className="muted overview-hint">A state leads to its sessions.</span>
      </footer>
    </section>
  );
}

function PopulationChart({
  source,
  name,
  chart,
  what,
  hasTitle,
}: {
  source: Source;
  name: SessionChart;
  chart: Chart;
  what: HeatOf;
  hasTitle: boolean;
}) {
  const counts = useOverview((overview) => overview.counts[name]);
  // What is not shown is not listened to: it would draw the chart anew.
  const ages = useOverview((overview) => (what === 'age' ? overview.ages[name] : NO_AGES));
  const arrivals = useOverview((overview) => (what === 'arrivals' ? overview.arrivals[name] : NO_ARRIVALS));
  const { heat, texts } = useMemo(
    () => heatOf(chart, what, { counts, ages, arrivals }),
    [chart, what, counts, ages, arrivals],
  );
  const sessions = useMemo(() => sessionsIn(chart, counts), [chart, counts]);
  const sourceName = useSourceInAddress(source);
  const openState = useCallback(
    (state: number) => {
      const path = chart.states[state]?.path;
      go(hrefOf(['sessions'], { source: sourceName, state: path && `${name}:${path}` }));
    },
    [chart, name, sourceName],
  );
  return (
    <div className="overview-chart">
      {hasTitle && <h3>{name === 'session' ? 'Transport' : 'Protocol'}</h3>}
      <StatechartView
        chart={chart}
        mode="population"
        labels="none"
        counts={sessions}
        heat={heat}
        {...(texts && { heatText: texts })}
        onState={openState}
        label={`Sessions by state of the ${name === 'session' ? 'transport' : 'protocol'}`}
      />
    </div>
  );
}

const NO_AGES: readonly never[] = [];
const NO_ARRIVALS: readonly number[] = [];
