/**
 * The recordings that the page has: those of a folder (or one file), those that were made in the page, and those that are being made.
 * A name leads to a recording when it is in the list, and to nothing else.
 */
import { basename } from 'node:path';
import { Readable } from 'node:stream';
import { numberedName, recordingName, saveInFolder } from '../recording-folder.js';
import type { RecordingFile } from './messages.js';
import { RecordingFiles } from './recording-files.js';
import { textOf, VisualizerError } from './visualizer-error.js';

/** Kept in memory: so many, and so many bytes of text in all. */
const KEPT_MAX = 20;
const KEPT_BYTES_MAX = 16 * 2 ** 20;
/** At a time, with those that are being saved. */
const LIVE_MAX = 16;
/** Files that are written for pages, in all: a page that records on and on does not fill the disk. */
const WRITTEN_MAX = 1_000;

const ASKED_FOR = 'asked for in the visualizer';

export interface LiveRecording {
  readonly source: string;
  readonly protocol: string;
  readonly session: string;
  /** Its session has ended: nothing more comes. */
  hasEnded(): boolean;
  text(): string;
  stop(): void;
}

interface Kept {
  readonly file: RecordingFile;
  readonly text: string;
}

interface Live {
  readonly recording: LiveRecording;
  readonly name: string;
  readonly wallMs: number;
  /** As it was measured last. */
  readonly bytes: number;
}

export class Recordings {
  readonly #files: RecordingFiles | undefined;
  readonly #failed: (error: unknown) => void;
  #kept: readonly Kept[] = [];
  readonly #live = new Map<string, Live>();
  /** On their way to the disk. */
  readonly #saving = new Map<Kept, Promise<string>>();
  #written = 0;

  /** @param place a folder, or one file */
  constructor(place: string | undefined, failed: (error: unknown) => void) {
    this.#files = place === undefined ? undefined : new RecordingFiles(place, failed);
    this.#failed = failed;
  }

  /** @throws {VisualizerError} RECORDINGS_FAILED when there is such a place and nothing of it can be shown */
  async open(): Promise<void> {
    await this.#files?.open();
  }

  /** Newest first. */
  async list(): Promise<readonly RecordingFile[]> {
    this.#measureNext();
    const before = this.#inMemory();
    const inFolder = (await this.#files?.list()) ?? [];
    const all = new Map<string, RecordingFile>();
    // The folder takes its time. What was saved meanwhile may not have been found; all else is as it is now.
    for (const file of before) all.set(file.name, { ...file, isLive: false });
    for (const file of [...inFolder, ...this.#inMemory()]) all.set(file.name, file);
    return [...all.values()].sort((a, b) => b.wallMs - a.wallMs || (a.name < b.name ? 1 : -1));
  }

  /** Nothing more comes to them: they are on their way to the disk, or kept. */
  get #finished(): readonly Kept[] {
    return [...this.#saving.keys(), ...this.#kept];
  }

  #inMemory(): readonly RecordingFile[] {
    const live = [...this.#live.values()].map(({ recording, name, wallMs, bytes }): RecordingFile => {
      const { protocol, session } = recording;
      return { name, protocol, session, bytes, wallMs, reason: ASKED_FOR, isLive: !recording.hasEnded() };
    });
    return [...live, ...this.#finished.map(({ file }) => file)];
  }

  /**
   * @returns `undefined`: there is none of that name. Whoever has it reads it to its end, or destroys it
   * @throws {VisualizerError} RECORDING_TOO_LARGE
   */
  async text(name: string): Promise<Readable | undefined> {
    const live = [...this.#live.values()].find((one) => one.name === name);
    if (live) return readableOf(live.recording.text());
    const finished = this.#finished.find(({ file }) => file.name === name);
    if (finished) return readableOf(finished.text);
    return this.#files?.text(name);
  }

  isLive(source: string, session: string): boolean {
    return this.#live.has(keyOf(source, session));
  }

  /** Why no other session can be recorded now; `undefined`: one can. */
  get refusal(): string | undefined {
    if (this.#live.size + this.#saving.size >= LIVE_MAX) {
      return 'too many sessions are being recorded: stop one of them';
    }
    if (this.#files?.folder !== undefined && this.#written + this.#live.size >= WRITTEN_MAX) {
      return `${WRITTEN_MAX} recordings have been written for pages since the server began: no more are`;
    }
    return undefined;
  }

  get live(): readonly LiveRecording[] {
    return [...this.#live.values()].map(({ recording }) => recording);
  }

  /** @returns its name */
  begin(recording: LiveRecording, wallMs: number): string {
    const { protocol, session } = recording;
    const name = this.#freeName(recordingName({ protocol, session, wallMs }));
    const bytes = Buffer.byteLength(recording.text());
    this.#live.set(keyOf(recording.source, session), { recording, name, wallMs, bytes });
    return name;
  }

  /** How large one is that grows is known by writing all of it: one of them each time, in turn. */
  #measureNext(): void {
    const [next] = this.#live;
    if (!next) return;
    const [key, live] = next;
    const bytes = Buffer.byteLength(live.recording.text());
    this.#live.delete(key);
    this.#live.set(key, { ...live, bytes });
  }

  /** @returns its name, when it is saved, or kept; `undefined`: that session was not being recorded */
  async finish(source: string, session: string): Promise<string | undefined> {
    const live = this.#live.get(keyOf(source, session));
    if (!live) return undefined;
    this.#live.delete(keyOf(source, session));
    const { recording, name, wallMs } = live;
    recording.stop();
    const text = recording.text();
    const { protocol } = recording;
    const bytes = Buffer.byteLength(text);
    const one = { text, file: { name, protocol, session, bytes, wallMs, reason: ASKED_FOR, isLive: false } };
    const folder = this.#files?.folder;
    if (folder === undefined) {
      this.#keep(one);
      return name;
    }
    this.#written += 1;
    const saving = this.#save(folder, one);
    this.#saving.set(one, saving);
    return saving;
  }

  /** What is being recorded stays recorded: it is kept, or saved. @returns when all that was to be written is, or has failed */
  async end(): Promise<void> {
    for (const { source, session } of this.live) this.finish(source, session).catch(this.#failed);
    await Promise.all(this.#saving.values());
  }

  /** @returns its name; never rejected */
  async #save(folder: string, one: Kept): Promise<string> {
    const { name } = one.file;
    try {
      return basename(await saveInFolder(folder, name, one.text));
    } catch (error) {
      const text = `the recording ${name} could not be written, and is kept in memory: ${textOf(error)}`;
      this.#failed(new VisualizerError('RECORDINGS_FAILED', text, { cause: error }));
      this.#keep(one);
      return name;
    } finally {
      this.#saving.delete(one);
    }
  }

  #keep(one: Kept): void {
    const all = [...this.#kept, one].slice(-KEPT_MAX);
    let bytes = all.reduce((sum, { file }) => sum + file.bytes, 0);
    while (bytes > KEPT_BYTES_MAX && all.length > 1) bytes -= all.shift()!.file.bytes;
    this.#kept = all;
  }

  #freeName(name: string): string {
    const taken = new Set([
      ...[...this.#live.values()].map((one) => one.name),
      ...this.#finished.map(({ file }) => file.name),
    ]);
    for (let number = 1; ; number += 1) {
      const free = numberedName(name, number);
      if (!taken.has(free)) return free;
    }
  }
}

function keyOf(source: string, session: string): string {
  return `${source} ${session}`;
}

/** In one piece: it is in memory anyway. */
function readableOf(text: string): Readable {
  return Readable.from([Buffer.from(text)]);
}
