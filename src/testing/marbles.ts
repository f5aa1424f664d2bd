/**
 * Events, commands and states over time, written as marble strings and played on the clock of the test:
 * `a 5999ms b` is `a` now and `b` 6 000 ms later. RxJS's syntax in its run mode, read by RxJS's own parser:
 *
 * | Sign                  | Means                                                                        |
 * | --------------------- | ---------------------------------------------------------------------------- |
 * | `a`, `b` ...          | a value, by its name in `values`; it takes 1 ms, so the next sign is 1 ms later |
 * | `-`                   | 1 ms                                                                         |
 * | ` 250ms `, ` 6s `, ` 1m ` | so much time, with a space on each side                                  |
 * | `(ab)`                | `a` and `b` at the moment of the bracket; the group takes as many ms as it has signs |
 * | `\|`, `#`              | the end; an error, `values['#']`                                             |
 * | space                 | nothing, for aligning                                                        |
 *
 * Hard choices:
 * - **RxJS's parser, not its scheduler**: its virtual schedulers cannot be the clock (`VirtualTime` says why), and the syntax is known.
 * - **A sign takes 1 ms, also in a group.** So what happens 1 to 3 ms after a group of two cannot be written. It is RxJS's rule, and
 *   a second dialect would cost more than it gives; a difference is shown with its times, whether it can be written or not.
 * - **Events are played on `time.sockets`**, as the network's are: at one moment an event comes before a timer.
 */
import { Observable, type SchedulerLike, Subscription, type Subscriber, type TeardownLogic } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import type { VirtualTime } from '../time/virtual-time.js';

/** What happens at one moment. `value`: the error's, of an error; `undefined` at the end. */
export interface MarbleEntry<T = unknown> {
  readonly atMs: number;
  readonly kind: 'next' | 'complete' | 'error';
  readonly value: T;
}

/** Values by the sign that stands for them. Without values the signs are the values. */
export type MarbleValues<T = unknown> = Readonly<Record<string, T>>;

/** A sign is 1 ms, as in `TestScheduler.run`, without changing RxJS's own setting for everybody. */
class MillisecondMarbles extends TestScheduler {
  static override frameTimeFactor = 1;
}

/**
 * @returns what the string says, in order; times are in ms from its beginning.
 * @throws {TypeError} when it cannot be read, or has a sign that `values` has no value for.
 */
export function parseMarbles<T = string>(marbles: string, values?: MarbleValues<T>): MarbleEntry<T>[] {
  return readMarbles(marbles, values).entries;
}

/** @returns how long the string is, in ms: the moment after its last sign. */
export function marblesLengthMs(marbles: string): number {
  return readMarbles(marbles, undefined).lengthMs;
}

function readMarbles<T>(marbles: string, values: MarbleValues<T> | undefined) {
  if (typeof marbles !== 'string') throw new TypeError(`marbles: expected a string, got ${typeof marbles}`);
  if (/[\^!]/.test(marbles))
    throw unreadable(marbles, '`^` and `!` are for subscriptions, which a session has none of');
  const { length: opened } = marbles.replace(/[^(]/g, '');
  if (opened !== marbles.replace(/[^)]/g, '').length)
    throw unreadable(marbles, 'a bracket is not closed, or not opened');
  // The parser knows a time by the space behind it; a sign at the very end says how long the string is.
  const messages = MillisecondMarbles.parseMarbles(`${marbles} |`, undefined, undefined, false, true);
  const end = messages.pop()!;
  const entries = messages.map(({ frame: atMs, notification }): MarbleEntry<T> => {
    if (notification.kind === 'C') return { atMs, kind: 'complete', value: undefined as T };
    if (notification.kind === 'E') return { atMs, kind: 'error', value: (values?.['#'] ?? 'error') as T };
    return { atMs, kind: 'next', value: valueOf(notification.value as string, values, marbles) };
  });
  return { entries, lengthMs: end.frame };
}

function valueOf<T>(sign: string, values: MarbleValues<T> | undefined, marbles: string): T {
  if (values === undefined) return sign as T;
  if (Object.hasOwn(values, sign)) return values[sign] as T;
  const known = Object.keys(values).join(', ') || 'none';
  throw unreadable(marbles, `there is no value for ${JSON.stringify(sign)}; there are: ${known}`);
}

function unreadable(marbles: string, why: string): TypeError {
  return new TypeError(`marbles ${JSON.stringify(marbles)}: ${why}`);
}

/** Who is given what a marble string says. One that is not there must not be needed. */
export interface MarbleObserver<T> {
  next?(value: T): void;
  error?(value: T): void;
  complete?(): void;
}

/**
 * Schedules what `marbles` says, from now on, before timers of the same moment. What one moment holds comes in the order of the string.
 * @returns a Subscription that takes back what has not come yet.
 * @throws {TypeError} as `parseMarbles`, and when the string has a sign that `observer` does not take.
 */
export function playMarbles<T = string>(
  time: Pick<VirtualTime, 'sockets'>,
  marbles: string,
  values: MarbleValues<T> | undefined,
  observer: MarbleObserver<T>,
): Subscription {
  const moments = new Map<number, MarbleEntry<T>[]>();
  for (const entry of parseMarbles(marbles, values)) {
    if (!observer[entry.kind]) throw unreadable(marbles, `nobody takes its \`${entry.kind}\` at ${entry.atMs} ms`);
    moments.set(entry.atMs, [...(moments.get(entry.atMs) ?? []), entry]);
  }
  const played = new Subscription();
  for (const [atMs, entries] of moments) {
    played.add(
      time.sockets.schedule(function () {
        this.unsubscribe();
        for (const { kind, value } of entries) {
          if (kind === 'complete') observer.complete!();
          else observer[kind]!(value);
        }
      }, atMs),
    );
  }
  return played;
}

/** What was seen, and when. */
export interface MarbleRecord<T = unknown> {
  /** In order; times are in ms from when the recording began. It grows while the recording goes on. */
  readonly entries: readonly MarbleEntry<T>[];
  /** Ends the recording; what was seen stays. */
  stop(): void;
}

/**
 * Writes down what an Observable says, or what a function reports that is given a subscriber (and may return what ends it).
 * @param time any clock: its `now()` is read
 */
export function recordMarbles<T>(
  time: SchedulerLike,
  source: Observable<T> | ((subscriber: Subscriber<T>) => TeardownLogic),
): MarbleRecord<T> {
  const startMs = time.now();
  const entries: MarbleEntry<T>[] = [];
  const note = (kind: MarbleEntry['kind'], value: T) => void entries.push({ atMs: time.now() - startMs, kind, value });
  const observable = typeof source === 'function' ? new Observable<T>(source) : source;
  const subscription = observable.subscribe({
    next: (value) => note('next', value),
    error: (error: unknown) => note('error', error as T),
    complete: () => note('complete', undefined as T),
  });
  return { entries, stop: () => subscription.unsubscribe() };
}
