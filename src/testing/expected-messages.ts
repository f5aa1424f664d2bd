/**
 * What a session must decode: the same bytes, given to a second codec of the same kind, in as large a piece as there is. However the
 * network cuts them, the session's codec must come to the same messages in the same order. Only for protocols with one codec: which
 * bytes a second one gets is the chart's word, and that chart is what is being tested.
 *
 * The second codec decodes as late as it can, when the session has decoded something: so it sees whole frames where the session saw pieces.
 */
import { ByteQueue } from '../codec/byte-queue.js';
import type { Codec, Message } from '../codec/codec.js';
import { checkEvent, RESERVED_EVENTS } from '../session/protocol.js';
import { isSameData } from './same-data.js';

export class ExpectedMessages {
  readonly #codec: Codec;
  readonly #queue = new ByteQueue();
  readonly #messages: Message[] = [];
  #count = 0;
  #hasFailed = false;

  constructor(codec: Codec) {
    this.#codec = codec;
  }

  /** Messages that were sent whole, and not decoded by the session. */
  get pendingCount(): number {
    this.#decode();
    return this.#messages.length;
  }

  sent(bytes: Uint8Array): void {
    if (!this.#hasFailed) this.#queue.push(bytes.slice());
  }

  /** @returns what is wrong; `undefined` when it is the next one. */
  decoded(message: Message, atEnd: boolean): string | undefined {
    if (this.#messages.length === 0) this.#decode();
    if (this.#messages.length === 0 && atEnd) this.#end();
    const expected = this.#messages.shift();
    this.#count += 1;
    if (expected === undefined) return `message ${this.#count}, ${shown(message)}, was never sent`;
    if (isSame(message, expected)) return undefined;
    return `message ${this.#count} is ${shown(message)}, and was sent as ${shown(expected)}`;
  }

  /** The session's codec threw. @returns what is wrong with that. */
  failed(atEnd: boolean): string | undefined {
    this.#decode();
    if (this.#messages.length === 0 && (this.#hasFailed || atEnd)) return undefined;
    return `message ${this.#count + 1} could not be decoded, and was sent as ${shown(this.#messages[0])}`;
  }

  #decode(): void {
    if (this.#hasFailed) return;
    try {
      for (let next = this.#codec.decode(this.#queue); next !== undefined; next = this.#codec.decode(this.#queue)) {
        this.#messages.push(acceptable(next));
      }
    } catch {
      this.#hasFailed = true;
    }
    this.#queue.settle();
  }

  #end(): void {
    if (this.#hasFailed) return;
    try {
      const last = this.#codec.end(this.#queue);
      if (last !== undefined) this.#messages.push(acceptable(last));
    } catch {
      this.#hasFailed = true;
    }
  }
}

/** @throws {TypeError} for what a session takes from no codec: it ends there. */
function acceptable(message: Message): Message {
  checkEvent(message, 'decode returned');
  if (RESERVED_EVENTS.has(message.type)) throw new TypeError(`decode returned ${message.type}`);
  return message;
}

/** What is nested too deep for the stack is left unjudged: nothing may be thrown here. */
function isSame(message: Message, expected: Message): boolean {
  try {
    return isSameData(message, expected);
  } catch (error) {
    if (error instanceof RangeError) return true;
    throw error;
  }
}

function shown(message: unknown): string {
  const text = JSON.stringify(message, (_, value: unknown) => {
    if (typeof value === 'bigint') return `${value}n`;
    return value instanceof Uint8Array ? `${value.byteLength} bytes` : value;
  });
  return text === undefined || text.length <= 200 ? String(text) : `${text.slice(0, 200)}...`;
}
