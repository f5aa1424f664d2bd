/** One session that the page looks at: what it is, its story so far, and what is asked of it again and again. */
import { useReducer } from 'react';
import type { Chart } from '../../../src/inspect/drawing/chart.js';
import type { EndedSession, SessionChart, Vitals } from '../../../src/inspect/feed.js';
import { LIMITS, type SessionRow, type Source } from '../../../src/inspect/visualizer/messages.js';
import type { MessageOf } from '../connection/link.js';
import { useHello, useMessages, useSubscription } from '../connection/use-link.js';
import { extendStory, liveStory, type Story } from './story.js';

/** What of the vitals is drawn over time. */
export interface VitalSample {
  readonly atMs: number;
  readonly rttMs: number | undefined;
  readonly retransmitted: number | undefined;
  readonly congestionWindow: number | undefined;
  readonly notSentBytes: number | undefined;
  readonly received: number;
  readonly sent: number;
}

export interface LiveSession {
  /** `unknown`: there is none of this id, and none that has ended a short time ago. */
  readonly status: 'waiting' | 'live' | 'ended' | 'unknown';
  readonly row: SessionRow | undefined;
  readonly story: Story;
  readonly vitals: Vitals | undefined;
  readonly samples: readonly VitalSample[];
  readonly ended: EndedSession | undefined;
}

type Told = MessageOf<'detail'> | MessageOf<'lines'> | MessageOf<'vitals'> | MessageOf<'gone'>;
type Charts = Readonly<Record<SessionChart, Chart | undefined>>;

const SAMPLES_MAX = 120;

export function useLiveSession(source: Source, id: string): LiveSession {
  const charts = useCharts(source);
  const [session, tell] = useReducer(reduce, charts, (known): LiveSession => ({
    status: 'waiting',
    row: undefined,
    story: liveStory(known),
    vitals: undefined,
    samples: [],
    ended: undefined,
  }));
  const take = (message: Told) => {
    if (message.source === source.name && message.id === id) tell({ message, charts });
  };
  useMessages('detail', take);
  useMessages('lines', take);
  useMessages('vitals', take);
  useMessages('gone', take);
  useSubscription({ type: 'subscribe', topic: 'session', source: source.name, id });
  return session;
}

export function useCharts(source: Source): Charts {
  const hello = useHello();
  return { session: hello?.charts[source.charts.session], protocol: hello?.charts[source.charts.protocol] };
}

function reduce(session: LiveSession, { message, charts }: { message: Told; charts: Charts }): LiveSession {
  switch (message.type) {
    case 'detail': {
      const story = liveStory(charts, message.lines);
      const { row, vitals } = message;
      return { status: 'live', row, story, vitals, samples: sampled([], vitals), ended: undefined };
    }
    case 'lines':
      return { ...session, story: extendStory(session.story, message.lines, LIMITS.lines) };
    case 'vitals':
      return { ...session, vitals: message.vitals, samples: sampled(session.samples, message.vitals) };
    case 'gone': {
      const ended = message.ended ?? session.ended;
      const isKnown = ended !== undefined || session.status === 'live' || session.status === 'ended';
      return { ...session, status: isKnown ? 'ended' : 'unknown', ended };
    }
  }
}

function sampled(samples: readonly VitalSample[], { atMs, tcp, statistics }: Vitals): readonly VitalSample[] {
  const last = samples.at(-1);
  // They come after each batch of lines too; twice a second is enough to draw.
  if (last && atMs - last.atMs < 400) return samples;
  const { rttMicroseconds, retransmittedTotalSegments, congestionWindowSegments, notSentBytes } = tcp ?? {};
  const sample: VitalSample = {
    atMs,
    rttMs: rttMicroseconds === undefined ? undefined : rttMicroseconds / 1_000,
    retransmitted: retransmittedTotalSegments,
    congestionWindow: congestionWindowSegments,
    notSentBytes,
    received: statistics['bytesReceived'] ?? 0,
    sent: statistics['bytesSent'] ?? 0,
  };
  return [...samples.slice(1 - SAMPLES_MAX), sample];
}
