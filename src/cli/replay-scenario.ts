/**
 * A recorded session as a script for a world: what the peer and the server's own code did, when, and what was to be seen between.
 *
 * The hard question: whether a script plays the session again. Timers of the real clock are late, handlers answer as they like, other sessions
 * had their say. So a script is played before it is given to anybody (`mismatchOf`), and one that does not fit is not used.
 */
import type { CloseOption } from '../../machines/events.js';
import type { Codec, Message } from '../codec/codec.js';
import { hasOtherEnd, otherEndOf } from '../codec/other-end.js';
import type { ByteCount } from '../inspect/plain-data.js';
import { Elided } from '../inspect/plain-data.js';
import type { Recording, RecordingEntry, Step } from '../inspect/recording.js';
import type { TcpServer } from '../server.js';
import { parseSessionOptions, withDefaults, type SessionOptions } from '../session/options.js';
import type { AnyProtocol } from '../session/protocol.js';
import type { Session } from '../session/session.js';
import { isSameData } from '../testing/same-data.js';
import { createWorld, type World } from '../testing/world.js';

export type ScenarioAction =
  | { readonly kind: 'send'; readonly messages: readonly Message[] }
  | { readonly kind: 'write'; readonly bytes: Uint8Array }
  | { readonly kind: 'end' | 'reset' | 'drain' }
  | { readonly kind: 'dispatch'; readonly event: Message }
  | { readonly kind: 'close'; readonly option: CloseOption; readonly reason: string };

/** What is done at one moment, and what is to be seen before the next one. */
export interface ScenarioMoment {
  /** Since the session's start, in whole ms. */
  readonly atMs: number;
  readonly actions: readonly ScenarioAction[];
  /** Of the protocol's chart. */
  readonly state: Step['state'];
  /** Messages that the peer received. */
  readonly received: readonly Message[];
}

export interface Scenario {
  /** Of the server, where they were not the protocol's own: the session's id, and what its chart was told. */
  readonly server: { readonly ids?: string } & SessionOptions;
  /** The first one is the session's start, and has no actions. */
  readonly moments: readonly ScenarioMoment[];
  /** The peer's FIN follows the server's by itself. */
  readonly answersFin: boolean;
  /** How long the last moment lasts, in ms. */
  readonly lastMs: number;
  readonly end: { readonly reason: string; readonly option: CloseOption; readonly closedBy: 'fin' | 'rst' } | undefined;
  /** A handler may answer by a promise. */
  readonly isAsync: boolean;
}

/** Thrown inside; says why there is no script. */
class Unplayable extends Error {}

interface OpenMoment {
  atMs: number;
  actions: ScenarioAction[];
  state: Step['state'];
  received: Message[];
}

/** A FIN that comes so soon after ours is an answer to it, in ms. */
const ANSWER_MS = 50;
/** More than the end took, because a world has no late timers but the test looks from one moment later. */
const SLACK_MS = 1_000;

/** @returns why there can be none, as a text, where there is none */
export function scenarioOf(recording: Recording, protocol: AnyProtocol): Scenario | string {
  try {
    return new ScenarioMaker(recording, protocol).make();
  } catch (error) {
    if (error instanceof Unplayable) return error.message;
    throw error;
  }
}

class ScenarioMaker {
  readonly #moments: OpenMoment[] = [{ atMs: 0, actions: [], state: undefined, received: [] }];
  readonly #codec: Codec<any, any>;
  #state: Step['state'];
  #finSentMs: number | undefined;
  #answersFin = true;
  #isReset = false;
  #hasEnded = false;

  constructor(
    private readonly recording: Recording,
    private readonly protocol: AnyProtocol,
  ) {
    const initial = protocol.codecs[protocol.initialCodec] as () => Codec<any, any>;
    const [first] = recording.entries;
    if (recording.header.dropped > 0 || (first?.kind === 'checkpoint' && first.charts)) {
      throw new Unplayable('the recording does not begin with the session');
    }
    if (Object.keys(protocol.shared ?? {}).length > 0)
      throw new Unplayable('other sessions take part, by shared actors');
    if (!hasOtherEnd(initial())) throw new Unplayable('the codec does not say how the other end encodes');
    this.#codec = otherEndOf(initial);
  }

  make(): Scenario {
    const { entries, end } = this.recording;
    entries.forEach((entry, index) => this.#take(entry, index));
    const lastMs = Math.ceil(entries.at(-1)?.atMs ?? 0) - this.#moment.atMs;
    if (this.#finSentMs !== undefined && !this.#hasEnded) this.#answersFin = false;
    return {
      server: this.#serverOptions(),
      moments: this.#moments,
      answersFin: this.#answersFin,
      lastMs: Math.max(1, lastMs) + (end ? SLACK_MS : 0),
      end: end && { reason: end.reason, option: end.option, closedBy: end.closedBy },
      isAsync: Object.keys((this.protocol.handlers ?? {}) as object).length > 0,
    };
  }

  #serverOptions(): Scenario['server'] {
    const { header, entries } = this.recording;
    const start = entries.find((entry): entry is Step => entry.kind === 'step' && entry.chart === 'transport');
    const input = ((start?.event ?? {}) as { input?: Record<string, unknown> }).input ?? {};
    const own: Record<string, unknown> = {
      ...parseSessionOptions(withDefaults(this.protocol.options, {}), 'protocol.options'),
    };
    const others = Object.entries(input).filter(([name, value]) => Object.hasOwn(own, name) && own[name] !== value);
    return { ...(header.session.id !== '1' && { ids: header.session.id }), ...Object.fromEntries(others) };
  }

  get #moment(): OpenMoment {
    return this.#moments.at(-1)!;
  }

  #take(entry: RecordingEntry, index: number): void {
    switch (entry.kind) {
      case 'received':
        return this.#received(entry.bytes, entry.atMs, index);
      case 'encoded':
        if (entry.message instanceof Elided) throw new Unplayable('a message was too large to be kept');
        this.#moment.received.push(entry.message as Message);
        return;
      case 'codec':
        throw new Unplayable('the codec was changed');
      case 'step':
        if (entry.event instanceof Elided) throw new Unplayable('a step was too large to be kept');
        if (entry.chart === 'protocol') this.#protocolStep(entry);
        else this.#transportStep(entry, index);
        return;
      default:
    }
  }

  /** What the codec made of them follows, up to the next bytes. */
  #received(bytes: Uint8Array | ByteCount | Elided, atMs: number, index: number): void {
    if (bytes instanceof Elided) throw new Unplayable('bytes were too many to be kept');
    const messages = this.#messagesAfter(index);
    const encoded = messages && this.#encode(messages);
    const isWhole = encoded !== undefined && encoded.byteLength === bytes.byteLength;
    if (bytes instanceof Uint8Array) {
      const isSame = isWhole && isSameData(bytes, encoded);
      this.#do(atMs, isSame && messages ? { kind: 'send', messages } : { kind: 'write', bytes });
      return;
    }
    if (!isWhole || !messages)
      throw new Unplayable('the peer sent bytes that are no whole frames, and the recording has no payloads');
    this.#do(atMs, { kind: 'send', messages });
  }

  /** @returns `undefined` when the codec failed at them */
  #messagesAfter(index: number): readonly Message[] | undefined {
    const messages: Message[] = [];
    for (const entry of this.recording.entries.slice(index + 1)) {
      if (entry.kind === 'received') break;
      if (entry.kind === 'decodeFailed') return undefined;
      if (entry.kind === 'decoded') messages.push(entry.message as Message);
      if (entry.kind === 'step' && entry.chart === 'protocol' && entry.origin === 'message')
        messages.push(entry.event as Message);
    }
    return messages;
  }

  #encode(messages: readonly Message[]): Uint8Array | undefined {
    try {
      return Buffer.concat(messages.map((message) => this.#codec.encode(message)));
    } catch {
      return undefined; // what the codec makes of an unknown command, say, nobody can send
    }
  }

  #protocolStep({ origin, event, state, atMs }: Step): void {
    if (origin === 'dispatch') this.#do(atMs, { kind: 'dispatch', event: event as Message });
    if (state !== undefined) this.#state = state;
    this.#moment.state = this.#state;
  }

  #transportStep({ event, commands, atMs }: Step, index: number): void {
    const { type, byReset, option, reason } = event as {
      type: string;
      byReset?: boolean;
      option?: CloseOption;
      reason?: string;
    };
    if (type === 'PEER_END') {
      this.#hasEnded = true;
      if (this.#finSentMs === undefined) this.#do(atMs, { kind: 'end' });
      else if (atMs - this.#finSentMs > ANSWER_MS) {
        this.#answersFin = false;
        this.#do(atMs, { kind: 'end' });
      }
    }
    if ((type === 'ERROR' || (type === 'CLOSE' && byReset)) && !this.#isReset) {
      this.#isReset = true;
      this.#do(atMs, { kind: 'reset' });
    }
    if (commands.some((command) => (command as Message).type === 'SEND_FIN')) this.#finSentMs = atMs;
    if (commands.some((command) => (command as Message).type === 'SEND_RST')) this.#isReset = true;
    if (type === 'DRAIN') this.#do(atMs, { kind: 'drain' });
    if (type === 'STOP' && this.#isByServer(index)) this.#do(atMs, { kind: 'close', option: option!, reason: reason! });
  }

  /** `session.close()`: nothing that the recording shows has asked for it. */
  #isByServer(index: number): boolean {
    const before = this.recording.entries.slice(0, index).reverse();
    for (const entry of before) {
      if (entry.kind === 'error' || entry.kind === 'decodeFailed') return false;
      if (entry.kind !== 'step' || entry.chart !== 'protocol') continue;
      const isDone = entry.commands.some((command) => (command as Message).type === 'CLOSE');
      const { reason } = (this.recording.entries[index] as Step).event as { reason?: string };
      return !isDone && reason !== 'protocol done' && reason !== 'limit' && reason !== 'slow reader';
    }
    return true;
  }

  #do(atMs: number, action: ScenarioAction): void {
    const last = this.#moment;
    const previous = last.actions.at(-1);
    const at = Math.round(atMs);
    if (at <= last.atMs && previous?.kind === 'send' && action.kind === 'send') {
      last.actions[last.actions.length - 1] = { kind: 'send', messages: [...previous.messages, ...action.messages] };
      return;
    }
    this.#moments.push({ atMs: Math.max(at, last.atMs + 1), actions: [action], state: this.#state, received: [] });
  }
}

/** Plays it. @returns what was not to be seen, or `undefined` when all was */
export async function mismatchOf(scenario: Scenario, protocol: AnyProtocol): Promise<string | undefined> {
  let world: World | undefined;
  try {
    world = createWorld();
    const mismatch = await play(scenario, protocol, world);
    await world.end();
    return mismatch;
  } catch (error) {
    return (error as Error).message.split('\n')[0];
  }
}

async function play(scenario: Scenario, protocol: AnyProtocol, world: World): Promise<string | undefined> {
  const { moments, answersFin, lastMs, end, isAsync } = scenario;
  const { ids, ...options } = scenario.server;
  const server = await world.server(protocol, { ...options, ...(ids !== undefined && { ids: () => ids }) });
  const peer = world.peer(server, { answersFin });
  world.runUntil(() => server.sessions.size > 0);
  const [session] = server.sessions;
  for (const [index, { atMs, actions, state, received }] of moments.entries()) {
    for (const action of actions) act(action, { peer, session: session!, server });
    const next = moments[index + 1];
    const forMs = next ? next.atMs - atMs : lastMs;
    if (isAsync) await world.advanceByAsync(forMs);
    else world.advanceBy(forMs);
    const seen = peer.received.splice(0);
    if (!isSameData(seen, received)) return `after ${atMs} ms the peer receives something else`;
    if (state !== undefined && !isSameData(session!.protocolSnapshot.value, state))
      return `after ${atMs} ms the chart is in another state`;
  }
  if (end && !isSameData(pick(server.sessions.recent[0]), end)) return 'the session ends in another way';
  return undefined;
}

function act(
  action: ScenarioAction,
  {
    peer,
    session,
    server,
  }: {
    peer: ReturnType<World['peer']>;
    session: Session;
    server: TcpServer;
  },
): void {
  switch (action.kind) {
    case 'send':
      return peer.send(...action.messages);
    case 'write':
      return peer.write(action.bytes);
    case 'end':
      return peer.end();
    case 'reset':
      return peer.reset();
    case 'dispatch':
      return session.dispatch(action.event);
    case 'close':
      return session.close(action.option, action.reason);
    case 'drain':
      void server.stop();
  }
}

function pick(record: { reason: string; option: CloseOption; closedBy: 'fin' | 'rst' } | undefined): unknown {
  return record && { reason: record.reason, option: record.option, closedBy: record.closedBy };
}
