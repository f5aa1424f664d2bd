/** One recording, moved through: the session view at any of its moments. What is running is never moved back in time. */
import { useEffect, useMemo, useRef, useState } from 'react';
import { go, hrefOf, useRoute } from '../app/route.js';
import { bytesText, durationText } from '../design/text.js';
import { rowsOf } from '../session/rows.js';
import '../session/session.css';
import { entryAt, pointAt, type Story } from '../session/story.js';
import { StoryPanels, useTransportSteps } from '../session/story-panels.js';
import { RecordedWaitsPart } from '../session/vitals-panel.js';
import { SILENCE_MS } from '../session/rows.js';
import { CopyTestCommand } from './copy-test-command.js';
import './recordings.css';
import { Scrubber, type Speed } from './scrubber.js';
import { useRecording } from './use-recording.js';

export function ReplayView({ name }: { name: string }) {
  const isFile = useRoute().query.get('from') === 'file';
  const [times, setTimes] = useState(0);
  const loaded = useRecording(name, isFile, times);
  if (loaded.status === 'loading') return <div className="nothing">Reading {name}…</div>;
  if (loaded.status === 'failed') {
    return (
      <div className="nothing">
        <h1>This recording cannot be shown</h1>
        <p>
          <code>{name}</code>: {loaded.why}.
        </p>
        <p>
          <a href="/recordings">To all recordings</a>
        </p>
      </div>
    );
  }
  return <Replay key={times} name={name} story={loaded.story} isFile={isFile} onReload={() => setTimes(times + 1)} />;
}

interface ReplayProps {
  readonly name: string;
  readonly story: Story;
  readonly isFile: boolean;
  readonly onReload: () => void;
}

/** Between two steps, so that each is seen. */
const STEP_MS = 80;
const SKIPPED_SILENCE_MS = 400;
/** The address follows; browsers refuse to write it more often than some times a second. */
const ADDRESS_MS = 300;

function Replay({ name, story, isFile, onReload }: ReplayProps) {
  const { query } = useRoute();
  const [isAll, setAll] = useTransportSteps();
  const [number, setNumber] = useState(() => numberIn(query, 'at') ?? story.entries[0]?.number ?? 0);
  const [pinned, setPinned] = useState(() => numberIn(query, 'pin'));
  const [isPlayingAsked, setPlaying] = useState(false);
  const [speed, setSpeed] = useState<Speed>(1);
  const [skipsSilences, setSkips] = useState(true);
  const stops = useMemo(() => stopsOf(story, isAll), [story, isAll]);
  const at = lastAtOrBefore(stops, number);
  const next = stops[at + 1];
  const isPlaying = isPlayingAsked && next !== undefined;

  useEffect(() => {
    if (!isPlaying) return undefined;
    const gapMs = (entryAt(story.entries, next)?.atMs ?? 0) - (entryAt(story.entries, number)?.atMs ?? 0);
    const waitMs = (skipsSilences && gapMs >= SILENCE_MS ? SKIPPED_SILENCE_MS : gapMs) / speed;
    const timer = setTimeout(() => setNumber(next), Math.max(STEP_MS, waitMs));
    return () => clearTimeout(timer);
  }, [isPlaying, next, number, speed, skipsSilences, story]);
  useAddress(name, {
    at: `${number}`,
    pin: pinned === undefined ? undefined : `${pinned}`,
    from: isFile ? 'file' : undefined,
  });

  const goTo = (place: number) => {
    const stop = stops[Math.min(stops.length - 1, Math.max(0, place))];
    if (stop !== undefined) setNumber(stop);
  };
  const jump = (step: 1 | -1) => {
    for (let place = at + step; place >= 0 && place < stops.length; place += step)
      if (entryAt(story.entries, stops[place]!)?.hasMoved) return setNumber(stops[place]!);
    return goTo(step > 0 ? stops.length - 1 : 0);
  };
  const play = (isAsked: boolean) => {
    if (isAsked && next === undefined) goTo(0);
    setPlaying(isAsked);
  };
  useReplayKeys({
    ArrowRight: () => goTo(at + 1),
    ArrowLeft: () => goTo(at - 1),
    Home: () => goTo(0),
    End: () => goTo(stops.length - 1),
    '[': () => jump(-1),
    ']': () => jump(1),
    ' ': () => play(!isPlaying),
  });
  return (
    <div className="view session replay">
      <ReplayHeader name={name} story={story} isFile={isFile} onReload={onReload} />
      <Scrubber
        story={story}
        stops={stops}
        at={at}
        onGo={goTo}
        onJump={jump}
        isPlaying={isPlaying}
        onPlay={play}
        speed={speed}
        onSpeed={setSpeed}
        skipsSilences={skipsSilences}
        onSkip={setSkips}
      />
      <StoryPanels
        story={story}
        marked={number}
        onMark={(marked) => {
          if (marked !== undefined) setNumber(marked);
        }}
        above={<Above story={story} number={number} />}
        payloadsHint={
          story.header?.payloads
            ? 'They were too large to be kept.'
            : 'This recording was made without payloads: bytes were counted, and not kept.'
        }
        serverName="server"
        empty="There is nothing in this recording."
        isReplay
        pinned={pinned}
        contextTools={<Pin number={number} pinned={pinned} onPin={setPinned} />}
        isAll={isAll}
        onAll={setAll}
      />
    </div>
  );
}

function numberIn(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  return text !== null && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

function stopsOf(story: Story, isAll: boolean): readonly number[] {
  return [...new Set(rowsOf(story, { isAll }).map(({ number }) => number))];
}

function lastAtOrBefore(stops: readonly number[], number: number): number {
  const after = stops.findIndex((stop) => stop > number);
  return after < 0 ? stops.length - 1 : Math.max(0, after - 1);
}

function useAddress(name: string, query: Readonly<Record<string, string | undefined>>): void {
  const to = hrefOf(['recordings', name], query);
  useEffect(() => {
    const timer = setTimeout(() => go(to, { replace: true }), ADDRESS_MS);
    return () => clearTimeout(timer);
  }, [to]);
}

/** They work wherever the focus is, but in fields, and a button keeps its space. */
function useReplayKeys(keys: Readonly<Record<string, () => void>>): void {
  const latest = useRef(keys);
  useEffect(() => {
    latest.current = keys;
  });
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const { target, key } = event;
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
      if (document.querySelector('dialog[open]')) return;
      if (target instanceof Element && target.matches('input, textarea, select')) return;
      if (key === ' ' && target instanceof Element && target.closest('button, a, summary, [role="button"]')) return;
      const action = latest.current[key];
      if (!action) return;
      event.preventDefault();
      action();
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, []);
}

function ReplayHeader({ name, story, isFile, onReload }: ReplayProps) {
  const { header, end, entries } = story;
  return (
    <>
      <header className="session-header">
        <nav aria-label="Where this is">
          <a href="/recordings">Recordings</a> <span className="faint">/</span>
        </nav>
        <h1 title={name}>
          {header?.protocol} <span className="session-key">session {header?.session}</span>
        </h1>
        <span className="mono muted session-peer">{header?.peer}</span>
        <span className={`badge ${end ? '' : 'warn'}`}>{end ? end.reason : 'not ended yet'}</span>
        <span className="muted session-age">{durationText(entries.at(-1)?.atMs ?? 0)}</span>
        <div className="session-actions">
          <p className="session-answer">A recording: no running server is moved back in time.</p>
          {!end && !isFile && <button onClick={onReload}>Load again</button>}
          <CopyTestCommand file={name} />
          {!isFile && (
            <a
              className="button"
              href={`/recordings/${encodeURIComponent(name)}`}
              download={name}
              onClick={download(name)}
            >
              Save
            </a>
          )}
        </div>
      </header>
      <Notes story={story} />
    </>
  );
}

/** By hand: the address is that of this page, unless it is asked for otherwise. */
function download(name: string): (event: React.MouseEvent) => void {
  return (event) => {
    event.preventDefault();
    void fetch(`/recordings/${encodeURIComponent(name)}`, { headers: { Accept: 'application/x-ndjson' } })
      .then((answer) => answer.blob())
      .then((blob) => {
        const url = URL.createObjectURL(blob);
        const link = Object.assign(document.createElement('a'), { href: url, download: name });
        link.click();
        URL.revokeObjectURL(url);
      });
  };
}

/** What is not in this recording, and why. */
function Notes({ story: { hasDrawings, header, isComplete } }: { story: Story }) {
  const notes = [
    !hasDrawings &&
      'It was made by an older version: it has no drawings of its charts, and contexts at checkpoints alone.',
    header && header.dropped > 0 && `${header.dropped} entries before its first were dropped to make room.`,
    !isComplete && 'The file was cut off: what is there is right as far as it goes.',
  ].filter((note) => note !== false && note !== undefined);
  return notes.length > 0 && <p className="session-ending">{notes.join(' ')}</p>;
}

function Above({ story, number }: { story: Story; number: number }) {
  const point = pointAt(story, number);
  const { waitTimeoutCount: count, waitTimeoutCountMax: max } = point.session.context ?? {};
  const { end } = story;
  return (
    <>
      <RecordedWaitsPart
        count={typeof count === 'number' ? count : undefined}
        max={typeof max === 'number' ? max : undefined}
        note="Unless somebody looked, a recording has a wait only where one matters."
      />
      <section className="vitals-part" aria-label="Codec and end">
        <dl className="facts">
          <div>
            <dt>codec</dt>
            <dd>{point.codec ?? '–'}</dd>
          </div>
          {end && (
            <>
              <div>
                <dt>ends by</dt>
                <dd>
                  {end.option}, {end.closedBy.toUpperCase()}
                </dd>
              </div>
              <div>
                <dt>in all, in / out</dt>
                <dd>
                  {bytesText(Number(end.statistics['bytesReceived'] ?? 0))} /{' '}
                  {bytesText(Number(end.statistics['bytesWritten'] ?? 0))}
                </dd>
              </div>
            </>
          )}
        </dl>
      </section>
    </>
  );
}

interface PinProps {
  readonly number: number;
  readonly pinned: number | undefined;
  readonly onPin: (number: number | undefined) => void;
}

function Pin({ number, pinned, onPin }: PinProps) {
  return (
    <p className="replay-pin">
      <span className="muted">{pinned === undefined ? 'against the step before' : `against entry ${pinned}`}</span>
      <button
        className="quiet"
        aria-pressed={pinned !== undefined}
        onClick={() => onPin(pinned === undefined ? number : undefined)}
      >
        {pinned === undefined ? 'pin this step' : 'unpin'}
      </button>
    </p>
  );
}
