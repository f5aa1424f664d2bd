/** The states of a chart as a list, where it cannot be drawn. */
import type { Chart } from '../../../src/inspect/drawing/chart.js';
import { countText } from '../design/text.js';

interface StateTreeProps {
  readonly chart: Chart;
  readonly label: string;
  readonly counts: ArrayLike<number> | undefined;
  readonly active: readonly number[];
  readonly onState: ((state: number) => void) | undefined;
}

export function StateTree(props: StateTreeProps) {
  return (
    <div className="statechart-tree">
      <p className="muted">The chart could not be drawn, so here are its states.</p>
      <ul aria-label={props.label}>
        <Branch {...props} number={0} />
      </ul>
    </div>
  );
}

function Branch({ number, ...props }: StateTreeProps & { readonly number: number }) {
  const { chart, counts, active, onState } = props;
  const state = chart.states[number]!;
  const children = chart.states.flatMap(({ parent }, child) => (parent === state.id ? [child] : []));
  const isActive = active.includes(number);
  return (
    <li data-state={state.id} data-number={number} className={isActive ? 'is-active' : ''}>
      <span className="statechart-tree-row">
        {onState ? <button onClick={() => onState(number)}>{state.key}</button> : <span>{state.key}</span>}
        {isActive && <span className="statechart-tree-mark">active</span>}
        {counts && <span className="statechart-tree-count">{countText(counts[number] ?? 0)}</span>}
      </span>
      {children.length > 0 && (
        <ul>
          {children.map((child) => (
            <Branch key={child} {...props} number={child} />
          ))}
        </ul>
      )}
    </li>
  );
}
