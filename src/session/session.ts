/** A session as users see it: while it lives, and what is left of it. `live-session.ts` is the work behind it. */
import type { AnyMachineSnapshot, EventObject } from 'xstate';
import type { CloseOption, SocketAddress } from '../../machines/events.js';
import type { SessionSnapshot } from '../../machines/session.js';
import type { Message } from '../codec/codec.js';
import type { TcpSocketStatistics } from '../socket/statistics.js';
import type { SessionInfo } from './protocol.js';

/** A live session, as users see it. */
export interface Session extends SessionInfo {
  /** Value of the transport's chart: `'accepted'`, `{ connected: 'flowing' }` ... */
  readonly transportState: AnyMachineSnapshot['value'];
  /** Snapshot of the transport's chart, for `matches` and its context. */
  readonly transportSnapshot: SessionSnapshot;
  /** Snapshot of the protocol's chart. */
  readonly protocolSnapshot: AnyMachineSnapshot;
  readonly groups: readonly string[];
  /** When it began, in ms of the server's clock. */
  readonly startedAtMs: number;
  /**
   * Encodes and sends a message.
   * @returns false when the session takes none any more (closing, our FIN sent, or just ended by this message).
   */
  send(message: Message): boolean;
  /** Gives the protocol's chart an event, as a decoded message would be. */
  dispatch(event: EventObject): void;
  /** Asks it to end. `reason`: default `protocol asked`. The first reason given stays. */
  close(option: CloseOption, reason?: string): void;
  /**
   * What happens in it from now on, to be replayed; or, if it is recorded already and no options are given, that recording.
   * @throws {SocketError} OPTION_INVALID
   */
  record(options?: RecordSessionOptions): SessionRecording;
}

/** How much of a session is kept. What is older than that is dropped, half of it at a time. */
export interface RecordSessionOptions {
  /**
   * Keeps the bytes, and masks nothing. Default false: no bytes but their number, and the fields masked that the protocol's `secrets`
   * name.
   */
  readonly payloads?: boolean;
  /** Steps that are kept, at most: 2 to 1 000 000. Default 1 000. */
  readonly entriesMax?: number;
  /** Bytes of them in memory, as estimated: 4 096 to 2^30. Default 262 144. */
  readonly bytesMax?: number;
}

/** A recording of one session, while it lives and afterwards. */
export interface SessionRecording {
  /** The file so far: lines of JSON. */
  text(): string;
  /**
   * Writes it as a new file. @param place a folder, which is made if it is missing, or a path that ends with `.jsonl`
   * @returns the file's path; rejected with the system's error, `EEXIST` when there is such a file
   */
  save(place: string): Promise<string>;
  /** Nothing more is recorded; what was stays. Without effect on a recording that the server made by its own `record` option. */
  stop(): void;
}

/** What is left of a session that has ended. Small on purpose: at a high rate of sessions what stays reachable costs more than the charts. */
export interface SessionRecord {
  readonly id: string;
  readonly key: string | undefined;
  readonly peer: SocketAddress;
  /** The protocol chart's last value. */
  readonly protocolState: AnyMachineSnapshot['value'];
  readonly reason: string;
  /** How it was to end. `graceful` with `closedBy: 'rst'`: the close deadline passed, or the peer reset it meanwhile. */
  readonly option: CloseOption;
  readonly closedBy: 'fin' | 'rst';
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly statistics: TcpSocketStatistics;
}
