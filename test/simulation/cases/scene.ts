/**
 * The scene of every case: one example's server in a world, a peer that behaves from beginning to end, and room for those that do not.
 *
 * What a case expects of everybody else is looked at here, once for all of them (`over`): the peer that behaves got each of its answers,
 * in order and within its second; counts are back where they were; each session began once and ended once; the reasons and the reported
 * errors are these, and no others. What a world itself looks at comes on top.
 */
import { interval, Subscription } from 'rxjs';
import { expect } from 'vitest';
import chat from '../../../examples/chat/index.js';
import { COMMANDS } from '../../../examples/media-control/codec.js';
import echo from '../../../examples/echo/index.js';
import media from '../../../examples/media-control/index.js';
import type { Message } from '../../../src/codec/codec.js';
import type { ScriptedPeer } from '../../../src/explore/peer.js';
import type { TcpServer } from '../../../src/server.js';
import type { RuntimeError } from '../../../src/session/errors.js';
import type { AnyProtocol } from '../../../src/session/protocol.js';
import type { Session, SessionRecord } from '../../../src/session/session.js';
import {
  createWorld,
  type World,
  type WorldOptions,
  type WorldPeerOptions,
  type WorldServerOptions,
} from '../../../src/testing/world.js';

/** A protocol in which a peer can ask, numbered, and knows each answer to the byte. */
export interface Example {
  readonly name: string;
  readonly protocol: AnyProtocol;
  /** So much silence of a peer ends its session, in ms. */
  readonly silenceMs: number;
  /** What a peer says first, and what it is told for that and for its coming. */
  hello(who: string): Uint8Array;
  greeting(who: string): Uint8Array;
  request(who: string, n: number): Uint8Array;
  answer(who: string, n: number): Uint8Array;
  /** Something that the server may say by itself, of `byteLength` bytes, and what it is on the wire. */
  message(byteLength: number): Message;
  messageBytes(byteLength: number): Uint8Array;
}

export const text = (line: string): Uint8Array => new TextEncoder().encode(line);
const NOTHING = new Uint8Array(0);

export function joined(...pieces: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(pieces));
}

/** 4 bytes of length and a payload. */
export function frame(payload: Uint8Array, length = payload.byteLength): Uint8Array {
  const bytes = new Uint8Array(4 + payload.byteLength);
  new DataView(bytes.buffer).setUint32(0, length);
  bytes.set(payload, 4);
  return bytes;
}

/** 4 bytes of command, 4 of length, and a payload. */
export function command(number: number, payload: Uint8Array = NOTHING, length = payload.byteLength): Uint8Array {
  const bytes = new Uint8Array(8 + payload.byteLength);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, number);
  view.setUint32(4, length);
  bytes.set(payload, 8);
  return bytes;
}

const echoExample: Example = {
  name: 'echo',
  protocol: echo,
  silenceMs: 6_000,
  hello: () => NOTHING,
  greeting: () => NOTHING,
  request: (who, n) => frame(text(`${who} ${n}`)),
  answer: (who, n) => frame(text(`${who} ${n}`)),
  message: (byteLength) => ({ type: 'FRAME', payload: new Uint8Array(byteLength) }) as Message,
  messageBytes: (byteLength) => frame(new Uint8Array(byteLength)),
};

export const WELCOME = text('* welcome: nick NAME, join ROOM, say TEXT, who, quit\n');

/** Everybody has a room alone: what is said comes back to who said it. */
const chatExample: Example = {
  name: 'chat',
  protocol: chat,
  silenceMs: 300_000,
  hello: (who) => text(`nick ${who}\njoin room-${who}\n`),
  greeting: (who) => joined(WELCOME, text(`* you are ${who}\n* you are in room-${who}\n`)),
  request: (_, n) => text(`say ${n}\n`),
  answer: (who, n) => text(`<${who}> ${n}\n`),
  message: (byteLength) => ({ type: 'LINE', text: 'x'.repeat(byteLength) }) as Message,
  messageBytes: (byteLength) => text(`${'x'.repeat(byteLength)}\n`),
};

const mediaExample: Example = {
  name: 'media-control',
  protocol: media,
  silenceMs: 6_000,
  hello: () => NOTHING,
  greeting: () => NOTHING,
  request: (who, n) => command(COMMANDS.PING, text(`${who} ${n}`)),
  answer: (who, n) => command(COMMANDS.PING | 0x8000, text(`${who} ${n}`)),
  message: (byteLength) => ({ type: 'PONG', payload: new Uint8Array(byteLength) }) as Message,
  messageBytes: (byteLength) => command(COMMANDS.PING | 0x8000, new Uint8Array(byteLength)),
};

/** A protocol that answers each line with itself. */
export function ofLines(name: string, protocol: AnyProtocol): Example {
  const say = (who: string, n: number) => text(`${who} ${n}\n`);
  return {
    ...chatExample,
    name,
    protocol,
    silenceMs: 6_000,
    hello: () => NOTHING,
    greeting: () => NOTHING,
    request: say,
    answer: say,
  };
}

export const EXAMPLES = [echoExample, chatExample, mediaExample];
export { chatExample, echoExample, mediaExample };

/** Peers that ask, and know what they must have heard. */
export class Talker {
  asked = 0;
  #heard: Uint8Array[];
  #heardBytes = 0;

  constructor(
    readonly peer: ScriptedPeer,
    readonly who: string,
    private readonly example: Example,
  ) {
    this.#heard = [];
    this.hears(example.greeting(who));
    const hello = example.hello(who);
    if (hello.byteLength > 0) peer.write(hello);
  }

  /** Requests in one write. */
  ask(count = 1): void {
    this.peer.write(joined(...Array.from({ length: count }, () => this.next())));
  }

  /** The bytes of the next request, for who cuts them; its answer is due. */
  next(): Uint8Array {
    this.asked += 1;
    this.hears(this.example.answer(this.who, this.asked));
    return this.example.request(this.who, this.asked);
  }

  /** The server says this besides. */
  hears(bytes: Uint8Array): void {
    this.#heard.push(bytes);
    this.#heardBytes += bytes.byteLength;
  }

  /** Has so much arrived as is due? */
  get isAnswered(): boolean {
    return this.peer.bytesReceived === this.#heardBytes;
  }

  /** All that was due has arrived, and nothing else. */
  expectAnswers(): void {
    const { bytes } = this.peer;
    const due = joined(...this.#heard);
    expect(`${this.who} hears ${bytes.byteLength} bytes`).toBe(`${this.who} hears ${due.byteLength} bytes`);
    expect(Buffer.from(bytes.peek(bytes.byteLength)).equals(Buffer.from(due))).toBe(true);
  }
}

export interface SceneOptions {
  readonly world?: WorldOptions;
  readonly server?: WorldServerOptions;
}

export interface Outcome {
  /** Codes of what was reported, in order. Default: none. */
  readonly errors?: readonly RuntimeError['code'][];
  /** Of the peer that behaves: seconds whose answer was not there when the next was asked. Default 0. */
  readonly late?: number;
  /** As `late`, but anything up to it is fine. */
  readonly lateMax?: number;
}

export interface Intruder {
  readonly peer: ScriptedPeer;
  readonly session: Session;
}

/** The peer that behaves is answered within so many ms, or its answer is late. */
const ANSWER_MS = 100;

export class Scene {
  readonly errors: RuntimeError[] = [];
  readonly records = new Map<string, SessionRecord>();
  healthy!: Talker;
  /** Seconds in which an answer to the peer that behaves was not there in time. */
  late = 0;
  readonly #starts: Session[] = [];
  readonly #ends: Session[] = [];
  readonly #wires = new Subscription();
  readonly #asking = new Subscription();
  #before: { readonly sessions: number; readonly sockets: number; readonly timers: number } | undefined;
  #names = 0;
  #askedMs = 0;

  constructor(
    readonly example: Example,
    readonly world: World,
    readonly server: TcpServer,
  ) {
    this.#wires.add(server.errors.subscribe((error) => this.errors.push(error)));
    this.#wires.add(
      server.sessions.changes.subscribe((change) => {
        if (change.type === 'added') this.#starts.push(change.session);
        if (change.type !== 'removed') return;
        this.#ends.push(change.session);
        this.records.set(change.record.id, change.record);
      }),
    );
    this.healthy = this.talker();
    world.runUntil(() => this.healthy.isAnswered && server.sessions.size === 1);
    this.#asking.add(interval(1_000, world.time).subscribe(() => this.#askOnce()));
    this.#before = this.counts;
  }

  get counts() {
    const { sessions, sockets, timers } = this.world.pending;
    return { sessions, sockets, timers };
  }

  /** The session of a peer; it lives. */
  sessionOf({ address }: ScriptedPeer): Session | undefined {
    return [...this.server.sessions].find(
      ({ peer }) => peer.port === address?.port && peer.address === address.address,
    );
  }

  /** A peer that says nothing unless told to, with its session. */
  intrude(options: WorldPeerOptions = {}): Intruder {
    const peer = this.world.peer(this.server, { codec: false, ...options });
    this.world.runUntil(() => this.sessionOf(peer) !== undefined, { withinMs: 10_000 });
    return { peer, session: this.sessionOf(peer)! };
  }

  /** A peer that asks when it is told to. */
  talker(options: WorldPeerOptions = {}): Talker {
    this.#names += 1;
    return new Talker(this.world.peer(this.server, { codec: false, ...options }), `p${this.#names}`, this.example);
  }

  /** One that asks, with its session, when it was greeted. */
  intrudeAsTalker(options: WorldPeerOptions = {}): Intruder & { readonly talker: Talker } {
    const talker = this.talker(options);
    this.world.runUntil(() => talker.isAnswered && this.sessionOf(talker.peer) !== undefined, { withinMs: 10_000 });
    return { talker, peer: talker.peer, session: this.sessionOf(talker.peer)! };
  }

  /** How a session has ended. */
  recordOf({ id }: Session): SessionRecord | undefined {
    return this.records.get(id);
  }

  /** Offenders are gone, everybody else is as before. */
  expectOthersUnharmed(): void {
    this.#askOnce();
    this.world.advanceBy(999);
    this.healthy.expectAnswers();
    expect(this.counts).toEqual(this.#before);
  }

  /** @param reasons how the sessions of the offenders have ended, counted */
  async over(reasons: Readonly<Record<string, number>>, outcome: Outcome = {}): Promise<void> {
    const { errors = [], late = 0, lateMax = late } = outcome;
    const { world, healthy } = this;
    this.expectOthersUnharmed();
    this.#asking.unsubscribe();
    healthy.peer.end();
    world.advanceBy(1_000);
    expect(healthy.peer.closedBy).toBe('fin');
    const { 'peer closed': closed = 0 } = reasons;
    expect(world.reasons).toEqual({ ...reasons, 'peer closed': closed + 1 });
    this.#expectOneEndEach();
    expect(this.errors.map(({ code }) => code)).toEqual(errors);
    expect(this.late).toBeLessThanOrEqual(lateMax);
    if (outcome.lateMax === undefined) expect(this.late).toBe(late);
    this.#wires.unsubscribe();
    await world.end();
  }

  #expectOneEndEach(): void {
    const ended = new Set(this.#ends);
    expect(ended.size).toBe(this.#ends.length);
    expect(this.#starts.length).toBe(this.#ends.length);
    expect(this.#starts.every((session) => ended.has(session))).toBe(true);
  }

  #askOnce(): void {
    const { healthy, world } = this;
    if (!healthy.isAnswered && world.time.now() - this.#askedMs >= ANSWER_MS) this.late += 1;
    this.#askedMs = world.time.now();
    healthy.ask();
  }
}

/** 5 ms away, unless the world says otherwise: so that what is on its way can be seen. */
export async function makeScene(example: Example, options: SceneOptions = {}): Promise<Scene> {
  const world = createWorld({ latencyMs: 5, ...options.world });
  const server = await world.server(example.protocol, options.server);
  return new Scene(example, world, server);
}

/** An example's protocol with some of its parts replaced. */
export function partsOf({ protocol }: Example): Record<string, unknown> {
  const { name, codecs, initialCodec, machine, input, handlers, facts, reasons, options, shared } = protocol;
  const parts = { name, codecs, initialCodec, machine, input, handlers, facts, reasons, options, shared };
  return Object.fromEntries(Object.entries(parts).filter(([, part]) => part !== undefined));
}
