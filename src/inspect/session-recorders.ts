/** Who records which session of one server or client: all of them for its `record` option, and one for whoever calls `session.record()`. */
import { readFileSync } from 'node:fs';
import type { SchedulerLike } from 'rxjs';
import { requireInside } from '../engine/inside.js';
import type { ParsedRecordOptions, ParsedSessionRecording } from '../session/record-options.js';
import type { AnyProtocol } from '../session/protocol.js';
import type { Session, SessionRecording } from '../session/session.js';
import type { SessionInside, SessionTap } from '../session/tap.js';
import { wallClockMs } from '../time/wall-clock.js';
import { RecordingFolder, recordingName, saveRecording } from './recording-folder.js';
import { writeRecording } from './recording-text.js';
import { SessionRecorder } from './session-recorder.js';

export interface RecordersParts {
  readonly protocol: AnyProtocol;
  readonly time: SchedulerLike;
  /** `undefined`: sessions are recorded when somebody asks. */
  readonly options: ParsedRecordOptions | undefined;
  /** A file of the `record` option could not be written. */
  readonly failed?: (message: string, error: unknown) => void;
}

export class SessionRecorders {
  readonly #parts: RecordersParts;
  readonly #folder: RecordingFolder | undefined;
  /** Of the `record` option. */
  readonly #own = new WeakMap<Session, SessionRecorder>();
  /** What `session.record()` without options has begun. */
  readonly #asked = new WeakMap<Session, SessionRecording>();

  constructor(parts: RecordersParts) {
    this.#parts = parts;
    const { options } = parts;
    this.#folder = options && new RecordingFolder(options.folder, options.filesMax, parts.failed ?? (() => {}));
  }

  /** Before the first session. @throws {RecordingError} FOLDER_UNUSABLE @throws {TypeError} as `requireInside` */
  open(): void {
    if (this.#folder) requireInside();
    this.#folder?.open();
  }

  /** @returns when all files are written */
  flushed(): Promise<void> {
    return this.#folder?.flushed() ?? Promise.resolve();
  }

  /** For a session that is about to start. @returns `undefined` when none is recorded by itself */
  tapFor(session: Session, inside: SessionInside): SessionTap | undefined {
    const { options, time } = this.#parts;
    if (!options) return undefined;
    const onEnd = (recorder: SessionRecorder) => {
      if (!options.isWanted(recorder.record!.reason, recorder.hasFailed)) return;
      this.#folder?.write(this.#nameOf(session), () => this.#textOf(recorder));
    };
    const recorder = new SessionRecorder({ session, inside, options: options.session, time, isStart: true, onEnd });
    this.#own.set(session, recorder);
    return recorder;
  }

  /** @returns what the `record` option has begun for this session */
  recorderOf(session: Session): SessionRecorder | undefined {
    return this.#own.get(session);
  }

  /** Carries out `session.record()`. @param isOwn it was asked for with options: a recording that there is already will not do */
  record(session: Session & SessionInside, options: ParsedSessionRecording, isOwn: boolean): SessionRecording {
    const own = this.#own.get(session);
    if (!isOwn && own) return this.#handle(own, () => {});
    const known = isOwn ? undefined : this.#asked.get(session);
    if (known) return known;
    const { time } = this.#parts;
    const recorder = new SessionRecorder({ session, inside: session, options, time, isStart: false });
    const stop = session.tap(recorder);
    const recording = this.#handle(recorder, () => {
      stop();
      if (this.#asked.get(session) === recording) this.#asked.delete(session);
    });
    if (!isOwn) this.#asked.set(session, recording);
    return recording;
  }

  #handle(recorder: SessionRecorder, stop: () => void): SessionRecording {
    return {
      text: () => this.#textOf(recorder),
      save: (place) => saveRecording(place, this.#nameOf(recorder.session), this.#textOf(recorder)),
      stop,
    };
  }

  #textOf(recorder: SessionRecorder): string {
    return writeRecording(recorder, this.#parts.protocol, packageVersion());
  }

  #nameOf({ id }: Session): string {
    return recordingName({ protocol: this.#parts.protocol.name, session: id, wallMs: wallClockMs() });
  }
}

let version: string | undefined;

export function packageVersion(): string {
  version ??= findVersion();
  return version;
}

/** From the sources and from what they are compiled to, package.json is not equally far away. */
function findVersion(): string {
  for (const path of ['../../package.json', '../../../package.json']) {
    try {
      const { name, version } = JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')) as Record<
        string,
        string
      >;
      if (name === 'wirechart' && version) return version;
    } catch {
      // not there
    }
  }
  return 'unknown';
}
