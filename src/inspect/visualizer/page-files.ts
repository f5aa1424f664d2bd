/**
 * The files of the page, read once, when the visualizer starts. Nothing is opened for a request: a path is a key of a map or it is not, so
 * no path leads out of the folder.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';

export interface PageFile {
  readonly body: Buffer;
  readonly type: string;
  readonly etag: string;
  /** Its name has its hash: it never changes. */
  readonly isImmutable: boolean;
}

/** Paths as they are asked for: `/assets/index-4f3a.js`. */
export type PageFiles = ReadonlyMap<string, PageFile>;

/** Only what a page is made of: nothing else is served, should it ever lie there. */
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.md': 'text/plain; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.wasm': 'application/wasm',
  '.webmanifest': 'application/manifest+json',
};

/** @returns what is in the folder; nothing when there is no folder, which means that the page was not built */
export function readPageFiles(folder: string): PageFiles {
  const files = new Map<string, PageFile>();
  let names: string[];
  try {
    names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  } catch {
    return files;
  }
  for (const name of names) {
    const type = TYPES[extname(name)];
    if (type === undefined) continue;
    const path = `/${name.replaceAll('\\', '/')}`;
    const body = readFileSync(join(folder, name));
    const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
    files.set(path, { body, type, etag, isImmutable: path.startsWith('/assets/') });
  }
  return files;
}
