/** All that a chart says of one state, in the words of its source. */
import type { ReactNode } from 'react';
import { guardText, withParams } from '../../../src/inspect/chart-names.js';
import type { Chart, ChartAction, ChartState, ChartTransition } from '../../../src/inspect/drawing/chart.js';

const TYPES: Readonly<Record<ChartState['type'], string>> = {
  atomic: 'state',
  compound: 'state with states inside',
  parallel: 'regions side by side',
  final: 'final state',
  history: 'history',
};

export function StateDetails({
  name,
  chart,
  state,
  onState,
}: {
  name: string;
  chart: Chart;
  state: ChartState;
  onState: (path: string) => void;
}) {
  const out = chart.transitions.filter(({ source }) => source === state.id);
  const around = ancestorsOf(chart, state);
  const into = chart.transitions.filter(({ targets, source }) => targets.includes(state.id) && source !== state.id);
  const names = { chart, onState };
  return (
    <div className="machines-details">
      <h2 className="mono">{state.path || name}</h2>
      <p className="muted">
        {TYPES[state.type]}
        {state.parent === null && ', the chart itself'}
      </p>
      {state.description && <p>{state.description}</p>}
      {state.tags.length > 0 && (
        <ul className="machines-tags" aria-label="Tags">
          {state.tags.map((tag) => (
            <li key={tag} className="badge">
              {tag}
            </li>
          ))}
        </ul>
      )}
      <Actions title="On entry" actions={state.entry} />
      <Actions title="On exit" actions={state.exit} />
      {state.initial && (
        <Part title="Begins in">
          {state.initial.targets.map((id) => (
            <StateName key={id} {...names} id={id} />
          ))}
        </Part>
      )}
      {state.invokes.length > 0 && (
        <Part title="Runs">
          {state.invokes.map(({ id, source }) => (
            <code key={id}>{source}</code>
          ))}
        </Part>
      )}
      <Transitions title="Takes" transitions={out} {...names} />
      {around.map(({ id, path }) => (
        <Transitions
          key={id}
          title={`Takes as well, as part of ${path || name}`}
          transitions={chart.transitions.filter(({ source }) => source === id)}
          {...names}
        />
      ))}
      <Transitions title="Is reached from" transitions={into} withSource withoutTarget {...names} />
    </div>
  );
}

interface Names {
  readonly chart: Chart;
  readonly onState: (path: string) => void;
}

function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section>
      <h3>{title}</h3>
      <p className="machines-words">{children}</p>
    </section>
  );
}

function Actions({ title, actions }: { title: string; actions: readonly ChartAction[] }) {
  if (actions.length === 0) return null;
  return (
    <Part title={title}>
      {actions.map((action, index) => (
        <code key={index}>{withParams(action.name, action.params)}</code>
      ))}
    </Part>
  );
}

function Transitions({
  title,
  transitions,
  withSource = false,
  withoutTarget = false,
  ...names
}: {
  title: string;
  transitions: readonly ChartTransition[];
  withSource?: boolean;
  withoutTarget?: boolean;
} & Names) {
  if (transitions.length === 0) return null;
  return (
    <section>
      <h3>{title}</h3>
      <ul className="machines-transitions">
        {transitions.map((transition) => (
          <li key={transition.id}>
            {withSource && <StateName {...names} id={transition.source} />}
            <strong className={transition.kind === 'after' ? 'mono is-timed' : 'mono'}>{transition.label}</strong>
            {transition.guard && <span className="muted"> if {guardText(transition.guard)}</span>}
            {!withoutTarget && <Target {...names} transition={transition} />}
            {transition.actions.length > 0 && (
              <span className="machines-words">
                {transition.actions.map((action, index) => (
                  <code key={index}>{withParams(action.name, action.params)}</code>
                ))}
              </span>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

function Target({ transition, ...names }: { transition: ChartTransition } & Names) {
  if (transition.targets.length === 0) return <span className="muted"> stays</span>;
  return (
    <>
      {' \u2192 '}
      {transition.targets.map((id) => (
        <StateName key={id} {...names} id={id} />
      ))}
    </>
  );
}

function StateName({ chart, id, onState }: { id: string } & Names) {
  const state = chart.states.find((one) => one.id === id);
  if (!state) return <code>{id}</code>;
  return (
    <button className="machines-name mono" onClick={() => onState(state.path)}>
      {state.path || state.key}
    </button>
  );
}

function ancestorsOf(chart: Chart, state: ChartState): readonly ChartState[] {
  const parent = chart.states.find(({ id }) => id === state.parent);
  return parent ? [parent, ...ancestorsOf(chart, parent)] : [];
}
