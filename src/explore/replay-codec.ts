/** The codecs' part of a replay: bytes of a recording go in again, and what comes out has to be what came out then. */
import { ByteQueue } from '../codec/byte-queue.js';
import { isPeerError, type Codec } from '../codec/codec.js';
import { Elided } from '../inspect/plain-data.js';
import type { Checkpoint, RecordedBytes, RecordingEntry } from '../inspect/recording.js';
import type { AnyProtocol } from '../session/protocol.js';
import { Difference } from './replay-difference.js';

type CodecEntry = Extract<RecordingEntry, { kind: 'received' | 'decoded' | 'decodeFailed' | 'encoded' | 'codec' }>;

export class ReplayedCodec {
  /** Messages that were compared. */
  count = 0;
  /** Some bytes were not kept, so that it could not be played up to the next checkpoint. */
  hasLostBytes = false;
  /** `undefined`: bytes are missing, until the next checkpoint. */
  #codec: Codec | undefined;
  #input = new ByteQueue();
  #hasEnded = false;

  constructor(
    private readonly protocol: AnyProtocol,
    private readonly isSame: (expected: unknown, actual: unknown) => boolean,
  ) {}

  goOnFrom({ name, state }: Checkpoint['codec'], input: RecordedBytes): void {
    if (this.#codec) return;
    const codec = this.#use(name);
    this.#input = new ByteQueue();
    this.#take(input);
    if (state !== undefined) codec.restore?.(state);
  }

  play(entry: CodecEntry): void {
    switch (entry.kind) {
      case 'received':
        return this.#take(entry.bytes);
      case 'decoded':
        return this.decoded(entry.message, entry.atEnd === true);
      case 'decodeFailed':
        return this.#decodeFailed(entry.error, entry.atEnd === true);
      case 'encoded':
        return this.#encoded(entry.message, entry.bytes);
      case 'codec':
        this.#use(entry.name);
    }
  }

  decoded(expected: unknown, atEnd: boolean): void {
    if (!this.#codec) return;
    const actual = this.#next(atEnd);
    if (!this.isSame(expected, actual)) throw new Difference('decoded message', expected, actual);
    this.count += 1;
  }

  /** It wants more bytes, as it did then. */
  isStarved(): void {
    if (!this.#codec || this.#hasEnded) return;
    const actual = this.#next(false);
    if (actual !== undefined) throw new Difference('decoded message', undefined, actual);
  }

  /** The end of the bytes gave no message, if nothing was recorded of it. */
  hasEnded(): void {
    if (!this.#codec || this.#hasEnded) return;
    const actual = this.#next(true);
    if (actual !== undefined) throw new Difference('decoded message', undefined, actual);
  }

  /** @returns a message, or what was thrown instead */
  #next(atEnd: boolean): unknown {
    this.#hasEnded ||= atEnd;
    try {
      return atEnd ? this.#codec!.end(this.#input) : this.#codec!.decode(this.#input);
    } catch (error) {
      return error;
    }
  }

  #decodeFailed(expected: unknown, atEnd: boolean): void {
    if (!this.#codec) return;
    const actual = this.#next(atEnd);
    const { name, code } = (expected ?? {}) as { name?: unknown; code?: unknown };
    const isSame = name === 'PeerError' ? isPeerError(actual) && actual.code === code : !isPeerError(actual);
    if (!isSame) throw new Difference('decoded message', expected, actual);
    this.#codec = undefined; // the stream is lost
  }

  #encoded(message: unknown, bytes: RecordedBytes): void {
    if (!this.#codec || !(bytes instanceof Uint8Array)) return;
    let actual: unknown;
    try {
      actual = this.#codec.encode(message as never);
    } catch (error) {
      actual = error;
    }
    if (!this.isSame(bytes, actual)) throw new Difference('encoded bytes', bytes, actual);
    this.count += 1;
  }

  #take(bytes: RecordedBytes): void {
    if (bytes instanceof Uint8Array) this.#input.push(bytes.slice());
    else if (bytes instanceof Elided || bytes.byteLength > 0) {
      this.hasLostBytes = true;
      this.#codec = undefined;
    }
  }

  #use(name: string): Codec {
    const codecs = this.protocol.codecs as Record<string, () => Codec>;
    if (!Object.hasOwn(codecs, name)) throw new Difference('codec', name, undefined);
    return (this.#codec = codecs[name]!());
  }
}
