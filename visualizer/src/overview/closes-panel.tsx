/** Why sessions ended, the most frequent reason first. */
import { useOverview } from '../connection/use-overview.js';
import { countText } from '../design/text.js';

/** The others are one line. */
const REASONS_MAX = 6;

export function ClosesPanel() {
  const totals = useOverview((overview) => overview.totals);
  const reasons = Object.entries(totals?.reasons ?? {}).sort(([, a], [, b]) => b - a);
  const all = reasons.reduce((sum, [, count]) => sum + count, 0);
  const shown = reasons.length > REASONS_MAX ? reasons.slice(0, REASONS_MAX - 1) : reasons;
  const others = reasons.slice(shown.length);
  const rows = [
    ...shown,
    ...(others.length > 0
      ? [[`${others.length} other reasons`, others.reduce((sum, [, count]) => sum + count, 0)] as const]
      : []),
  ];
  return (
    <section className="panel overview-closes" aria-labelledby="overview-closes">
      <header>
        <h2 id="overview-closes">Closes by reason</h2>
        <span className="muted number">{countText(all)}</span>
      </header>
      {rows.length === 0 ? (
        <p className="muted overview-empty">No session has ended yet.</p>
      ) : (
        <dl>
          {rows.map(([reason, count]) => (
            <div key={reason}>
              <dt title={reason}>{reason}</dt>
              <dd className="overview-bar">
                <span style={{ width: `${(count / rows[0]![1]) * 100}%` }} />
              </dd>
              <dd className="number">{countText(count)}</dd>
            </div>
          ))}
        </dl>
      )}
    </section>
  );
}
