/** What the server tells of one source's whole, made of the partial messages that it comes in. Pure: a message gives a new overview. */
import type { FeedTotals, Place, SessionChart } from '../../../src/inspect/feed.js';
import type { Pairs, Sample, ServerMessage, StateAges, Stuck } from '../../../src/inspect/visualizer/messages.js';

type MessageOf<T extends ServerMessage['type']> = Extract<ServerMessage, { type: T }>;

/** By a state's number. */
export type PerState = readonly number[];

export interface Overview {
  /** Of the server's clock, at the last message. */
  readonly atMs: number;
  readonly sessions: number;
  readonly places: { readonly owner: Place; readonly sweeper: Place; readonly shared: Readonly<Record<string, Place>> };
  readonly counts: Readonly<Record<SessionChart, PerState>>;
  readonly entered: Readonly<Record<SessionChart, PerState>>;
  /** Each second, over the last seconds. */
  readonly arrivals: Readonly<Record<SessionChart, PerState>>;
  /** One each second, at most the last `SAMPLES_MAX`. */
  readonly samples: readonly Sample[];
  readonly totals: FeedTotals | undefined;
  readonly startedAtMs: number | undefined;
  readonly ages: Readonly<Record<SessionChart, readonly StateAges[]>>;
  readonly stuck: readonly Stuck[];
  /** What `arrivals` is counted from, oldest first. */
  readonly marks: readonly Mark[];
}

interface Mark {
  readonly atMs: number;
  readonly entered: Readonly<Record<SessionChart, PerState>>;
}

export const SAMPLES_MAX = 121;
/** Short enough to follow what happens, long enough that a rate of one each second does not flicker. */
const ARRIVALS_OVER_MS = 4_000;
const MARK_EACH_MS = 500;

const NONE = { session: [], protocol: [] };

export const NO_OVERVIEW: Overview = {
  atMs: 0,
  sessions: 0,
  places: { owner: [], sweeper: [], shared: {} },
  counts: NONE,
  entered: NONE,
  arrivals: NONE,
  samples: [],
  totals: undefined,
  startedAtMs: undefined,
  ages: NONE,
  stuck: [],
  marks: [],
};

export function withOverview(before: Overview, message: MessageOf<'overview'>): Overview {
  const entered = message.entered ? bothWith(before.entered, message.entered) : before.entered;
  const last = before.marks.at(-1);
  const isMarked = message.atMs - (last?.atMs ?? -Infinity) >= MARK_EACH_MS;
  const marks = isMarked
    ? [...before.marks.filter(({ atMs }) => message.atMs - atMs <= ARRIVALS_OVER_MS), { atMs: message.atMs, entered }]
    : before.marks;
  return {
    ...before,
    atMs: message.atMs,
    sessions: message.sessions,
    places: message.places ?? before.places,
    counts: message.counts ? bothWith(before.counts, message.counts) : before.counts,
    entered,
    marks,
    arrivals: isMarked ? arrivalsOf(marks) : before.arrivals,
  };
}

export function withSamples(before: Overview, message: MessageOf<'samples'>): Overview {
  const last = before.samples.at(-1);
  const [first] = message.samples;
  // A single later one goes on; anything else is the whole past, told anew.
  const goesOn = message.samples.length === 1 && last && first && first.atMs > last.atMs;
  const samples = goesOn ? [...before.samples, first] : message.samples;
  return {
    ...before,
    samples: samples.slice(-SAMPLES_MAX),
    totals: message.totals,
    startedAtMs: message.startedAtMs,
  };
}

export function withAges(before: Overview, message: MessageOf<'ages'>): Overview {
  return { ...before, ages: { session: message.session, protocol: message.protocol }, stuck: message.stuck };
}

function bothWith(
  before: Readonly<Record<SessionChart, PerState>>,
  pairs: Readonly<Record<SessionChart, Pairs>>,
): Readonly<Record<SessionChart, PerState>> {
  return { session: withPairs(before.session, pairs.session), protocol: withPairs(before.protocol, pairs.protocol) };
}

/** The same list where nothing changes, so that what is drawn from it stays. */
function withPairs(before: PerState, pairs: Pairs): PerState {
  if (pairs.length === 0) return before;
  const after = [...before];
  for (let at = 0; at < pairs.length; at += 2) {
    const state = pairs[at]!;
    while (after.length <= state) after.push(0);
    after[state] = pairs[at + 1]!;
  }
  return after;
}

function arrivalsOf(marks: readonly Mark[]): Readonly<Record<SessionChart, PerState>> {
  const [first, last] = [marks[0]!, marks.at(-1)!];
  const seconds = (last.atMs - first.atMs) / 1_000;
  const rates = (chart: SessionChart) =>
    last.entered[chart].map((count, state) =>
      seconds > 0 ? (count - (first.entered[chart][state] ?? count)) / seconds : 0,
    );
  return { session: rates('session'), protocol: rates('protocol') };
}
