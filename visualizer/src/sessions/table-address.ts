/** What the table shows, as its address says it: `?state=session:closing.finWait&q=10.0.&sort=-age&longer=10s`. */
import type { Chart } from '../../../src/inspect/drawing/chart.js';
import type { SessionChart } from '../../../src/inspect/feed.js';
import type { SortKey, TableView } from '../../../src/inspect/visualizer/messages.js';
import { stateAt } from '../session/places.js';

export interface TableChoice {
  readonly text: string;
  readonly sort: SortKey;
  readonly descending: boolean;
  /** `session:closing.finWait`; empty for all. */
  readonly state: string;
  /** `10s`; empty for all. */
  readonly longer: string;
}

export const SORT_KEYS: readonly SortKey[] = ['age', 'id', 'peer', 'state', 'stateAge', 'received', 'sent', 'waits'];
export const LONGER = ['1s', '10s', '1m', '10m', '1h'] as const;
const UNITS = { s: 1_000, m: 60_000, h: 3_600_000 } as const;

export function choiceOf(query: URLSearchParams): TableChoice {
  const sort = query.get('sort') ?? '-age';
  const key = SORT_KEYS.find((one) => one === sort.replace(/^-/, '')) ?? 'age';
  return {
    text: query.get('q') ?? '',
    sort: key,
    descending: sort.startsWith('-'),
    state: query.get('state') ?? '',
    longer: query.get('longer') ?? '',
  };
}

export function queryOf({ text, sort, descending, state, longer }: TableChoice): Record<string, string | undefined> {
  const sorted = `${descending ? '-' : ''}${sort}`;
  return { state, q: text, sort: sorted === '-age' ? undefined : sorted, longer };
}

/** `10s`, `1m`, `1h` in ms; 0 for what is none. */
export function longerMs(longer: string): number {
  const [, number, unit] = /^(\d{1,6})([smh])$/.exec(longer) ?? [];
  return unit === undefined ? 0 : Number(number) * UNITS[unit as keyof typeof UNITS];
}

type Charts = Readonly<Record<SessionChart, Chart | undefined>>;

/** @returns `null` for all states; `undefined` for a state that there is not */
export function stateOf(charts: Charts, state: string): TableView['state'] | undefined {
  if (state === '') return null;
  const [, chart, path] = /^(session|protocol):(.+)$/.exec(state) ?? [];
  const drawing = charts[chart as SessionChart];
  const number = drawing && stateAt(drawing, path!);
  return number === undefined ? undefined : { chart: chart as SessionChart, state: number };
}
