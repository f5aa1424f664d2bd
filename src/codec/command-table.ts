import type { ByteQueue } from './byte-queue.js';
import { type FieldDescription, type Message, PeerError } from './codec.js';
import type { Field, IntegerField } from './fields.js';
import { show } from './options.js';
import { limited } from './variable-fields.js';

/** One command of a table. */
export interface CommandDefinition {
  /** The number that stands in the header. */
  readonly command: number;
  /** The payload's fields in their order; left out, the payload is empty. A name of digits would change that order and is refused. */
  readonly fields?: Readonly<Record<string, Field<any>>>;
}

/** Commands by message type. */
export type CommandTable = Readonly<Record<string, CommandDefinition>>;

/**
 * The commands of a table, ready to read and write.
 * @throws {RangeError} a command that does not fit into its header, or fields that never fit into a payload.
 * @throws {TypeError} a command that stands there twice, a name that is not allowed, or a field behind one that takes whatever is left.
 */
export function compileTable(
  direction: 'in' | 'out',
  table: CommandTable,
  header: IntegerField,
  maxPayloadBytes: number,
): Layout[] {
  const seen = new Map<number, string>();
  return Object.entries(table).map(([type, { command, fields = {} }]) => {
    checkType(type);
    if (!Number.isInteger(command) || command < header.min || command > header.max) {
      throw new RangeError(`command of ${type} is ${show(command)}, expected ${header.min} to ${header.max}`);
    }
    const other = seen.get(command);
    if (other !== undefined)
      throw new TypeError(`${type} and ${other} of the table "${direction}" are both command ${command}`);
    seen.set(command, type);
    return new Layout(type, command, fields, maxPayloadBytes);
  });
}

/** How one command's payload is laid out. */
export class Layout {
  readonly descriptions: Readonly<Record<string, FieldDescription>>;
  readonly #names: readonly string[];
  readonly #fields: readonly Field<any>[];
  /** What errors call each field: its message and its name. */
  readonly #labels: readonly string[];

  constructor(
    readonly type: string,
    readonly command: number,
    fields: Readonly<Record<string, Field<any>>>,
    maxPayloadBytes: number,
  ) {
    this.#names = Object.keys(fields);
    this.#fields = Object.values(fields);
    this.#labels = this.#names.map((name) => `${name} of ${type}`);
    this.#names.forEach((name) => checkFieldName(type, name));
    const tooEarly = this.#fields.findIndex((field, i) => field.takesRest && i < this.#fields.length - 1);
    if (tooEarly !== -1)
      throw new TypeError(`${this.#labels[tooEarly]} takes all that is left, expected it to be the last field`);
    const minBytes = this.#fields.reduce((sum, field) => sum + field.minBytes, 0);
    if (minBytes > maxPayloadBytes) {
      throw new RangeError(`fields of ${type} take ${minBytes} bytes, expected at most ${maxPayloadBytes}`);
    }
    // Each bound holds for its field alone: several long values of one message may still be above the frame limit together.
    const room = maxPayloadBytes - minBytes;
    this.descriptions = Object.fromEntries(
      Object.entries(fields).map(([name, { description }]) => {
        const min = 'min' in description ? Number(description.min) : 0;
        return [name, limited(description, room + min, min)];
      }),
    );
  }

  /** The message in the `length` bytes at `offset`, which are all there. Takes nothing off the queue. */
  read(buffer: ByteQueue, offset: number, length: number): Message {
    const message: Record<string, unknown> & { type: string } = { type: this.type };
    const end = offset + length;
    let at = offset;
    for (let i = 0; i < this.#fields.length; i++) {
      const field = this.#fields[i]!;
      const label = this.#labels[i]!;
      const size = field.measure(buffer, at, end - at, label);
      if (size > end - at) {
        throw new PeerError('FRAME_INVALID', `payload of ${length} bytes ends before the end of ${label}`);
      }
      message[this.#names[i]!] = field.read(buffer, at, size, label);
      at += size;
    }
    if (at < end) throw new PeerError('FRAME_INVALID', `payload of ${this.type} has ${end - at} bytes left over`);
    return message;
  }

  sizeOf(values: Readonly<Record<string, unknown>>): number {
    let size = 0;
    for (let i = 0; i < this.#fields.length; i++) {
      size += this.#fields[i]!.sizeOf(values[this.#names[i]!], this.#labels[i]!);
    }
    return size;
  }

  write(bytes: Uint8Array, offset: number, values: Readonly<Record<string, unknown>>): void {
    let at = offset;
    for (let i = 0; i < this.#fields.length; i++) {
      const field = this.#fields[i]!;
      const value = values[this.#names[i]!];
      const label = this.#labels[i]!;
      field.write(bytes, at, value, label);
      at += field.sizeOf(value, label);
    }
  }
}

const OWN_TYPES = ['UNKNOWN_COMMAND', 'INVALID_PAYLOAD'];

function checkType(type: string): void {
  if (OWN_TYPES.includes(type)) throw new TypeError(`${type} is a message of the codec itself, expected another name`);
  if (/^(xstate\.|done\.|\*$|$)/.test(type)) {
    throw new TypeError(`${show(type)} is a name that charts keep for themselves, expected another one`);
  }
}

function checkFieldName(type: string, name: string): void {
  // An object lists such names first, whatever their place in the definition; `__proto__` would set the message's prototype.
  if (/^\d+$/.test(name) || name === 'type' || name === '__proto__') {
    throw new TypeError(`a field of ${type} is named ${show(name)}, expected another name`);
  }
}
