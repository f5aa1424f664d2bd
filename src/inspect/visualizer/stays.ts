/**
 * How long sessions are in their states, and which of them are stuck: in one for much longer than others were.
 *
 * The hard question: what is usual? To know how long each stay was that has ended, one would have to hear of every transition of every
 * session, which at thousands of transitions a second costs more than all else that is looked at here.
 *
 * The choice: look at all sessions every 2 s, and only while somebody has the overview open. A stay that was seen and is over by the next
 * look lasted about as long as it lasted (2 s more at most). A stay that was never seen was shorter than 2 s; how many of those there were
 * say the counts that are kept anyhow: entered, less what is there now. Since nobody is called stuck before 10 s, and not before 4 times what
 * is usual, it does not matter how much shorter than 2 s they were.
 */
import type { Feed, Place, SessionChart } from '../feed.js';
import type { ChartNumbers } from './chart-numbers.js';
import type { StateAges, Stuck } from './messages.js';

/** Nobody is stuck before. */
const LIMIT_MIN_MS = 10_000;
const USUAL_TIMES = 4;
/** Stays that have to have ended before anything can be called usual. */
const ENDED_MIN = 20;
/**
 * Who is stuck is an exception: of all stays that were seen, those of the stuck and those that have ended, one in ten at most. Where
 * more sessions than that stay for long, staying is what the state is for, and the short stays are the exception.
 */
const STUCK_SHARE = 0.1;
/** Of stays that no look has seen: less than from one look to the next. */
const UNSEEN_MS = 1_000;
/** 2^39 ms are 17 years. */
const BUCKETS = 40;

export interface Looked {
  readonly session: readonly StateAges[];
  readonly protocol: readonly StateAges[];
  readonly stuck: readonly Stuck[];
}

export class Stays {
  readonly #feed: Feed;
  readonly #charts: readonly [ChartStays, ChartStays];
  /** Of the sessions of the last look, ascending; `undefined`: there was none. */
  #numbers: Float64Array | undefined;

  constructor(feed: Feed, numbers: Readonly<Record<SessionChart, ChartNumbers>>) {
    this.#feed = feed;
    this.#charts = [new ChartStays('session', numbers.session), new ChartStays('protocol', numbers.protocol)];
  }

  /** Nobody looks: what was seen last says nothing about what is seen next. What is usual is kept. */
  rest(): void {
    this.#numbers = undefined;
    for (const chart of this.#charts) chart.rest();
  }

  look(): Looked {
    const nowMs = this.#feed.nowMs();
    const size = this.#feed.size;
    const numbers = new Float64Array(size);
    const [ofSession, ofProtocol] = this.#charts;
    ofSession.begin(size);
    ofProtocol.begin(size);
    let index = 0;
    for (const session of this.#feed.sessions()) {
      numbers[index] = session.number;
      ofSession.see(index, session.session, session.sessionSinceMs);
      ofProtocol.see(index, session.protocol, session.protocolSinceMs);
      index += 1;
    }
    const [session, protocol] = [ofSession, ofProtocol].map((chart) => {
      chart.compare(this.#feed, { before: this.#numbers, now: numbers, nowMs });
      return chart.result(nowMs);
    }) as [StayResult, StayResult];
    this.#numbers = numbers;
    return { session: session.ages, protocol: protocol.ages, stuck: [...session.stuck, ...protocol.stuck] };
  }
}

interface StayResult {
  readonly ages: readonly StateAges[];
  readonly stuck: readonly Stuck[];
}

interface Comparison {
  /** Numbers of the sessions of the last look, ascending; `undefined`: there was none. */
  readonly before: Float64Array | undefined;
  readonly now: Float64Array;
  readonly nowMs: number;
}

class ChartStays {
  readonly #chart: SessionChart;
  readonly #numbers: ChartNumbers;
  /** By state, then by the logarithm to the base 2 of the stay in ms. */
  readonly #histograms: (Float64Array | undefined)[];
  /** Session by session, as looked at now and last: the innermost state of the first region, and since when. */
  #states = new Uint16Array(0);
  #since = new Float64Array(0);
  #statesBefore = new Uint16Array(0);
  #sinceBefore = new Float64Array(0);
  /** Of the other regions: state, since when, in turn. */
  #others: number[] = [];
  #entered: Float64Array | undefined;
  #counts: Int32Array | undefined;

  constructor(chart: SessionChart, numbers: ChartNumbers) {
    this.#chart = chart;
    this.#numbers = numbers;
    this.#histograms = new Array<Float64Array | undefined>(numbers.size).fill(undefined);
  }

  rest(): void {
    this.begin(0);
    this.begin(0);
    this.#entered = this.#counts = undefined;
  }

  /** @param size how many sessions there are to see */
  begin(size: number): void {
    [this.#statesBefore, this.#sinceBefore] = [this.#states, this.#since];
    this.#states = new Uint16Array(size);
    this.#since = new Float64Array(size);
    this.#others = [];
  }

  see(index: number, place: Place, sinceMs: number): void {
    const first = this.#numbers.first(place);
    this.#states[index] = first;
    this.#since[index] = sinceMs;
    const leaves = this.#numbers.leaves(place);
    if (leaves.length < 2) return;
    for (const state of leaves) if (state !== first) this.#others.push(state, sinceMs);
  }

  /** Takes down the stays that have ended since the last look. */
  compare(feed: Feed, { before, now, nowMs }: Comparison): void {
    const { entered, counts } = feed.population(this.#chart);
    const seen = new Float64Array(this.#numbers.size);
    let at = 0;
    for (let index = 0; before && index < before.length; index += 1) {
      const number = before[index]!;
      while (at < now.length && now[at]! < number) at += 1;
      const isHere = now[at] === number;
      const [state, sinceMs] = [this.#statesBefore[index]!, this.#sinceBefore[index]!];
      if (isHere && this.#states[at] === state && this.#since[at] === sinceMs) continue;
      seen[state] = seen[state]! + 1;
      this.#note(state, Math.max(0, (isHere ? this.#since[at]! : nowMs) - sinceMs), 1);
    }
    if (before && this.#entered && this.#counts) {
      for (let state = 0; state < this.#numbers.size; state += 1) {
        const ended = entered[state]! - this.#entered[state]! - (counts[state]! - this.#counts[state]!);
        if (ended > seen[state]!) this.#note(state, UNSEEN_MS, ended - seen[state]!);
      }
    }
    this.#entered = entered.slice();
    this.#counts = counts.slice();
  }

  result(nowMs: number): StayResult {
    const ages: StateAges[] = [];
    const stuck: Stuck[] = [];
    this.#agesByState(nowMs).forEach(({ first, all }, state) => {
      if (all.length === 0) return;
      const at = (share: number) => all[Math.floor((all.length - 1) * share)]!;
      ages.push({ state, count: all.length, p50Ms: at(0.5), p99Ms: at(0.99), oldestMs: at(1) });
      const found = this.#stuckIn(state, first);
      if (found) stuck.push(found);
    });
    return { ages, stuck };
  }

  /** By state, ascending: of those for whom it is the state of the first region, and of all. */
  #agesByState(nowMs: number): readonly { readonly first: Float64Array; readonly all: Float64Array }[] {
    const counts = new Uint32Array(this.#numbers.size);
    for (const state of this.#states) counts[state] = counts[state]! + 1;
    const lists = Array.from(counts, (count) => new Float64Array(count));
    const filled = new Uint32Array(this.#numbers.size);
    for (let index = 0; index < this.#states.length; index += 1) {
      const state = this.#states[index]!;
      lists[state]![filled[state]!] = Math.max(0, nowMs - this.#since[index]!);
      filled[state] = filled[state]! + 1;
    }
    const others = new Map<number, number[]>();
    for (let index = 0; index < this.#others.length; index += 2) {
      const state = this.#others[index]!;
      const list = others.get(state) ?? [];
      others.set(state, list);
      list.push(Math.max(0, nowMs - this.#others[index + 1]!));
    }
    return lists.map((list, state) => {
      const first = list.sort();
      const more = others.get(state);
      return { first, all: more ? Float64Array.from([...first, ...more]).sort() : first };
    });
  }

  /** @param ages ascending */
  #stuckIn(state: number, ages: Float64Array): Stuck | undefined {
    const ended = this.#ended(state);
    const usualMs = this.#usualMs(state, ended);
    if (usualMs === undefined) return undefined;
    const limitMs = Math.max(LIMIT_MIN_MS, USUAL_TIMES * usualMs);
    const from = ages.findIndex((ageMs) => ageMs > limitMs);
    if (from < 0) return undefined;
    const count = ages.length - from;
    if (count > STUCK_SHARE * (ended + count)) return undefined;
    return { chart: this.#chart, state, count, oldestMs: ages.at(-1)!, usualMs, limitMs };
  }

  #note(state: number, stayMs: number, count: number): void {
    const histogram = (this.#histograms[state] ??= new Float64Array(BUCKETS));
    const bucket = Math.min(BUCKETS - 1, Math.floor(Math.log2(stayMs + 1)));
    histogram[bucket] = histogram[bucket]! + count;
  }

  /** Stays that have ended. */
  #ended(state: number): number {
    return this.#histograms[state]?.reduce((sum, count) => sum + count, 0) ?? 0;
  }

  /** 99 % of the stays were shorter; `undefined`: too few have ended. */
  #usualMs(state: number, ended: number): number | undefined {
    const histogram = this.#histograms[state];
    if (!histogram || ended < ENDED_MIN) return undefined;
    let left = ended * 0.99;
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
      const count = histogram[bucket]!;
      // In between it is taken for even.
      if (count >= left) return Math.round(2 ** bucket * (1 + left / count) - 1);
      left -= count;
    }
    return undefined;
  }
}
