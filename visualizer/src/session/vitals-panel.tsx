/** What is asked of a live session again and again: its waits, timers, codec, queues, and what the kernel says of its connection. */
import type { ReactNode } from 'react';
import type { Vitals } from '../../../src/inspect/feed.js';
import { bytesText, countText, durationText, rateText } from '../design/text.js';
import { Sparkline } from './sparkline.js';
import type { VitalSample } from './use-live-session.js';
import { useNow } from './use-now.js';
import { WaitRing } from './wait-ring.js';

interface WaitsPartProps {
  readonly vitals: Vitals;
  /** Of a session that has ended: how many there were then. */
  readonly lastCount?: number | undefined;
  readonly hasEnded: boolean;
}

export function WaitsPart({ vitals, lastCount, hasEnded }: WaitsPartProps) {
  // They come one by one while somebody looks, and each brings its moment: nothing is guessed in between.
  const { max, count, eachMs, endAtMs } = vitals.waits;
  const leftMs = endAtMs === null || hasEnded ? undefined : Math.max(0, endAtMs - vitals.atMs);
  return (
    <section className="vitals-part waits" aria-label="Waits">
      <WaitRing
        count={lastCount ?? count}
        max={max}
        leftMs={leftMs}
        eachMs={eachMs}
        isStill={endAtMs === null || hasEnded}
      />
      <div className="waits-text">
        <h2>Waits</h2>
        {max === 0 ? (
          <p className="muted">No number of waits ends this session.</p>
        ) : leftMs === undefined ? (
          <p className="muted">They stand still{hasEnded ? ': it has ended' : ' in this state'}.</p>
        ) : (
          <p>
            <b className="waits-left">{leftText(leftMs)}</b> <span className="muted">to the last one</span>
          </p>
        )}
        <p className="faint">
          {max > 0 && `${max} × `}
          {durationText(eachMs)} each
        </p>
      </div>
    </section>
  );
}

interface RecordedWaitsPartProps {
  readonly count: number | undefined;
  readonly max: number | undefined;
  /** Of a file, which has a wait only where one matters. */
  readonly note?: string;
}

export function RecordedWaitsPart({ count, max, note }: RecordedWaitsPartProps) {
  if (count === undefined || max === undefined) return null;
  return (
    <section className="vitals-part waits" aria-label="Waits">
      <WaitRing count={count} max={max} leftMs={undefined} eachMs={undefined} isStill={false} />
      <div className="waits-text">
        <h2>Waits</h2>
        <p className="muted">
          {max === 0 ? 'No number of waits ends this session.' : `${count} of ${max} at this moment.`}
        </p>
        <p className="faint">{note}</p>
      </div>
    </section>
  );
}

interface TimerGroup {
  readonly key: string;
  readonly chart: string;
  readonly label: string;
  /** Timers of this name: a chart may set many for one thing. */
  readonly count: number;
  /** Of the next one. */
  readonly delayMs: number;
  readonly dueAtMs: number | null;
}

function timerGroups(timers: Vitals['timers']): readonly TimerGroup[] {
  const due = ({ dueAtMs }: { readonly dueAtMs: number | null }) => dueAtMs ?? Infinity;
  const groups = new Map<string, TimerGroup>();
  for (const { chart, label, delayMs, dueAtMs } of [...timers].sort((x, y) => due(x) - due(y))) {
    const key = `${chart} ${label}`;
    const found = groups.get(key);
    const name = chart === 'session' ? 'transport' : 'protocol';
    groups.set(
      key,
      found ? { ...found, count: found.count + 1 } : { key, chart: name, label, count: 1, delayMs, dueAtMs },
    );
  }
  return [...groups.values()];
}

export function TimersPart({ vitals }: { vitals: Vitals }) {
  const now = useNow(vitals.atMs, 200);
  const groups = timerGroups(vitals.timers);
  return (
    <section className="vitals-part" aria-label="Timers">
      <header>
        <h2>Timers</h2>
        <span className="faint">{groups.length === 0 ? 'none' : 'next of each'}</span>
      </header>
      <ul className="timers">
        {groups.map(({ key, chart, label, count, delayMs, dueAtMs }) => {
          const left = dueAtMs === null ? undefined : Math.max(0, dueAtMs - now);
          const share = left === undefined || delayMs === 0 ? 0 : Math.min(1, left / delayMs);
          return (
            <li key={key} title={`of the ${chart}, ${durationText(delayMs)} in all`}>
              <span className="timers-label">
                {label}
                {count > 1 && <span className="faint"> × {countText(count)}</span>}
              </span>
              <span className="timers-bar">
                <i style={{ width: `${share * 100}%` }} />
              </span>
              <span className="number">{left === undefined ? '?' : durationText(left)}</span>
            </li>
          );
        })}
      </ul>
    </section>
  );
}

export function QueuesPart({ vitals }: { vitals: Vitals }) {
  return (
    <section className="vitals-part" aria-label="Codec and queues">
      <header>
        <h2>Codec and queues</h2>
      </header>
      <dl className="facts">
        <Fact name="codec">{vitals.codec}</Fact>
        <Fact name="not a frame yet">{bytesText(vitals.inputBytes)}</Fact>
        <Fact name="not with the kernel yet">{bytesText(vitals.queuedBytes)}</Fact>
        <Fact name="handlers at work">
          {vitals.pendingHandlers.length === 0 ? '–' : vitals.pendingHandlers.join(', ')}
        </Fact>
        <Fact name="groups">{vitals.groups.length === 0 ? '–' : vitals.groups.join(', ')}</Fact>
      </dl>
    </section>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** Two samples a second. */
const PLACES = 120;

interface TcpPartProps {
  readonly vitals: Vitals;
  readonly samples: readonly VitalSample[];
  readonly hasEnded: boolean;
}

export function TcpPart({ vitals, samples, hasEnded }: TcpPartProps) {
  const last = samples.at(-1);
  const line = (name: string, values: readonly (number | undefined)[], text: string) => (
    <li key={name}>
      <span>{name}</span>
      <Sparkline values={values} length={PLACES} label={`${name}: ${text}, over the last minute`} />
      <span className="number">{text}</span>
    </li>
  );
  const received = rates(samples, 'received');
  const sent = rates(samples, 'sent');
  const kernel = vitals.tcp !== null && last !== undefined;
  return (
    <section className="vitals-part" aria-label="Connection">
      <header>
        <h2>Connection</h2>
        <span className="faint">{hasEnded ? 'as last seen' : vitals.tcp?.state}</span>
      </header>
      <ul className="tcp">
        {line('in', received, `${bytesText(Math.round(received.at(-1) ?? 0))}/s`)}
        {line('out', sent, `${bytesText(Math.round(sent.at(-1) ?? 0))}/s`)}
        {kernel && (
          <>
            {line('rtt', samples.map(({ rttMs }) => rttMs), last.rttMs === undefined ? '–' : rttText(last.rttMs))}
            {line('retransmitted', samples.map(({ retransmitted }) => retransmitted), counted(last.retransmitted))}
            {line('window', samples.map(({ congestionWindow }) => congestionWindow), counted(last.congestionWindow))}
            {line('not sent', samples.map(({ notSentBytes }) => notSentBytes), last.notSentBytes === undefined ? '–' : bytesText(last.notSentBytes))}
          </>
        )}
      </ul>
      {!kernel && <p className="faint">This system does not tell what its kernel knows of a connection.</p>}
      <details>
        <summary>Statistics</summary>
        <dl className="facts">
          {Object.entries({ ...vitals.statistics }).map(([name, value]) => (
            <Fact key={name} name={wordsOf(name)}>
              {countText(value)}
            </Fact>
          ))}
          {Object.entries(vitals.tcp ?? {}).map(([name, value]) => (
            <Fact key={`tcp ${name}`} name={wordsOf(name)}>
              {typeof value === 'number' ? countText(value) : value}
            </Fact>
          ))}
        </dl>
      </details>
    </section>
  ); // prettier-ignore
}

/** To a tenth of a second where somebody watches it pass. */
function leftText(ms: number): string {
  return ms < 60_000 ? `${(ms / 1_000).toFixed(1)} s` : durationText(ms);
}

function rttText(ms: number): string {
  return ms < 1 ? `${Math.round(ms * 1_000)} µs` : `${rateText(ms)} ms`;
}

function counted(value: number | undefined): string {
  return value === undefined ? '–' : countText(value);
}

/** `bytesReceived` as `bytes received`. */
function wordsOf(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

/** In bytes each second, between two samples. */
function rates(samples: readonly VitalSample[], what: 'received' | 'sent'): readonly (number | undefined)[] {
  return samples.slice(1).map((sample, index) => {
    const before = samples[index]!;
    const seconds = (sample.atMs - before.atMs) / 1_000;
    return seconds > 0 ? Math.max(0, sample[what] - before[what]) / seconds : undefined;
  });
}
