/**
 * One connection at work: wires its two charts (the transport's and the protocol's) to its socket and its codec.
 * It decides nothing: what a byte, a wait or a request leads to is said by the charts, and this carries it out.
 *
 * - A frame at a time: decode one, run its macrostep, carry out what it emits (which may change the codec, close, or hold), then
 *   the next. So nothing that a peer pipelined is lost or handled by the wrong codec.
 * - What is sent within one turn (one event from outside) leaves in one write: a write per frame costs ten times as much.
 * - `LiveSession` has no closure, timer, Subject or Subscription of its own until somebody asks for one.
 */
import type { AnyMachineSnapshot, AnyStateMachine, EventObject } from 'xstate';
import {
  CLOSE_REASONS,
  type CloseOption,
  type Fact,
  type FactType,
  type SocketAddress,
  type SocketEvent,
} from '../../machines/events.js';
import {
  decodes,
  sessionMachine,
  type SessionCommand,
  type SessionEvent,
  type SessionSnapshot,
} from '../../machines/session.js';
import { ByteQueue } from '../codec/byte-queue.js';
import { isPeerError, type Codec, type Message } from '../codec/codec.js';
import type { ActorOwner, Engine, EngineActor, PendingTimer } from '../engine/engine.js';
import type { PlaceFollower } from '../engine/places.js';
import type { SocketLayer, SocketRecord } from '../socket/socket-layer.js';
import type { TcpSocketStatistics } from '../socket/statistics.js';
import type { TcpInfo } from '../socket/tcp-info.js';
import { PendingHandlers } from './command-handlers.js';
import { messageOf, RuntimeError } from './errors.js';
import type { ParsedSessionOptions } from './options.js';
import { checkEvent, RESERVED_EVENTS, type AnyProtocol, type ProtocolCommand } from './protocol.js';
import { parseSessionRecording, type ParsedSessionRecording } from './record-options.js';
import type { RegistryControl, RegistryMember } from './registry.js';
import { SessionWaits, type WaitsHost } from './session-waits.js';
import type { RecordSessionOptions, SessionRecord, SessionRecording } from './session.js';
import type { EventOrigin, SessionInside, SessionTap } from './tap.js';
import type { Turns } from './turns.js';

/** What a session needs of the server or client that it belongs to. */
export interface SessionHost extends WaitsHost {
  readonly engine: Engine;
  readonly layer: SocketLayer;
  readonly protocol: AnyProtocol;
  readonly facts: ReadonlySet<FactType>;
  readonly options: ParsedSessionOptions;
  readonly registry: RegistryControl;
  readonly turns: Turns;
  report(error: RuntimeError): void;
  tellShared(to: string, event: EventObject, session: string): boolean;
  /** An answer of a handler came after its deadline or its session's end; an event came after its session's end. */
  countDropped(what: 'answers' | 'events'): void;
  record(session: LiveSession, options: ParsedSessionRecording, isOwn: boolean): SessionRecording;
  /** The session is over and out of the registry. */
  ended(session: LiveSession, record: SessionRecord): void;
}

const TRANSPORT: ActorOwner<LiveSession, SessionCommand> = {
  carryOut: (session, command) => session.carryOutTransport(command),
  failed: (session, error) => session.transportFailed(error),
  done: (session) => session.finish(),
};

const PROTOCOL: ActorOwner<LiveSession, ProtocolCommand<Message, EventObject>> = {
  carryOut: (session, command) => session.carryOutProtocol(command),
  failed: (session, error) => session.fail(error, 'the protocol chart threw'),
  done: (session) => session.close('graceful', 'protocol done'),
  moved: (session) => session.protocolMoved(),
};

const NO_TAPS: readonly SessionTap[] = [];

/** What may let the waits go on that stood still. END does where the output was congested: nothing is sent any more. */
const MAY_END_STANDSTILL: ReadonlySet<SessionEvent['type']> = new Set(['FLOWING', 'RELEASED', 'INPUT_LOW', 'END']);

export class LiveSession extends SessionWaits implements RegistryMember, SessionInside {
  key: string | undefined = undefined;
  readonly peer: SocketAddress;
  readonly statistics: TcpSocketStatistics;
  readonly startedAtMs: number;

  readonly #host: SessionHost;
  readonly #socket: SocketRecord;
  readonly #transport: EngineActor<typeof sessionMachine>;
  readonly #protocol: EngineActor<AnyStateMachine>;
  /** The user's input factory threw; the session ends as soon as it has begun. */
  #inputFailure: { error: unknown } | undefined;
  #codec: Codec;
  #codecName: string;
  readonly #input = new ByteQueue();
  #output: Uint8Array[] = [];
  #outputBytes = 0;
  #isOver = false;
  #decoding = false;
  /** The peer's FIN: `#input` holds the last of its bytes. */
  #inputEnding = false;
  /** The codec was told that no more bytes come. */
  #inputEnded = false;
  #groups: Set<string> | undefined;
  #handlers: PendingHandlers | undefined;
  #unwatch: (() => void)[] | undefined;
  #taps: readonly SessionTap[] | undefined;

  constructor(
    host: SessionHost,
    readonly id: string,
    socket: SocketRecord,
    peer: SocketAddress,
  ) {
    super(host);
    this.#host = host;
    this.#socket = socket;
    this.peer = peer;
    this.statistics = socket.statistics;
    this.startedAtMs = host.time.now();
    const { protocol, options } = host;
    this.#codecName = protocol.initialCodec;
    this.#codec = (protocol.codecs[protocol.initialCodec] as () => Codec)();
    this.#transport = host.engine.createActor(
      sessionMachine,
      {
        waitTimeoutCountMax: options.waitTimeoutCountMax,
        closeTimeoutMs: options.closeTimeoutMs,
        sendTimeoutMs: options.sendTimeoutMs,
        frameTimeoutMs: options.frameTimeoutMs,
        discardedBytesMax: options.discardedBytesMax,
        facts: protocol.facts ?? [],
      },
      this,
      TRANSPORT,
    );
    this.#protocol = this.#createProtocol();
  }

  /** Starts both charts. The transport's first, so that what the protocol's does on entry finds it. */
  start(): void {
    this.#turn(() => {
      this.#transport.start();
      if (this.#inputFailure) this.fail(this.#inputFailure.error, 'the input of the protocol chart could not be made');
      else this.#protocol.start();
      this.#lookAtHold();
    });
    this.#host.wheel.add(this);
  }

  get local(): SocketAddress | undefined {
    return this.#socket.local;
  }

  get socket(): SocketRecord {
    return this.#socket;
  }

  get transportState(): AnyMachineSnapshot['value'] {
    return this.#transport.snapshot.value;
  }

  get transportSnapshot(): SessionSnapshot {
    return this.#transport.snapshot;
  }

  get protocolSnapshot(): AnyMachineSnapshot {
    return this.#protocol.snapshot as AnyMachineSnapshot;
  }

  get groups(): readonly string[] {
    return [...(this.#groups ?? [])];
  }

  tcpInfo(): TcpInfo | undefined {
    return this.#host.layer.tcpInfo(this.#socket);
  }

  /** An event of our socket. */
  receive(event: SocketEvent): void {
    if (event.type === 'READ') this.endWaits();
    this.#turn(() => {
      if (event.type === 'WRITE') this.#lookAtOutput();
      else this.#transport.send(event);
    });
  }

  send(message: Message): boolean {
    if (!this.#transport.snapshot.hasTag('sending')) return false;
    this.#turn(() => this.#encode(message));
    return this.#transport.snapshot.hasTag('sending');
  }

  offer(message: Message): boolean {
    if (!this.#transport.snapshot.hasTag('sending')) return false;
    const bytes = this.#bytesOf(message);
    this.#turn(() => this.#queue(bytes));
    return this.#transport.snapshot.hasTag('sending');
  }

  dispatch(event: EventObject): void {
    checkEvent(event, 'dispatch was given');
    if (this.#isOver) this.#host.countDropped('events');
    this.#turn(() => this.#tellProtocol(event, 'dispatch'));
  }

  record(options?: RecordSessionOptions): SessionRecording {
    return this.#host.record(this, parseSessionRecording(options ?? {}, 'record'), options !== undefined);
  }

  close(option: CloseOption, reason = 'protocol asked'): void {
    checkOption(option);
    this.#checkReason(reason);
    if (option === 'force') this.#dropOutput();
    this.#turn(() => this.#tellLast({ type: 'STOP', option, reason }));
  }

  drain(): void {
    this.#turn(() => this.#tellLast({ type: 'DRAIN' }));
  }

  protected override tellWaits(waits: number): boolean {
    this.#turn(() => this.#tellTransport({ type: 'WAIT_TIMEOUT', waits }));
    return !this.#isOver;
  }

  // Commands of the transport's chart

  carryOutTransport(command: SessionCommand): void {
    switch (command.type) {
      case 'DECODE':
        if (command.bytes) this.#take(command.bytes);
        this.#decode();
        if (this.#inputEnding) this.#endInput();
        return;
      case 'DECODE_END':
        this.#inputEnding = true;
        this.#decode();
        this.#endInput();
        return;
      case 'FACT':
        if (this.#host.facts.has(command.fact.type)) this.#tellProtocol(command.fact satisfies Fact, 'fact');
        return;
      case 'MEASURE':
        this.#transport.send({
          type: 'MEASURED',
          bytesSent: this.statistics.bytesSent,
          queuedBytes: this.#host.layer.queuedBytes(this.#socket),
        });
        return;
      default:
        this.#host.layer.carryOut(this.#socket, command);
    }
  }

  transportFailed(error: unknown): void {
    // Our own chart threw: nothing can be trusted to close this socket, so it is given up as a whole.
    this.#report(
      new RuntimeError('INTERNAL', `the session chart threw: ${messageOf(error)}`, this.id, { cause: error }),
    );
    this.#host.layer.carryOut(this.#socket, { type: 'SEND_RST' });
    this.finish('protocol failed');
  }

  // Commands of the protocol's chart

  carryOutProtocol(command: ProtocolCommand<Message, EventObject>): void {
    if (this.#isOver) return;
    try {
      this.#carryOutProtocol(command as ProtocolCommand<Message>);
    } catch (error) {
      this.fail(error, `the command ${command.type} failed`);
    }
  }

  #carryOutProtocol(command: ProtocolCommand<Message>): void {
    const { protocol, registry } = this.#host;
    switch (command.type) {
      case 'SEND':
        this.#encode(command.message);
        return;
      case 'CLOSE':
        this.close(checkOption(command.option), this.#checkReason(command.reason));
        return;
      case 'END':
        this.#tellLast({ type: 'END' });
        return;
      case 'JOIN':
        registry.join(this, command.group);
        (this.#groups ??= new Set()).add(command.group);
        return;
      case 'LEAVE':
        registry.leave(this, command.group);
        this.#groups?.delete(command.group);
        return;
      case 'BROADCAST':
        registry.registry.broadcast(command.message, {
          ...(command.group !== undefined && { group: command.group }),
          ...(command.except !== undefined && { except: command.except }),
        });
        return;
      case 'TELL':
        if (!this.#host.tellShared(command.to, checkEvent(command.event, 'TELL: the event is'), this.id)) {
          throw new TypeError(`TELL: the protocol ${protocol.name} has no shared actor ${JSON.stringify(command.to)}`);
        }
        return;
      case 'USE_CODEC': {
        const codecs = protocol.codecs as Record<string, () => Codec>;
        const factory = Object.hasOwn(codecs, command.name) ? codecs[command.name] : undefined;
        if (!factory)
          throw new TypeError(`USE_CODEC: the protocol ${protocol.name} has no codec ${JSON.stringify(command.name)}`);
        this.#codec = factory();
        this.#codecName = command.name;
        for (const tap of this.#taps ?? NO_TAPS) tap.codecChanged?.(command.name);
        this.#decode(); // by an answer or a timer: bytes may wait for it; in the loop it does nothing
        return;
      }
      case 'SET_WAITS':
        if (!Number.isSafeInteger(command.count) || command.count < 0) {
          throw new TypeError(`SET_WAITS: expected a count of 0 or more, got ${String(command.count)}`);
        }
        this.#tellTransport({ type: 'SET_WAITS', count: command.count });
        return;
      case 'SET_KEY': {
        const taken = !registry.setKey(this, command.key);
        if (!taken) this.key = command.key;
        this.#tellProtocol({ type: taken ? 'KEY_TAKEN' : 'KEY_SET', key: command.key } as EventObject, 'key');
        return;
      }
      default:
        this.#handle(command as EventObject);
    }
  }

  /** By a timer or an invoked actor: no turn is under way that would write what it sent, or see that it holds or no longer does. */
  protocolMoved(): void {
    if (!this.#isOver) this.#turn(() => this.#lookAtHold());
  }

  /** Ends the session for a fault of the protocol's own code. */
  fail(error: unknown, what: string): void {
    if (this.#isOver) return;
    this.#report(new RuntimeError('PROTOCOL_FAILED', `${what}: ${messageOf(error)}`, this.id, { cause: error }));
    this.close('graceful', 'protocol failed');
  }

  /** The transport's chart is in its final state: lets go of everything. */
  finish(because?: string): void {
    if (this.#isOver) return;
    const { layer, wheel, registry, time } = this.#host;
    const { context } = this.#transport.snapshot;
    const protocolState = this.protocolSnapshot.value;
    this.#isOver = true;
    this.watchStates(undefined);
    wheel.remove(this);
    this.#handlers?.abandon();
    this.#handlers = undefined;
    this.#protocol.stop();
    this.#transport.stop();
    this.#input.clear();
    this.#dropOutput();
    const record: SessionRecord = {
      id: this.id,
      key: this.key,
      peer: this.peer,
      protocolState,
      reason: because ?? context.reason ?? 'socket error',
      option: context.option ?? (context.closedBy === 'rst' ? 'force' : 'graceful'),
      closedBy: context.closedBy ?? 'rst',
      startedAtMs: this.startedAtMs,
      endedAtMs: time.now(),
      statistics: this.statistics,
    };
    // A socket that is not closed yet is left to the sweeper, which forces it.
    if (this.#socket.closed) layer.release(this.#socket);
    else this.#socket.markedDeleted = true;
    registry.remove(this, record);
    for (const tap of this.#taps ?? NO_TAPS) tap.ended?.(record);
    this.#host.ended(this, record);
  }

  // What a recorder takes down when it begins (SessionInside)

  get transportTimers(): readonly PendingTimer[] {
    return this.#transport.timers;
  }

  get protocolTimers(): readonly PendingTimer[] {
    return this.#protocol.timers;
  }

  get codecName(): string {
    return this.#codecName;
  }

  codecState(): unknown {
    return this.#codec.save?.();
  }

  get inputBytes(): number {
    return this.#input.byteLength;
  }

  copyInput(): Uint8Array {
    return this.#input.peek(this.#input.byteLength).slice();
  }

  get pendingHandlers(): readonly string[] {
    return this.#handlers?.types ?? [];
  }

  /** @returns what takes the tap off. */
  tap(tap: SessionTap): () => void {
    const off = [tap.transport && this.#transport.tap(tap.transport), tap.protocol && this.#protocol.tap(tap.protocol)];
    this.#taps = [...(this.#taps ?? NO_TAPS), tap];
    return () => {
      for (const end of off) end?.();
      this.#taps = this.#taps?.filter((other) => other !== tap);
    };
  }

  get queuedBytes(): number {
    return this.#host.layer.queuedBytes(this.#socket);
  }

  follow(transport: PlaceFollower, protocol: PlaceFollower): void {
    this.#transport.follow(transport);
    this.#protocol.follow(protocol);
  }

  unfollow(transport: PlaceFollower, protocol: PlaceFollower): void {
    this.#transport.unfollow(transport);
    this.#protocol.unfollow(protocol);
  }

  /** Looks at each change of state while somebody watches the registry; `undefined` ends it. */
  watchStates(changed: (() => void) | undefined): void {
    for (const unwatch of this.#unwatch ?? []) unwatch();
    this.#unwatch = undefined;
    if (!changed || this.#isOver) return;
    const watch = (actor: EngineActor<AnyStateMachine>) => {
      let state = stateKey(actor.snapshot as AnyMachineSnapshot);
      return actor.watch((snapshot) => {
        const before = state;
        state = stateKey(snapshot as AnyMachineSnapshot);
        if (state !== before) changed();
      });
    };
    this.#unwatch = [watch(this.#transport as unknown as EngineActor<AnyStateMachine>), watch(this.#protocol)];
  }

  #createProtocol(): EngineActor<AnyStateMachine> {
    const { protocol, engine } = this.#host;
    let input: unknown;
    try {
      input = protocol.input?.(this);
    } catch (error) {
      this.#inputFailure = { error };
    }
    return engine.createActor(protocol.machine as AnyStateMachine, input, this, PROTOCOL);
  }

  /** One turn: whatever it leads to is done when this returns, and at the end of the outermost turn what was sent is written. */
  #turn(work: () => void): void {
    this.#host.turns.run(() => this.#guard(work));
  }

  /** Called at the end of the outermost turn. Told that the output is congested, the chart may send once more. */
  writeOutput(): void {
    this.#guard(() => {
      while (this.#output.length > 0) this.#flush();
    });
  }

  /** Nothing that is called here may throw: if it does, it is our bug, and this session's end alone. */
  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#report(new RuntimeError('INTERNAL', `the session failed: ${messageOf(error)}`, this.id, { cause: error }));
      this.#dropOutput();
      this.#transport.send({ type: 'STOP', option: 'force', reason: 'protocol failed' });
    }
  }

  #report(error: RuntimeError): void {
    for (const tap of this.#taps ?? NO_TAPS) tap.failed?.(error);
    this.#host.report(error);
  }

  /** An event after which nothing more may be sent: what was sent before it goes first. */
  #tellLast(event: SessionEvent): void {
    this.#flush();
    this.#tellTransport(event);
  }

  #tellTransport(event: SessionEvent): void {
    const waitsBegin = event.type === 'SET_WAITS' || (MAY_END_STANDSTILL.has(event.type) && this.waitsStandStill);
    this.#transport.send(event);
    if (waitsBegin && !this.#isOver) this.beginWaits();
  }

  #tellProtocol(event: EventObject, origin: EventOrigin): void {
    if (this.#isOver) return;
    for (const tap of this.#taps ?? NO_TAPS) tap.told?.(origin);
    this.#protocol.send(event as never);
    this.#lookAtHold();
  }

  /** A state that is tagged `hold`, or a handler that holds, stops the decoding; the transport's chart knows by HELD and RELEASED. */
  #lookAtHold(): void {
    if (this.#isOver) return;
    const { protocol, options } = this.#host;
    const handlers = this.#handlers;
    const waitsForHandlers = handlers !== undefined && (handlers.holds || handlers.size >= options.pendingHandlersMax);
    const holds = waitsForHandlers || (protocol.canHold && this.protocolSnapshot.hasTag('hold'));
    if (holds === this.#transport.snapshot.context.held) return;
    this.#tellTransport({ type: holds ? 'HELD' : 'RELEASED' });
  }

  // Input

  #take(bytes: Uint8Array): void {
    for (const tap of this.#taps ?? NO_TAPS) tap.received?.(bytes);
    this.#input.push(bytes);
  }

  #decode(): void {
    if (this.#decoding) return; // a command of the frame that is being handled: the loop below goes on by itself
    this.#decoding = true;
    const input = this.#input;
    let decoded = 0;
    let starved = false;
    try {
      while (!this.#isOver && decodes(this.#transport.snapshot)) {
        const message = this.#codec.decode(input);
        if (message === undefined) {
          starved = true;
          break;
        }
        decoded += 1;
        this.#tellDecoded(message, false);
      }
    } catch (error) {
      this.#failInput(error, false);
    } finally {
      this.#decoding = false;
    }
    if (this.#isOver) return;
    input.settle();
    this.#lookAtInput(decoded, starved);
  }

  #lookAtInput(decoded: number, starved: boolean): void {
    const { highWaterMarkBytes, lowWaterMarkBytes, heldBytesMax } = this.#host.options;
    const { inputFull, framePending } = this.#transport.snapshot.context;
    const bytes = this.#input.byteLength;
    if (bytes > heldBytesMax) this.#tellTransport({ type: 'STOP', option: 'force', reason: 'limit' });
    else if (!starved && !inputFull && bytes > highWaterMarkBytes) this.#tellTransport({ type: 'INPUT_FULL' });
    else if (inputFull && (starved || bytes <= lowWaterMarkBytes)) this.#tellTransport({ type: 'INPUT_LOW' });
    if (!starved) return;
    if (bytes > 0 && (decoded > 0 || !framePending)) this.#tellTransport({ type: 'FRAME_STARTED' });
    else if (bytes === 0 && framePending) this.#tellTransport({ type: 'FRAME_ENDED' });
  }

  /** After the peer's FIN: the codec is told once, and when everything is answered so is the chart. */
  #endInput(): void {
    if (this.#isOver || this.#decoding || !decodes(this.#transport.snapshot)) return;
    if (!this.#inputEnded) {
      this.#inputEnded = true;
      try {
        const last = this.#codec.end(this.#input);
        if (last !== undefined) this.#tellDecoded(last, true);
      } catch (error) {
        this.#failInput(error, true);
        return;
      }
    }
    if (this.#isOver || (this.#handlers?.size ?? 0) > 0 || this.#transport.snapshot.context.held) return;
    this.#tellLast({ type: 'INPUT_DONE' });
  }

  #tellDecoded(message: Message, atEnd: boolean): void {
    checkMessage(message);
    for (const tap of this.#taps ?? NO_TAPS) tap.decoded?.(message, atEnd);
    this.#tellProtocol(message, 'message');
  }

  #failInput(error: unknown, atEnd: boolean): void {
    for (const tap of this.#taps ?? NO_TAPS) tap.decodeFailed?.(error, atEnd);
    if (!isPeerError(error)) {
      this.fail(error, 'the codec failed to decode');
      return;
    }
    this.#report(new RuntimeError('PEER_FAILED', `${error.code}: ${error.message}`, this.id, { cause: error }));
    this.close('graceful', error.code === 'FRAME_TRUNCATED' ? 'truncated frame' : 'bad frame');
  }

  // Output

  #encode(message: Message): void {
    let bytes: Uint8Array;
    try {
      bytes = this.#bytesOf(message);
    } catch (error) {
      this.fail(error, `the message ${String(message?.type)} could not be encoded`);
      return;
    }
    this.#queue(bytes);
  }

  #bytesOf(message: Message): Uint8Array {
    const bytes: unknown = this.#codec.encode(message);
    if (bytes instanceof Uint8Array) {
      for (const tap of this.#taps ?? NO_TAPS) tap.encoded?.(message, bytes);
      return bytes;
    }
    throw new TypeError(`encode returned ${typeof bytes} instead of a Uint8Array`);
  }

  #queue(bytes: Uint8Array): void {
    if (this.#output.length === 0) this.#host.turns.writeLater(this);
    this.#output.push(bytes);
    this.#outputBytes += bytes.byteLength;
    // Much is sent in one turn: written as it comes, so that the marks and the cap are seen in time.
    if (this.#outputBytes > this.#host.options.highWaterMarkBytes) this.#flush();
  }

  #flush(): void {
    if (this.#output.length === 0) return;
    const { heldBytesMax, highWaterMarkBytes } = this.#host.options;
    const { layer } = this.#host;
    if (!this.#transport.snapshot.hasTag('sending')) {
      this.#dropOutput();
      return;
    }
    if (layer.queuedBytes(this.#socket) + this.#outputBytes > heldBytesMax) {
      this.close('force', 'slow reader');
      return;
    }
    const bytes = this.#output.length === 1 ? this.#output[0]! : joined(this.#output, this.#outputBytes);
    this.#output = [];
    this.#outputBytes = 0;
    this.#transport.send({ type: 'SEND', bytes });
    if (!this.#transport.snapshot.context.outputFull && layer.queuedBytes(this.#socket) > highWaterMarkBytes) {
      this.#transport.send({ type: 'CONGESTED' });
    }
  }

  #lookAtOutput(): void {
    const { outputFull } = this.#transport.snapshot.context;
    if (!outputFull || this.#host.layer.queuedBytes(this.#socket) > this.#host.options.lowWaterMarkBytes) return;
    this.#tellTransport({ type: 'FLOWING' });
  }

  #dropOutput(): void {
    this.statistics.bytesDropped += this.#outputBytes;
    this.#output = [];
    this.#outputBytes = 0;
  }

  // The protocol's own commands

  #handle(command: EventObject): void {
    const { handlers = {} } = this.#host.protocol;
    const handler = Object.hasOwn(handlers, command.type) ? handlers[command.type] : undefined;
    if (!handler) {
      throw new TypeError(`the protocol ${this.#host.protocol.name} has no handler for it`);
    }
    this.#handlers ??= new PendingHandlers(this.#host.time, this, {
      answer: (event) =>
        this.#turn(() => {
          if (event !== undefined) this.#tellProtocol(event, 'answer');
          else this.#lookAtHold();
          // The last answer that a half-closed peer waits for may just have been given.
          if (this.#inputEnded) this.#endInput();
        }),
      failed: (error, type) => this.fail(error, `the handler of ${type} failed`),
      dropped: () => this.#host.countDropped('answers'),
    });
    this.#handlers.run(command, handler);
    this.#lookAtHold();
  }

  #checkReason(reason: string | undefined): string {
    if (reason === undefined) return 'protocol asked';
    const { name, reasons = [] } = this.#host.protocol;
    if ((CLOSE_REASONS as readonly string[]).includes(reason) || reasons.includes(reason)) return reason;
    throw new TypeError(`CLOSE: ${JSON.stringify(reason)} is not in the reasons of the protocol ${name}`);
  }
}

/** A chart makes a new value object for each transition, also for one that leads to the same state. */
export function stateKey({ value }: AnyMachineSnapshot): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function checkOption(option: unknown): CloseOption {
  if (option === 'graceful' || option === 'force') return option;
  throw new TypeError(`a close: expected the option 'graceful' or 'force', got ${String(option)}`);
}

/** A codec may be a user's: what it returns becomes an event, so it has to be one, and none of XState's own. */
function checkMessage(message: Message): void {
  checkEvent(message, 'decode returned');
  if (RESERVED_EVENTS.has(message.type))
    throw new TypeError(`decode returned ${message.type}, which only the runtime sends`);
}

function joined(pieces: readonly Uint8Array[], byteLength: number): Uint8Array {
  const bytes = new Uint8Array(byteLength);
  let offset = 0;
  for (const piece of pieces) {
    bytes.set(piece, offset);
    offset += piece.byteLength;
  }
  return bytes;
}
