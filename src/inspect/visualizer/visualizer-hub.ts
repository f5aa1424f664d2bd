/** What all pages share: the sources, the ticks, the log, the recordings. It knows neither HTTP nor WebSockets. */
import { interval, type SchedulerLike, type Subscription } from 'rxjs';
import { wallClockMs } from '../../time/wall-clock.js';
import type { Chart } from '../drawing/chart.js';
import type { Feed } from '../feed.js';
import type { OutletTarget } from '../outlets.js';
import type { OutletRequest } from '../outlets/outlet.js';
import { CommandLog } from './command-log.js';
import { carryOut, type Command, type Outcome } from './commands.js';
import { LIMITS, VISUALIZER_VERSION, type RecordingFile, type ServerMessage, type Source } from './messages.js';
import { Recordings } from './recordings.js';
import { ShownSource } from './shown-source.js';
import { Viewer, type PageSocket } from './viewer.js';

const TICK_MS = 1_000 / LIMITS.ticks;
const SAMPLE_TICKS = LIMITS.ticks;
const AGES_TICKS = 2 * LIMITS.ticks;
const FOLDER_TICKS = 2 * LIMITS.ticks;
/** A folder that is large, or on a slow disk, is looked at for one part in so many of the time. */
const FOLDER_PARTS = 10;

/** A server or client that is shown. */
export interface HubTarget {
  readonly feed: Feed;
  /** What the feed was made of; tests have none. */
  readonly target?: object;
}

export interface HubParts {
  readonly targets: readonly HubTarget[];
  readonly control: boolean;
  readonly payloads: boolean;
  /** Folder, or one file. */
  readonly recordings: string | undefined;
  /** Of the package. */
  readonly version: string;
  readonly time: SchedulerLike;
  readonly failed: (error: unknown) => void;
}

export class VisualizerHub {
  readonly recordings: Recordings;
  readonly log = new CommandLog();
  readonly #parts: HubParts;
  readonly #shown = new Map<string, ShownSource>();
  readonly #charts: Readonly<Record<string, Chart>>;
  readonly #viewers = new Set<Viewer>();
  readonly #outletTargets: readonly OutletTarget[];
  readonly #ticks: Subscription;
  #lastViewer = 0;
  #tick = 0;
  #files: readonly RecordingFile[] | undefined;
  #filesText = '';
  #isListing = false;
  /** What is in the list has changed since that began. */
  #listsAgain = false;
  #lookAgainAtMs = -Infinity;
  /** When the next tick is due. */
  #dueMs: number;
  #loopDelayMs = 0;

  constructor(parts: HubParts) {
    this.#parts = parts;
    this.recordings = new Recordings(parts.recordings, parts.failed);
    const names = new NamedCharts();
    const targets: OutletTarget[] = [];
    for (const { feed, target } of parts.targets) {
      const name = freeName(slugOf(feed.protocol), this.#shown);
      this.#shown.set(name, new ShownSource(name, feed, names.of(feed)));
      if (target) targets.push({ name, target, feed });
    }
    this.#outletTargets = targets;
    this.#charts = names.charts;
    this.#dueMs = parts.time.now() + TICK_MS;
    this.#ticks = interval(TICK_MS, parts.time).subscribe(() => this.#onTick());
  }

  get viewers(): number {
    return this.#viewers.size;
  }

  get sources(): readonly ShownSource[] {
    return [...this.#shown.values()];
  }

  get outletTargets(): readonly OutletTarget[] {
    return this.#outletTargets;
  }

  /** A viewer that is not ours wanted something. It has no number. */
  noteOutlet({ path, source, session, event, outcome, text }: OutletRequest): void {
    const entry = {
      viewer: 0,
      what: 'send',
      source,
      ids: session === '' ? [] : [session],
      event: event === '' ? null : event,
      outcome,
      text: `${path}: ${text}`,
    } as const;
    this.log.add({ wallMs: wallClockMs(), ...entry });
  }

  /** A page has come. @returns what it sends goes to `receive`; `end` when it has gone */
  connect(socket: PageSocket): Viewer {
    const { control, payloads, version, time, failed } = this.#parts;
    const number = (this.#lastViewer += 1);
    const viewer = new Viewer(socket, {
      number,
      source: (name) => this.#shown.get(name),
      command: (from, command) => this.#command(from, command),
      noteRefused: (from, command, text) => this.#note(from, command, { outcome: 'refused', text }),
      logAfter: (n) => this.log.after(n),
      recordings: () => this.#files,
      nowMs: () => time.now(),
      failed,
    });
    this.#lookAtAddresses();
    this.#viewers.add(viewer);
    viewer.send({
      type: 'hello',
      version: VISUALIZER_VERSION,
      viewer: number,
      package: version,
      control,
      payloads,
      sources: this.#sourcesNow(),
      charts: this.#charts,
      limits: LIMITS,
    });
    return viewer;
  }

  disconnect(viewer: Viewer): void {
    viewer.end();
    this.#viewers.delete(viewer);
  }

  /** Lets go of all pages; sessions that are being recorded are kept, or saved. @returns when what is saved is */
  async end(): Promise<void> {
    this.#ticks.unsubscribe();
    for (const viewer of this.#viewers) viewer.drop();
    this.#viewers.clear();
    const saved = this.recordings.end();
    // Not after that: sessions have nothing to do with a disk that is slow.
    for (const { feed } of this.#shown.values()) feed.end();
    await saved;
  }

  #sourcesNow(): readonly Source[] {
    return this.sources.map(({ source }) => source);
  }

  #onTick(): void {
    this.#tick += 1;
    this.#noteLoopDelay();
    if (this.#tick % SAMPLE_TICKS === 0) this.#try(() => this.#everySecond());
    this.#finishRecordings();
    for (const viewer of this.#viewers) viewer.tick();
    if (this.#tick % AGES_TICKS === 0) this.#tellAges();
    if (this.#tick % FOLDER_TICKS === 1) this.#lookIntoFolder();
  }

  /** The tick is late by as much as the event loop was. */
  #noteLoopDelay(): void {
    const nowMs = this.#parts.time.now();
    const lateMs = Math.max(0, nowMs - this.#dueMs);
    this.#loopDelayMs = Math.max(this.#loopDelayMs, lateMs);
    // As the rhythm goes on: whole ones that were missed are skipped.
    this.#dueMs += TICK_MS * (1 + Math.floor(lateMs / TICK_MS));
  }

  #everySecond(): void {
    const delayMs = this.#loopDelayMs;
    this.#loopDelayMs = 0;
    for (const shown of this.sources) {
      this.#try(() => {
        shown.takeSample(delayMs);
        const viewers = [...this.#viewers].filter(({ overviewOf }) => overviewOf === shown);
        if (viewers.length === 0) return;
        const text = JSON.stringify(shown.samples(1));
        for (const viewer of viewers) viewer.sendTick(text);
      });
    }
    this.#lookAtAddresses();
  }

  #lookAtAddresses(): void {
    const moved = this.sources.filter((shown) => shown.lookAtAddress());
    if (moved.length > 0) this.#tellAll({ type: 'sources', sources: this.#sourcesNow() });
  }

  #tellAges(): void {
    for (const shown of this.sources) {
      const viewers = [...this.#viewers].filter(({ overviewOf }) => overviewOf === shown);
      if (viewers.length === 0) {
        shown.restAges();
        continue;
      }
      this.#try(() => {
        const text = JSON.stringify(shown.ages());
        for (const viewer of viewers) viewer.sendTick(text);
      });
    }
  }

  #tellAll(message: ServerMessage): void {
    for (const viewer of this.#viewers) viewer.send(message);
  }

  async #command(viewer: number, command: Command): Promise<Outcome> {
    const { control } = this.#parts;
    const shown = this.#shown.get(command.source);
    const outcome = await carryOut(command, shown, { control, recordings: this.recordings, wallMs: wallClockMs });
    this.#note(viewer, command, outcome);
    if (command.what === 'record' || command.what === 'stopRecording') void this.#listRecordings();
    return outcome;
  }

  #note(viewer: number, { what, source, ids, event }: Command, { outcome, text }: Outcome): void {
    const type = what === 'send' && event ? event.type : null;
    this.log.add({ wallMs: wallClockMs(), viewer, what, source, ids, event: type, outcome, text });
  }

  /** Of sessions that have ended. */
  #finishRecordings(): void {
    for (const recording of this.recordings.live) {
      if (!recording.hasEnded()) continue;
      const { source, session } = recording;
      this.recordings.finish(source, session).then(() => this.#listRecordings(), this.#parts.failed);
      // It lives no more, also while it is being saved.
      void this.#listRecordings();
    }
  }

  /** While somebody sees what is in it. */
  #lookIntoFolder(): void {
    if (this.#parts.time.now() < this.#lookAgainAtMs) return;
    if (!this.#isListing && [...this.#viewers].some((viewer) => viewer.wantsRecordings)) void this.#listRecordings();
  }

  /** One look at a time: a folder may be on a slow disk. Who asks meanwhile is answered by another one after it. */
  async #listRecordings(): Promise<void> {
    const { time, failed } = this.#parts;
    this.#listsAgain = true;
    if (this.#isListing) return;
    this.#isListing = true;
    const startedAtMs = time.now();
    try {
      while (this.#listsAgain) {
        this.#listsAgain = false;
        const files = await this.recordings.list();
        const text = JSON.stringify(files);
        if (text !== this.#filesText) [this.#files, this.#filesText] = [files, text];
      }
    } catch (error) {
      failed(error);
    } finally {
      this.#isListing = false;
      const nowMs = time.now();
      this.#lookAgainAtMs = nowMs + (FOLDER_PARTS - 1) * (nowMs - startedAtMs);
    }
  }

  #try(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#parts.failed(error);
    }
  }
}

/** Charts by a name for each; one that several servers have, as that of sessions, is there once. */
class NamedCharts {
  readonly #byName = new Map<string, Chart>();
  readonly #names = new Map<Chart, string>();

  get charts(): Readonly<Record<string, Chart>> {
    return Object.fromEntries(this.#byName);
  }

  of({ charts, protocol }: Feed): Source['charts'] {
    const { owner, sweeper, session, shared } = charts;
    return {
      owner: this.#name(owner, 'owner'),
      sweeper: sweeper ? this.#name(sweeper, 'sweeper') : null,
      session: this.#name(session, 'session'),
      protocol: this.#name(charts.protocol, protocol),
      shared: Object.fromEntries(Object.entries(shared).map(([name, chart]) => [name, this.#name(chart, name)])),
    };
  }

  /** @param fallback for a chart that has no name of its own: XState calls it `(machine)` */
  #name(chart: Chart, fallback: string): string {
    let name = this.#names.get(chart);
    if (name === undefined) {
      name = freeName(slugOf(chart.id.startsWith('(') ? fallback : chart.id), this.#byName);
      this.#names.set(chart, name);
      this.#byName.set(name, chart);
    }
    return name;
  }
}

/** What a URL takes as it is. */
function slugOf(name: string): string {
  const slug = name.replace(/[^\w.-]+/g, '-').replace(/^[-.]+|-+$/g, '');
  return slug === '' ? 'unnamed' : slug;
}

function freeName(name: string, taken: ReadonlyMap<string, unknown>): string {
  for (let number = 1; ; number += 1) {
    const free = number === 1 ? name : `${name}-${number}`;
    if (!taken.has(free)) return free;
  }
}
