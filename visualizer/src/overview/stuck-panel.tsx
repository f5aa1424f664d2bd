/** States whose sessions have been in them for much longer than is usual: the first place to look. */
import type { Source, Stuck } from '../../../src/inspect/visualizer/messages.js';
import { hrefOf } from '../app/route.js';
import { useSourceInAddress } from '../app/source.js';
import { useHello } from '../connection/use-link.js';
import { useOverview } from '../connection/use-overview.js';
import { countText, durationText } from '../design/text.js';

export function StuckPanel({ source }: { source: Source }) {
  const stuck = useOverview((overview) => overview.stuck);
  return (
    <section className="panel overview-stuck" aria-labelledby="overview-stuck">
      <header>
        <h2 id="overview-stuck">Stuck?</h2>
        {stuck.length > 0 && <span className="badge warn">{stuck.length}</span>}
      </header>
      {stuck.length === 0 ? (
        <p className="muted overview-empty">Nothing is in a state for much longer than usual.</p>
      ) : (
        <ul>
          {stuck.map((one) => (
            <StuckState key={`${one.chart} ${one.state}`} source={source} stuck={one} />
          ))}
        </ul>
      )}
    </section>
  );
}

function StuckState({ source, stuck }: { source: Source; stuck: Stuck }) {
  const chart = useHello()?.charts[source.charts[stuck.chart]];
  const sourceName = useSourceInAddress(source);
  const path = chart?.states[stuck.state]?.path ?? String(stuck.state);
  const address = hrefOf(['sessions'], {
    source: sourceName,
    state: `${stuck.chart}:${path}`,
    longer: `${Math.round(stuck.limitMs / 1_000)}s`,
    sort: '-stateAge',
  });
  return (
    <li>
      <p>
        <span className="mono overview-stuck-state" title={`${stuck.chart}: ${path}`}>
          {path}
        </span>
        <a className="button" href={address} aria-label={`Show the ${stuck.count} sessions in ${path}`}>
          {countText(stuck.count)} {stuck.count === 1 ? 'session' : 'sessions'}
        </a>
      </p>
      <p className="muted">
        oldest {durationText(stuck.oldestMs)}, usual below {durationText(stuck.usualMs)}
      </p>
    </li>
  );
}
