/**
 * The folder that a server's recordings go to. One file at a time, behind the server's back: a disk that is slow or full delays files and
 * no session, and what cannot be written is told once for each file and forgotten.
 *
 * Names are made of the protocol's name, the session's id and the time; nothing else gets into them than letters, digits, dots, dashes and
 * underscores, and no file is ever written over.
 */
import { accessSync, constants, mkdirSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { RecordingError } from './recording-error.js';

/** Never over another one; for whoever runs the server alone, because a peer's messages are in it. */
const NEW_FILE = { flag: 'wx', mode: 0o600 } as const;

/** Longest part of a name that comes from outside, in characters: file systems allow 255 in all. */
const PART_MAX = 60;
/** Files of the same name that are numbered; more than that at one moment are a mistake somewhere. */
const NUMBERS_MAX = 1_000;

export interface RecordingName {
  readonly protocol: string;
  readonly session: string;
  /** Of the wall clock, in ms since 1970. */
  readonly wallMs: number;
}

/** @returns `media-control-17-20240229T120000123Z.jsonl` */
export function recordingName({ protocol, session, wallMs }: RecordingName): string {
  return `${safe(protocol)}-${safe(session)}-${stamp(wallMs)}.jsonl`;
}

export class RecordingFolder {
  #writing: Promise<void> = Promise.resolve();
  #taken = 0;

  constructor(
    readonly path: string,
    private readonly filesMax: number,
    private readonly failed: (message: string, error: unknown) => void,
  ) {}

  /** @throws {RecordingError} FOLDER_UNUSABLE */
  open(): void {
    try {
      mkdirSync(this.path, { recursive: true });
      accessSync(this.path, constants.W_OK | constants.X_OK);
    } catch (error) {
      const { message } = error as Error;
      throw new RecordingError(
        'FOLDER_UNUSABLE',
        `record.folder: cannot write to ${resolve(this.path)}: ${message}`,
        undefined,
        {
          cause: error,
        },
      );
    }
  }

  /** @param text made when its turn comes. Beyond `filesMax` files nothing is written, which is told once. */
  write(name: string, text: () => string): void {
    this.#taken += 1;
    if (this.#taken === this.filesMax + 1) {
      this.failed(`there are ${this.filesMax} recordings in ${this.path}: no more are written (filesMax)`, undefined);
    }
    if (this.#taken > this.filesMax) return;
    this.#writing = this.#writing.then(async () => {
      try {
        await writeNew(this.path, name, text());
      } catch (error) {
        this.failed(`the recording ${name} could not be written: ${(error as Error).message}`, error);
      }
    });
  }

  /** @returns when all that was to be written is, or has failed */
  flushed(): Promise<void> {
    return this.#writing;
  }
}

/**
 * @param place a folder, made if it is missing, or the path of a file that ends with `.jsonl`
 * @returns the file's path; rejected with the system's error
 */
export async function saveRecording(place: string, name: string, text: string): Promise<string> {
  if (!place.endsWith('.jsonl')) return saveInFolder(place, name, text);
  await mkdir(dirname(resolve(place)), { recursive: true });
  await writeFile(place, text, NEW_FILE);
  return place;
}

/** @param folder made if it is missing, whatever it is called @returns the file's path; rejected with the system's error */
export async function saveInFolder(folder: string, name: string, text: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  return writeNew(folder, name, text);
}

async function writeNew(folder: string, name: string, text: string): Promise<string> {
  for (let number = 1; ; number += 1) {
    const path = join(folder, numberedName(name, number));
    try {
      await writeFile(path, text, NEW_FILE);
      return path;
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'EEXIST' || number >= NUMBERS_MAX) throw error;
    }
  }
}

/** @param number of files of that name: the first one has it as it is */
export function numberedName(name: string, number: number): string {
  return number === 1 ? name : name.replace(/\.jsonl$/, `-${number}.jsonl`);
}

function safe(part: string): string {
  const plain = part.replace(/[^\w-]+/g, '_').slice(0, PART_MAX);
  return plain === '' ? '_' : plain;
}

function stamp(wallMs: number): string {
  // eslint-disable-next-line no-restricted-globals -- the text of a time that was given
  return new Date(wallMs).toISOString().replace(/[-:.]/g, '');
}
