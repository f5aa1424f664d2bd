/**
 * A protocol: codecs, a statechart, and what the chart's own commands do. Types flow from the codecs to the chart's
 * events and to what it may SEND; what types cannot say is checked once, here, with an error that names it.
 */
import {
  StateMachine,
  type AnyStateMachine,
  type EmittedFrom,
  type EventFromLogic,
  type EventObject,
  type InputFrom,
} from 'xstate';
import { CLOSE_REASONS, type CloseOption, type FactType, type SocketAddress } from '../../machines/events.js';
import type { Codec, Message, MessageIn, MessageOut } from '../codec/codec.js';
import { checkInteger, checkObject, invalid as invalidOption, refuseUnknown } from '../socket/check.js';
import type { SocketError } from '../socket/socket-layer.js';
import type { TcpSocketStatistics } from '../socket/statistics.js';
import type { TcpInfo } from '../socket/tcp-info.js';
import { parseSessionOptions, refuseUnknownOptions, type SessionOptions } from './options.js';

/** What a protocol chart may `emit`. `Out`: the messages it sends; `Own`: its own commands, each with a handler; `Reason`: its own reasons. */
export type ProtocolCommand<
  Out extends Message = Message,
  Own extends EventObject = never,
  Reason extends string = never,
> =
  | { readonly type: 'SEND'; readonly message: Out }
  /** Ends the session. `reason`: one of the built-in ones or of the protocol's `reasons`; default `protocol asked`. */
  | { readonly type: 'CLOSE'; readonly option: CloseOption; readonly reason?: ProtocolReason | Reason }
  /** Flush, our FIN, and go on reading. */
  | { readonly type: 'END' }
  | { readonly type: 'JOIN' | 'LEAVE'; readonly group: string }
  /** To every session of the group, or of the server; `except`: ids that are left out. */
  | {
      readonly type: 'BROADCAST';
      readonly group?: string;
      readonly message: Out;
      readonly except?: string | readonly string[];
    }
  /** An event for a shared actor, which gets it with `session` (our id) added. */
  | { readonly type: 'TELL'; readonly to: string; readonly event: EventObject }
  /** The next frame is decoded by this codec; bytes that were not taken go to it, once. */
  | { readonly type: 'USE_CODEC'; readonly name: string }
  /** Waits in a row that end the session from now on; 0: none. */
  | { readonly type: 'SET_WAITS'; readonly count: number }
  /** Makes the session findable by `sessions.byKey`. Answered by KEY_SET or, if another session has it, KEY_TAKEN. */
  | { readonly type: 'SET_KEY'; readonly key: string }
  | Own;

/** Reasons that a protocol chart may give without listing them. */
export type ProtocolReason =
  'protocol asked' | 'too many errors' | 'slow reader' | 'limit' | 'peer closed' | 'draining';

const BUILT_IN_COMMANDS = [
  'SEND',
  'CLOSE',
  'END',
  'JOIN',
  'LEAVE',
  'BROADCAST',
  'TELL',
  'USE_CODEC',
  'SET_WAITS',
  'SET_KEY',
] as const;
type BuiltInCommand = (typeof BUILT_IN_COMMANDS)[number];

/** Events that the runtime itself sends to a protocol chart: no message may be named like one. */
export const RESERVED_EVENTS: ReadonlySet<string> = new Set([
  'PEER_END',
  'CONGESTED',
  'FLOWING',
  'DRAIN',
  'WAIT_TIMEOUT',
  'KEY_SET',
  'KEY_TAKEN',
  'SESSION_CLOSED',
]);

const FACTS: readonly FactType[] = ['PEER_END', 'CONGESTED', 'FLOWING', 'DRAIN', 'WAIT_TIMEOUT'];

/** What a chart's input, a handler and a reader of the registry see of a session. */
export interface SessionInfo {
  readonly id: string;
  /** Set by SET_KEY; unique among live sessions. */
  readonly key: string | undefined;
  readonly peer: SocketAddress;
  readonly local: SocketAddress | undefined;
  readonly statistics: TcpSocketStatistics;
  /** What the kernel says of the connection now; `undefined` where it does not tell. */
  tcpInfo(): TcpInfo | undefined;
}

/** Carries out one of the protocol's own commands. */
export interface CommandHandler<TCommand = any, TEvent = any> {
  /**
   * @returns the event that answers, or a promise of it; `undefined` answers nothing.
   * `signal` is aborted at the deadline and when the session ends; what comes after that is dropped and counted.
   */
  run(
    command: TCommand,
    session: SessionInfo,
    signal: AbortSignal,
  ): TEvent | undefined | void | PromiseLike<TEvent | undefined | void>;
  /** Longest time for an answer, in ms, above 0. Then `failure` answers, or the session ends with `protocol failed`. */
  readonly deadlineMs: number;
  /** While it is pending no further frame is decoded. Default false. */
  readonly holds?: boolean;
  /** The event that stands for a rejection, a throw or a missed deadline. Without it they end the session with `protocol failed`. */
  failure?(error: unknown, command: TCommand): TEvent;
}

/** An actor that a server's sessions share: made at `start`, it receives TELLs and SESSION_CLOSED, and emits DISPATCH and BROADCAST. */
export interface SharedDefinition<TMachine extends AnyStateMachine = AnyStateMachine> {
  readonly machine: TMachine;
  readonly input?: () => InputFrom<TMachine>;
}

/** What a shared chart may `emit`. */
export type SharedCommand<Out extends Message = Message> =
  | { readonly type: 'DISPATCH'; readonly session: string; readonly event: EventObject }
  | {
      readonly type: 'BROADCAST';
      readonly group?: string;
      readonly message: Out;
      readonly except?: string | readonly string[];
    };

export type CodecFactories = Readonly<Record<string, () => Codec<any, any>>>;

type OwnCommand<TMachine extends AnyStateMachine> = Exclude<EmittedFrom<TMachine>, { type: BuiltInCommand }>;

/** A handler for each command of its own that the chart declares in `types.emitted`; none if it declares none. */
type HandlersFor<TMachine extends AnyStateMachine> = string extends EmittedFrom<TMachine>['type']
  ? Readonly<Record<string, CommandHandler>>
  : {
      readonly [T in OwnCommand<TMachine>['type']]: CommandHandler<
        Extract<OwnCommand<TMachine>, { type: T }>,
        EventFromLogic<TMachine>
      >;
    };

export interface ProtocolDefinition<TCodecs extends CodecFactories, TMachine extends AnyStateMachine> {
  /** Shown to people: `echo`, `media-control`. */
  readonly name: string;
  /** Called once per session and swap. */
  readonly codecs: TCodecs;
  readonly initialCodec: keyof TCodecs & string;
  /** Its events are the decoded messages; its only output is what it emits (`ProtocolCommand`). Tag `hold`: decode no further frame. */
  readonly machine: TMachine;
  readonly input?: (session: SessionInfo) => InputFrom<TMachine>;
  readonly handlers?: HandlersFor<TMachine>;
  readonly shared?: Readonly<Record<string, SharedDefinition<any>>>;
  /** Transport facts that the chart wants as events. With PEER_END it decides itself when a half-closed session ends. */
  readonly facts?: readonly FactType[];
  /** Close reasons of its own. */
  readonly reasons?: readonly string[];
  /**
   * By the type of a message that a codec decodes: what peers send when the protocol is explored, instead of what the codec's description
   * gives. Each is a message (its `type` may be left out), several in a row, or the bytes (text: UTF-8) that are decoded as one.
   */
  readonly samples?: Readonly<Record<string, readonly unknown[]>>;
  /**
   * What recordings mask: by the type of a message, event or command, the names of its fields (`password`, or `user.password` for one
   * inside another); under `context` the same of the chart's context and input. Masks keep a value's kind and length.
   * A type that nobody knows is refused, and so is a field that the description of its message does not have.
   */
  readonly secrets?: Secrets;
  /** Defaults for servers and clients of this protocol. */
  readonly options?: SessionOptions & {
    /** Longest chain of `always` and `raise` in one macrostep; then the session ends. Default 1 000. */
    readonly maxIterations?: number;
  };
}

export type Secrets = Readonly<Record<string, readonly string[]>>;

type Sent<TMachine extends AnyStateMachine> = Extract<EmittedFrom<TMachine>, { type: 'SEND' }>;

/** What the chart sends; `never` for one that sends nothing. */
type SentMessage<TMachine extends AnyStateMachine> = [Sent<TMachine>] extends [never]
  ? never
  : Sent<TMachine> extends { message: infer M }
    ? M
    : never;

/** Turns into an error message where the chart does not know a message that a codec decodes, or sends one that none encodes. */
type Fits<TCodecs extends CodecFactories, TMachine extends AnyStateMachine> = [
  MessageIn<TCodecs[keyof TCodecs]>,
] extends [EventFromLogic<TMachine>]
  ? [SentMessage<TMachine>] extends [MessageOut<TCodecs[keyof TCodecs]>]
    ? unknown
    : {
        machine: {
          'the chart sends a message that no codec encodes': Exclude<
            SentMessage<TMachine>,
            MessageOut<TCodecs[keyof TCodecs]>
          >;
        };
      }
  : {
      machine: {
        'a codec decodes a message that the chart does not declare': Exclude<
          MessageIn<TCodecs[keyof TCodecs]>,
          EventFromLogic<TMachine>
        >;
      };
    };

/** A checked protocol, ready for servers and clients. Made by `defineProtocol` alone. */
export interface Protocol<
  TCodecs extends CodecFactories = CodecFactories,
  TMachine extends AnyStateMachine = AnyStateMachine,
> extends ProtocolDefinition<TCodecs, TMachine> {
  readonly [PROTOCOL]: true;
  /** The chart has states that are tagged `hold`. */
  readonly canHold: boolean;
}

export type AnyProtocol = Protocol<any, any>;

const PROTOCOL = Symbol.for('wirechart.protocol');

/**
 * Checks a protocol and makes it ready for use.
 * @throws {SocketError} OPTION_INVALID with the part at fault and what was expected.
 */
export function defineProtocol<const TCodecs extends CodecFactories, TMachine extends AnyStateMachine>(
  definition: ProtocolDefinition<TCodecs, TMachine> & Fits<TCodecs, TMachine>,
): Protocol<TCodecs, TMachine> {
  refuseUnknown('protocol', definition, [
    'name', 'codecs', 'initialCodec', 'machine', 'input', 'handlers', 'shared', 'facts', 'reasons', 'samples', 'secrets',
    'options',
  ]); // prettier-ignore
  const {
    name,
    codecs,
    initialCodec,
    machine,
    handlers = {},
    facts = [],
    reasons = [],
    shared = {},
    samples = {},
  } = definition as ProtocolDefinition<TCodecs, TMachine>;
  if (typeof name !== 'string' || name === '') throw invalid('name', name, 'a non-empty string');
  if (typeof codecs !== 'object' || codecs === null || Object.keys(codecs).length === 0) {
    throw invalid('codecs', codecs, 'at least one codec factory, by name');
  }
  for (const [codecName, factory] of Object.entries(codecs)) checkCodec(codecName, factory);
  if (!Object.hasOwn(codecs, initialCodec))
    throw invalid('initialCodec', initialCodec, `one of ${Object.keys(codecs).join(', ')}`);
  checkMachine('machine', machine);
  for (const fact of facts) if (!FACTS.includes(fact)) throw invalid('facts', fact, `some of ${FACTS.join(', ')}`);
  for (const reason of reasons) {
    if (typeof reason !== 'string' || reason === '' || (CLOSE_REASONS as readonly string[]).includes(reason)) {
      throw invalid('reasons', reason, 'a non-empty string that is not built in');
    }
  }
  for (const [type, handler] of Object.entries(handlers as Record<string, CommandHandler>)) checkHandler(type, handler);
  for (const [type, values] of Object.entries(samples)) checkSamples(type, values, codecs);
  for (const [key, actor] of Object.entries(shared)) checkMachine(`shared.${key}.machine`, actor?.machine);
  if (definition.secrets) checkSecrets(definition as ProtocolDefinition<CodecFactories, AnyStateMachine>);
  const maxIterations = definition.options?.maxIterations ?? 1_000;
  refuseUnknownOptions('protocol.options', definition.options ?? {}, ['maxIterations']);
  parseSessionOptions(definition.options ?? {}, 'protocol.options');
  checkInteger('protocol.options.maxIterations', maxIterations, { min: 1, max: 1_000_000 });
  return Object.freeze({
    ...(definition as ProtocolDefinition<TCodecs, TMachine>),
    machine: limited(machine, maxIterations),
    shared: Object.fromEntries(
      Object.entries(shared).map(([key, actor]) => [
        key,
        { ...actor, machine: limited(actor.machine as AnyStateMachine, maxIterations) },
      ]),
    ),
    canHold: hasHold(machine.root),
    [PROTOCOL]: true as const,
  });
}

function checkSamples(type: string, samples: unknown, codecs: CodecFactories): void {
  const decoded = Object.values(codecs).flatMap((make) =>
    make().messages.flatMap((one) => (one.direction === 'out' ? [] : [one.type])),
  );
  if (!decoded.includes(type))
    throw invalid('samples', type, `types of messages that a codec decodes (${decoded.join(', ')})`);
  if (!Array.isArray(samples) || samples.length === 0)
    throw invalid(`samples.${type}`, samples, 'an array of one sample or more');
  for (const [index, sample] of (samples as unknown[]).entries()) {
    if (typeof sample === 'string' || (typeof sample === 'object' && sample !== null)) continue;
    throw invalid(`samples.${type}[${index}]`, sample, 'a message, several in an array, or bytes');
  }
}

/** Was this made by `defineProtocol`? Also true for one made by another copy of this package. */
export function isProtocol(value: unknown): value is AnyProtocol {
  return typeof value === 'object' && value !== null && PROTOCOL in value;
}

function checkCodec(name: string, factory: unknown): void {
  if (typeof factory !== 'function') throw invalid(`codecs.${name}`, factory, 'a function that makes a codec');
  const codec = (factory as () => Codec)();
  for (const method of ['encode', 'decode', 'end'] as const) {
    if (typeof codec?.[method] !== 'function')
      throw invalid(`codecs.${name}`, codec, `a codec with a method \`${method}\``);
  }
  if (!Array.isArray(codec.messages))
    throw invalid(`codecs.${name}.messages`, codec.messages, 'an array of message descriptions');
  for (const { type, direction } of codec.messages) {
    if (direction === 'out') continue;
    if (!isMessageType(type))
      throw invalid(
        `codecs.${name}.messages`,
        type,
        'a type that is not `*` and does not start with `xstate.` or `done.`',
      );
    if (RESERVED_EVENTS.has(type))
      throw invalid(
        `codecs.${name}.messages`,
        type,
        `a type other than ${[...RESERVED_EVENTS].join(', ')}, which the runtime sends`,
      );
  }
}

/** May this be the type of a decoded message? Types that mean something to XState itself never come from the wire. */
export function isMessageType(type: unknown): type is string {
  return (
    typeof type === 'string' &&
    type !== '' &&
    !type.includes('*') &&
    !type.startsWith('xstate.') &&
    !type.startsWith('done.')
  );
}

/** @returns `event`. @throws {TypeError} that begins with `what` when it is no event that a chart may be sent. */
export function checkEvent(event: unknown, what: string): EventObject {
  if (typeof event === 'object' && event !== null && isMessageType((event as EventObject).type)) {
    return event as EventObject;
  }
  throw new TypeError(`${what} ${describeEvent(event)} instead of an event with a type of its own`);
}

function describeEvent(value: unknown): string {
  if (value instanceof Promise) return 'a promise';
  if (typeof value !== 'object' || value === null) return String(value);
  return `an object whose type is ${JSON.stringify((value as EventObject).type)}`;
}

/** A misspelt name would hide nothing, and nobody would know. */
function checkSecrets(definition: ProtocolDefinition<CodecFactories, AnyStateMachine>): void {
  const { secrets = {}, codecs, machine, handlers = {}, shared = {} } = definition;
  const messages = Object.values(codecs).flatMap((factory) => factory().messages);
  const charts = [machine, ...Object.values(shared).map((actor) => actor.machine as AnyStateMachine)];
  const events = charts.flatMap((chart) => chart.events as readonly string[]);
  const known = ['context', ...BUILT_IN_COMMANDS, ...RESERVED_EVENTS, ...Object.keys(handlers), ...events];
  const types = [...new Set([...messages.map(({ type }) => type), ...known])].filter(
    (type) => !/^xstate\.|\*/.test(type),
  );
  const takesAny = events.some((type) => type.includes('*'));
  for (const [type, fields] of Object.entries(checkObject('protocol.secrets', secrets))) {
    if (!takesAny && !type.startsWith('xstate.')) refuseUnknown('protocol.secrets', { [type]: fields }, types);
    const path = `secrets[${JSON.stringify(type)}]`;
    if (!Array.isArray(fields) || fields.length === 0) throw invalid(path, fields, 'an array of names of fields');
    for (const field of fields as unknown[]) {
      if (typeof field !== 'string' || !field.split('.').every((name) => name !== '')) {
        throw invalid(path, field, 'the name of a field, or names joined by dots: `user.password`');
      }
      const described = messages.filter((message) => message.type === type);
      const [first = ''] = field.split('.');
      if (described.length === 0 || described.some((message) => Object.hasOwn(message.fields, first))) continue;
      const names = [...new Set(described.flatMap((message) => Object.keys(message.fields)))].join(', ') || 'none';
      throw invalid(path, field, `a field of the message ${type}: ${names}`);
    }
  }
}

function checkMachine(path: string, machine: unknown): void {
  if (!isMachine(machine)) {
    throw invalid(path, machine, 'a machine made by setup().createMachine() of xstate 5');
  }
}

/** Not `instanceof`: it may be of another copy of XState. */
function isMachine(value: unknown): value is AnyStateMachine {
  return value instanceof Object && 'config' in value && 'implementations' in value && 'root' in value;
}

function checkHandler(type: string, handler: CommandHandler): void {
  const path = `protocol.handlers.${type}`;
  if ((BUILT_IN_COMMANDS as readonly string[]).includes(type))
    throw invalid(`handlers.${type}`, type, 'a command of the protocol, not a built-in one');
  if (typeof handler?.run !== 'function')
    throw invalid(`handlers.${type}`, handler, 'an object with `run` and `deadlineMs`');
  refuseUnknown(path, handler, ['run', 'deadlineMs', 'holds', 'failure']);
  checkInteger(`${path}.deadlineMs`, handler.deadlineMs, { min: 1, max: 2 ** 31 - 1 });
}

/**
 * XState reads the bound of endless `always` and `raise` loops from the config: a copy, so that the user's machine stays as it is.
 * The charts that it invokes are bounded as well; one that is spawned without being named in `setup` cannot be.
 */
function limited<TMachine extends AnyStateMachine>(
  machine: TMachine,
  maxIterations: number,
  copies = new Map<unknown, AnyStateMachine>(),
): TMachine {
  const bound = (logic: unknown): unknown =>
    isMachine(logic) ? (copies.get(logic) ?? limited(logic, maxIterations, copies)) : logic;
  const actors: Record<string, unknown> = { ...machine.implementations.actors };
  const config = boundInvokes(machine.config as NodeConfig, bound) as typeof machine.config;
  const options = { ...(config as { options?: object }).options, maxIterations };
  const copy = new StateMachine({ ...config, options } as never, { ...machine.implementations, actors } as never);
  copies.set(machine, copy);
  for (const [name, logic] of Object.entries(actors)) actors[name] = bound(logic);
  return copy as unknown as TMachine;
}

interface NodeConfig {
  readonly invoke?: unknown;
  readonly states?: Readonly<Record<string, NodeConfig>>;
}

/** A copy of a state's config in which machines that it invokes in place are replaced. */
function boundInvokes(node: NodeConfig, bound: (logic: unknown) => unknown): NodeConfig {
  const replaced = (invoke: unknown): unknown => {
    const { src } = (invoke ?? {}) as { src?: unknown };
    return isMachine(src) ? { ...(invoke as object), src: bound(src) } : invoke;
  };
  const { invoke, states } = node;
  return {
    ...node,
    ...(invoke !== undefined && { invoke: Array.isArray(invoke) ? invoke.map(replaced) : replaced(invoke) }),
    ...(states && {
      states: Object.fromEntries(Object.entries(states).map(([k, s]) => [k, boundInvokes(s ?? {}, bound)])),
    }),
  };
}

function hasHold(node: AnyStateMachine['root']): boolean {
  return node.tags.includes('hold') || Object.values(node.states).some(hasHold);
}

function invalid(part: string, value: unknown, expected: string): SocketError {
  return invalidOption(`protocol.${part}`, expected, value);
}
