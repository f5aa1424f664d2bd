import { allocate } from './allocate.js';
import type { ByteQueue } from './byte-queue.js';
import { type Codec, type MessageDescription, PeerError, truncatedUnlessEmpty } from './codec.js';
import { DEFAULT_MAX_FRAME_BYTES } from './length-prefixed.js';
import { checkInteger, checkOneOf, show } from './options.js';
import { restoredCount } from './restored-count.js';
import { decodeUtf8, replaceInvalidUtf8, utf8ByteLength, writeUtf8 } from './utf8.js';

const LF = 0x0a;
const CR = 0x0d;

export interface LineMessage {
  type: 'LINE';
  text: string;
}

export interface LinesOptions {
  /** Longest line without its ending, in bytes of UTF-8, in either direction, above 0. Default 1 048 576. */
  readonly maxFrameBytes?: number;
  /** What ends the lines we send. Default `'\n'`. Decoding takes both, line by line. */
  readonly ending?: '\n' | '\r\n';
  /** A line that is not UTF-8: `'refuse'` it with FRAME_INVALID (default), or `'replace'` the wrong bytes by U+FFFD. */
  readonly invalidUtf8?: 'refuse' | 'replace';
  /**
   * A CR that no LF follows: `'refuse'` it with FRAME_INVALID (default), or `'keep'` it as text. Some programs take it for a line's end,
   * so a line with one inside is a way to smuggle two lines past a filter.
   */
  readonly bareCr?: 'refuse' | 'keep';
  /** Bytes without an ending at the peer's FIN: `'refuse'` them with FRAME_TRUNCATED (default), or `'deliver'` them as a line. */
  readonly lastLine?: 'refuse' | 'deliver';
}

/**
 * Lines of UTF-8 text, ended by LF or CR LF. Keeps how far it has searched, so each session needs its own.
 *
 * ```ts
 * const chat = () => lines({ maxFrameBytes: 512, ending: '\r\n' });
 * chat().encode({ type: 'LINE', text: 'hello' }); // 'hello\r\n'
 * ```
 *
 * Decoding throws FRAME_TOO_LONG once a line without its ending is above the limit. Encoding throws a `TypeError` for text with an ending
 * inside, which would reach the peer as two lines. What was decoded can be encoded again, except that text in which
 * `invalidUtf8: 'replace'` replaced bytes may have grown above the limit.
 * @throws {RangeError} an option out of its range.
 */
export function lines(options: LinesOptions = {}): Codec<LineMessage> {
  const { maxFrameBytes = DEFAULT_MAX_FRAME_BYTES, ending = '\n' } = options;
  const { invalidUtf8 = 'refuse', bareCr = 'refuse', lastLine = 'refuse' } = options;
  return new Lines({
    maxFrameBytes: checkInteger('maxFrameBytes', maxFrameBytes, 1),
    ending: checkOneOf('ending', ending, ['\n', '\r\n']),
    invalidUtf8: checkOneOf('invalidUtf8', invalidUtf8, ['refuse', 'replace']),
    bareCr: checkOneOf('bareCr', bareCr, ['refuse', 'keep']),
    lastLine: checkOneOf('lastLine', lastLine, ['refuse', 'deliver']),
  });
}

class Lines implements Codec<LineMessage> {
  readonly #options: Required<LinesOptions>;
  /** Bytes from the start of the unfinished line that hold no LF. */
  #searched = 0;

  constructor(options: Required<LinesOptions>) {
    this.#options = options;
  }

  get messages(): readonly MessageDescription[] {
    const { maxFrameBytes: max, bareCr } = this.#options;
    const excludes = bareCr === 'keep' ? ['\n'] : ['\n', '\r'];
    return [{ type: 'LINE', direction: 'both', fields: { text: { kind: 'text', max, excludes } } }];
  }

  encode(message: LineMessage): Uint8Array {
    const { ending, bareCr, maxFrameBytes } = this.#options;
    const { type, text } = message;
    if (type !== 'LINE') throw new TypeError(`message is ${show(type)}, expected "LINE"`);
    if (typeof text !== 'string') throw new TypeError(`text of LINE is ${show(text)}, expected a string`);
    if (text.includes('\n') || (bareCr === 'refuse' && text.includes('\r'))) {
      throw new TypeError('text of LINE has a line ending inside: it would arrive as two lines');
    }
    // Before a plain LF, a CR at the text's end would be read as half of the ending.
    const mark = text.endsWith('\r') ? '\r\n' : ending;
    const textBytes = utf8ByteLength(text);
    if (textBytes > maxFrameBytes) {
      throw new TypeError(`text of LINE is above the limit of ${maxFrameBytes} bytes`);
    }
    const bytes = allocate(textBytes + mark.length);
    writeUtf8(bytes, 0, text, textBytes);
    writeUtf8(bytes, textBytes, mark, mark.length);
    return bytes;
  }

  decode(buffer: ByteQueue): LineMessage | undefined {
    const { maxFrameBytes } = this.#options;
    const end = buffer.indexOf(LF, this.#searched);
    if (end === -1) {
      // The last byte may be the CR of the ending.
      if (buffer.byteLength - 1 > maxFrameBytes) throw this.#tooLong();
      this.#searched = buffer.byteLength;
      return undefined;
    }
    const length = end > 0 && buffer.byteAt(end - 1) === CR ? end - 1 : end;
    if (length > maxFrameBytes) throw this.#tooLong();
    return this.#line(buffer, length, end + 1);
  }

  end(buffer: ByteQueue): LineMessage | undefined {
    const left = buffer.byteLength;
    if (left === 0 || this.#options.lastLine === 'refuse') return truncatedUnlessEmpty(buffer);
    const length = buffer.byteAt(left - 1) === CR ? left - 1 : left;
    if (length > this.#options.maxFrameBytes) throw this.#tooLong();
    return this.#line(buffer, length, left);
  }

  save(): unknown {
    return { searched: this.#searched };
  }

  restore(state: unknown): void {
    this.#searched = restoredCount(state, 'searched');
  }

  #line(buffer: ByteQueue, length: number, taken: number): LineMessage {
    const { invalidUtf8, bareCr } = this.#options;
    const bytes = buffer.peek(length);
    const text = invalidUtf8 === 'replace' ? replaceInvalidUtf8(bytes) : decodeUtf8(bytes, 'line');
    if (bareCr === 'refuse' && text.includes('\r')) {
      throw new PeerError('FRAME_INVALID', 'line has a CR that no LF follows');
    }
    buffer.skip(taken);
    this.#searched = 0;
    return { type: 'LINE', text };
  }

  #tooLong(): PeerError {
    return new PeerError('FRAME_TOO_LONG', `line is longer than the limit of ${this.#options.maxFrameBytes} bytes`);
  }
}
