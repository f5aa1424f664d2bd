/** Which sessions a viewer of an outlet follows, as the query of its address says. */

export interface Selection {
  /** Names of servers and clients; `undefined`: all of them. */
  readonly sources: ReadonlySet<string> | undefined;
  /** Ids of sessions; `undefined`: any. */
  readonly sessions: ReadonlySet<string> | undefined;
  /** They are in this state, or come into it: a dotted path in one of their two charts; `undefined`: any. */
  readonly state: string | undefined;
  /** At a time. */
  readonly max: number;
  /** Of those that there are when the viewer comes: the newest ones, at most. */
  readonly first: number;
}

/** A viewer follows at most so many sessions: each is told with all its charts have, and nothing is left out when there is much. */
export const SESSIONS_MAX = 50;
/** Of those that are there already, where nothing was chosen. */
const NEWEST = 10;

/** What was asked for cannot be had. The text is for the viewer, and fits the reason of a close. */
export class SelectionError extends Error {
  override readonly name = 'SelectionError';
}

/** @param names of the servers and clients that there are. @throws {SelectionError} */
export function parseSelection(query: URLSearchParams, names: readonly string[]): Selection {
  const sources = listOf(query, 'source');
  const sessions = listOf(query, 'sessions');
  const state = query.get('state') || undefined;
  const unknown = sources?.find((name) => !names.includes(name));
  if (unknown !== undefined) throw new SelectionError(`source: there is no ${shortened(unknown)}`);
  if (sessions && state !== undefined) throw new SelectionError('expected sessions or state, not both');
  const max = maxOf(query.get('max'));
  if (sessions && sessions.length > max) {
    throw new SelectionError(`sessions: ${sessions.length} are too many, at most ${max} can be followed`);
  }
  return {
    sources: sources && new Set(sources),
    sessions: sessions && new Set(sessions),
    state,
    max,
    first: sessions || state !== undefined ? max : Math.min(max, NEWEST),
  };
}

function maxOf(text: string | null): number {
  if (text === null) return SESSIONS_MAX;
  const max = Number(text);
  if (/^\d+$/.test(text) && max >= 1 && max <= SESSIONS_MAX) return max;
  throw new SelectionError(`max: expected 1 to ${SESSIONS_MAX}, got ${shortened(text)}`);
}

function listOf(query: URLSearchParams, name: string): readonly string[] | undefined {
  const items = query.getAll(name).flatMap((text) => text.split(','));
  const named = [...new Set(items.map((item) => item.trim()).filter((item) => item !== ''))];
  return named.length === 0 ? undefined : named;
}

/** A reason is at most 123 bytes. */
function shortened(text: string): string {
  return JSON.stringify(/^[\x20-\x7e]*$/.test(text) ? text.slice(0, 40) : '?');
}
