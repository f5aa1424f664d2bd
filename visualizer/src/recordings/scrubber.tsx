/** Moves through a recording: a track with what matters on it, steps, and play. */
import { useMemo } from 'react';
import { secondsText } from '../design/text.js';
import type { Story } from '../session/story.js';
import { entryAt } from '../session/story.js';

export const SPEEDS = [1, 2, 4, 10] as const;
export type Speed = (typeof SPEEDS)[number];

interface ScrubberProps {
  readonly story: Story;
  /** Numbers of the entries that a step leads to. */
  readonly stops: readonly number[];
  /** Place in `stops`. */
  readonly at: number;
  readonly onGo: (at: number) => void;
  readonly onJump: (step: 1 | -1) => void;
  readonly isPlaying: boolean;
  readonly onPlay: (isPlaying: boolean) => void;
  readonly speed: Speed;
  readonly onSpeed: (speed: Speed) => void;
  readonly skipsSilences: boolean;
  readonly onSkip: (skips: boolean) => void;
}

export function Scrubber(props: ScrubberProps) {
  const { story, stops, at, onGo, onJump, isPlaying, onPlay } = props;
  const last = stops.length - 1;
  const entry = entryAt(story.entries, stops[at] ?? -1);
  const text = `event ${stops.length === 0 ? 0 : at + 1} of ${stops.length} · ${secondsText(entry?.atMs ?? 0)} s`;
  return (
    <section className="panel scrubber" aria-label="Replay">
      <div className="scrubber-buttons" role="group" aria-label="Steps">
        <button
          className="quiet"
          title="Change of state before (key [)"
          aria-label="Change of state before"
          onClick={() => onJump(-1)}
        >
          ◀◀
        </button>
        <button
          className="quiet"
          title="Step back (key ←)"
          aria-label="Step back"
          disabled={at <= 0}
          onClick={() => onGo(at - 1)}
        >
          ◀
        </button>
        <button className="scrubber-play" title="Space" onClick={() => onPlay(!isPlaying)}>
          {isPlaying ? 'Pause' : 'Play'}
        </button>
        <button
          className="quiet"
          title="Step (key →)"
          aria-label="Step"
          disabled={at >= last}
          onClick={() => onGo(at + 1)}
        >
          ▶
        </button>
        <button
          className="quiet"
          title="Next change of state (key ])"
          aria-label="Next change of state"
          onClick={() => onJump(1)}
        >
          ▶▶
        </button>
      </div>
      <select
        aria-label="Speed"
        value={props.speed}
        onChange={({ target }) => props.onSpeed(Number(target.value) as Speed)}
      >
        {SPEEDS.map((speed) => (
          <option key={speed} value={speed}>
            {speed}×
          </option>
        ))}
      </select>
      <label className="scrubber-skip">
        <input type="checkbox" checked={props.skipsSilences} onChange={({ target }) => props.onSkip(target.checked)} />
        skip silences
      </label>
      <div className="scrubber-track">
        <Marks story={story} stops={stops} at={at} />
        <input
          type="range"
          min={0}
          max={Math.max(0, last)}
          value={Math.max(0, at)}
          aria-label="Position"
          aria-valuetext={text}
          onChange={({ target }) => onGo(Number(target.value))}
        />
      </div>
      <output className="scrubber-text">{text}</output>
    </section>
  );
}

/** Errors stand out; changes of state are lines, those of the protocol the longer ones. */
function Marks({ story, stops, at }: Pick<ScrubberProps, 'story' | 'stops' | 'at'>) {
  const marks = useMemo(() => marksOf(story, stops), [story, stops]);
  return (
    <svg className="scrubber-marks" viewBox="0 0 1000 24" preserveAspectRatio="none" aria-hidden="true">
      <rect className="scrubber-all" x="0" y="11" width="1000" height="2" />
      <rect className="scrubber-past" x="0" y="11" width={share(at, stops) * 1_000} height="2" />
      {marks.map(({ x, kind }, index) => (
        <line
          key={index}
          className={`scrubber-${kind}`}
          x1={x}
          x2={x}
          y1={kind === 'session' ? 8 : 3}
          y2={kind === 'session' ? 16 : 21}
        />
      ))}
    </svg>
  );
}

interface Mark {
  readonly x: number;
  readonly kind: 'error' | 'session' | 'protocol';
}

function marksOf(story: Story, stops: readonly number[]): readonly Mark[] {
  // Those that are nearer to each other than a point are one.
  const found = new Map<string, Mark>();
  stops.forEach((number, index) => {
    const entry = entryAt(story.entries, number);
    const kind = entry?.isError ? 'error' : entry?.hasMoved ? entry.chart : undefined;
    if (!kind) return;
    const x = Math.round(share(index, stops) * 1_000);
    found.set(`${x} ${kind}`, { x, kind });
  });
  return [...found.values()];
}

function share(at: number, stops: readonly number[]): number {
  return stops.length < 2 ? 0 : Math.max(0, at) / (stops.length - 1);
}
