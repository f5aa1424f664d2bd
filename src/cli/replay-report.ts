/** What `wirechart replay` prints. Whatever came from a file is shown, never obeyed: `oneLine`. */
import type { ReplayDifference, ReplayResult } from '../explore/replay.js';
import { toPlain } from '../inspect/plain-data.js';
import type { Recording, RecordingEntry } from '../inspect/recording.js';
import { oneLine } from './cli-error.js';

/** Entries that are shown before and after the one that differs. */
const AROUND = 4;
const VALUE_MAX = 400;

export function replayText(recording: Recording, result: ReplayResult): string {
  const { difference, changes, notes } = result;
  const lines = [headline(recording), ...changed(changes)];
  if (difference) lines.push(...differenceLines(recording, difference));
  else lines.push(agreement(result));
  lines.push(...notes.map((note) => `note: ${note}`));
  return `${lines.map(oneLineKeepingIndent).join('\n')}\n`;
}

export function replayJson({ header, end }: Recording, result: ReplayResult): string {
  const { protocol, session } = header;
  const said = { protocol, session: session.id, reason: end?.reason ?? null, ...result };
  return `${JSON.stringify(toPlain(said))}\n`;
}

function headline({ header, entries, end }: Recording): string {
  const name = `${header.protocol}, session ${header.session.id}`;
  if (!end) return `${name}: ${entries.length} entries of a session that lived on`;
  return `${name}: ended after ${Math.round(end.endedAtMs - end.startedAtMs)} ms, ${end.reason} (by ${end.closedBy})`;
}

function changed(changes: readonly string[]): string[] {
  if (changes.length === 0) return ['both charts are as they were'];
  return ['changed since it was recorded:', ...changes.map((change) => `  ${change}`)];
}

function agreement({ steps, states, commands, messages }: ReplayResult): string {
  const codec = messages > 0 ? `, and ${messages} messages through the codec` : '';
  return `all agrees: ${steps} steps, ${states} states, ${commands} commands${codec}`;
}

function differenceLines({ entries }: Recording, difference: ReplayDifference): string[] {
  const { entry, line, atMs, what, expected, actual } = difference;
  const shown = entries.slice(Math.max(0, entry - AROUND), entry + AROUND + 1);
  const first = Math.max(0, entry - AROUND);
  return [
    `the first difference is at entry ${entry} (line ${line}), ${atMs} ms after the start: ${what}`,
    `  recorded: ${shownValue(expected)}`,
    `  replayed: ${shownValue(actual)}`,
    ...shown.map(
      (one, index) => `${first + index === entry ? '>' : ' '} ${first + index} ${one.atMs} ms ${entryText(one)}`,
    ),
  ];
}

function entryText(entry: RecordingEntry): string {
  switch (entry.kind) {
    case 'step': {
      const commands = entry.commands.map((command) => typeOf(command)).join(', ');
      const state = entry.state === undefined ? '' : ` now ${JSON.stringify(entry.state)}`;
      return `${entry.chart} ${typeOf(entry.event)}${commands && ` -> ${commands}`}${state}`;
    }
    case 'received':
    case 'encoded':
      return `${entry.kind} ${'byteLength' in entry.bytes ? `${entry.bytes.byteLength} bytes` : entry.bytes.why}`;
    case 'error':
      return `error ${entry.code} ${entry.message}`;
    case 'codec':
      return `codec ${entry.name}`;
    default:
      return entry.kind;
  }
}

function typeOf(value: unknown): string {
  const { type, why, message } = (value ?? {}) as { type?: unknown; why?: unknown; message?: { type?: unknown } };
  if (typeof type !== 'string') return typeof why === 'string' ? why : 'something without a type';
  return typeof message?.type === 'string' ? `${type} ${message.type}` : type;
}

function shownValue(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = JSON.stringify(toPlain(value));
  return text.length > VALUE_MAX ? `${text.slice(0, VALUE_MAX)}... (${text.length} characters)` : text;
}

function oneLineKeepingIndent(line: string): string {
  const indent = /^ */.exec(line)![0];
  return `${indent}${oneLine(line)}`;
}
