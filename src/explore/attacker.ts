/** One hostile connection: what its script may do with it, and how it ended. */
import type { PeerEvent, ScriptedPeer } from './peer.js';

/**
 * How a connection ended. `fin`, `rst`: by the server's, whoever began (an RST after its FIN counts as RST); `self`: by our own RST; `refused`: it never
 * was one; `open`: it has not.
 */
export type AttackerEnding = 'open' | 'fin' | 'rst' | 'self' | 'refused';

export interface AttackerOptions {
  /** Bytes that it may send in all. */
  readonly bytesMax: number;
  readonly sent: (byteLength: number) => void;
  readonly ended: (ending: AttackerEnding) => void;
}

/** Beyond it the peer's own queue would grow while the server reads slowly: the memory of the attacked is what is looked at, not ours. */
const QUEUE_BYTES_MAX = 65_536;

export class Attacker {
  readonly #peer: ScriptedPeer;
  readonly #options: AttackerOptions;
  readonly #wire: { unsubscribe(): void };
  #bytesSent = 0;
  #hasReset = false;
  #serverEnded = false;
  #isOver = false;
  #onConnected: (() => void) | undefined;
  #onEnded: (() => void) | undefined;
  #onServerEnd: (() => void) | undefined;

  constructor(peer: ScriptedPeer, options: AttackerOptions) {
    this.#peer = peer;
    this.#options = options;
    this.#wire = peer.events.subscribe({ next: (event) => this.#look(event), complete: () => this.#end('refused') });
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  get bytesSent(): number {
    return this.#bytesSent;
  }

  /** @returns whether the bytes were sent: not before the connection is there, beyond its bound, or while the server takes too little. */
  write(bytes: Uint8Array): boolean {
    const { layer, socket } = this.#peer;
    if (this.#isOver || this.#hasReset || this.#peer.state === 'connecting') return false;
    if (this.#bytesSent + bytes.byteLength > this.#options.bytesMax) return false;
    if (layer.queuedBytes(socket) > QUEUE_BYTES_MAX) return false;
    this.#bytesSent += bytes.byteLength;
    this.#options.sent(bytes.byteLength);
    this.#peer.write(bytes);
    return true;
  }

  /** FIN behind what was sent. */
  finish(): void {
    this.#peer.end();
  }

  /** RST at once. */
  reset(): void {
    this.#hasReset = true;
    this.#peer.reset();
  }

  resume(): void {
    this.#peer.resume();
  }

  pause(): void {
    this.#peer.pause();
  }

  whenConnected(work: () => void): void {
    this.#onConnected = work;
  }

  /** The server's FIN has come. */
  whenServerEnds(work: () => void): void {
    this.#onServerEnd = work;
  }

  whenEnded(work: () => void): void {
    this.#onEnded = work;
  }

  /** Of `AttackRun` alone: the attack is over, and nobody is told how this one ends. */
  abandon(): void {
    this.#isOver = true;
    this.#wire.unsubscribe();
    this.#peer.reset();
  }

  #look(event: PeerEvent): void {
    if (event.type === 'CONNECT') this.#onConnected?.();
    if (event.type === 'END') {
      this.#serverEnded = true;
      this.#onServerEnd?.();
    }
    if (event.type !== 'CLOSE') return;
    if (this.#hasReset) this.#end(this.#serverEnded ? 'fin' : 'self');
    else this.#end(event.closedBy);
  }

  #end(ending: AttackerEnding): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#options.ended(ending);
    this.#onEnded?.();
  }
}
