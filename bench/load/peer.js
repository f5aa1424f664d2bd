/**
 * One client connection. A request is some frames in one write; what comes back must be the same bytes, and nothing
 * else, before the next request goes out. Frames carry a number that changes, so an answer to an earlier request is not
 * taken for this one's.
 */
import net from 'node:net';

const HEADER_BYTES = 4;

/** What went on since it was last asked for. `bad`: wrong answers; `lost`: frames without an answer, connections that failed. */
export class Counts {
  frames = 0;
  sessions = 0;
  bad = 0;
  lost = 0;
  /** @type {string | undefined} */
  firstError;

  /** @param {string} what */
  failed(what) {
    this.lost += 1;
    this.firstError ??= what;
  }
}

/** @typedef {object} PeerOwner
 *  @property {Counts} counts
 *  @property {number} port
 *  @property {(peer: Peer) => void} opened Connected; nothing is sent yet.
 *  @property {(peer: Peer) => void} answered The whole request is.
 *  @property {(peer: Peer) => void} closed For good, by whomever. Also told when it could not be opened. */

export class Peer {
  /** A request is under way. */
  waiting = false;
  isOpen = false;
  /** Its end is no fault. */
  mayClose = false;
  #owner;
  #frames;
  #frameBytes;
  #request;
  #received = 0;
  #number = 0;
  /** @type {net.Socket | undefined} */
  #socket;

  /** @param {PeerOwner} owner @param {{ frames: number, payloadBytes: number, seed: number }} request */
  constructor(owner, { frames, payloadBytes, seed }) {
    this.#owner = owner;
    this.#frames = frames;
    this.#frameBytes = HEADER_BYTES + payloadBytes;
    this.#request = Buffer.alloc(frames * this.#frameBytes);
    for (let at = 0; at < this.#request.length; at += 1) this.#request[at] = seed * 31 + at * 7;
    for (let frame = 0; frame < frames; frame += 1) {
      this.#request.writeUInt32BE(payloadBytes, frame * this.#frameBytes);
    }
  }

  /** @param {string | undefined} localAddress */
  connect(localAddress) {
    const owner = this.#owner;
    this.waiting = this.mayClose = false;
    const address = localAddress === undefined ? {} : { localAddress };
    const socket = net.connect({ host: '127.0.0.1', port: owner.port, noDelay: true, ...address });
    this.#socket = socket;
    socket.on('connect', () => {
      this.isOpen = true;
      owner.opened(this);
    });
    socket.on('data', (/** @type {Buffer} */ chunk) => this.#take(chunk));
    socket.on('error', (error) => {
      if (!this.mayClose) owner.counts.firstError ??= error.message;
    });
    socket.on('close', () => {
      this.isOpen = false;
      if (this.waiting) owner.counts.lost += this.#frames - Math.floor(this.#received / this.#frameBytes);
      else if (!this.mayClose) owner.counts.failed('a connection ended that nobody had ended');
      this.waiting = false;
      owner.closed(this);
    });
  }

  send() {
    this.#number = (this.#number + 1) >>> 0;
    for (let at = HEADER_BYTES; at < this.#request.length; at += this.#frameBytes) {
      this.#request.writeUInt32BE(this.#number, at);
    }
    this.#received = 0;
    this.waiting = true;
    this.#socket?.write(this.#request);
  }

  end() {
    this.mayClose = true;
    this.#socket?.end();
  }

  reset() {
    this.mayClose = true;
    this.#socket?.resetAndDestroy();
  }

  /** @param {Buffer} chunk */
  #take(chunk) {
    const end = this.#received + chunk.length;
    const isRight =
      this.waiting &&
      end <= this.#request.length &&
      this.#request.compare(chunk, 0, chunk.length, this.#received, end) === 0;
    if (!isRight) {
      this.#owner.counts.bad += 1;
      this.reset(); // what follows would be wrong too, and must not be counted as speed
      return;
    }
    this.#received = end;
    if (end < this.#request.length) return;
    this.waiting = false;
    this.#owner.counts.frames += this.#frames;
    this.#owner.answered(this);
  }
}
