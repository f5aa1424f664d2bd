/** What the command says when something went wrong: always one line that a person can read. */
import { fileURLToPath } from 'node:url';
import { messageOf } from '../session/errors.js';

/** A fault that is the user's to mend: one readable line on stderr, and the exit code. */
export class CliError extends Error {
  override readonly name = 'CliError';
  constructor(
    readonly exitCode: 1 | 2,
    message: string,
  ) {
    super(message);
  }
}

/** What a user's code threw, on one line, with the place where it did: `boom (/srv/echo.ts:3:7)`. */
export function describeThrown(thrown: unknown): string {
  const message = messageOf(thrown);
  const place = thrown instanceof Error ? placeOf(thrown) : undefined;
  return oneLine(place === undefined || message.includes(place) ? message : `${message} (${place})`);
}

/** Line breaks become blanks. What else a terminal would obey is shown as an escape: names and bytes of peers end up in messages. */
export function oneLine(text: string): string {
  return text
    .trim()
    .replace(/\s*[\r\n]+\s*/g, ' ')
    .replace(
      /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g,
      (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
    );
}

const OURS = fileURLToPath(new URL('../', import.meta.url));

/** The first place in a file of somebody's own, where the stack has one. V8 puts that of a SyntaxError on its first line, without a column. */
function placeOf({ stack = '' }: Error): string | undefined {
  const places = stack.matchAll(/(?:^|\bat (?:.* \()?)((?:file:\/\/)?\/[^\s()]+?:\d+(?::\d+)?)(?=\)?$)/gm);
  for (const [, place = ''] of places) {
    const path = place.startsWith('file:') ? fileURLToPath(place) : place;
    if (!path.includes('/node_modules/') && !path.startsWith(OURS)) return path;
  }
  return undefined;
}
