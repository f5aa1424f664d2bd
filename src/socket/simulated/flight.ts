/**
 * What one end has sent and the other has not got yet, in order. One scheduled action per delivery: only the first segment
 * has a timer, so a clock that shuffles what is due together cannot reorder a connection.
 */
import type { SchedulerAction, SchedulerLike, Subscription } from 'rxjs';
import type { ByteList } from './byte-list.js';
import type { Generator } from './generator.js';
import type { Link } from './link.js';

/** `ACK`: the third of the handshake. */
export type SegmentKind = 'ACK' | 'DATA' | 'FIN' | 'RST';

export interface Segment {
  readonly kind: SegmentKind;
  readonly bytes: Uint8Array | undefined;
  /** Arrives in one event with the segment before it, if their moments are the same. */
  readonly joins: boolean;
  dueMs: number;
  next: Segment | undefined;
}

export interface FlightOptions {
  readonly time: SchedulerLike;
  readonly link: Link;
  readonly generator: Generator;
  /** No segment has more, where the bandwidth counts. */
  readonly mssBytes: number;
  /** Told of each segment that goes out. */
  readonly onSegment: ((kind: SegmentKind, length: number) => void) | undefined;
}

export interface Destination {
  segmentArrives(segment: Segment): void;
  /** After one segment or several that arrived together. */
  segmentsArrived(): void;
}

export class Flight {
  /** Set before the first segment. */
  destination!: Destination;
  /** Nothing gets through: what is put in waits for `release`. */
  held = false;
  #first: Segment | undefined;
  #last: Segment | undefined;
  #timer: Subscription | undefined;

  constructor(private readonly options: FlightOptions) {}

  get isEmpty(): boolean {
    return this.#first === undefined;
  }

  /** Sends what is in `unsent`, at most `bytesMax`, in the pieces that the conditions make of it. @returns how many bytes. */
  putBytes(unsent: ByteList, bytesMax: number): number {
    const { link, mssBytes, generator } = this.options;
    const { segmentBytesMax, bandwidthBytesPerSecond, splitRate, mergeRate } = link.conditions;
    const pieceMax = bandwidthBytesPerSecond === Infinity ? segmentBytesMax : Math.min(segmentBytesMax, mssBytes);
    let isCut = false;
    let left = bytesMax;
    while (left > 0 && unsent.length > 0) {
      const whole = unsent.peek().byteLength;
      let length = Math.min(left, pieceMax, whole);
      if (splitRate > 0 && length > 1 && generator.next() < splitRate) length = 1 + generator.below(length - 1);
      const joins = !isCut && (mergeRate === 1 || generator.next() < mergeRate);
      isCut = length < whole;
      left -= length;
      this.put('DATA', unsent.takePiece(length), joins);
    }
    return bytesMax - left;
  }

  put(kind: SegmentKind, bytes?: Uint8Array, joins = true): void {
    this.options.onSegment?.(kind, bytes?.byteLength ?? 0);
    if (kind === 'RST' && this.held) return this.clear(); // lost, and nobody repeats it
    const dueMs = this.#arrivalMs(bytes?.byteLength ?? 0); // if that is before its turn, it arrives when its turn comes
    const segment: Segment = { kind, bytes, joins, dueMs, next: undefined };
    if (this.#last === undefined) this.#first = segment;
    else this.#last.next = segment;
    this.#last = segment;
    this.#schedule();
  }

  /** From now on nothing arrives. */
  hold(): void {
    this.held = true;
    this.#cancel();
  }

  /** What was held arrives at `dueMs`. */
  release(dueMs: number): void {
    this.held = false;
    for (let segment = this.#first; segment !== undefined; segment = segment.next) segment.dueMs = dueMs;
    this.#schedule();
  }

  clear(): void {
    this.#cancel();
    this.#first = this.#last = undefined;
  }

  #arrivalMs(length: number): number {
    const { time, link, generator } = this.options;
    const { latencyMs, jitterMs, bandwidthBytesPerSecond } = link.conditions;
    let leavesMs = time.now();
    if (bandwidthBytesPerSecond !== Infinity) {
      leavesMs = Math.max(leavesMs, link.busyUntilMs) + (length / bandwidthBytesPerSecond) * 1_000;
      link.busyUntilMs = leavesMs;
    }
    const dueMs = leavesMs + latencyMs + jitterOf(jitterMs, generator);
    return bandwidthBytesPerSecond === Infinity ? dueMs : Math.round(dueMs * 1_000) / 1_000;
  }

  #schedule(): void {
    if (this.held || this.#first === undefined || this.#timer !== undefined) return;
    const { time } = this.options;
    this.#timer = time.schedule(deliver, Math.max(0, this.#first.dueMs - time.now()), this);
  }

  #cancel(): void {
    this.#timer?.unsubscribe();
    this.#timer = undefined;
  }

  /** Of `deliver` alone. The first segment is due, whatever the clock's fractions say. */
  deliverFirst(): void {
    const nowMs = this.options.time.now();
    let segment = this.#first;
    while (segment !== undefined) {
      this.#first = segment.next;
      if (this.#first === undefined) this.#last = undefined;
      this.destination.segmentArrives(segment);
      segment = this.#first;
      if (segment === undefined || !segment.joins || segment.dueMs > nowMs) break;
    }
    this.#timer = undefined;
    this.#schedule();
    this.destination.segmentsArrived();
  }
}

/** @returns from 0 to `jitterMs`, in whole microseconds, which traces can show. */
export function jitterOf(jitterMs: number, generator: Generator): number {
  return jitterMs === 0 ? 0 : Math.round(generator.next() * jitterMs * 1_000) / 1_000;
}

function deliver(this: SchedulerAction<Flight>, flight?: Flight): void {
  flight!.deliverFirst();
}
