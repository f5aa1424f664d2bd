/** Options of recordings. Checked once, where they enter: `createTcpServer({ record })` and `session.record()`. */
import {
  checkBoolean,
  checkInteger,
  checkObject,
  checkOneOf,
  checkString,
  invalid,
  refuseUnknown,
} from '../socket/check.js';
import type { RecordSessionOptions } from './session.js';

/** What a server records, and which of its sessions become files. Each of them is recorded while it lives. */
export interface RecordOptions extends RecordSessionOptions {
  /** Where files go. Made if it is missing. */
  readonly folder: string;
  /**
   * Which sessions become a file when they end. Default `error`: those that ended for a reason in `errorReasons`, or of which an error was
   * reported. `always`: each.
   */
  readonly when?: 'error' | 'always';
  /**
   * Close reasons that are errors. Default: `protocol failed`, `bad frame`, `truncated frame`, `too many errors`, `frame timeout`,
   * `send timeout`, `handshake timeout`, `socket error`, `slow reader`, `limit` and `swept`.
   */
  readonly errorReasons?: readonly string[];
  /** Files that a server writes at most, 1 to 1 000 000; then it reports once that it writes no more. Default 1 000. */
  readonly filesMax?: number;
}

export type ParsedSessionRecording = Required<RecordSessionOptions>;

export interface ParsedRecordOptions {
  readonly folder: string;
  readonly isWanted: (reason: string, hasFailed: boolean) => boolean;
  readonly filesMax: number;
  readonly session: ParsedSessionRecording;
}

const SESSION_NAMES = ['payloads', 'entriesMax', 'bytesMax'];
const ERROR_REASONS = [
  'protocol failed',
  'bad frame',
  'truncated frame',
  'too many errors',
  'frame timeout',
  'send timeout',
  'handshake timeout',
  'socket error',
  'slow reader',
  'limit',
  'swept',
];

/** @throws {SocketError} OPTION_INVALID */
export function parseRecordOptions(user: RecordOptions, path: string): ParsedRecordOptions {
  refuseUnknown(path, checkObject(path, user), ['folder', 'when', 'errorReasons', 'filesMax', ...SESSION_NAMES]);
  const { folder, when = 'error', errorReasons = ERROR_REASONS, filesMax = 1_000, ...session } = user;
  checkString(`${path}.folder`, folder);
  checkOneOf(`${path}.when`, when, ['error', 'always']);
  checkInteger(`${path}.filesMax`, filesMax, { min: 1, max: 1_000_000 });
  const areReasons = Array.isArray(errorReasons) && errorReasons.every((reason) => typeof reason === 'string');
  if (!areReasons) throw invalid(`${path}.errorReasons`, 'an array of close reasons', errorReasons);
  const reasons = new Set(errorReasons);
  return {
    folder,
    isWanted: (reason, hasFailed) => when === 'always' || hasFailed || reasons.has(reason),
    filesMax,
    session: parseSessionRecording(session, path),
  };
}

/** @throws {SocketError} OPTION_INVALID */
export function parseSessionRecording(user: RecordSessionOptions, path: string): ParsedSessionRecording {
  refuseUnknown(path, checkObject(path, user), SESSION_NAMES);
  const { payloads = false, entriesMax = 1_000, bytesMax = 256 * 1024 } = user;
  checkBoolean(`${path}.payloads`, payloads);
  checkInteger(`${path}.entriesMax`, entriesMax, { min: 2, max: 1_000_000 });
  checkInteger(`${path}.bytesMax`, bytesMax, { min: 4_096, max: 2 ** 30 });
  return { payloads, entriesMax, bytesMax };
}
