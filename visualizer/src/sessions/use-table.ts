/** The rows of the table that are in view, as the server sorts and filters them. */
import { useEffect, useRef, useState } from 'react';
import type { SessionRow, TableView } from '../../../src/inspect/visualizer/messages.js';
import { useLink, useMessages } from '../connection/use-link.js';

export interface TableRows {
  readonly atMs: number;
  readonly total: number;
  readonly matching: number;
  /** By their place in the whole order; `undefined` for one that was not told yet. */
  readonly at: (index: number) => SessionRow | undefined;
  readonly isKnown: boolean;
  /** Ids in view, in their order. */
  readonly ids: readonly string[];
}

interface Told {
  readonly atMs: number;
  readonly total: number;
  readonly matching: number;
  readonly from: number;
  readonly ids: readonly string[];
  readonly rows: ReadonlyMap<string, SessionRow>;
}

const NOTHING: Told = { atMs: 0, total: 0, matching: 0, from: 0, ids: [], rows: new Map() };
/** Rows that are kept though they are out of view: scrolling back shows them at once. */
const KEPT_MAX = 1_000;

export function useTable(source: string, view: TableView): TableRows {
  const [told, setTold] = useState(NOTHING);
  useView(source, view);
  useMessages('order', (order) => {
    if (order.source !== source) return;
    const { atMs, total, matching, from, ids } = order;
    setTold((before) => ({ atMs, total, matching, from, ids, rows: keptRows(before.rows, ids) }));
  });
  useMessages('rows', (message) => {
    if (message.source !== source) return;
    setTold((before) => {
      const rows = new Map(before.rows);
      for (const row of message.rows) rows.set(row.id, row);
      return { ...before, atMs: message.atMs, rows };
    });
  });
  const { atMs, total, matching, from, ids, rows } = told;
  return {
    atMs,
    total,
    matching,
    ids,
    isKnown: told !== NOTHING,
    at: (index) => {
      const id = ids[index - from];
      return id === undefined ? undefined : rows.get(id);
    },
  };
}

function keptRows(rows: ReadonlyMap<string, SessionRow>, ids: readonly string[]): ReadonlyMap<string, SessionRow> {
  if (rows.size <= KEPT_MAX) return rows;
  return new Map(ids.flatMap((id) => (rows.has(id) ? [[id, rows.get(id)!] as const] : [])));
}

/** One view takes the place of the other, without a moment in between in which there is none. */
function useView(source: string, view: TableView): void {
  const link = useLink();
  const end = useRef<() => void>(undefined);
  const text = JSON.stringify(view);
  useEffect(() => {
    end.current = link.subscribe({ type: 'subscribe', topic: 'table', source, view: JSON.parse(text) as TableView });
  }, [link, source, text]);
  useEffect(() => () => end.current?.(), []);
}
