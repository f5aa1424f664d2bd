/** Sessions as rows, of which only those in view are there. */
import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useRef, useState, type KeyboardEvent, type ReactNode } from 'react';
import type { Chart } from '../../../src/inspect/drawing/chart.js';
import type { SessionChart } from '../../../src/inspect/feed.js';
import type { SessionRow, SortKey } from '../../../src/inspect/visualizer/messages.js';
import { go, hrefOf } from '../app/route.js';
import { bytesText, durationText } from '../design/text.js';
import { placeLines, placeText } from '../session/places.js';
import { LifeBar } from './life-bar.js';
import type { TableChoice } from './table-address.js';
import type { TableRows } from './use-table.js';
import { WaitMark } from './wait-mark.js';

export interface Column {
  readonly name: string;
  /** `undefined`: it cannot be sorted by. */
  readonly sort: SortKey | undefined;
  readonly isNumber: boolean;
}

const COLUMNS: readonly Column[] = [
  { name: 'id', sort: 'id', isNumber: false },
  { name: 'peer', sort: 'peer', isNumber: false },
  { name: 'transport', sort: 'state', isNumber: false },
  { name: 'protocol', sort: undefined, isNumber: false },
  { name: 'life', sort: undefined, isNumber: false },
  { name: 'age', sort: 'age', isNumber: true },
  { name: 'in state', sort: 'stateAge', isNumber: true },
  { name: 'in', sort: 'received', isNumber: true },
  { name: 'out', sort: 'sent', isNumber: true },
  { name: 'waits', sort: 'waits', isNumber: false },
];
export const ROW_HEIGHT = 30;

interface SessionTableProps {
  readonly source: string;
  readonly charts: Readonly<Record<SessionChart, Chart | undefined>>;
  readonly rows: TableRows;
  readonly now: number;
  readonly waitTimeoutMs: number;
  readonly choice: TableChoice;
  readonly onSort: (sort: SortKey) => void;
  readonly selected: ReadonlySet<string>;
  readonly onSelect: (ids: readonly string[], isSelected: boolean) => void;
  readonly onView: (from: number, count: number) => void;
  readonly onHold: (isHeld: boolean) => void;
  readonly empty: ReactNode;
}

export function SessionTable(props: SessionTableProps) {
  const { rows, selected, choice, onView } = props;
  const body = useRef<HTMLDivElement>(null);
  // eslint-disable-next-line react-hooks/incompatible-library -- its functions are called here alone, and never kept
  const virtual = useVirtualizer({
    count: rows.matching,
    getScrollElement: () => body.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 6,
  });
  const items = virtual.getVirtualItems();
  const from = items[0]?.index ?? 0;
  const count = (items.at(-1)?.index ?? -1) - from + 1;
  useEffect(() => onView(from, count), [onView, from, count]);
  const [focused, setFocused] = useState(0);
  // One row takes part in Tab; arrow keys lead to the others.
  const tabbed = Math.min(Math.max(focused, from), Math.max(from, from + count - 1));
  const areAll = rows.ids.length > 0 && rows.ids.every((id) => selected.has(id));

  const move = (event: KeyboardEvent) => {
    const row = (event.target as HTMLElement).closest<HTMLElement>('[data-index]');
    if (!row) return;
    const index = Number(row.dataset['index']);
    const { id } = row.dataset;
    if (event.key === ' ' && id !== undefined && (event.target as HTMLElement).matches('a')) {
      event.preventDefault();
      return props.onSelect([id], !selected.has(id));
    }
    const steps: Readonly<Record<string, number>> = {
      ArrowDown: 1, ArrowUp: -1, PageDown: 15, PageUp: -15, Home: -index, End: rows.matching - 1 - index,
    }; // prettier-ignore
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const to = Math.min(rows.matching - 1, Math.max(0, index + step));
    virtual.scrollToIndex(to);
    requestAnimationFrame(() =>
      requestAnimationFrame(() => body.current?.querySelector<HTMLElement>(`[data-index="${to}"] a`)?.focus()),
    );
  };
  return (
    <div
      className="sessions-table"
      role="table"
      aria-label="Sessions"
      aria-rowcount={rows.matching + 1}
      aria-colcount={COLUMNS.length + 1}
    >
      <div className="sessions-head" role="row" aria-rowindex={1}>
        <span role="columnheader" className="sessions-check">
          <input
            type="checkbox"
            checked={areAll}
            aria-label="Select all in view"
            onChange={() => props.onSelect(rows.ids, !areAll)}
          />
        </span>
        {COLUMNS.map((column) => (
          <ColumnHead key={column.name} column={column} choice={choice} onSort={props.onSort} />
        ))}
      </div>
      {rows.isKnown && rows.matching === 0 && <div className="nothing">{props.empty}</div>}
      <div
        className="sessions-body"
        ref={body}
        role="rowgroup"
        tabIndex={-1}
        onPointerEnter={() => props.onHold(true)}
        onPointerLeave={() => props.onHold(false)}
        onFocus={({ target }) => {
          if (target.matches(':focus-visible')) props.onHold(true);
          const index = target.closest<HTMLElement>('[data-index]')?.dataset['index'];
          if (index !== undefined) setFocused(Number(index));
        }}
        onBlur={({ currentTarget, relatedTarget }) => {
          if (!currentTarget.contains(relatedTarget)) props.onHold(currentTarget.matches(':hover'));
        }}
        onKeyDown={move}
      >
        <div className="sessions-all" style={{ height: virtual.getTotalSize() }}>
          {items.map(({ index, start }) => {
            const row = rows.at(index);
            return (
              <div
                key={row?.id ?? `#${index}`}
                className={`sessions-row ${row && selected.has(row.id) ? 'is-selected' : ''}`}
                role="row"
                aria-rowindex={index + 2}
                data-index={index}
                data-id={row?.id}
                style={{ transform: `translateY(${start}px)` }}
                onClick={(event) => {
                  if (row && !(event.target as Element).closest('input, a'))
                    go(hrefOf(['sessions', row.id], { source: props.source }));
                }}
              >
                {row && <Cells {...props} row={row} tabIndex={index === tabbed ? 0 : -1} />}
              </div>
            );
          })}
        </div>
      </div>
    </div>
  );
}

interface ColumnHeadProps {
  readonly column: Column;
  readonly choice: TableChoice;
  readonly onSort: (sort: SortKey) => void;
}

function ColumnHead({ column: { name, sort, isNumber }, choice, onSort }: ColumnHeadProps) {
  const isSorted = sort !== undefined && sort === choice.sort;
  const order = isSorted ? (choice.descending ? 'descending' : 'ascending') : 'none';
  return (
    <span role="columnheader" aria-sort={sort && order} className={isNumber ? 'number' : ''}>
      {sort ? (
        <button className="quiet" onClick={() => onSort(sort)}>
          {name}
          {isSorted && (
            <span className="sessions-sort" aria-hidden="true">
              {choice.descending ? '↓' : '↑'}
            </span>
          )}
        </button>
      ) : (
        name
      )}
    </span>
  );
}

function Cells({
  row,
  source,
  charts,
  now,
  waitTimeoutMs,
  selected,
  onSelect,
  tabIndex,
}: SessionTableProps & { readonly row: SessionRow; readonly tabIndex: number }) {
  const { id, key, peer, waitsEndAtMs, waitTimeoutCountMax } = row;
  const age = (sinceMs: number) => durationText(Math.max(0, now - sinceMs));
  return (
    <>
      <span role="cell" className="sessions-check">
        <input
          type="checkbox"
          checked={selected.has(id)}
          tabIndex={tabIndex}
          aria-label={`Select session ${id}`}
          onChange={({ target }) => onSelect([id], target.checked)}
        />
      </span>
      <span role="cell">
        <a href={hrefOf(['sessions', id], { source })} tabIndex={tabIndex}>
          {id}
        </a>
        {key !== null && <span className="sessions-key">{key}</span>}
      </span>
      <span role="cell" className="mono">
        {peer}
      </span>
      <span role="cell" title={placeLines(charts.session, row.session)}>
        {placeText(charts.session, row.session)}
      </span>
      <span role="cell" className="muted" title={placeLines(charts.protocol, row.protocol)}>
        {placeText(charts.protocol, row.protocol)}
      </span>
      <span role="cell">
        <LifeBar row={row} chart={charts.session} now={now} />
      </span>
      <span role="cell" className="number">
        {age(row.startedAtMs)}
      </span>
      <span role="cell" className="number">
        {age(Math.max(row.sessionSinceMs, row.protocolSinceMs))}
      </span>
      <span role="cell" className="number">
        {bytesText(row.bytesReceived)}
      </span>
      <span role="cell" className="number">
        {bytesText(row.bytesSent)}
      </span>
      <span role="cell">
        <WaitMark
          leftMs={waitsEndAtMs === null ? undefined : waitsEndAtMs - now}
          wholeMs={waitTimeoutCountMax * waitTimeoutMs}
        />
      </span>
    </>
  );
}
