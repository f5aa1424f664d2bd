/** What is drawn of the samples: each a rate between two of them, or a value of one. */
import type { Sample } from '../../../src/inspect/visualizer/messages.js';
import { bytesText, countText, durationText, rateText } from '../design/text.js';

export interface Rate {
  readonly id: string;
  readonly name: string;
  /** A series token. */
  readonly colour: string;
  readonly value: (sample: Sample, before: Sample, seconds: number) => number;
  readonly text: (value: number) => string;
  /** More than none is worth a look. */
  readonly isBad?: boolean;
}

const perSecond = (
  key: 'accepted' | 'closed' | 'refused' | 'bytesReceived' | 'bytesSent' | 'waitTimeouts' | 'errors',
) => {
  return (sample: Sample, before: Sample, seconds: number) => Math.max(0, sample[key] - before[key]) / seconds;
};

export const RATES: readonly Rate[] = [
  { id: 'sessions', name: 'sessions', colour: '--series-1', value: ({ sessions }) => sessions, text: countText },
  { id: 'accepted', name: 'accepts/s', colour: '--series-1', value: perSecond('accepted'), text: rateText },
  { id: 'closed', name: 'closes/s', colour: '--series-6', value: perSecond('closed'), text: rateText },
  { id: 'refused', name: 'refused/s', colour: '--series-5', value: perSecond('refused'), text: rateText, isBad: true },
  { id: 'received', name: 'in/s', colour: '--series-3', value: perSecond('bytesReceived'), text: bytesText },
  { id: 'sent', name: 'out/s', colour: '--series-4', value: perSecond('bytesSent'), text: bytesText },
  { id: 'waits', name: 'wait timeouts/s', colour: '--series-2', value: perSecond('waitTimeouts'), text: rateText },
  { id: 'errors', name: 'errors/s', colour: '--series-5', value: perSecond('errors'), text: rateText, isBad: true },
  { id: 'loop', name: 'loop delay', colour: '--series-2', value: ({ loopDelayMs }) => loopDelayMs, text: durationText },
];

/** A client makes its connections itself, and refuses none. */
export function ratesOf(kind: 'server' | 'client'): readonly Rate[] {
  if (kind === 'server') return RATES;
  return RATES.filter(({ id }) => id !== 'refused').map((rate) =>
    rate.id === 'accepted' ? { ...rate, name: 'connects/s' } : rate,
  );
}

/** Seconds that are drawn. */
export const SPAN_SECONDS = 120;
/** Longer than that between two samples is a gap: the page was paused, or the server was away. */
const GAP_MS = 3_000;

export interface Series {
  /** Seconds before the last sample, 0 and below. */
  readonly x: readonly number[];
  /** By rate; `null`: unknown. */
  readonly y: readonly (readonly (number | null)[])[];
}

export function seriesOf(samples: readonly Sample[], rates: readonly Rate[]): Series {
  const lastMs = samples.at(-1)?.atMs ?? 0;
  const pairs = samples.slice(1).map((sample, index) => [sample, samples[index]!] as const);
  const shown = pairs.filter(([sample]) => lastMs - sample.atMs <= SPAN_SECONDS * 1_000);
  return {
    x: shown.map(([sample]) => (sample.atMs - lastMs) / 1_000),
    y: rates.map(({ value }) =>
      shown.map(([sample, before]) => {
        const ms = sample.atMs - before.atMs;
        return ms > GAP_MS || ms <= 0 ? null : value(sample, before, ms / 1_000);
      }),
    ),
  };
}
