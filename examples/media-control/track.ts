/** What is known of the audio, and of the video: pure data, and the frames that are made from it. */
import { DATA_HEADER_BYTES, PAYLOAD_BYTES_MAX, type MediaAnswer } from './codec.js';

export type Kind = 'audio' | 'video';

/** Held video frames of a congested peer, at most; less when they are large: `heldMax`. */
const HELD_FRAMES_MAX = 8;
/** Frames that are planned at once, at first and at most. */
const PLAN_FRAMES_MIN = 8;
const PLAN_FRAMES_MAX = 256;

/** The numbers of a STREAM_START. */
export interface Rate {
  readonly bitsPerSecond: number;
  readonly framesPerSecond: number;
}

export interface Track {
  readonly framesPerSecond: number;
  readonly frameBytes: number;
  /** Of the next frame; 0 is the first one since the start. */
  readonly sequence: number;
  /** Frames of the present plan. */
  readonly planned: number;
  /** Since the start. */
  readonly framesSent: number;
  readonly framesDropped: number;
  /** Frames that wait for a congested peer, by sequence, oldest first. */
  readonly held: readonly number[];
  /** Since the session began, over all starts; `bytes` are the frames' own, without any header. */
  readonly totals: { readonly bytes: number; readonly frames: number; readonly drops: number };
}

export const NO_TRACK: Track = {
  framesPerSecond: 1,
  frameBytes: 0,
  sequence: 0,
  planned: PLAN_FRAMES_MIN,
  framesSent: 0,
  framesDropped: 0,
  held: [],
  totals: { bytes: 0, frames: 0, drops: 0 },
};

export function frameBytesOf({ bitsPerSecond, framesPerSecond }: Rate): number {
  return Math.floor(bitsPerSecond / 8 / framesPerSecond);
}

/** Does each frame of this rate fit into a payload? */
export function fits(rate: Rate): boolean {
  return frameBytesOf(rate) + DATA_HEADER_BYTES <= PAYLOAD_BYTES_MAX;
}

/** How many frames may be held: all of them leave at once, which must stay far below what a session may hold (4 MiB). */
export function heldMax({ frameBytes }: Track): number {
  return Math.min(HELD_FRAMES_MAX, Math.max(1, Math.floor(PAYLOAD_BYTES_MAX / (frameBytes + DATA_HEADER_BYTES))));
}

export function started(track: Track, rate: Rate): Track {
  return {
    ...NO_TRACK,
    totals: track.totals,
    framesPerSecond: rate.framesPerSecond,
    frameBytes: frameBytesOf(rate),
  };
}

/** When frame `n` of a plan is due, in ms after its first one. */
export function momentMs({ framesPerSecond }: Track, n: number): number {
  return (n * 1_000) / framesPerSecond;
}

export function withLongerPlan(track: Track): Track {
  return { ...track, planned: Math.min(PLAN_FRAMES_MAX, track.planned * 2) };
}

export function withNewPlan(track: Track): Track {
  return { ...track, planned: PLAN_FRAMES_MIN };
}

/** The next frame was sent. */
export function withSent(track: Track): Track {
  return { ...counted(track, 1), sequence: track.sequence + 1 };
}

/** The next frame waits. */
export function withHeld(track: Track): Track {
  return { ...track, sequence: track.sequence + 1, held: [...track.held, track.sequence] };
}

/** All that waited was sent. */
export function withHeldSent(track: Track): Track {
  return { ...counted(track, track.held.length), held: [] };
}

/** The `count` oldest of the frames that wait are given up. */
export function withDropped(track: Track, count: number): Track {
  return {
    ...track,
    held: track.held.slice(count),
    framesDropped: track.framesDropped + count,
    totals: { ...track.totals, drops: track.totals.drops + count },
  };
}

function counted(track: Track, frames: number): Track {
  const { bytes, drops } = track.totals;
  return {
    ...track,
    framesSent: track.framesSent + frames,
    totals: { bytes: bytes + frames * track.frameBytes, frames: track.totals.frames + frames, drops },
  };
}

/** Byte i is `i & 0xff`: the bytes of every frame are a window of these, so that a frame costs no memory before it is encoded. */
const FILLER = Uint8Array.from({ length: PAYLOAD_BYTES_MAX + 256 }, (_, i) => i);

/** Frame `sequence`: its time is exactly that of its number, in whole microseconds; its bytes are `(sequence + i) & 0xff`. */
export function frameOf(kind: Kind, { framesPerSecond, frameBytes }: Track, sequence: number): MediaAnswer {
  const first = sequence & 0xff;
  return {
    type: 'STREAM_DATA',
    kind: kind === 'audio' ? 1 : 2,
    sequence: sequence >>> 0,
    microseconds: (BigInt(sequence) * 1_000_000n) / BigInt(framesPerSecond),
    bytes: FILLER.subarray(first, first + frameBytes),
  };
}
