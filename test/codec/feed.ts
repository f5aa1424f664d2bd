/** Feeds bytes to a codec as a session does, for the tests of this folder. */
import * as fc from 'fast-check';
import { ByteQueue, type Codec, type Message, PeerError, type PeerErrorCode } from '../../src/codec/index.js';

export interface Fed<In> {
  readonly messages: In[];
  /** The peer's fault that ended the stream. */
  readonly code: PeerErrorCode | undefined;
  readonly error: PeerError | undefined;
  /** Bytes that no message took. */
  readonly left: number;
}

export interface FeedOptions {
  /** Whether the peer's FIN follows the bytes. Default `true`. */
  readonly fin?: boolean;
  /** Makes the codec's successor before each push, which takes over its state as JSON. */
  readonly successor?: () => Codec<any, any>;
  readonly queue?: ByteQueue;
}

export function feed<In extends Message>(
  first: Codec<In, any>,
  chunks: Iterable<Uint8Array>,
  { fin = true, successor, queue = new ByteQueue() }: FeedOptions = {},
): Fed<In> {
  const messages: In[] = [];
  let codec = first;
  const drain = () => {
    for (let message = codec.decode(queue); message !== undefined; message = codec.decode(queue))
      messages.push(message);
    queue.settle();
  };
  try {
    for (const chunk of chunks) {
      if (successor) {
        const next = successor() as Codec<In>;
        if (codec.save) next.restore!(JSON.parse(JSON.stringify(codec.save())));
        codec = next;
      }
      queue.push(chunk);
      drain();
    }
    const last = fin ? codec.end(queue) : undefined;
    if (last) messages.push(last);
    return { messages, code: undefined, error: undefined, left: queue.byteLength };
  } catch (error) {
    if (!(error instanceof PeerError)) throw error;
    return { messages, code: error.code, error, left: queue.byteLength };
  }
}

/** `bytes` cut at `cuts` (any numbers: they are taken modulo the length), each piece a copy in a buffer of its own. */
export function split(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...places].map((from, i) => bytes.slice(from, places[i] ?? bytes.length));
}

export const oneByOne = (bytes: Uint8Array): Uint8Array[] => Array.from(bytes, (byte) => Uint8Array.of(byte));

export function concat(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

export const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

export const cuts: fc.Arbitrary<number[]> = fc.array(fc.nat(400), { maxLength: 12 });

/** A queue that counts the bytes its searches may read. */
export class CountingQueue extends ByteQueue {
  scanned = 0;

  override indexOf(needle: number | Uint8Array, fromOffset = 0): number {
    const found = super.indexOf(needle, fromOffset);
    this.scanned += (found === -1 ? this.byteLength : found) - fromOffset;
    return found;
  }
}
