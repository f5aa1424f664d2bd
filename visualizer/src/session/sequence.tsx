/** What went between peer and server, and what happened inside, one row each; time runs down. */
import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useLayoutEffect, useRef, type KeyboardEvent } from 'react';
import { secondsText } from '../design/text.js';
import type { Row } from './rows.js';

interface SequenceProps {
  readonly rows: readonly Row[];
  /** Number of the entry that is looked at; `undefined`: the last one, whichever that is. */
  readonly marked: number | undefined;
  readonly onMark: (number: number) => void;
  /** Rows after the marked one have not happened yet. */
  readonly dimsFuture?: boolean;
  readonly serverName: string;
  readonly empty: string;
}

export const ROW_HEIGHT = 26;

export function Sequence({ rows, marked, onMark, dimsFuture = false, serverName, empty }: SequenceProps) {
  const body = useRef<HTMLDivElement>(null);
  const before = useRef(rows);
  const isFollowing = marked === undefined;
  const at = isFollowing ? rows.length - 1 : markedIndex(rows, marked);
  // eslint-disable-next-line react-hooks/incompatible-library -- its functions are called here alone, and never kept
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => body.current,
    estimateSize: () => ROW_HEIGHT,
    getItemKey: (index) => rows[index]!.key,
    overscan: 8,
  });
  useLayoutEffect(() => {
    // Rows that somebody reads stay where they are while others before them are let go of.
    const gone = before.current.findIndex(({ key }) => key === rows[0]?.key);
    before.current = rows;
    if (gone > 0 && !isFollowing) body.current?.scrollBy({ top: -gone * ROW_HEIGHT, behavior: 'instant' });
  }, [rows, isFollowing]);
  useEffect(() => {
    if (at >= 0) virtual.scrollToIndex(at, { align: isFollowing ? 'end' : 'auto' });
  }, [virtual, at, isFollowing]);

  const move = (event: KeyboardEvent) => {
    const steps: Readonly<Record<string, number>> = { ArrowDown: 1, ArrowUp: -1, PageDown: 15, PageUp: -15 };
    const step = steps[event.key];
    if (step === undefined || rows.length === 0) return;
    event.preventDefault();
    onMark(rows[Math.min(rows.length - 1, Math.max(0, at + step))]!.number);
  };
  return (
    <div className="sequence">
      <div className="sequence-head" aria-hidden="true">
        <span className="sequence-time">s</span>
        <span className="sequence-ends">
          <span>peer</span>
          <span>{serverName}</span>
        </span>
        <span>state</span>
      </div>
      {rows.length === 0 && <div className="nothing">{empty}</div>}
      <div
        className="sequence-body"
        ref={body}
        role="listbox"
        aria-label="Sequence of messages and events"
        aria-activedescendant={rows[at] && `sequence-${rows[at].key}`}
        tabIndex={0}
        onKeyDown={move}
      >
        <div className="sequence-all" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map(({ index, key, start }) => {
            const row = rows[index]!;
            return (
              <div
                key={key}
                id={`sequence-${row.key}`}
                role="option"
                aria-selected={index === at}
                aria-label={spoken(row)}
                className={classOf(row, { isMarked: index === at && !isFollowing, isFuture: dimsFuture && index > at })}
                style={{ transform: `translateY(${start}px)` }}
                title={row.detail || undefined}
                onClick={() => onMark(row.number)}
              >
                <span className="sequence-time">{row.kind === 'silence' ? '' : secondsText(row.atMs)}</span>
                <Drawn row={row} />
                <span className="sequence-state" title={row.state}>
                  {row.state}
                </span>
              </div>
            );
          })}
        </div>
      </div>
    </div>
  );
}

function Drawn({ row }: { row: Row }) {
  const text = (
    <>
      <b>{row.label}</b>
      {row.note && <small>{row.note}</small>}
    </>
  );
  if (row.kind === 'silence') return <span className="sequence-silence">⋮ {text} ⋮</span>;
  if (row.kind === 'end') return <span className="sequence-end">{text}</span>;
  if (row.kind === 'inner')
    return (
      <span className="sequence-inner">
        {text}
        <i className="sequence-dot" />
      </span>
    );
  return (
    <span className={`sequence-arrow sequence-${row.kind}`}>
      <i className="sequence-line" />
      <span className="sequence-label">{text}</span>
      <i className="sequence-line" />
    </span>
  );
}

function classOf({ kind, tone }: Row, { isMarked, isFuture }: { isMarked: boolean; isFuture: boolean }): string {
  const classes = ['sequence-row', `is-${kind}`, `tone-${tone}`, isMarked && 'is-marked', isFuture && 'is-future'];
  return classes.filter(Boolean).join(' ');
}

function spoken({ kind, label, note, state, atMs }: Row): string {
  const who = { in: 'from the peer', out: 'to the peer', inner: 'inside', silence: '', end: 'ended' }[kind];
  return [`${secondsText(atMs)} seconds`, who, label, note, state && `state ${state}`].filter(Boolean).join(', ');
}

/** The row that shows the entry, or the one before it where none does. */
export function markedIndex(rows: readonly Row[], number: number): number {
  let found = -1;
  for (let index = 0; index < rows.length; index += 1) {
    if (rows[index]!.number <= number) found = index;
    if (rows[index]!.number === number) return index;
  }
  return found;
}
