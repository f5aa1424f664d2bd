/**
 * The recordings of a folder, or one file. A name leads to a file when it is found in the folder, and to nothing else; what a link leads to
 * may be anywhere, and is not shown.
 */
import { constants } from 'node:fs';
import { lstat, open, opendir, stat, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import type { RecordingFile } from './messages.js';
import { textOf, VisualizerError } from './visualizer-error.js';

/** Files of the folder that are listed: the newest of those that are looked at. */
const LISTED_MAX = 1_000;
/** Files of the folder that are looked at: each costs some 40 µs each time. */
const LOOKED_AT_MAX = 10_000;
/** Of one file that is read: more than that no page can show. */
const FILE_BYTES_MAX = 64 * 2 ** 20;
/** Of a file that is looked at for the list: its header, which describes two charts, and its last line. */
const HEAD_BYTES = 256 * 1_024;
const TAIL_BYTES = 16 * 1_024;

interface KnownFile {
  readonly stamp: string;
  readonly file: RecordingFile;
}

interface FoundFile {
  readonly name: string;
  readonly mtimeMs: number;
  readonly size: number;
}

export class RecordingFiles {
  readonly #place: string;
  readonly #failed: (error: VisualizerError) => void;
  /** By name, as long as the file is the same. */
  #known = new Map<string, KnownFile>();
  /** `place` is one file. */
  #isFile = false;
  /** There were more than are looked at, which was told. */
  #isCrowded = false;

  /** @param place a folder, or one file */
  constructor(place: string, failed: (error: VisualizerError) => void) {
    this.#place = place;
    this.#failed = failed;
  }

  /** @throws {VisualizerError} RECORDINGS_FAILED when there is such a place and nothing of it can be shown */
  async open(): Promise<void> {
    try {
      const place = await stat(this.#place);
      this.#isFile = place.isFile();
      if (!place.isFile() && !place.isDirectory()) throw new Error('it is neither a folder nor a file');
      const tooLarge = this.#isFile ? whyTooLarge(place.size) : undefined;
      if (tooLarge !== undefined) throw new Error(tooLarge);
    } catch (error) {
      // A server makes its folder when it starts.
      if ((error as { code?: unknown }).code === 'ENOENT') return;
      throw new VisualizerError('RECORDINGS_FAILED', `cannot read ${this.#place}: ${textOf(error)}`, { cause: error });
    }
  }

  /** Where those that are made in the page are saved; `undefined`: nowhere, `place` is one file. */
  get folder(): string | undefined {
    return this.#isFile ? undefined : this.#place;
  }

  async list(): Promise<readonly RecordingFile[]> {
    const known = new Map<string, KnownFile>();
    const found = await this.#find();
    found.sort((a, b) => b.mtimeMs - a.mtimeMs);
    for (const { name, mtimeMs, size } of found.slice(0, LISTED_MAX)) {
      const stamp = `${mtimeMs} ${size}`;
      const before = this.#known.get(name);
      if (before?.stamp === stamp) known.set(name, before);
      else known.set(name, { stamp, file: await this.#describe(name, { wallMs: Math.round(mtimeMs), bytes: size }) });
    }
    this.#known = known;
    return [...known.values()].map(({ file }) => file);
  }

  /**
   * @returns `undefined`: there is none of that name. Whoever has it reads it to its end, or destroys it
   * @throws {VisualizerError} RECORDING_TOO_LARGE
   */
  async text(name: string): Promise<Readable | undefined> {
    if (!(await this.#has(name))) return undefined;
    const file = await this.#openFile(name);
    if (!file) return undefined;
    const { handle, size } = file;
    const tooLarge = whyTooLarge(size);
    // Not what is added to it meanwhile, which may have no end. The stream closes the file.
    if (tooLarge === undefined && size > 0) return handle.createReadStream({ start: 0, end: size - 1 });
    await handle.close();
    if (tooLarge !== undefined) throw new VisualizerError('RECORDING_TOO_LARGE', tooLarge);
    return Readable.from([]);
  }

  /** Names, as they lie in the folder. */
  async *#names(): AsyncGenerator<string> {
    if (this.#isFile) {
      yield basename(this.#place);
      return;
    }
    let count = 0;
    try {
      for await (const entry of await opendir(this.#place, { bufferSize: 256 })) {
        // Not what a link leads to: it may be anywhere.
        if (!entry.isFile() || !entry.name.endsWith('.jsonl')) continue;
        count += 1;
        if (count > LOOKED_AT_MAX) return this.#noteCrowd();
        yield entry.name;
      }
    } catch {
      // not there yet, or not any more
    }
  }

  #noteCrowd(): void {
    if (this.#isCrowded) return;
    this.#isCrowded = true;
    const text = `there are more than ${LOOKED_AT_MAX} recordings in ${this.#place}: others are not shown`;
    this.#failed(new VisualizerError('RECORDINGS_FAILED', text));
  }

  async #has(wanted: string): Promise<boolean> {
    for await (const name of this.#names()) if (name === wanted) return true;
    return false;
  }

  async #find(): Promise<FoundFile[]> {
    const found: FoundFile[] = [];
    for await (const name of this.#names()) {
      try {
        const { mtimeMs, size } = await (this.#isFile ? stat : lstat)(this.#pathOf(name));
        found.push({ name, mtimeMs, size });
      } catch {
        // deleted meanwhile
      }
    }
    return found;
  }

  #pathOf(name: string): string {
    return join(this.#isFile ? dirname(this.#place) : this.#place, name);
  }

  /** @returns `undefined` when it cannot be opened, or is no file any more */
  async #openFile(name: string): Promise<{ readonly handle: FileHandle; readonly size: number } | undefined> {
    let handle: FileHandle | undefined;
    try {
      // The one file may be a link: somebody named it. A pipe must not make us wait for who writes to it.
      const follow = this.#isFile ? 0 : constants.O_NOFOLLOW;
      handle = await open(this.#pathOf(name), constants.O_RDONLY | constants.O_NONBLOCK | follow);
      const opened = await handle.stat();
      if (opened.isFile()) return { handle, size: opened.size };
    } catch {
      // deleted meanwhile, or not for us
    }
    await handle?.close();
    return undefined;
  }

  /** What its first and last line say; a file that says nothing is in the list all the same, so that somebody sees it. */
  async #describe(name: string, { wallMs, bytes }: { wallMs: number; bytes: number }): Promise<RecordingFile> {
    const file = { name, protocol: '', session: '', bytes, wallMs, reason: '', isLive: false };
    const opened = await this.#openFile(name);
    if (!opened) return file;
    const { handle } = opened;
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

/** @returns why a file of so many bytes is not shown; `undefined`: it is */
export function whyTooLarge(bytes: number): string | undefined {
  if (bytes <= FILE_BYTES_MAX) return undefined;
  return `it has ${mebibytes(bytes)}, and a page shows recordings of ${mebibytes(FILE_BYTES_MAX)} at most`;
}

/** Rounded up: what is over a limit by a byte must not look as if it kept it. */
function mebibytes(bytes: number): string {
  return `${(Math.ceil((bytes / 2 ** 20) * 10) / 10).toString()} MiB`;
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
