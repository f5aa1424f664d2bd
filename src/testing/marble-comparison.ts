/**
 * Compares what was recorded with a marble string, and says for a person where they differ: both as marbles, one above the other, and then
 * moment by moment with the values, because a string of signs alone does not show that 6 001 is not 6 000.
 */
import { parseMarbles, type MarbleEntry, type MarbleRecord, type MarbleValues } from './marbles.js';
import { isSameData } from './same-data.js';

/** What a comparison says. */
export interface MarbleComparison {
  readonly matches: boolean;
  /** Both, as marbles where they can be written so, and moment by moment. For a person. */
  readonly difference: string;
}

/**
 * Compares what was recorded with what a marble string says: the same values (asymmetric matchers may be among them), at the same ms.
 * @throws {TypeError} as `parseMarbles`
 */
export function matchesMarbles<T>(
  record: Pick<MarbleRecord<T>, 'entries'>,
  marbles: string,
  values?: MarbleValues,
): MarbleComparison {
  const expected = parseMarbles<unknown>(marbles, values);
  const actual = record.entries;
  const isSame = (index: number) => isSameEntry(actual[index], expected[index]);
  const count = Math.max(actual.length, expected.length);
  const first = Array.from({ length: count }, (_, index) => index).find((index) => !isSame(index));
  const names = nameValues([...expected, ...actual], values);
  const lines = [
    first === undefined ? 'they match' : `they differ first at ${momentOf(actual[first], expected[first])} ms`,
    `  expected  ${marbles.trim() || '(nothing)'}`,
    `  actual    ${writeMarbles(actual, names)}`,
    '',
    ...compareMoments(actual, expected, names),
  ];
  return { matches: first === undefined, difference: lines.join('\n') };
}

function momentOf(actual: MarbleEntry | undefined, expected: MarbleEntry | undefined): number {
  return Math.min(actual?.atMs ?? Infinity, expected?.atMs ?? Infinity);
}

function isSameEntry(actual: MarbleEntry | undefined, expected: MarbleEntry | undefined): boolean {
  if (!actual || !expected) return false;
  return actual.atMs === expected.atMs && actual.kind === expected.kind && isSameData(actual.value, expected.value);
}

type NameOf = (entry: MarbleEntry) => string;

const SIGNS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';

/** The sign of each value; one that has none yet gets the next free letter. */
function nameValues(entries: readonly MarbleEntry[], values: MarbleValues | undefined): NameOf {
  const named: [sign: string, value: unknown][] = values ? Object.entries(values) : [];
  const signOf = (value: unknown) => named.find(([, known]) => isSameData(value, known))?.[0];
  for (const { kind, value } of entries) {
    if (kind !== 'next' || signOf(value) !== undefined) continue;
    const isSign = values === undefined && typeof value === 'string' && value.length === 1;
    const free = [...SIGNS].find((sign) => !named.some(([taken]) => taken === sign));
    named.push([isSign ? value : (free ?? '?'), value]);
  }
  return ({ kind, value }) => (kind === 'complete' ? '|' : kind === 'error' ? '#' : (signOf(value) ?? '?'));
}

/** @returns a string that `parseMarbles` reads as these entries, or, where there is none, one that says so. */
function writeMarbles(entries: readonly MarbleEntry[], nameOf: NameOf): string {
  let text = '';
  let nowMs = 0;
  for (const [atMs, group] of byMoment(entries)) {
    const pauseMs = atMs - nowMs;
    if (pauseMs < 0) return '(cannot be written: a group is too close to what follows)';
    text += pauseMs > 3 || !Number.isInteger(pauseMs) ? ` ${pauseMs}ms ` : '-'.repeat(pauseMs);
    const signs = group.map(nameOf).join('');
    text += group.length === 1 ? signs : `(${signs})`;
    nowMs = atMs + (group.length === 1 ? 1 : group.length + 2);
  }
  return text.trim() || '(nothing)';
}

function byMoment(entries: readonly MarbleEntry[]): Map<number, MarbleEntry[]> {
  const moments = new Map<number, MarbleEntry[]>();
  for (const entry of entries) moments.set(entry.atMs, [...(moments.get(entry.atMs) ?? []), entry]);
  return moments;
}

/** One line for each moment, with what was expected beside what came. */
function compareMoments(
  actual: readonly MarbleEntry[],
  expected: readonly MarbleEntry[],
  nameOf: NameOf,
): readonly string[] {
  const [came, wanted] = [byMoment(actual), byMoment(expected)];
  const moments = [...new Set([...wanted.keys(), ...came.keys()])].sort((a, b) => a - b);
  const width = Math.max(...moments.map((atMs) => String(atMs).length), 1) + 2;
  return moments.flatMap((atMs) => {
    const [ours, theirs] = [came.get(atMs) ?? [], wanted.get(atMs) ?? []];
    const isSame = ours.length === theirs.length && ours.every((entry, index) => isSameEntry(entry, theirs[index]));
    const list = (all: readonly MarbleEntry[]) => all.map((entry) => describe(entry, nameOf)).join(', ') || 'nothing';
    const moment = `${String(atMs).padStart(width)} ms  `;
    if (isSame) return [`${moment}${list(ours)}`];
    return [`${moment}expected ${list(theirs)}`, `${' '.repeat(moment.length)}got      ${list(ours)}  <--`];
  });
}

function describe(entry: MarbleEntry, nameOf: NameOf): string {
  if (entry.kind === 'complete') return '| (the end)';
  const sign = nameOf(entry);
  const text = textOf(entry.value);
  return sign === entry.value ? sign : `${sign} = ${text}`;
}

const TEXT_MAX = 120;

/** A value in a line of a message. */
function textOf(value: unknown): string {
  if (value instanceof Error) return String(value);
  let text: string;
  try {
    text = JSON.stringify(value, (_, held: unknown) => writable(held)) ?? String(value);
  } catch {
    text = String(value); // a circle
  }
  return text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX)} ...` : text;
}

function writable(value: unknown): unknown {
  if (value instanceof Uint8Array) return `bytes ${value.subarray(0, 32).join(' ')}${value.length > 32 ? ' ...' : ''}`;
  return typeof value === 'bigint' ? `${value}n` : value;
}
