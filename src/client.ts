/** Composition root of a client: the client chart owns connecting and coming back; each connection runs the session chart. */
import { randomInt } from 'node:crypto';
import { Subject, type SchedulerLike } from 'rxjs';
import type { AnyStateMachine } from 'xstate';
import { clientMachine, type ClientCommand, type ClientSnapshot } from '../machines/client.js';
import type { CloseOption, SocketEvent } from '../machines/events.js';
import { until, type ActorOwner, type EngineActor } from './engine/engine.js';
import { offerInside } from './inspect/inside.js';
import { SessionRecorders } from './inspect/session-recorders.js';
import { messageOf, RuntimeError } from './session/errors.js';
import { parseSessionOptions, refuseUnknownOptions, withDefaults, type SessionOptions } from './session/options.js';
import { isProtocol, type AnyProtocol } from './session/protocol.js';
import { Live, type PublicStream } from './session/public-stream.js';
import { Runtime, type RuntimeOwner, type ServerEvent, type SessionTotals } from './session/runtime.js';
import type { LiveSession } from './session/live-session.js';
import type { Session, SessionRecord } from './session/session.js';
import { checkInteger, checkObject, checkOneOf, refuseUnknown } from './socket/check.js';
import { parseAddress, sharedFailed, StartError } from './session/starting.js';
import { createNetLayer } from './socket/net/net-layer.js';
import { SocketError, type SocketLayer, type SocketRecord } from './socket/socket-layer.js';
import { heldUntilSettled } from './time/held-promises.js';
import { RealTime } from './time/real-time.js';

export interface BackOffOptions {
  /** Ceiling of the first delay, in ms; doubled with each failure in a row. Default 100. */
  readonly minMs?: number;
  /** Highest ceiling, in ms. Default 30 000. */
  readonly maxMs?: number;
  /** Failures in a row before the client gives up, 1 or more; `Infinity`: never. Default 10. */
  readonly attemptsMax?: number;
}

export interface TcpClientOptions extends SessionOptions {
  /** Address or name of the server. Default `127.0.0.1`. */
  readonly host?: string;
  /** 1 to 65 535; required, unless there is a `path`. */
  readonly port?: number;
  /** Path of a Unix socket, instead of host and port. */
  readonly path?: string;
  /** Name look-up and handshake together, in ms. Default 10 000. */
  readonly connectTimeoutMs?: number;
  /** Delays before connecting again are drawn from 0 to a ceiling (full jitter). */
  readonly backOff?: BackOffOptions;
  /** `stop()` waits so long for the session, in ms, and then resets it. Default: `closeTimeoutMs`. */
  readonly stopTimeoutMs?: number;
  /** Seed of the back-off's jitter, an integer. Default: drawn by chance. */
  readonly seed?: number;
  /** The clock of everything. Default: a `RealTime`. */
  readonly time?: SchedulerLike;
  /** Where sockets come from. Default: the real network. */
  readonly layer?: SocketLayer;
  /** Ids of sessions, all different. Default: `1`, `2`, `3` ... */
  readonly ids?: () => string;
}

export type ClientState = 'closed' | 'connecting' | 'connected' | 'backOff' | 'closing';

export interface ClientStatistics extends SessionTotals {
  readonly connects: number;
  /** Failures in a row, now. */
  readonly attempts: number;
}

export interface TcpClient {
  /**
   * Connects, and comes back after failures until `backOff.attemptsMax` is spent. @returns at the first CONNECT.
   * @throws {StartError} with the code of the last failure; `ALREADY_STARTED`; `SHARED_FAILED` when a shared chart fails again and again
   *   meanwhile; `STOPPED` when it is stopped or `signal` aborts first.
   */
  start(options?: { readonly signal?: AbortSignal }): Promise<void>;
  /**
   * Ends the session gracefully (`option: 'force'`: by RST) and comes back no more. A second one joins the first, and its `deadlineMs` is
   * ignored; `option: 'force'` is not. @returns when it is closed.
   */
  stop(options?: { readonly deadlineMs?: number; readonly option?: CloseOption }): Promise<void>;
  readonly protocol: AnyProtocol;
  /** The live session, if there is one. */
  readonly session: Session | undefined;
  /** Sessions that have ended, newest last. */
  readonly recent: readonly SessionRecord[];
  readonly state: Live<ClientState>;
  readonly events: PublicStream<ServerEvent>;
  readonly errors: PublicStream<RuntimeError>;
  readonly statistics: ClientStatistics;
  snapshot(): ClientSnapshot;
  [Symbol.asyncDispose](): Promise<void>;
}

const OPTION_NAMES = [
  'host',
  'port',
  'path',
  'connectTimeoutMs',
  'backOff',
  'stopTimeoutMs',
  'seed',
  'time',
  'layer',
  'ids',
];

/**
 * A client of one protocol. It does nothing before `start`.
 * @throws {SocketError} OPTION_INVALID with the option, its value and what was expected.
 */
export function createTcpClient(protocol: AnyProtocol, options: TcpClientOptions): TcpClient {
  return new Client(protocol, options);
}

class Client implements TcpClient, RuntimeOwner {
  readonly #runtime: Runtime;
  readonly #actor: EngineActor<typeof clientMachine>;
  readonly #options: ReturnType<typeof parseClientOptions>;
  readonly #states = new Subject<ClientState>();
  #lastState: ClientState = 'closed';
  /** The socket of the present attempt; its session's, once it is connected. */
  #socket: SocketRecord | undefined;
  #session: LiveSession | undefined;
  /** Asked of a session that is still being made. */
  #stopOption: CloseOption | undefined;
  /** Since the last start. */
  #wasConnected = false;
  /** A shared actor failed too often since the last start. */
  #hasGivenUp = false;

  readonly state: Live<ClientState>;

  constructor(
    readonly protocol: AnyProtocol,
    user: TcpClientOptions,
  ) {
    if (!isProtocol(protocol))
      throw new SocketError('OPTION_INVALID', 'protocol: expected what defineProtocol returned');
    const options = (this.#options = parseClientOptions(withDefaults(protocol.options, user)));
    const time = user.time ?? new RealTime({ onError: (error) => this.#internal(error) });
    let lastId = 0;
    const recorders = new SessionRecorders({ protocol, time, options: undefined });
    this.#runtime = new Runtime(
      protocol,
      options.session,
      {
        time,
        layer: user.layer ?? createNetLayer({ time }),
        ids: user.ids ?? (() => String((lastId += 1))),
        recentMax: 16,
        waitGranularityMs: time instanceof RealTime ? 5 : 0,
        tapsFor: [],
        record: (session, given, isOwn) => recorders.record(session, given, isOwn),
      },
      this,
    );
    this.#actor = this.#runtime.engine.createActor(clientMachine, options.machine, this, CLIENT);
    this.#actor.watch((snapshot) => this.#lookAtState(snapshot));
    this.#actor.start();
    this.state = new Live(
      () => stateOf(this.#actor.snapshot),
      this.#states,
      (error) =>
        this.#runtime.report(new RuntimeError('SUBSCRIBER_FAILED', messageOf(error), undefined, { cause: error })),
    );
    offerInside(this, {
      kind: 'client',
      runtime: this.#runtime,
      recorders,
      owner: this.#actor as unknown as EngineActor<AnyStateMachine>,
      sweeper: () => undefined,
      address: () => this.#where(),
      totals: () => ({ accepted: this.#actor.snapshot.context.connectCount, refused: 0, sweeps: 0 }),
    });
  }

  get session(): Session | undefined {
    return this.#session;
  }

  get recent(): readonly SessionRecord[] {
    return this.#runtime.registry.registry.recent;
  }

  get events(): PublicStream<ServerEvent> {
    return this.#runtime.events;
  }

  get errors(): PublicStream<RuntimeError> {
    return this.#runtime.errors;
  }

  get statistics(): ClientStatistics {
    const { connectCount, attempts } = this.#actor.snapshot.context;
    return { ...this.#runtime.totals(), connects: connectCount, attempts };
  }

  snapshot(): ClientSnapshot {
    return this.#actor.snapshot;
  }

  start(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    return heldUntilSettled(this.#runtime.time, 'client.start()', this.#start(options));
  }

  async #start({ signal }: { readonly signal?: AbortSignal }): Promise<void> {
    if (!this.#actor.snapshot.matches('closed')) throw new StartError('ALREADY_STARTED', 'the client runs already');
    if (signal?.aborted) throw new StartError('STOPPED', `the start was aborted: ${messageOf(signal.reason)}`);
    this.#wasConnected = this.#hasGivenUp = false;
    this.#runtime.open();
    if (this.#hasGivenUp) {
      this.#runtime.close();
      throw sharedFailed();
    }
    const abort = () => this.#actor.send({ type: 'STOP', option: 'force' });
    signal?.addEventListener('abort', abort, { once: true });
    const started = until(this.#actor, (snapshot) => snapshot.matches('connected') || snapshot.matches('closed'));
    this.#actor.send({ type: 'START' });
    const snapshot = await started;
    signal?.removeEventListener('abort', abort);
    if (snapshot.matches('connected')) return;
    if (this.#hasGivenUp) throw sharedFailed();
    const { failure, attempts, attemptsMax } = snapshot.context;
    throw failure && attempts >= attemptsMax
      ? new StartError(failure.code, `cannot connect to ${this.#where()}, tried ${attempts} times: ${failure.message}`)
      : new StartError('STOPPED', 'the client was stopped before it was connected');
  }

  stop(options: { readonly deadlineMs?: number; readonly option?: CloseOption } = {}): Promise<void> {
    return heldUntilSettled(this.#runtime.time, 'client.stop()', this.#stop(options));
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

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  // What the runtime needs of its owner

  receive(socket: SocketRecord, event: SocketEvent): void {
    // A socket that was given up may still say something.
    if (socket === this.#socket) this.#actor.send(event);
  }

  sessionMade(session: LiveSession): void {
    this.#session = session;
  }

  sessionEnded({ socket }: LiveSession, record: SessionRecord): void {
    // No sweeper looks after a client's sockets.
    if (!socket.closed) this.#runtime.layer.release(socket);
    // It may have ended so late that the client was closed, and connects anew.
    if (socket !== this.#socket) return;
    this.#session = undefined;
    this.#socket = undefined;
    const wanted = record.reason === 'protocol done' || record.reason === 'protocol asked';
    const hasRead = record.statistics.bytesReceived > 0;
    this.#actor.send({ type: 'SESSION_CLOSED', reason: record.reason, wanted, hasRead });
  }

  giveUp(): void {
    this.#hasGivenUp = true;
    this.#actor.send({ type: 'STOP', option: 'graceful' });
  }

  // Commands of the client chart

  carryOut(command: ClientCommand): void {
    const { layer } = this.#runtime;
    switch (command.type) {
      case 'OPEN':
        this.#socket = layer.openClient(this.#options.address, this.#options.session.socket);
        layer.claim(this.#socket, this);
        layer.carryOut(this.#socket, { type: 'CONNECT' });
        return;
      case 'ABANDON':
        if (this.#socket) this.#runtime.refuse(this.#socket);
        this.#socket = undefined;
        return;
      case 'ADMIT':
        this.#admit();
        return;
      case 'STOP_SESSION':
        if (this.#session) this.#session.close(command.option, 'protocol asked');
        else this.#stopOption = command.option;
        return;
      default:
        if (this.#socket) layer.carryOut(this.#socket, command);
    }
  }

  failed(error: unknown): void {
    this.#internal(error);
    this.#session?.close('force', 'protocol failed');
  }

  #admit(): void {
    const socket = this.#socket;
    this.#stopOption = undefined;
    const session = socket?.peer && this.#runtime.admit(socket, socket.peer);
    if (!session) {
      this.#socket = undefined;
      this.#actor.send({ type: 'SESSION_CLOSED', reason: 'protocol failed', wanted: false, hasRead: false });
      return;
    }
    if (socket !== this.#socket) return; // it has ended already
    session.receive({ type: 'CONNECT' });
    if (this.#stopOption) session.close(this.#stopOption, 'protocol asked');
  }

  #lookAtState(snapshot: ClientSnapshot): void {
    const state = stateOf(snapshot);
    if (state === this.#lastState) return;
    this.#lastState = state;
    if (state === 'connected') this.#wasConnected = true;
    const { failure, attempts, attemptsMax } = snapshot.context;
    // A start that was never connected rejects instead.
    if (state === 'closed' && failure && attempts >= attemptsMax && this.#wasConnected) {
      this.#runtime.report(
        new RuntimeError(
          'SOCKET_FAILED',
          `gave up ${this.#where()} after ${attempts} failures in a row: ${failure.message}`,
        ),
      );
    }
    if (state === 'closed') this.#runtime.close();
    this.#states.next(state);
  }

  #where(): string {
    const { address } = this.#options;
    return 'path' in address ? address.path : `${address.host}:${address.port}`;
  }

  #internal(error: unknown): void {
    this.#runtime.report(new RuntimeError('INTERNAL', messageOf(error), undefined, { cause: error }));
  }
}

const CLIENT: ActorOwner<Client, ClientCommand> = {
  carryOut: (client, command) => client.carryOut(command),
  failed: (client, error) => client.failed(error),
};

function stateOf({ value }: ClientSnapshot): ClientState {
  return typeof value === 'string' ? value : (Object.keys(value)[0] as ClientState);
}

function parseClientOptions(user: TcpClientOptions) {
  refuseUnknownOptions('client', user, OPTION_NAMES);
  const { host = '127.0.0.1', port, path, connectTimeoutMs = 10_000, backOff = {}, seed } = user;
  refuseUnknown('client.backOff', checkObject('client.backOff', backOff), ['minMs', 'maxMs', 'attemptsMax']);
  const { minMs = 100, maxMs = 30_000, attemptsMax = 10 } = backOff;
  const timeout = { min: 1, max: 2 ** 31 - 1 };
  if (path === undefined) checkInteger('client.port', port, { min: 1, max: 65_535 });
  checkInteger('client.connectTimeoutMs', connectTimeoutMs, timeout);
  checkInteger('client.backOff.minMs', minMs, timeout);
  checkInteger('client.backOff.maxMs', maxMs, { min: minMs, max: timeout.max });
  if (attemptsMax !== Infinity)
    checkInteger('client.backOff.attemptsMax', attemptsMax, { min: 1, max: Number.MAX_SAFE_INTEGER });
  if (seed !== undefined) checkInteger('client.seed', seed, { min: 0, max: 2 ** 32 - 1 });
  const session = parseSessionOptions(user, 'client');
  const stopTimeoutMs = user.stopTimeoutMs ?? session.closeTimeoutMs;
  checkInteger('client.stopTimeoutMs', stopTimeoutMs, { min: 0, max: timeout.max });
  return {
    address: parseAddress('client', { host, port: port ?? 0, path }),
    session,
    machine: {
      connectTimeoutMs,
      backOffMinMs: minMs,
      backOffMaxMs: maxMs,
      attemptsMax,
      stopTimeoutMs,
      seed: seed ?? randomInt(2 ** 32),
    },
  };
}
