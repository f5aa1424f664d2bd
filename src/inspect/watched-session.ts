/**
 * One session that somebody looks at: each of its steps as a line of a recording, and its waits one by one. However many look, it is
 * recorded once for all of them.
 */
import type { SchedulerLike } from 'rxjs';
import type { AnyProtocol } from '../session/protocol.js';
import type { Session, SessionRecord } from '../session/session.js';
import type { SessionInside } from '../session/tap.js';
import type { RecordingLine, WatchListener } from './feed.js';
import type { PlainLimits } from './plain-data.js';
import { RecordingLines } from './recording-text.js';
import { SessionRecorder, type LiveCheckpoint, type LiveEntry } from './session-recorder.js';
import { packageVersion, type SessionRecorders } from './session-recorders.js';

export interface WatchParts {
  readonly session: Session & SessionInside;
  readonly protocol: AnyProtocol;
  readonly recorders: SessionRecorders;
  readonly time: SchedulerLike;
  readonly payloads: boolean;
  /** A listener threw; it is told nothing more. */
  readonly failed: (error: unknown) => void;
  /** Nobody looks any more, or the session has ended. */
  readonly over: () => void;
}

/** Steps that are kept for who comes later, as those of a recording. */
const ENTRIES_MAX = 1_000;
const BYTES_MAX = 256 * 1024;
/** Of one value in a line, such as the context in a checkpoint: enough for a person. A cache of megabytes is none of a page's. */
const LIMITS: PlainLimits = { parts: 4_000, length: 64 * 1024, depth: 32 };

const isStart = (entry: LiveEntry): boolean =>
  entry.kind === 'checkpoint' && (entry as LiveCheckpoint).charts === undefined;

export class WatchedSession {
  readonly #parts: WatchParts;
  readonly #writer: RecordingLines;
  readonly #header: RecordingLine;
  /** From a checkpoint on. */
  #lines: RecordingLine[] = [];
  /** Index of the last checkpoint in it. */
  #checkpointAt = 0;
  /** Never changed in place, so that those who are being told stay the same. */
  #listeners: readonly WatchListener[] = [];
  #stops: readonly (() => void)[] = [];
  #isOver = false;

  constructor(parts: WatchParts) {
    this.#parts = parts;
    const { session, protocol, recorders, time, payloads } = parts;
    const past = recorders.recorderOf(session);
    const dropped = past?.dropped ?? 0;
    // A recording keeps what a codec made of bytes, which a replay needs; who only looks is shown no bytes at all.
    this.#writer = new RecordingLines(protocol, { payloads, from: dropped, limits: LIMITS, countsBytes: !payloads });
    const header = this.#writer.header(session, { packageVersion: packageVersion(), dropped });
    this.#header = { kind: 'header', ...header };
    const entries = past?.entries ?? [];
    for (const entry of entries) this.#add(entry);
    // What the server has recorded goes on seamlessly, unless a step has begun that will end there alone.
    let isPart = past?.isBetweenSteps === true;
    const recorder = new SessionRecorder({
      session,
      inside: session,
      options: { payloads, entriesMax: ENTRIES_MAX, bytesMax: BYTES_MAX },
      time,
      isStart: entries.length === 1 && isStart(entries[0]!),
      withTransitions: true,
      onEntry: (entry) => {
        if (!isPart) this.#add(entry);
        isPart = false;
      },
      onEnd: ({ record }) => this.#end(record),
    });
    this.#stops = [session.tap(recorder), session.lookAtWaits()];
  }

  /** @returns what is known up to now */
  listen(listener: WatchListener): readonly RecordingLine[] {
    this.#listeners = [...this.#listeners, listener];
    return [this.#header, ...this.#lines];
  }

  /** The last one to leave ends it. */
  leave(listener: WatchListener): void {
    if (!this.#listeners.includes(listener)) return;
    this.#listeners = this.#listeners.filter((other) => other !== listener);
    if (this.#listeners.length === 0) this.stop();
  }

  stop(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#listeners = [];
    for (const stop of this.#stops) stop();
    this.#parts.over();
  }

  #add(entry: LiveEntry): void {
    const line = this.#writer.entry(entry) as RecordingLine;
    if (entry.kind === 'checkpoint') {
      // As a ring does: what comes before the checkpoint before this one goes.
      this.#lines = this.#lines.slice(this.#checkpointAt);
      this.#checkpointAt = this.#lines.length;
    }
    this.#lines.push(line);
    this.#tell((listener) => listener.line(line));
  }

  #end(record: SessionRecord | undefined): void {
    const line = this.#writer.end(record) as RecordingLine;
    this.#lines.push(line);
    this.#tell((listener) => listener.line(line));
    this.#tell((listener) => listener.ended());
    this.stop();
  }

  #tell(what: (listener: WatchListener) => void): void {
    for (const listener of this.#listeners) {
      // One that was told before it may have made it leave.
      if (!this.#listeners.includes(listener)) continue;
      try {
        what(listener);
      } catch (error) {
        this.leave(listener);
        this.#parts.failed(error);
      }
    }
  }
}
