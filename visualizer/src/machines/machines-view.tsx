/** The charts themselves, without anything that runs: to read, to print, and to take along. */
import { useMemo, useRef, useState, type RefObject } from 'react';
import type { Source } from '../../../src/inspect/visualizer/messages.js';
import { stateNumber } from '../app/place.js';
import { go, hrefOf, useRoute } from '../app/route.js';
import { useSourceInAddress } from '../app/source.js';
import { StatechartView, type StatechartHandle, type StatechartViewProps } from '../chart/statechart-view.js';
import type { Overview } from '../connection/overview.js';
import { useOverview } from '../connection/use-overview.js';
import type { Place } from '../../../src/inspect/feed.js';
import { useHello } from '../connection/use-link.js';
import { Icon } from '../design/icons.js';
import { StateDetails } from './details.js';
import './machines.css';
import { listMachines, type Machine } from './list.js';

export function MachinesView({ chartKey, source }: { chartKey: string | undefined; source: Source | undefined }) {
  const hello = useHello()!;
  const sourceName = useSourceInAddress(source);
  const machines = useMemo(() => listMachines(hello.sources, hello.charts), [hello]);
  const chosen =
    machines.find(({ key }) => key === (chartKey ?? source?.charts.protocol)) ?? (chartKey ? undefined : machines[0]);
  return (
    <div className="machines">
      <nav className="panel machines-list" aria-labelledby="machines-title">
        <header>
          <h1 id="machines-title">Machines</h1>
        </header>
        <ul>
          {machines.map((machine) => (
            <li key={machine.key}>
              <a
                href={hrefOf(['machines', machine.key], { source: sourceName })}
                aria-current={machine === chosen ? 'page' : undefined}
              >
                <strong className="mono">{machine.name}</strong>
                {machine.uses.map((use) => (
                  <span key={use}>{use}</span>
                ))}
              </a>
            </li>
          ))}
        </ul>
      </nav>
      {chosen ? (
        <MachineChart key={chosen.key} machine={chosen} source={source} sourceName={sourceName} />
      ) : (
        <div className="panel nothing machines-nothing">
          {machines.length === 0 ? (
            <p>No server or client is here. A recording shows its own charts.</p>
          ) : (
            <p>
              There is no chart <code>{chartKey}</code>.
            </p>
          )}
        </div>
      )}
    </div>
  );
}

function MachineChart({
  machine: { key, name, chart },
  source,
  sourceName,
}: {
  machine: Machine;
  source: Source | undefined;
  sourceName: string | undefined;
}) {
  const { query } = useRoute();
  const drawing = useRef<StatechartHandle>(null);
  const [problem, setProblem] = useState('');
  const isPlain = query.get('labels') === 'none';
  const path = query.get('state');
  const number = path === null ? -1 : stateNumber(chart, path);
  const state = chart.states[number] ?? chart.states[0]!;
  const at = (change: Readonly<Record<string, string | undefined>>) =>
    hrefOf(['machines', key], {
      source: sourceName,
      labels: isPlain ? 'none' : undefined,
      state: path ?? undefined,
      ...change,
    });
  const placeIn = source && placeOfOne(source, key);
  const chooseState = (to: string) => go(at({ state: to }), { replace: true });
  const props = {
    ref: drawing,
    chart,
    labels: isPlain ? 'none' : 'events',
    onState: (to: number) => chooseState(chart.states[to]?.path ?? ''),
    ...(number > 0 && { selected: number }),
    label: `Statechart ${name}`,
  } as const;
  return (
    <>
      <section className="panel machines-chart" aria-labelledby="machines-chart">
        <header>
          <h2 id="machines-chart" className="mono">
            {name}
          </h2>
          <span className="muted machines-size">
            {chart.states.length - 1} states, {chart.transitions.length} transitions
            {placeIn && source && `, live in ${source.name}`}
          </span>
          <span className="machines-problem" role="status">
            {problem}
          </span>
          <label className="machines-check">
            <input
              type="checkbox"
              checked={!isPlain}
              onChange={(event) => go(at({ labels: event.target.checked ? undefined : 'none' }), { replace: true })}
            />
            events
          </label>
          <button
            title="Save the drawing as a file"
            onClick={() => setProblem(saveDrawing(drawing, name) ? '' : 'It is still being laid out.')}
          >
            <Icon name="save" size={14} /> SVG
          </button>
          <button onClick={() => print()}>
            <Icon name="print" size={14} /> Print
          </button>
        </header>
        {placeIn ? <LiveChart {...props} placeIn={placeIn} /> : <StatechartView {...props} mode="plain" />}
      </section>
      <section className="panel machines-state" aria-label="The chosen state">
        <StateDetails name={name} chart={chart} state={state} onState={chooseState} />
      </section>
    </>
  );
}

/** Of what there is one alone, the chart shows where it is now. */
function LiveChart({
  placeIn,
  ...props
}: Omit<StatechartViewProps, 'mode' | 'active'> & { placeIn: (overview: Overview) => Place }) {
  const place = useOverview(placeIn);
  return <StatechartView {...props} mode="session" active={place} />;
}

/** @returns `undefined` for a chart that each session has for itself */
function placeOfOne({ charts }: Source, key: string): ((overview: Overview) => Place) | undefined {
  if (key === charts.owner) return ({ places }) => places.owner;
  if (key === charts.sweeper) return ({ places }) => places.sweeper;
  const [shared] = Object.entries(charts.shared).find(([, one]) => one === key) ?? [];
  return shared === undefined ? undefined : ({ places }) => places.shared[shared] ?? NOWHERE;
}

const NOWHERE: Place = [];

/** @returns false while there is no drawing */
function saveDrawing(drawing: RefObject<StatechartHandle | null>, name: string): boolean {
  const svg = drawing.current?.exportSvg();
  if (!svg) return false;
  const address = URL.createObjectURL(new Blob([svg], { type: 'image/svg+xml' }));
  const link = document.createElement('a');
  link.href = address;
  link.download = `${name.replaceAll(/[^\w.-]+/g, '-')}.svg`;
  link.click();
  URL.revokeObjectURL(address);
  return true;
}
