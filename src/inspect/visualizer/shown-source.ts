/** One server or client that is shown: what all pages see of it alike. */
import type { Feed, FeedSession, SessionChart } from '../feed.js';
import { ChartNumbers } from './chart-numbers.js';
import type { Sample, ServerMessage, SessionRow, Source } from './messages.js';
import { Stays } from './stays.js';

/** Seconds of the past that are kept. */
const SAMPLES = 120;

export class ShownSource {
  readonly numbers: Readonly<Record<SessionChart, ChartNumbers>>;
  readonly #samples: Sample[] = [];
  readonly #stays: Stays;
  #startedAtMs: number;
  #address: string | undefined;
  #source: Source;

  /** @param charts names of its charts in `hello` */
  constructor(
    readonly name: string,
    readonly feed: Feed,
    charts: Source['charts'],
  ) {
    const { kind, protocol, waitTimeoutMs } = feed;
    this.numbers = { session: new ChartNumbers(feed.charts.session), protocol: new ChartNumbers(feed.charts.protocol) };
    this.#stays = new Stays(feed, this.numbers);
    this.#startedAtMs = feed.nowMs();
    this.#address = feed.address;
    this.#source = { name, kind, protocol, address: feed.address ?? null, charts, waitTimeoutMs };
  }

  get source(): Source {
    return this.#source;
  }

  /** @returns true when its address is another one than it was */
  lookAtAddress(): boolean {
    const { address } = this.feed;
    if (address === this.#address) return false;
    // It listens now, and did not: this is when it began.
    if (this.#address === undefined) this.#startedAtMs = this.feed.nowMs();
    this.#address = address;
    this.#source = { ...this.#source, address: address ?? null };
    return true;
  }

  /** Once each second. */
  takeSample(loopDelayMs: number): void {
    const { feed } = this;
    const { accepted, closed, refused, bytesReceived, bytesSent, errors, reasons } = feed.totals();
    this.#samples.push({
      atMs: feed.nowMs(),
      sessions: feed.size,
      accepted,
      closed,
      refused,
      bytesReceived,
      bytesSent,
      waitTimeouts: reasons['wait timeout'] ?? 0,
      errors,
      loopDelayMs: Math.round(loopDelayMs * 10) / 10,
    });
    if (this.#samples.length > SAMPLES) this.#samples.shift();
  }

  /** @param count of the last seconds */
  samples(count = SAMPLES): ServerMessage {
    return {
      type: 'samples',
      source: this.name,
      samples: this.#samples.slice(-count),
      totals: this.feed.totals(),
      startedAtMs: this.#startedAtMs,
    };
  }

  ages(): ServerMessage {
    return { type: 'ages', source: this.name, atMs: this.feed.nowMs(), ...this.#stays.look() };
  }

  /** Nobody looks at the ages any more. */
  restAges(): void {
    this.#stays.rest();
  }
}

export function rowOf(session: FeedSession): SessionRow {
  const { id, key, peer, startedAtMs, sessionSinceMs, protocolSinceMs } = session;
  const { bytesReceived, bytesSent, waitsEndAtMs, waitTimeoutCountMax } = session;
  return {
    id,
    key: key ?? null,
    peer,
    session: session.session,
    protocol: session.protocol,
    startedAtMs,
    sessionSinceMs,
    protocolSinceMs,
    phases: session.phases,
    bytesReceived,
    bytesSent,
    waitsEndAtMs: waitsEndAtMs ?? null,
    waitTimeoutCountMax,
  };
}
