/**
 * What there is once: the server socket or client, the sweeper, and what sessions share, each as the row of its outermost states with
 * the one that it is in. Its whole chart, live as well, is one click away, where it has the room that it needs.
 */
import type { Place } from '../../../src/inspect/feed.js';
import type { Source } from '../../../src/inspect/visualizer/messages.js';
import { innermostPath } from '../app/place.js';
import { hrefOf } from '../app/route.js';
import { useSourceInAddress } from '../app/source.js';
import type { Overview } from '../connection/overview.js';
import { useHello } from '../connection/use-link.js';
import { useOverview } from '../connection/use-overview.js';
import { Icon } from '../design/icons.js';

export function OwnerStrip({ source }: { source: Source }) {
  const { owner, sweeper, shared } = source.charts;
  const title = source.kind === 'server' ? 'Server socket' : 'Client';
  return (
    <div className="overview-owners">
      <Owner source={source} title={title} chartKey={owner} placeIn={({ places }) => places.owner} />
      {sweeper !== null && (
        <Owner source={source} title="Sweeper" chartKey={sweeper} placeIn={({ places }) => places.sweeper} />
      )}
      {Object.entries(shared).map(([name, key]) => (
        <Owner
          key={name}
          source={source}
          title={`Shared ${name}`}
          chartKey={key}
          placeIn={({ places }) => places.shared[name] ?? NOWHERE}
        />
      ))}
    </div>
  );
}

function Owner({
  source,
  title,
  chartKey,
  placeIn,
}: {
  source: Source;
  title: string;
  chartKey: string;
  placeIn: (overview: Overview) => Place;
}) {
  const chart = useHello()!.charts[chartKey];
  const place = useOverview(placeIn);
  const sourceName = useSourceInAddress(source);
  if (!chart) return null;
  const root = chart.states[0]!;
  const innermost = innermostPath(chart, place);
  return (
    <section className="panel overview-owner" aria-label={title}>
      <h2>
        <a href={hrefOf(['machines', chartKey], { source: sourceName })} title="Its whole chart">
          {title} <Icon name="open" size={12} />
        </a>
      </h2>
      <ol>
        {chart.states.map((state, number) => {
          if (state.parent !== root.id) return null;
          const isActive = place.includes(number);
          return (
            <li key={state.id} className="mono" aria-current={isActive ? 'step' : undefined}>
              {state.path}
            </li>
          );
        })}
      </ol>
      {/* In the room that is left: the row of states stays where it is. */}
      <span className="mono overview-owner-inner">{innermost.includes('.') && innermost}</span>
    </section>
  );
}

const NOWHERE: Place = [];
