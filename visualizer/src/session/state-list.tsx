/** A chart of which only the names of its states are known: recordings that were made before they had drawings. */
import type { Chart } from '../../../src/inspect/drawing/chart.js';
import type { Place } from '../../../src/inspect/feed.js';
import { indexOf } from './places.js';

export function StateList({ chart, active, label }: { chart: Chart; active: Place; label: string }) {
  const { around } = indexOf(chart);
  return (
    <ul className="state-list" aria-label={label}>
      {chart.states.map((state, number) =>
        number === 0 ? null : (
          <li
            key={state.id}
            data-state={state.id}
            className={active.includes(number) ? 'is-active' : ''}
            aria-current={active.includes(number) ? 'true' : undefined}
            style={{ paddingLeft: `${around[number]!.length * 16 + 12}px` }}
          >
            {state.key}
            {state.type === 'final' && <span className="faint"> end</span>}
            {state.type === 'parallel' && <span className="faint"> all of</span>}
          </li>
        ),
      )}
    </ul>
  );
}
