/**
 * The recordings that the page has: those of a folder (or one file), those that were made in the page, and those that are being made.
 * A name leads to a recording when it is in the list, and to nothing else.
 */
import { constants } from 'node:fs';
import { open, readdir, stat, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { recordingName, saveRecording } from '../recording-folder.js';
import type { RecordingFile } from './messages.js';
import { textOf, VisualizerError } from './visualizer-error.js';

/** Kept in memory: so many, and so many bytes of text in all. */
const KEPT_MAX = 20;
const KEPT_BYTES_MAX = 16 * 2 ** 20;
/** At a time. */
const LIVE_MAX = 16;
/** Files of the folder that are listed: the newest. */
const LISTED_MAX = 1_000;
/** Of one file that is read. */
const FILE_BYTES_MAX = 64 * 2 ** 20;
/** Of a file that is looked at for the list: its header, which describes two charts, and its last line. */
const HEAD_BYTES = 256 * 1_024;
const TAIL_BYTES = 16 * 1_024;

const ASKED_FOR = 'asked for in the visualizer';

export interface LiveRecording {
  readonly source: string;
  readonly protocol: string;
  readonly session: string;
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

interface KnownFile {
  readonly stamp: string;
  readonly file: RecordingFile;
}

export class Recordings {
  readonly #place: string | undefined;
  readonly #failed: (error: VisualizerError) => void;
  #kept: readonly Kept[] = [];
  readonly #live = new Map<string, Live>();
  /** By name, as long as the file is the same. */
  #known = new Map<string, KnownFile>();
  /** `place` is one file. */
  #isFile = false;

  /** @param place a folder, or one file */
  constructor(place: string | undefined, failed: (error: VisualizerError) => void) {
    this.#place = place;
    this.#failed = failed;
  }

  /** @throws {VisualizerError} RECORDINGS_FAILED when there is such a place and it is neither folder nor file */
  async open(): Promise<void> {
    if (this.#place === undefined) return;
    try {
      const place = await stat(this.#place);
      this.#isFile = place.isFile();
      if (!place.isFile() && !place.isDirectory()) throw new Error('it is neither a folder nor a file');
    } catch (error) {
      // A server makes its folder when it starts.
      if ((error as { code?: unknown }).code === 'ENOENT') return;
      throw new VisualizerError('RECORDINGS_FAILED', `cannot read ${this.#place}: ${textOf(error)}`, { cause: error });
    }
  }

  /** Newest first. */
  async list(): Promise<readonly RecordingFile[]> {
    this.#measureNext();
    const live = [...this.#live.values()].map(({ recording, name, wallMs, bytes }): RecordingFile => {
      const { protocol, session } = recording;
      return { name, protocol, session, bytes, wallMs, reason: ASKED_FOR, isLive: true };
    });
    const kept = this.#kept.map(({ file }) => file);
    const names = new Set(kept.map(({ name }) => name));
    const files = (await this.#listFolder()).filter(({ name }) => !names.has(name));
    return [...live, ...kept, ...files].sort((a, b) => b.wallMs - a.wallMs || (a.name < b.name ? 1 : -1));
  }

  /** @returns `undefined`: there is none of that name */
  async text(name: string): Promise<string | Buffer | undefined> {
    const live = [...this.#live.values()].find((one) => one.name === name);
    if (live) return live.recording.text();
    const kept = this.#kept.find(({ file }) => file.name === name);
    if (kept) return kept.text;
    if (!(await this.#namesInPlace()).includes(name)) return undefined;
    const handle = await this.#openFile(name);
    if (!handle) return undefined;
    try {
      const { size } = await handle.stat();
      if (size > FILE_BYTES_MAX) return undefined;
      return await handle.readFile();
    } finally {
      await handle.close();
    }
  }

  isLive(source: string, session: string): boolean {
    return this.#live.has(keyOf(source, session));
  }

  get isFull(): boolean {
    return this.#live.size >= LIVE_MAX;
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
    this.#live.delete(key);
    this.#live.set(key, { ...live, bytes: Buffer.byteLength(live.recording.text()) });
  }

  /** @returns its name; `undefined`: that session was not being recorded */
  async finish(source: string, session: string): Promise<string | undefined> {
    const live = this.#live.get(keyOf(source, session));
    if (!live) return undefined;
    this.#live.delete(keyOf(source, session));
    const { recording, name, wallMs } = live;
    recording.stop();
    const text = recording.text();
    if (this.#place !== undefined && !this.#isFile) {
      try {
        return basename(await saveRecording(this.#place, name, text));
      } catch (error) {
        this.#failed(
          new VisualizerError(
            'RECORDINGS_FAILED',
            `the recording ${name} could not be written, and is kept in memory: ${textOf(error)}`,
            { cause: error },
          ),
        );
      }
    }
    const bytes = Buffer.byteLength(text);
    const { protocol } = recording;
    this.#keep({ text, file: { name, protocol, session, bytes, wallMs, reason: ASKED_FOR, isLive: false } });
    return name;
  }

  /** What is being recorded stays recorded: it is kept, or saved. */
  async end(): Promise<void> {
    for (const { source, session } of this.live) await this.finish(source, session);
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
      ...this.#kept.map(({ file }) => file.name),
    ]);
    for (let number = 1; ; number += 1) {
      const free = number === 1 ? name : name.replace(/\.jsonl$/, `-${number}.jsonl`);
      if (!taken.has(free)) return free;
    }
  }

  async #namesInPlace(): Promise<readonly string[]> {
    if (this.#place === undefined) return [];
    if (this.#isFile) return [basename(this.#place)];
    try {
      const entries = await readdir(this.#place, { withFileTypes: true });
      // Not what a link leads to: it may be anywhere.
      return entries.filter((entry) => entry.isFile() && entry.name.endsWith('.jsonl')).map(({ name }) => name);
    } catch {
      return []; // not there yet, or not any more
    }
  }

  async #listFolder(): Promise<readonly RecordingFile[]> {
    const known = new Map<string, KnownFile>();
    const times: { readonly name: string; readonly mtimeMs: number; readonly size: number }[] = [];
    for (const name of await this.#namesInPlace()) {
      try {
        const { mtimeMs, size } = await stat(join(this.#folder, name));
        times.push({ name, mtimeMs, size });
      } catch {
        // deleted meanwhile
      }
    }
    times.sort((a, b) => b.mtimeMs - a.mtimeMs);
    for (const { name, mtimeMs, size } of times.slice(0, LISTED_MAX)) {
      const stamp = `${mtimeMs} ${size}`;
      const before = this.#known.get(name);
      if (before?.stamp === stamp) known.set(name, before);
      else known.set(name, { stamp, file: await this.#describe(name, { wallMs: Math.round(mtimeMs), bytes: size }) });
    }
    this.#known = known;
    return [...known.values()].map(({ file }) => file);
  }

  get #folder(): string {
    return this.#isFile ? dirname(this.#place!) : this.#place!;
  }

  async #openFile(name: string): Promise<FileHandle | undefined> {
    try {
      // The one file may be a link: somebody named it. A pipe must not make us wait for who writes to it.
      const follow = this.#isFile ? 0 : constants.O_NOFOLLOW;
      return await open(join(this.#folder, name), constants.O_RDONLY | constants.O_NONBLOCK | follow);
    } catch {
      return undefined;
    }
  }

  /** What its first and last line say; a file that says nothing is in the list all the same, so that somebody sees it. */
  async #describe(name: string, { wallMs, bytes }: { wallMs: number; bytes: number }): Promise<RecordingFile> {
    const file = { name, protocol: '', session: '', bytes, wallMs, reason: '', isLive: false };
    const handle = await this.#openFile(name);
    if (!handle) return file;
    try {
      const head = await readPart(handle, 0, HEAD_BYTES);
      const { protocol, session } = jsonOf(head.split('\n')[0]) as { protocol?: unknown; session?: { id?: unknown } };
      const tail = await readPart(handle, Math.max(0, bytes - TAIL_BYTES), TAIL_BYTES);
      const { record } = jsonOf(tail.trimEnd().split('\n').at(-1)) as { record?: { reason?: unknown } | null };
      return { ...file, protocol: nameOf(protocol), session: nameOf(session?.id), reason: nameOf(record?.reason) };
    } catch {
      return file;
    } finally {
      await handle.close();
    }
  }
}

function keyOf(source: string, session: string): string {
  return `${source} ${session}`;
}

async function readPart(handle: FileHandle, position: number, length: number): Promise<string> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, position);
  return buffer.toString('utf8', 0, bytesRead);
}

function jsonOf(text = ''): object {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}

function nameOf(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, 200) : '';
}
