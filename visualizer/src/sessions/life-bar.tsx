/** The states that a session has been in, from its start to now, each as long as it took. */
import type { Chart } from '../../../src/inspect/drawing/chart.js';
import type { SessionRow } from '../../../src/inspect/visualizer/messages.js';
import { durationText } from '../design/text.js';

/** A phase that took nearly nothing is seen all the same. */
const SEEN_SHARE = 0.025;

export function LifeBar({ row, chart, now }: { row: SessionRow; chart: Chart | undefined; now: number }) {
  const phases = row.phases.map(([state, atMs], index) => {
    const untilMs = row.phases[index + 1]?.[1] ?? now;
    return { key: chart?.states[state]?.key ?? `${state}`, ms: Math.max(0, untilMs - atMs) };
  });
  const allMs = phases.reduce((sum, { ms }) => sum + ms, 0) || 1;
  const text = phases.map(({ key, ms }) => `${key} ${durationText(ms)}`).join(' → ');
  return (
    <span className="life" role="img" aria-label={text} title={text}>
      {phases.map(({ key, ms }, index) => (
        <i key={index} className={`life-phase life-${key}`} style={{ flexGrow: Math.max(SEEN_SHARE, ms / allMs) }} />
      ))}
    </span>
  );
}
