/** All sessions of a server or client: found, sorted, looked at, and ended. */
import { useCallback, useState } from 'react';
import type { SortKey, Source, TableView } from '../../../src/inspect/visualizer/messages.js';
import { go, hrefOf, useRoute } from '../app/route.js';
import { useLink } from '../connection/use-link.js';
import { countText } from '../design/text.js';
import { useCharts } from '../session/use-live-session.js';
import { useNow } from '../session/use-now.js';
import { ConfirmReset, useControlReason } from '../session/session-actions.js';
import '../session/session.css';
import { EndedTable } from './ended-table.js';
import { Filters } from './filters.js';
import { SessionTable } from './session-table.js';
import './sessions.css';
import { choiceOf, longerMs, queryOf, stateOf, type TableChoice } from './table-address.js';
import { useTable } from './use-table.js';

export function SessionsView({ source }: { source: Source }) {
  const { query } = useRoute();
  const choice = choiceOf(query);
  const isEnded = query.get('show') === 'ended';
  const change = (next: Partial<TableChoice>, replace = false) =>
    go(hrefOf(['sessions'], { source: sourceOf(query), ...queryOf({ ...choice, ...next }), show: isEnded ? 'ended' : undefined }), { replace }); // prettier-ignore
  return (
    <div className="view sessions">
      {isEnded ? (
        <>
          <Filters source={source} choice={choice} isEnded onChange={change} count="" />
          <div className="panel sessions-panel">
            <EndedTable source={source} text={choice.text} />
          </div>
        </>
      ) : (
        <Live source={source} choice={choice} onChange={change} />
      )}
    </div>
  );
}

/** As the address says it: with one source it need not. */
function sourceOf(query: URLSearchParams): string | undefined {
  return query.get('source') ?? undefined;
}

interface LiveProps {
  readonly source: Source;
  readonly choice: TableChoice;
  readonly onChange: (next: Partial<TableChoice>, replace?: boolean) => void;
}

function Live({ source, choice, onChange }: LiveProps) {
  const charts = useCharts(source);
  const [range, setRange] = useState({ from: 0, count: 40 });
  const [isHeld, setHeld] = useState(false);
  const [isUnderPointer, setUnderPointer] = useState(false);
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const state = stateOf(charts, choice.state);
  const view: TableView = {
    ...range,
    sort: choice.sort,
    descending: choice.descending,
    text: choice.text,
    state: state ?? null,
    longerThanMs: longerMs(choice.longer),
    hold: isHeld || isUnderPointer,
  };
  const rows = useTable(source.name, view);
  const now = useNow(rows.atMs, 250);
  const onView = useCallback((from: number, count: number) => {
    // A view of nothing would be told nothing, not even that there is something now.
    if (count > 0) setRange({ from, count: Math.min(200, count) });
  }, []);
  const select = (ids: readonly string[], isSelected: boolean) => {
    const next = new Set(selected);
    for (const id of ids) {
      if (isSelected) next.add(id);
      else next.delete(id);
    }
    setSelected(next);
  };
  const sort = (key: SortKey) => {
    const isText = key === 'id' || key === 'peer' || key === 'state' || key === 'waits';
    onChange({ sort: key, descending: key === choice.sort ? !choice.descending : !isText });
  };
  const isFiltered = choice.text !== '' || choice.state !== '' || choice.longer !== '';
  return (
    <>
      <Filters
        source={source}
        choice={choice}
        isEnded={false}
        onChange={onChange}
        count={
          rows.isKnown
            ? isFiltered
              ? `${countText(rows.matching)} of ${countText(rows.total)}`
              : `${countText(rows.total)} ${rows.total === 1 ? 'session' : 'sessions'}`
            : ''
        }
      >
        <button
          aria-pressed={isHeld}
          title="No row moves, comes or goes; values go on. So it is while the pointer is over the rows."
          className={isUnderPointer && !isHeld ? 'is-held' : ''}
          onClick={() => setHeld(!isHeld)}
        >
          ❚❚ {isHeld || isUnderPointer ? 'held' : 'hold'}
        </button>
      </Filters>
      {state === undefined && (
        <p className="sessions-warning" role="alert">
          The charts have no state <code>{choice.state}</code>: all sessions are shown.
        </p>
      )}
      <div className="panel sessions-panel">
        <SessionTable
          source={source.name}
          charts={charts}
          rows={rows}
          now={now}
          waitTimeoutMs={source.waitTimeoutMs}
          choice={choice}
          onSort={sort}
          selected={selected}
          onSelect={select}
          onView={onView}
          onHold={setUnderPointer}
          empty={
            isFiltered ? (
              <>
                <p>No session matches.</p>
                <p>
                  <button onClick={() => onChange({ text: '', state: '', longer: '' })}>Show all</button>
                </p>
              </>
            ) : (
              <p>
                No session lives now.{' '}
                {source.kind === 'server' && source.address && (
                  <>
                    Connect one: <code>nc {source.address.replace(/:(\d+)$/, ' $1')}</code>
                  </>
                )}
              </p>
            )
          }
        />
        <Selection source={source.name} selected={selected} onClear={() => setSelected(new Set())} />
      </div>
    </>
  );
}

interface SelectionProps {
  readonly source: string;
  readonly selected: ReadonlySet<string>;
  readonly onClear: () => void;
}

/** What can be asked of all that are selected. */
function Selection({ source, selected, onClear }: SelectionProps) {
  const link = useLink();
  const why = useControlReason();
  const [answer, setAnswer] = useState('');
  const [isResetOpen, setResetOpen] = useState(false);
  const ids = [...selected];
  const tell = async (what: 'close' | 'reset', confirm?: string) => {
    const result = await link.command({ what, source, ids, ...(confirm !== undefined && { confirm }) });
    setAnswer(result.text || result.outcome);
    if (result.outcome === 'done') onClear();
  };
  const record = async () => {
    let done = 0;
    let refused = '';
    // One after the other: the server takes so many commands a second, and records one session each.
    for (const id of ids) {
      const result = await link.command({ what: 'record', source, ids: [id] });
      if (result.outcome === 'done') done += 1;
      else refused = result.text;
    }
    setAnswer(`${done} of ${ids.length} are recorded${refused && `: ${refused}`}`);
  };
  if (ids.length === 0 && answer === '') return null;
  const nothing = why ?? (ids.length === 0 ? 'None is selected' : undefined);
  return (
    <div className="sessions-selection" role="group" aria-label="Selected sessions">
      <b>{countText(ids.length)} selected</b>
      <button disabled={nothing !== undefined} title={nothing} onClick={() => void tell('close')}>
        Close gracefully
      </button>
      <button className="danger" disabled={nothing !== undefined} title={nothing} onClick={() => setResetOpen(true)}>
        Reset…
      </button>
      <button disabled={nothing !== undefined} title={nothing} onClick={() => void record()}>
        ● Record
      </button>
      <p role="status" className="muted">
        {answer || why}
      </p>
      <button
        className="quiet"
        onClick={() => {
          onClear();
          setAnswer('');
        }}
      >
        Clear
      </button>
      {isResetOpen && (
        <ConfirmReset
          ids={ids}
          onClose={() => setResetOpen(false)}
          onConfirm={(confirm) => void tell('reset', confirm)}
        />
      )}
    </div>
  );
}
