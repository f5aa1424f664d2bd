/**
 * What goes wrong in a world, as data: a schedule can be written by hand, drawn from a seed, printed, and cut down to what matters.
 *
 * A fault names its victim by a number, taken modulo those who are there when it strikes: so a schedule that was drawn before
 * anybody was connected still hits somebody, and the same one in each run.
 */
import { checkBoolean, checkInteger, checkOneOf, checkObject, invalid, refuseUnknown } from '../socket/check.js';
import type { Generator } from '../socket/simulated/generator.js';
import { checkConditions, type LinkConditions } from '../socket/simulated/link.js';

/** One thing that goes wrong. `peer`: which of the connected peers, by number. Durations in ms. */
export type Fault =
  /** The peer sends FIN, or RST, whatever it was doing. */
  | { readonly kind: 'fin' | 'reset'; readonly peer: number }
  /** Its machine is gone without a word. */
  | { readonly kind: 'vanish'; readonly peer: number }
  /** It reads nothing for a while: a slow reader. */
  | { readonly kind: 'pause'; readonly peer: number; readonly durationMs: number }
  /** Its host and all others hear nothing of each other; `oneWay`: the others hear nothing of it. */
  | { readonly kind: 'partition'; readonly peer: number; readonly durationMs: number; readonly oneWay?: boolean }
  /** The hosts of several peers are cut off one after the other, and come back in another order. */
  | {
      readonly kind: 'swizzle';
      readonly peers: readonly number[];
      readonly back: readonly number[];
      readonly stepMs: number;
    }
  /** The network is as bad as this for a while. */
  | { readonly kind: 'weather'; readonly conditions: Partial<LinkConditions>; readonly durationMs: number }
  /** The server's process stands still. */
  | { readonly kind: 'stall'; readonly durationMs: number }
  /** accept(2) fails so often in a row. */
  | { readonly kind: 'acceptErrors'; readonly count: number }
  /** The server's process has no descriptor left for a while. */
  | { readonly kind: 'descriptors'; readonly durationMs: number }
  /** So many connect and are gone at once: a port scan, by FIN or RST. */
  | { readonly kind: 'scan'; readonly count: number; readonly by: 'fin' | 'reset' };

export type FaultKind = Fault['kind'];

export const FAULT_KINDS = [
  'fin',
  'reset',
  'vanish',
  'pause',
  'partition',
  'swizzle',
  'weather',
  'stall',
  'acceptErrors',
  'descriptors',
  'scan',
] as const satisfies readonly FaultKind[];

/** When it strikes, in ms from the moment that the schedule is given to the world. */
export type ScheduledFault = Fault & { readonly atMs: number };

export interface DrawOptions {
  /** How many a second, on average; 0 or more, fractions too. */
  readonly perSecond: number;
  /** They strike within so many ms. */
  readonly durationMs: number;
  /** Which kinds, each as often as the others. Default: all. A kind that is listed twice comes twice as often. */
  readonly kinds?: readonly FaultKind[];
}

/** Of each kind, what it has to have besides; `peers` and `back` are lists of numbers. */
const FAULT_NUMBERS: Readonly<Record<FaultKind, readonly string[]>> = {
  fin: ['peer'],
  reset: ['peer'],
  vanish: ['peer'],
  pause: ['peer', 'durationMs'],
  partition: ['peer', 'durationMs'],
  swizzle: ['peers', 'back', 'stepMs'],
  weather: ['durationMs'],
  stall: ['durationMs'],
  acceptErrors: ['count'],
  descriptors: ['durationMs'],
  scan: ['count'],
};

/** What a kind has besides numbers. */
const FAULT_OTHERS: Partial<Record<FaultKind, readonly string[]>> = {
  partition: ['oneWay'],
  weather: ['conditions'],
  scan: ['by'],
};

/**
 * A schedule by hand: a fault of no known kind, or of nobody, would not strike, and the test would pass.
 * @throws {SocketError} OPTION_INVALID
 */
export function checkSchedule(schedule: readonly ScheduledFault[]): void {
  if (!Array.isArray(schedule)) throw invalid('faults', 'an array of faults', schedule);
  for (const [index, fault] of schedule.entries()) checkFault(`faults[${index}]`, fault);
}

function checkFault(path: string, fault: ScheduledFault): void {
  const { kind, atMs, ...given } = checkObject(path, fault) as Readonly<Record<string, unknown>>;
  checkOneOf(`${path}.kind`, kind, FAULT_KINDS);
  const numbers = FAULT_NUMBERS[kind as FaultKind];
  refuseUnknown(path, given, [...numbers, ...(FAULT_OTHERS[kind as FaultKind] ?? [])]);
  checkNumber(`${path}.atMs`, atMs);
  for (const name of numbers) {
    if (name !== 'peers' && name !== 'back') checkNumber(`${path}.${name}`, given[name]);
    else if (!Array.isArray(given[name])) throw invalid(`${path}.${name}`, 'an array of numbers of peers', given[name]);
    else for (const [place, peer] of given[name].entries()) checkNumber(`${path}.${name}[${place}]`, peer);
  }
  if (given['oneWay'] !== undefined) checkBoolean(`${path}.oneWay`, given['oneWay']);
  if (kind === 'weather') checkConditions(`${path}.conditions`, given['conditions'] as Partial<LinkConditions>);
  if (kind === 'scan') checkOneOf(`${path}.by`, given['by'], ['fin', 'reset']);
}

function checkNumber(path: string, value: unknown): void {
  const isWhole = !/Ms$/.test(path);
  if (typeof value === 'number' && value >= 0 && value < Infinity && (!isWhole || Number.isInteger(value))) return;
  throw invalid(path, isWhole ? 'an integer of 0 or more' : 'ms, 0 or more', value);
}

/** Victims are drawn from so many numbers. */
const NUMBERS = 1_000_000;

/**
 * @returns a schedule, in the order in which it strikes.
 * @throws {SocketError} OPTION_INVALID
 */
export function drawFaults(chance: Generator, options: DrawOptions): ScheduledFault[] {
  refuseUnknown('drawFaults', checkObject('drawFaults', options), ['perSecond', 'durationMs', 'kinds']);
  const { perSecond, durationMs, kinds = FAULT_KINDS } = options;
  if (!(perSecond >= 0 && perSecond < Infinity))
    throw invalid('drawFaults.perSecond', 'a number of 0 or more', perSecond);
  checkInteger('drawFaults.durationMs', durationMs, { min: 0, max: 2 ** 31 - 1 });
  if (kinds.length === 0) throw invalid('drawFaults.kinds', 'at least one kind', kinds);
  for (const kind of kinds) checkOneOf('drawFaults.kinds', kind, FAULT_KINDS);
  const mean = (perSecond * durationMs) / 1_000;
  const count = Math.floor(mean) + (chance.next() < mean % 1 ? 1 : 0);
  const moments = Array.from({ length: count }, () => chance.below(Math.max(1, durationMs))).sort((a, b) => a - b);
  return moments.map((atMs) => ({ atMs, ...drawFault(kinds[chance.below(kinds.length)]!, chance) }));
}

function drawFault(kind: FaultKind, chance: Generator): Fault {
  const peer = () => chance.below(NUMBERS);
  const upTo = (max: number) => 1 + chance.below(max);
  switch (kind) {
    case 'fin':
    case 'reset':
    case 'vanish':
      return { kind, peer: peer() };
    case 'pause':
      return { kind, peer: peer(), durationMs: upTo(40_000) };
    case 'partition':
      return { kind, peer: peer(), durationMs: upTo(20_000), oneWay: chance.next() < 0.5 };
    case 'swizzle': {
      const peers = Array.from({ length: 2 + chance.below(6) }, peer);
      return { kind, peers, back: shuffled(peers, chance), stepMs: upTo(2_000) };
    }
    case 'weather': {
      const conditions = {
        latencyMs: chance.below(200),
        jitterMs: chance.below(200),
        segmentBytesMax: chance.next() < 0.5 ? upTo(20) : upTo(2_000),
        splitRate: chance.next(),
        mergeRate: chance.next(),
      };
      return { kind, conditions, durationMs: upTo(10_000) };
    }
    case 'stall':
      return { kind, durationMs: upTo(3_000) };
    case 'acceptErrors':
      return { kind, count: upTo(10) };
    case 'descriptors':
      return { kind, durationMs: upTo(3_000) };
    case 'scan':
      return { kind, count: upTo(20), by: chance.next() < 0.5 ? 'fin' : 'reset' };
  }
}

function shuffled<T>(list: readonly T[], chance: Generator): T[] {
  const rest = [...list];
  return list.map(() => rest.splice(chance.below(rest.length), 1)[0]!);
}
