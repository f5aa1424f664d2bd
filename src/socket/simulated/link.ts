/** One direction between two hosts: its conditions, and whether it carries anything at all. */
import { checkInteger, checkObject, invalid, refuseUnknown } from '../check.js';

/** Of one direction. Changed while connections run, they count for what is sent from then on. */
export interface LinkConditions {
  /** From the sender's kernel to the receiver's, in ms, at least 0. Default 0: still not at once, but in an event of its own. */
  readonly latencyMs: number;
  /** Up to so many ms more, drawn for each segment; a later segment of a connection never overtakes an earlier one. Default 0. */
  readonly jitterMs: number;
  /** Shared by all connections of the direction, above 0; segments then have at most the MSS. Default `Infinity`. */
  readonly bandwidthBytesPerSecond: number;
  /** Longest segment, in bytes, 1 or more; each arrives by itself. Default `Infinity`: what is sent at once arrives at once. */
  readonly segmentBytesMax: number;
  /** Chance that a segment is cut in two at a random place, 0 to 1; the parts arrive one by one. Default 0. */
  readonly splitRate: number;
  /** Chance that two writes which arrive at one moment arrive as one, 0 to 1. Default 1. */
  readonly mergeRate: number;
}

export const PERFECT: LinkConditions = {
  latencyMs: 0,
  jitterMs: 0,
  bandwidthBytesPerSecond: Infinity,
  segmentBytesMax: Infinity,
  splitRate: 0,
  mergeRate: 1,
};

export const CONDITION_NAMES = Object.keys(PERFECT) as (keyof LinkConditions)[];

/** @throws {SocketError} OPTION_INVALID when a condition is outside its limits or a name is none. */
export function checkConditions(path: string, conditions: Partial<LinkConditions>): void {
  refuseUnknown(path, checkObject(path, conditions), CONDITION_NAMES);
  const { latencyMs, jitterMs, bandwidthBytesPerSecond, segmentBytesMax, splitRate, mergeRate } = conditions;
  checkRange(`${path}.latencyMs`, latencyMs, 0, 2 ** 31 - 1);
  checkRange(`${path}.jitterMs`, jitterMs, 0, 2 ** 31 - 1);
  checkRange(`${path}.bandwidthBytesPerSecond`, bandwidthBytesPerSecond, 1, Infinity);
  checkRange(`${path}.splitRate`, splitRate, 0, 1);
  checkRange(`${path}.mergeRate`, mergeRate, 0, 1);
  if (segmentBytesMax === undefined || segmentBytesMax === Infinity) return;
  checkInteger(`${path}.segmentBytesMax`, segmentBytesMax, { min: 1, max: 2 ** 31 - 1 });
}

function checkRange(path: string, value: unknown, min: number, max: number): void {
  if (value === undefined || (typeof value === 'number' && value >= min && value <= max)) return;
  throw invalid(path, `a number from ${min} to ${max}`, value);
}

/** What has to know when a link is cut or works again. */
export interface LinkUser {
  pathChanged(): void;
}

export class Link {
  conditions = PERFECT;
  /** Nothing gets through. */
  down = false;
  /** Up to when the bandwidth is taken by what was sent before. */
  busyUntilMs = 0;
  /** The ends whose outgoing direction this is. */
  readonly users = new Set<LinkUser>();

  constructor(
    readonly from: string,
    readonly to: string,
  ) {}
}
