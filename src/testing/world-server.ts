/** One server of a world, and the watch over its sessions. */
import { Subscription } from 'rxjs';
import type { ScriptedPeer } from '../explore/peer.js';
import type { TcpServer, TcpServerOptions } from '../server.js';
import type { RuntimeError } from '../session/errors.js';
import { stateKey } from '../session/live-session.js';
import { parseSessionOptions, withDefaults } from '../session/options.js';
import type { AnyProtocol } from '../session/protocol.js';
import type { RegistryChange } from '../session/registry.js';
import type { ServerEvent } from '../session/runtime.js';
import type { Session } from '../session/session.js';
import type { SessionTap } from '../session/tap.js';
import type { ListenAddress, SocketLayer } from '../socket/socket-layer.js';
import type { Codec } from '../codec/codec.js';
import { ExpectedMessages } from './expected-messages.js';
import { StreamCheck } from './stream-check.js';
import { WatchedSession } from './watched-session.js';

export interface WorldServerParts {
  readonly host: string;
  readonly layer: SocketLayer;
  readonly protocol: AnyProtocol;
  readonly now: () => number;
  readonly stalledMs: () => number;
  /** All peers of the world that are not over. */
  readonly peers: () => Iterable<ScriptedPeer>;
  readonly note: (text: string) => void;
  readonly broken: (property: string, session?: string) => void;
}

/** What a peer has sent, as its session must get it. */
interface FromPeer {
  readonly incoming: StreamCheck;
  readonly expected: ExpectedMessages | undefined;
}

export class WorldServer {
  server!: TcpServer;
  readonly #parts: WorldServerParts;
  readonly #sessions = new Map<string, WatchedSession>();
  readonly #fromPeers = new Map<ScriptedPeer, FromPeer>();
  /** By the peer: also of sessions that have ended while their peer has not. */
  readonly #byPeer = new Map<ScriptedPeer, WatchedSession>();
  readonly #states = new Map<string, string>();
  readonly #wires = new Subscription();
  #closeTimeoutMs = 0;
  #waitTimeoutMs = 0;

  constructor(parts: WorldServerParts) {
    this.#parts = parts;
  }

  get host(): string {
    return this.#parts.host;
  }

  get layer(): SocketLayer {
    return this.#parts.layer;
  }

  get address(): ListenAddress | undefined {
    const address = this.server.address();
    return address && { host: address.address, port: address.port };
  }

  /** Subscriptions to its public streams, without the watch's own. */
  get subscriptions(): number {
    const { events, errors, state, statistics, sessions } = this.server;
    const all = [events, errors, state, statistics, sessions.changes].reduce(
      (sum, { subscriberCount }) => sum + subscriberCount,
      0,
    );
    return all - (this.#wires.closed ? 0 : WATCHED_STREAMS);
  }

  get initialCodec(): () => Codec<any, any> {
    const { codecs, initialCodec } = this.#parts.protocol;
    return (codecs as Record<string, () => Codec<any, any>>)[initialCodec as string]!;
  }

  watch(server: TcpServer, options: Omit<TcpServerOptions, 'time' | 'layer'>): void {
    this.server = server;
    const known = withDefaults(this.#parts.protocol.options, options);
    const { closeTimeoutMs, waitTimeoutMs } = parseSessionOptions(known, 'server');
    this.#closeTimeoutMs = closeTimeoutMs;
    this.#waitTimeoutMs = waitTimeoutMs;
    this.#wires.add(server.events.subscribe((event) => this.#event(event)));
    this.#wires.add(server.sessions.changes.subscribe((change) => this.#changed(change)));
    this.#wires.add(server.errors.subscribe((error) => this.#failed(error)));
  }

  unwatch(): void {
    this.#wires.unsubscribe();
  }

  tapFor(session: Session): SessionTap {
    const { protocol, now, stalledMs } = this.#parts;
    const peer = this.#peerOf(session);
    const from = peer && this.#fromPeers.get(peer);
    const watched = new WatchedSession(session, {
      peer,
      incoming: from?.incoming,
      expected: from?.expected,
      closeTimeoutMs: this.#closeTimeoutMs,
      waitTimeoutMs: this.#waitTimeoutMs,
      now,
      stalledMs,
      decidesItsEnd: protocol.facts?.includes('PEER_END') ?? false,
      broken: (property) => this.#parts.broken(`session ${session.id}: ${property}`, session.id),
    });
    this.#sessions.set(session.id, watched);
    this.#parts.note(`session ${session.id} of ${session.peer.address}:${session.peer.port}`);
    if (peer) this.#byPeer.set(peer, watched);
    return {
      received: (bytes) => watched.received(bytes),
      decoded: (message, atEnd) => watched.decoded(message, atEnd),
      decodeFailed: (error, atEnd) => watched.decodeFailed(error, atEnd),
      encoded: (message, bytes) => watched.encoded(message, bytes),
      ended: (record) => {
        watched.ended(record);
        this.#sessions.delete(session.id);
        this.#states.delete(session.id);
      },
    };
  }

  watchPeer(peer: ScriptedPeer): void {
    const { protocol } = this.#parts;
    const hasOneCodec = Object.keys(protocol.codecs as object).length === 1;
    const expected = hasOneCodec ? new ExpectedMessages(this.initialCodec()) : undefined;
    const incoming = new StreamCheck();
    this.#fromPeers.set(peer, { incoming, expected });
    peer.events.subscribe({
      next: (event) => {
        if (event.type === 'SENT') {
          incoming.sent(event.bytes);
          expected?.sent(event.bytes);
        }
        if (event.type === 'BYTES') this.#arrived(peer, event.bytes);
      },
      complete: () => {
        this.#fromPeers.delete(peer);
        this.#byPeer.delete(peer);
      },
    });
  }

  peerEnded(peer: ScriptedPeer): void {
    this.#byPeer.get(peer)?.peerEnded();
  }

  /** Sessions that are on their way out. */
  closing(): readonly WatchedSession[] {
    return [...this.#sessions.values()].filter(({ isClosing }) => isClosing);
  }

  /** Whatever can be looked at without an event. */
  look(): void {
    for (const watched of this.#sessions.values()) watched.look();
    const { size } = this.server.sessions;
    if (size === this.#sessions.size) return;
    this.#parts.broken(
      `the registry of ${this.#parts.protocol.name} has ${size} sessions, and ${this.#sessions.size} live`,
    );
  }

  #arrived(peer: ScriptedPeer, bytes: Uint8Array): void {
    const problem = this.#byPeer.get(peer)?.outgoing.arrived(bytes);
    if (problem === undefined) return;
    const { id } = this.#byPeer.get(peer)!.session;
    this.#parts.broken(`what the peer of session ${id} reads is not what the session sent: ${problem}`, id);
  }

  #event({ session, event }: ServerEvent): void {
    if (session) this.#watchedOf(session)?.event(event);
  }

  #changed(change: RegistryChange): void {
    const { session } = change;
    if (change.type === 'added') return; // it is watched from its tap on, which comes next
    if (change.type === 'removed') {
      const { reason, closedBy } = change.record;
      return this.#parts.note(`session ${session.id} ended: ${reason}, by ${closedBy}`);
    }
    const state = `${stateText(session.transportState)} ${stateKey(session.protocolSnapshot)}`;
    if (this.#states.get(session.id) === state) return;
    this.#states.set(session.id, state);
    this.#parts.note(`session ${session.id} ${state}`);
    this.#watchedOf(session)?.moved();
  }

  #failed({ code, message, session }: RuntimeError): void {
    this.#parts.note(`error ${code} ${session ?? '-'} ${message}`);
    if (code === 'INTERNAL') {
      this.#parts.broken(`a fault of our own${session ? ` in session ${session}` : ''}: ${message}`, session);
    }
  }

  #watchedOf(session: Session): WatchedSession | undefined {
    const watched = this.#sessions.get(session.id);
    if (watched?.session === session) return watched;
    this.#parts.broken(`session ${session.id} is told of something, and does not live`, session.id);
    return undefined;
  }

  #peerOf({ peer }: Session): ScriptedPeer | undefined {
    for (const one of this.#fromPeers.keys()) {
      if (this.#byPeer.has(one)) continue;
      const { address } = one;
      if (address?.port === peer.port && address.address === peer.address) return one;
    }
    return undefined;
  }
}

/** `server.events`, `sessions.changes`, `errors`. */
const WATCHED_STREAMS = 3;

function stateText(value: Session['transportState']): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
