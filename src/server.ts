/** Composition root of a server: the server-socket chart, the sweeper and the sessions of one protocol on one socket layer. */
import {
  defer,
  distinctUntilChanged,
  interval,
  map,
  NEVER,
  startWith,
  Subject,
  switchMap,
  type SchedulerLike,
} from 'rxjs';
import type { AnyMachineSnapshot, AnyStateMachine } from 'xstate';
import type { CloseOption, SocketAddress, SocketEvent } from '../machines/events.js';
import { gcSweeperMachine, type GcSweeperSnapshot } from '../machines/gc-sweeper.js';
import {
  serverSocketMachine,
  type SaturationPolicy,
  type ServerSocketCommand,
  type ServerSocketSnapshot,
} from '../machines/server-socket.js';
import { until, type ActorOwner, type EngineActor } from './engine/engine.js';
import { addressText } from './inspect/address-text.js';
import { offerInside } from './inspect/inside.js';
import { RecordingError } from './inspect/recording-error.js';
import { SessionRecorders } from './inspect/session-recorders.js';
import { messageOf, RuntimeError } from './session/errors.js';
import { stateKey } from './session/live-session.js';
import { parseSessionOptions, refuseUnknownOptions, withDefaults, type SessionOptions } from './session/options.js';
import { isProtocol, type AnyProtocol } from './session/protocol.js';
import { Live, type PublicStream } from './session/public-stream.js';
import type { SessionRegistry } from './session/registry.js';
import { parseRecordOptions, type RecordOptions } from './session/record-options.js';
import { Runtime, type RuntimeOwner, type ServerEvent, type SessionTotals } from './session/runtime.js';
import { explain, parseAddress, sharedFailed, StartError } from './session/starting.js';
import { Sweeper, SWEEPER } from './session/sweeper.js';
import type { TapSession } from './session/tap.js';
import { checkInteger, checkOneOf } from './socket/check.js';
import type { AppliedOption } from './socket/options.js';
import { createNetLayer } from './socket/net/net-layer.js';
import { SocketError, type ListenAddress, type SocketLayer, type SocketRecord } from './socket/socket-layer.js';
import { heldUntilSettled } from './time/held-promises.js';
import { RealTime } from './time/real-time.js';

export interface TcpServerOptions extends SessionOptions {
  /** Address or name to listen on. Default `127.0.0.1`: reachable from this machine alone. */
  readonly host?: string;
  /** 0 to 65 535; 0 (default): any free one, see `address()`. */
  readonly port?: number;
  /** Path of a Unix socket, instead of host and port. */
  readonly path?: string;
  /** Live sessions at most. Default: the descriptors that are free at the start, less `descriptorReserve`. */
  readonly maxSessions?: number;
  /** What happens to a connection beyond `maxSessions`. Default `refuse`: accepted, counted, reset. */
  readonly atMaxSessions?: SaturationPolicy;
  /** With `queue`: connections that wait, at most (default 128), and how long, in ms (default 5 000). */
  readonly queueMax?: number;
  readonly queueTimeoutMs?: number;
  /** Live sessions of one address; 0 (default): no cap. */
  readonly sessionsPerAddressMax?: number;
  /** Descriptors that are left to the rest of the process. Default 64. */
  readonly descriptorReserve?: number;
  /** `stop()` waits so long for sessions before it resets them, in ms. Default 30 000. */
  readonly drainTimeoutMs?: number;
  /** Between two sweeps, in ms. Default 60 000. */
  readonly sweepIntervalMs?: number;
  /** Records of ended sessions that are kept until swept. Default 1 000. */
  readonly recentMax?: number;
  /** The clock of everything. Default: a `RealTime`. */
  readonly time?: SchedulerLike;
  /** Where sockets come from. Default: the real network. */
  readonly layer?: SocketLayer;
  /** Records each session while it lives, and writes a file for those that end in an error, or for all. Default: none. */
  readonly record?: RecordOptions;
  /** Ids of sessions, all different. Default: `1`, `2`, `3` ... */
  readonly ids?: () => string;
}

export type ServerState =
  'closed' | 'resolving' | 'opening' | 'configuring' | 'accepting' | 'saturated' | 'suspended' | 'draining';

export interface ServerStatistics extends SessionTotals {
  readonly sessions: number;
  readonly accepted: number;
  readonly refused: number;
  readonly queued: number;
  /** Since the last start, as `forced` and `leaked`. */
  readonly sweeps: number;
  /** Sockets that the sweeper had to force, and sessions that had outlived their socket. */
  readonly forced: number;
  readonly leaked: number;
}

export interface TcpServer {
  /**
   * Listens. @returns when connections are accepted.
   * @throws {StartError} with the system's code; `RESOLVE_TIMEOUT` or `OPEN_TIMEOUT` after 10 s without an answer; `ALREADY_STARTED`;
   *   `FOLDER_UNUSABLE` when there is no writing to the folder of `record`;
   *   `SHARED_FAILED` when a shared chart fails again and again meanwhile; `STOPPED` (`SUSPENDED`) when it is stopped (suspended) or
   *   `signal` aborts meanwhile.
   */
  start(options?: { readonly signal?: AbortSignal }): Promise<void>;
  /** Where it listens, or listened last. `undefined` before it did. */
  address(): SocketAddress | undefined;
  /** What was asked of the listening socket, and so of the accepted ones, and what the kernel said then. Empty before it listened. */
  readonly socketOptions: readonly AppliedOption[];
  /** Stops listening; live sessions go on. */
  suspend(): void;
  /** Listens again, on the same port; retried with growing delays while that fails. */
  resume(): void;
  /** Live sessions at most, from now on: raising it lets connections in, lowering it ends none. */
  setMaxSessions(count: number): void;
  /**
   * Accepts no more, tells charts that asked for DRAIN, closes the other sessions gracefully, and resets what is left at the deadline.
   * `option: 'force'` resets all at once, also when a stop is under way; any other stop joins the one that is under way, and its
   * `deadlineMs` is ignored. @returns when every session has ended.
   */
  stop(options?: { readonly deadlineMs?: number; readonly option?: CloseOption }): Promise<void>;
  readonly protocol: AnyProtocol;
  readonly state: Live<ServerState>;
  readonly sessions: SessionRegistry;
  /** What the sockets of this server report, hot. */
  readonly events: PublicStream<ServerEvent>;
  /** Faults that ended a session, or none: never thrown into the process. */
  readonly errors: PublicStream<RuntimeError>;
  /** `value` is counted when asked; subscribers get it each second while the server is not `closed`. */
  readonly statistics: Live<ServerStatistics>;
  /** Snapshots of the charts that are not a session's: server socket, sweeper, and the shared ones by name. */
  snapshots(): {
    readonly serverSocket: ServerSocketSnapshot;
    readonly sweeper: GcSweeperSnapshot | undefined;
    readonly shared: Record<string, unknown>;
  };
  [Symbol.asyncDispose](): Promise<void>;
}

const OPTION_NAMES = [
  'host', 'port', 'path', 'maxSessions', 'atMaxSessions', 'queueMax', 'queueTimeoutMs', 'sessionsPerAddressMax', 'descriptorReserve',
  'drainTimeoutMs', 'sweepIntervalMs', 'recentMax', 'record', 'time', 'layer', 'ids',
]; // prettier-ignore

/**
 * A server of one protocol. It does nothing before `start`.
 * @throws {SocketError} OPTION_INVALID with the option, its value and what was expected.
 */
export function createTcpServer(protocol: AnyProtocol, options: TcpServerOptions = {}): TcpServer {
  return makeServer(protocol, options);
}

/** As `createTcpServer`, for the parts of this package that look into sessions. @param tapsFor asked for each session before it starts */
export function makeServer(
  protocol: AnyProtocol,
  options: TcpServerOptions = {},
  ...tapsFor: readonly TapSession[]
): TcpServer {
  return new Server(protocol, options, tapsFor);
}

class Server implements TcpServer, RuntimeOwner {
  readonly #runtime: Runtime;
  readonly #actor: EngineActor<typeof serverSocketMachine>;
  readonly #address: ListenAddress;
  readonly #options: ReturnType<typeof parseServerOptions>;
  readonly #states = new Subject<ServerState>();
  #lastState: ServerState = 'closed';
  #lastKey = 'closed';
  #socket: SocketRecord | undefined;
  #sweeper: Sweeper | undefined;
  /** Of the starts before this one. */
  #earlierSweeps = 0;
  /** A shared actor failed too often since the last start. */
  #hasGivenUp = false;
  readonly #recorders: SessionRecorders;

  readonly state: Live<ServerState>;
  readonly statistics: Live<ServerStatistics>;

  constructor(
    readonly protocol: AnyProtocol,
    user: TcpServerOptions,
    tapsFor: readonly TapSession[],
  ) {
    if (!isProtocol(protocol))
      throw new SocketError('OPTION_INVALID', 'protocol: expected what defineProtocol returned');
    const options = (this.#options = parseServerOptions(withDefaults(protocol.options, user)));
    this.#address = options.address;
    const time = user.time ?? new RealTime({ onError: (error) => this.#internal(error) });
    const layer = user.layer ?? createNetLayer({ time });
    const descriptors = layer.descriptors();
    const descriptorMax = descriptors ? descriptors.limit - options.descriptorReserve : Infinity;
    let lastId = 0;
    this.#recorders = new SessionRecorders({
      protocol,
      time,
      options: options.record,
      failed: (message, error) =>
        this.#runtime.report(new RuntimeError('RECORDING_FAILED', message, undefined, { cause: error })),
    });
    this.#runtime = new Runtime(
      protocol,
      options.session,
      {
        time,
        layer,
        ids: user.ids ?? (() => String((lastId += 1))),
        recentMax: options.recentMax,
        waitGranularityMs: time instanceof RealTime ? 5 : 0,
        tapsFor: [...tapsFor, (session, inside) => this.#recorders.tapFor(session, inside)],
        record: (session, given, isOwn) => this.#recorders.record(session, given, isOwn),
      },
      this,
    );
    this.#actor = this.#runtime.engine.createActor(
      serverSocketMachine,
      {
        maxSessions: options.maxSessions ?? Math.max(1, descriptorMax - (descriptors?.used ?? 0)),
        sessionsPerAddressMax: options.sessionsPerAddressMax,
        atMaxSessions: options.atMaxSessions,
        queueMax: options.queueMax,
        queueTimeoutMs: options.queueTimeoutMs,
        descriptorMax,
        descriptorLookMs: 1_000,
        resolveTimeoutMs: 10_000,
        openTimeoutMs: 10_000,
        drainTimeoutMs: options.drainTimeoutMs,
        forceTimeoutMs: options.session.closeTimeoutMs + 1_000,
        relistenDelayMs: 100,
        relistenDelayMaxMs: 30_000,
      },
      this,
      SERVER,
    );
    this.#actor.watch((snapshot) => this.#lookAtState(snapshot));
    this.#actor.start();
    const failed = (error: unknown) =>
      this.#runtime.report(new RuntimeError('SUBSCRIBER_FAILED', messageOf(error), undefined, { cause: error }));
    this.state = new Live(() => stateOf(this.#actor.snapshot), this.#states, failed);
    const count = () => this.#count();
    // A timer would keep the process alive after `stop()`.
    const seconds = defer(() =>
      this.#states.pipe(
        startWith(this.#lastState),
        map((state) => state !== 'closed'),
        distinctUntilChanged(),
        switchMap((runs) => (runs ? interval(1_000, time) : NEVER)),
      ),
    );
    this.statistics = new Live(count, seconds.pipe(map(count)), failed);
    offerInside(this, {
      kind: 'server',
      runtime: this.#runtime,
      recorders: this.#recorders,
      owner: this.#actor as unknown as EngineActor<AnyStateMachine>,
      sweeper: () => this.#sweeper?.actor as EngineActor<AnyStateMachine> | undefined,
      address: () => {
        const address = this.address();
        return address && addressText(address);
      },
      totals: () => {
        const { acceptedCount: accepted, refusedCount: refused } = this.#actor.snapshot.context;
        const sweeps = this.#sweeper?.actor?.snapshot.context.sweepCount ?? 0;
        return { accepted, refused, sweeps: this.#earlierSweeps + sweeps };
      },
    });
  }

  get sessions(): SessionRegistry {
    return this.#runtime.registry.registry;
  }

  get events(): PublicStream<ServerEvent> {
    return this.#runtime.events;
  }

  get errors(): PublicStream<RuntimeError> {
    return this.#runtime.errors;
  }

  start(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    return heldUntilSettled(this.#runtime.time, 'server.start()', this.#start(options));
  }

  async #start({ signal }: { readonly signal?: AbortSignal }): Promise<void> {
    if (!this.#actor.snapshot.matches('closed')) throw new StartError('ALREADY_STARTED', 'the server runs already');
    if (signal?.aborted) throw new StartError('STOPPED', `the start was aborted: ${messageOf(signal.reason)}`);
    this.#openRecordings();
    this.#open();
    if (this.#hasGivenUp) {
      this.#close();
      throw sharedFailed();
    }
    const abort = () => this.#actor.send({ type: 'STOP', option: 'force' });
    signal?.addEventListener('abort', abort, { once: true });
    const started = until(
      this.#actor,
      (snapshot) => !['resolving', 'opening', 'configuring'].includes(stateOf(snapshot)),
    );
    this.#actor.send({ type: 'START' });
    const snapshot = await started;
    signal?.removeEventListener('abort', abort);
    if (snapshot.matches('accepting') || snapshot.matches('saturated')) return;
    if (this.#hasGivenUp) throw sharedFailed();
    const { failure } = snapshot.context;
    if (snapshot.matches('suspended')) throw new StartError('SUSPENDED', 'the server was suspended before it listened');
    throw failure
      ? new StartError(failure.code, explain(failure.code, failure.message, this.#address))
      : new StartError('STOPPED', 'the server was stopped before it listened');
  }

  address(): SocketAddress | undefined {
    return this.#actor.snapshot.context.local;
  }

  get socketOptions(): readonly AppliedOption[] {
    return this.#socket?.options ?? [];
  }

  suspend(): void {
    this.#actor.send({ type: 'SUSPEND' });
  }

  resume(): void {
    this.#actor.send({ type: 'RESUME' });
  }

  setMaxSessions(count: number): void {
    checkInteger('maxSessions', count, { min: 1, max: Number.MAX_SAFE_INTEGER });
    this.#actor.send({ type: 'SET_MAX_SESSIONS', count });
  }

  stop(options: { readonly deadlineMs?: number; readonly option?: CloseOption } = {}): Promise<void> {
    const stopped = heldUntilSettled(this.#runtime.time, 'server.stop()', this.#stop(options));
    // Files are written on the disk's time, whatever the server's clock is.
    return stopped.then(() => this.#recorders.flushed());
  }

  async #stop({
    deadlineMs,
    option = 'graceful',
  }: {
    readonly deadlineMs?: number;
    readonly option?: CloseOption;
  }): Promise<void> {
    if (deadlineMs !== undefined) checkInteger('stop.deadlineMs', deadlineMs, { min: 0, max: 2 ** 31 - 1 });
    checkOneOf('stop.option', option, ['graceful', 'force']);
    if (this.#actor.snapshot.matches('closed')) return;
    const closed = until(this.#actor, (snapshot) => snapshot.matches('closed'));
    this.#actor.send({ type: 'STOP', option, deadlineMs });
    await closed;
  }

  snapshots(): ReturnType<TcpServer['snapshots']> {
    return {
      serverSocket: this.#actor.snapshot,
      sweeper: this.#sweeper?.actor?.snapshot,
      shared: this.#runtime.sharedSnapshots(),
    };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  // What the runtime needs of its owner

  receive(socket: SocketRecord, event: SocketEvent): void {
    if (socket !== this.#socket) {
      // A connection that waits for a place. It is paused, so that its peer's end is not seen before it is admitted or its deadline
      // passes: nothing comes but the CLOSE of a socket that the layer itself has closed.
      if (event.type !== 'CLOSE') return;
      this.#actor.send({ type: 'QUEUE_LEFT', socket: socket.handle });
      this.#runtime.layer.release(socket);
      return;
    }
    if (event.type === 'ACCEPT') {
      const accepted = this.#runtime.layer.get(event.socket);
      if (!accepted) return;
      this.#runtime.layer.claim(accepted, this);
      this.#sweeper?.actor?.send({ type: 'ACCEPT', nowMs: this.#runtime.time.now() });
      this.#actor.send({ ...event, sessionsOfAddress: this.#sessionsOfAddress(event.peer.address) });
      return;
    }
    if (event.type === 'ERROR' && this.#actor.snapshot.context.listening) {
      this.#runtime.report(new RuntimeError('SOCKET_FAILED', `the server socket: ${event.message}`));
    }
    this.#actor.send(event);
  }

  sessionEnded(): void {
    this.#actor.send({ type: 'SESSION_CLOSED' });
  }

  giveUp(): void {
    this.#hasGivenUp = true;
    this.#actor.send({ type: 'STOP', option: 'graceful' });
  }

  // Commands of the server-socket chart

  carryOut(command: ServerSocketCommand): void {
    const { layer } = this.#runtime;
    switch (command.type) {
      case 'ADMIT': {
        const socket = layer.get(command.socket);
        const session = socket?.peer && this.#runtime.admit(socket, socket.peer);
        if (!session) this.#actor.send({ type: 'SESSION_CLOSED' });
        return;
      }
      case 'REFUSE': {
        const socket = layer.get(command.socket);
        if (socket) this.#runtime.refuse(socket);
        return;
      }
      case 'DRAIN_SESSIONS':
        for (const session of this.#runtime.sessions()) session.drain();
        return;
      case 'FORCE_SESSIONS':
        for (const session of this.#runtime.sessions()) session.close('force', 'server stopped');
        return;
      case 'MEASURE_DESCRIPTORS':
        // Asked only where a limit was known once: whoever cannot tell now has no descriptor left to look with.
        this.#actor.send({ type: 'DESCRIPTORS', used: layer.descriptors()?.used ?? Infinity });
        return;
      default:
        if (this.#socket) layer.carryOut(this.#socket, command);
    }
  }

  failed(error: unknown): void {
    this.#internal(error);
    for (const session of this.#runtime.sessions()) session.close('force', 'server stopped');
    this.#close();
  }

  #openRecordings(): void {
    try {
      this.#recorders.open();
    } catch (error) {
      if (!(error instanceof RecordingError)) throw error;
      throw new StartError(error.code, error.message);
    }
  }

  #open(): void {
    const { layer, engine, time } = this.#runtime;
    this.#socket = layer.openServer(this.#address, this.#options.session.socket);
    layer.claim(this.#socket, this);
    this.#hasGivenUp = false;
    this.#runtime.open();
    const sweeper = new Sweeper({
      layer,
      registry: this.#runtime.registry,
      report: (error) => this.#runtime.report(error),
    });
    const input = { sweepIntervalMs: this.#options.sweepIntervalMs, sliceMax: 1_000, slicePauseMs: 1 };
    this.#earlierSweeps += this.#sweeper?.actor?.snapshot.context.sweepCount ?? 0;
    sweeper.actor = engine.createActor(gcSweeperMachine, input, sweeper, SWEEPER);
    sweeper.actor.start();
    sweeper.actor.send({ type: 'SWEEP', nowMs: time.now() });
    this.#sweeper = sweeper;
  }

  #close(): void {
    this.#sweeper?.finish();
    this.#runtime.close();
    if (this.#socket) this.#runtime.layer.release(this.#socket);
    this.#socket = undefined;
  }

  #lookAtState(snapshot: ServerSocketSnapshot): void {
    const key = stateKey(snapshot);
    if (key === this.#lastKey) return;
    this.#lastKey = key;
    if (snapshot.matches({ saturated: 'byDescriptors' })) {
      this.#runtime.report(
        new RuntimeError('DESCRIPTORS_LOW', 'no descriptors are left: connections are refused until one is free'),
      );
    }
    if (snapshot.matches({ suspended: 'retrying' })) {
      this.#runtime.report(
        new RuntimeError('SOCKET_FAILED', `could not listen again: ${snapshot.context.failure?.message}`),
      );
    }
    if (snapshot.matches('closed')) this.#close();
    const state = stateOf(snapshot);
    if (state === this.#lastState) return;
    this.#lastState = state;
    this.#states.next(state);
  }

  /** With those that wait: they are sessions as soon as a place is free. */
  #sessionsOfAddress(address: string): number {
    const { layer } = this.#runtime;
    let count = this.#runtime.sessionsOfAddress(address);
    if (this.#options.sessionsPerAddressMax === 0) return count;
    for (const socket of this.#actor.snapshot.context.queue)
      if (layer.get(socket)?.peer?.address === address) count += 1;
    return count;
  }

  #count(): ServerStatistics {
    const { context } = this.#actor.snapshot;
    const sweeper = this.#sweeper?.actor?.snapshot.context;
    return {
      ...this.#runtime.totals(),
      sessions: this.sessions.size,
      accepted: context.acceptedCount,
      refused: context.refusedCount,
      queued: context.queue.length,
      sweeps: sweeper?.sweepCount ?? 0,
      forced: sweeper?.forcedCount ?? 0,
      leaked: sweeper?.leakedCount ?? 0,
    };
  }

  #internal(error: unknown): void {
    this.#runtime.report(new RuntimeError('INTERNAL', messageOf(error), undefined, { cause: error }));
  }
}

const SERVER: ActorOwner<Server, ServerSocketCommand> = {
  carryOut: (server, command) => server.carryOut(command),
  failed: (server, error) => server.failed(error),
};

function stateOf(snapshot: AnyMachineSnapshot): ServerState {
  const { value } = snapshot;
  return (typeof value === 'string' ? value : Object.keys(value)[0]) as ServerState;
}

function parseServerOptions(user: TcpServerOptions) {
  refuseUnknownOptions('server', user, OPTION_NAMES);
  const { host = '127.0.0.1', port = 0, path, maxSessions, atMaxSessions = 'refuse' } = user;
  const { queueMax = 128, queueTimeoutMs = 5_000, sessionsPerAddressMax = 0, descriptorReserve = 64 } = user;
  const { drainTimeoutMs = 30_000, sweepIntervalMs = 60_000, recentMax = 1_000 } = user;
  const timeout = { min: 1, max: 2 ** 31 - 1 };
  checkInteger('server.port', port, { min: 0, max: 65_535 });
  if (maxSessions !== undefined)
    checkInteger('server.maxSessions', maxSessions, { min: 1, max: Number.MAX_SAFE_INTEGER });
  checkOneOf('server.atMaxSessions', atMaxSessions, ['refuse', 'queue', 'stopListening']);
  checkInteger('server.queueMax', queueMax, { min: 1, max: 65_536 });
  checkInteger('server.queueTimeoutMs', queueTimeoutMs, timeout);
  checkInteger('server.sessionsPerAddressMax', sessionsPerAddressMax, { min: 0, max: Number.MAX_SAFE_INTEGER });
  checkInteger('server.descriptorReserve', descriptorReserve, { min: 0, max: 65_536 });
  checkInteger('server.drainTimeoutMs', drainTimeoutMs, { min: 0, max: timeout.max });
  checkInteger('server.sweepIntervalMs', sweepIntervalMs, timeout);
  const record = user.record === undefined ? undefined : parseRecordOptions(user.record, 'server.record');
  checkInteger('server.recentMax', recentMax, { min: 0, max: 1_000_000 });
  return {
    address: parseAddress('server', { host, port, path }),
    maxSessions,
    atMaxSessions,
    queueMax,
    queueTimeoutMs,
    sessionsPerAddressMax,
    descriptorReserve,
    drainTimeoutMs,
    sweepIntervalMs,
    recentMax,
    record,
    session: parseSessionOptions(user, 'server'),
  };
}
