/** What narrows the table down; all of it is in the address. */
import { useEffect, useRef, useState, type ReactNode } from 'react';
import type { Source } from '../../../src/inspect/visualizer/messages.js';
import { hrefOf } from '../app/route.js';
import { useCharts } from '../session/use-live-session.js';
import { LONGER, queryOf, type TableChoice } from './table-address.js';

interface FiltersProps {
  readonly source: Source;
  readonly choice: TableChoice;
  readonly isEnded: boolean;
  readonly onChange: (next: Partial<TableChoice>, replace?: boolean) => void;
  readonly count: string;
  readonly children?: ReactNode;
}

const LONGER_NAMES: Readonly<Record<(typeof LONGER)[number], string>> = {
  '1s': '1 s',
  '10s': '10 s',
  '1m': '1 min',
  '10m': '10 min',
  '1h': '1 h',
};
/** After the last key: the server sorts and filters for each text that it is told. */
const TYPING_MS = 150;

export function Filters({ source, choice, isEnded, onChange, count, children }: FiltersProps) {
  const charts = useCharts(source);
  const { text, state, longer } = choice;
  const shared = { source: source.name, q: text };
  return (
    <header className="sessions-filters">
      <h1 className="visually-hidden">Sessions</h1>
      <nav className="sessions-tabs" aria-label="Which sessions">
        <a
          href={hrefOf(['sessions'], { source: source.name, ...queryOf(choice) })}
          aria-current={isEnded ? undefined : 'page'}
        >
          live
        </a>
        <a href={hrefOf(['sessions'], { ...shared, show: 'ended' })} aria-current={isEnded ? 'page' : undefined}>
          ended
        </a>
      </nav>
      <TextFilter key={isEnded ? 'ended' : 'live'} text={text} isEnded={isEnded} onChange={onChange} />
      {!isEnded && (
        <>
          <span className={`sessions-chip ${state ? 'is-set' : ''}`}>
            <select aria-label="State" value={state} onChange={({ target }) => onChange({ state: target.value })}>
              <option value="">any state</option>
              {(['session', 'protocol'] as const).map((chart) => (
                <optgroup key={chart} label={chart === 'session' ? 'transport' : 'protocol'}>
                  {charts[chart]?.states.slice(1).map(({ path, type }) =>
                    type === 'history' ? null : (
                      <option key={path} value={`${chart}:${path}`}>
                        {path}
                      </option>
                    ),
                  )}
                </optgroup>
              ))}
            </select>
            {state && <Remove name="state" onRemove={() => onChange({ state: '' })} />}
          </span>
          <span className={`sessions-chip ${longer ? 'is-set' : ''}`}>
            <select
              aria-label="In its state for longer than"
              value={longer}
              onChange={({ target }) => onChange({ longer: target.value })}
            >
              <option value="">for any time</option>
              {LONGER.map((one) => (
                <option key={one} value={one}>
                  longer than {LONGER_NAMES[one]}
                </option>
              ))}
              {longer && !LONGER.some((one) => one === longer) && <option value={longer}>longer than {longer}</option>}
            </select>
            {longer && <Remove name="time" onRemove={() => onChange({ longer: '' })} />}
          </span>
        </>
      )}
      <span className="sessions-count" role="status">
        {count}
      </span>
      {children}
    </header>
  );
}

function Remove({ name, onRemove }: { name: string; onRemove: () => void }) {
  return (
    <button className="quiet" aria-label={`Remove the filter by ${name}`} onClick={onRemove}>
      ✕
    </button>
  );
}

interface TextFilterProps {
  readonly text: string;
  readonly isEnded: boolean;
  readonly onChange: FiltersProps['onChange'];
}

/** Its text is the field's own while it is typed; the address follows. */
function TextFilter({ text, isEnded, onChange }: TextFilterProps) {
  const [typed, setTyped] = useState<string>();
  const latest = useRef(onChange);
  useEffect(() => {
    latest.current = onChange;
  });
  useEffect(() => {
    if (typed === undefined) return undefined;
    const timer = setTimeout(() => {
      latest.current({ text: typed }, true);
      setTyped(undefined);
    }, TYPING_MS);
    return () => clearTimeout(timer);
  }, [typed]);
  return (
    <input
      className="sessions-text"
      type="search"
      value={typed ?? text}
      placeholder={isEnded ? 'id, key, peer or reason' : 'id, key or peer'}
      aria-label={isEnded ? 'Part of id, key, peer or reason' : 'Part of id, key or peer'}
      spellCheck={false}
      onChange={({ target }) => setTyped(target.value)}
    />
  );
}
