/** Options of a visualizer, checked once, where they enter. */
import type { SchedulerLike } from 'rxjs';
import {
  checkBoolean,
  checkInteger,
  checkObject,
  checkString,
  invalid,
  refuseUnknown,
  SocketError,
} from '../../socket/check.js';

export interface VisualizerOptions {
  /** 0 to 65 535; 0 (default): any free one, see `url`. */
  readonly port?: number;
  /**
   * Address to listen on. Default: 127.0.0.1, and ::1 where there is one, on the same port, so that nobody else's machine reaches it. With
   * any other, whoever reaches the port and has the token sees every session.
   */
  readonly host?: string;
  /** Sessions may be closed, reset, sent events and recorded from the page. Default false: it only looks. */
  readonly control?: boolean;
  /** Bytes of connections are shown, and nothing that a protocol calls secret is masked. Default false. */
  readonly payloads?: boolean;
  /** The secret of the address: 16 to 256 letters, digits, `-` and `_`. Default: 128 bits drawn by chance, anew for each visualizer. */
  readonly token?: string;
  /**
   * A folder with recordings: they are shown, and those that are made in the page are saved there. Or the path of one recording. Default: none;
   * the last 20 recordings that were made in the page are kept in memory, 16 MB at most.
   */
  readonly recordings?: string;
  /** Starts even when `NODE_ENV` is `production`. Default false. */
  readonly production?: boolean;
  /** The clock of its ticks; times of sessions are those of their servers. Default: a `RealTime`. */
  readonly time?: SchedulerLike;
}

export interface ParsedVisualizerOptions {
  readonly port: number;
  /** `undefined`: this machine's own. */
  readonly host: string | undefined;
  readonly control: boolean;
  readonly payloads: boolean;
  /** `undefined`: drawn by chance. */
  readonly token: string | undefined;
  readonly recordings: string | undefined;
  readonly production: boolean;
  readonly time: SchedulerLike | undefined;
}

const NAMES = ['port', 'host', 'control', 'payloads', 'token', 'recordings', 'production', 'time'];

/** @throws {SocketError} OPTION_INVALID with the option, its value and what was expected */
export function parseVisualizerOptions(user: VisualizerOptions): ParsedVisualizerOptions {
  refuseUnknown('visualizer', checkObject('visualizer', user), NAMES);
  const { port = 0, host, control = false, payloads = false, token, recordings, production = false, time } = user;
  checkInteger('visualizer.port', port, { min: 0, max: 65_535 });
  if (host !== undefined) checkString('visualizer.host', host);
  checkBoolean('visualizer.control', control);
  checkBoolean('visualizer.payloads', payloads);
  checkBoolean('visualizer.production', production);
  if (token !== undefined && !(typeof token === 'string' && /^[\w-]{16,256}$/.test(token)))
    // Not shown: it may be the right one, with a line break at its end.
    throw new SocketError('OPTION_INVALID', 'visualizer.token: expected 16 to 256 letters, digits, - and _');
  if (recordings !== undefined) checkString('visualizer.recordings', recordings);
  if (time !== undefined && typeof (time as Partial<SchedulerLike>).schedule !== 'function')
    throw invalid('visualizer.time', 'a scheduler', time);
  return {
    port,
    host: host === 'localhost' ? undefined : host,
    control,
    payloads,
    token,
    recordings,
    production,
    time,
  };
}
