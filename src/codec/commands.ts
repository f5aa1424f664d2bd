/**
 * The notes' `RecvInt CMD`: an int says what a frame is, and a table says what that means.
 *
 * The choice here: one definition gives the encoder, the decoder, the messages' types and their description, so that none
 * of them can be forgotten. Fields are read straight off the queue and objects are built field by field; code generation would be
 * faster still, and is given up, because it needs `eval`.
 */
import { allocate } from './allocate.js';
import type { ByteQueue } from './byte-queue.js';
import { type Codec, type Message, PeerError, truncatedUnlessEmpty } from './codec.js';
import type { MessageDescription } from './codec.js';
import { type CommandTable, compileTable, type Layout } from './command-table.js';
import { IntegerField, u32be, type ValueOf } from './fields.js';
import { LengthHeader } from './length-header.js';
import { DEFAULT_MAX_FRAME_BYTES } from './length-prefixed.js';
import { checkBoolean, checkInteger, checkOneOf, show } from './options.js';

export interface CommandsDefinition {
  /** The command in each header. Default `u32be`. */
  readonly command?: IntegerField;
  /** The length that follows it, unsigned. Default `u32be`. */
  readonly length?: IntegerField;
  /** Whether the length counts command and length too. Default `false`: it counts the payload alone. */
  readonly lengthIncludesHeader?: boolean;
  /** Longest payload in either direction, in bytes, above 0. Default 1 048 576. */
  readonly maxFrameBytes?: number;
  /** What the peer sends, by message type. */
  readonly in: CommandTable;
  /** What we send, by message type. */
  readonly out: CommandTable;
  /** A command that is not in the table: `'refuse'` it with FRAME_INVALID (default), or deliver an UNKNOWN_COMMAND `'message'`. */
  readonly unknownCommand?: 'refuse' | 'message';
  /**
   * A payload that is not what the table says: `'refuse'` it with FRAME_INVALID (default), or deliver an INVALID_PAYLOAD `'message'`:
   * its frame is passed over, and the next one is read as usual.
   */
  readonly invalidPayload?: 'refuse' | 'message';
}

export interface UnknownCommandMessage {
  type: 'UNKNOWN_COMMAND';
  command: number;
  payload: Uint8Array;
}

export interface InvalidPayloadMessage {
  type: 'INVALID_PAYLOAD';
  command: number;
  /** What is wrong, in words of the definition and numbers: nothing of the payload's text is in it. */
  reason: string;
}

type FieldsOf<Command> = Command extends { readonly fields: infer Fields } ? Fields : Record<never, never>;
type MessageOf<Type, Fields> = { type: Type } & { -readonly [Name in keyof Fields]: ValueOf<Fields[Name]> };
type Flat<T> = { [Key in keyof T]: T[Key] };

/** The messages of one table, as a union. */
export type MessagesOf<Table> = {
  [Type in keyof Table & string]: Flat<MessageOf<Type, FieldsOf<Table[Type]>>>;
}[keyof Table & string];

/** The messages that a definition decodes. */
export type CommandsIn<D extends CommandsDefinition> =
  | MessagesOf<D['in']>
  | (D extends { readonly unknownCommand: 'message' } ? UnknownCommandMessage : never)
  | (D extends { readonly invalidPayload: 'message' } ? InvalidPayloadMessage : never);

/** A definition as the other end sees it. */
export type PeerOf<D extends CommandsDefinition> =
  Flat<Omit<D, 'in' | 'out'> & { readonly in: D['out']; readonly out: D['in'] }> extends infer P extends
    CommandsDefinition
    ? P
    : never;

export interface CommandsCodec<D extends CommandsDefinition> extends Codec<CommandsIn<D>, MessagesOf<D['out']>> {
  /** The codec of the other end, for clients and tests: `in` and `out` change places, all else is the same. */
  peer(): CommandsCodec<PeerOf<D>>;
}

/**
 * Frames of a command, a length and a payload, as typed messages. Keeps no state: make it once, and hand the same one to all
 * sessions (`() => control`), because making it checks and compiles the tables.
 *
 * ```ts
 * const control = commands({
 *   in: { HELLO: { command: 1, fields: { version: u8.between(1, 2) } }, PING: { command: 8, fields: { payload: bytes() } } },
 *   out: { HELLO_OK: { command: 0x8001, fields: { session: u32be } }, PONG: { command: 0x8008, fields: { payload: bytes() } } },
 *   invalidPayload: 'message',
 * });
 * control.encode({ type: 'HELLO_OK', session: 7 }); // 0, 0, 0x80, 1, 0, 0, 0, 4, 0, 0, 0, 7
 * control.peer().encode({ type: 'HELLO', version: 2 }); // what a client sends
 * type In = MessageIn<typeof control>; // { type: 'HELLO'; version: number } | ... | InvalidPayloadMessage
 * ```
 *
 * Fields follow each other in the order of the definition. Too few bytes for them, bytes left over and values out of range
 * make a payload invalid. A message's type is always a name of the definition, never a word of the peer. Decoding throws FRAME_TOO_LONG,
 * FRAME_INVALID and FRAME_TRUNCATED as `lengthPrefixed` does, and FRAME_INVALID for what is refused.
 * @throws {RangeError} an option out of its range, or a command that does not fit into its header.
 * @throws {TypeError} a table with a command twice, a name that is not allowed, or a field behind one that takes whatever is left.
 */
export function commands<const D extends CommandsDefinition>(definition: D): CommandsCodec<D> {
  return new Commands(definition) as unknown as CommandsCodec<D>;
}

class Commands implements Codec {
  readonly messages: readonly MessageDescription[];
  readonly #definition: CommandsDefinition;
  readonly #command: IntegerField;
  readonly #length: LengthHeader;
  readonly #headerBytes: number;
  readonly #byCommand: ReadonlyMap<number, Layout>;
  readonly #byType: ReadonlyMap<string, Layout>;
  readonly #deliversUnknown: boolean;
  readonly #deliversInvalid: boolean;
  #peer: Commands | undefined;

  constructor(definition: CommandsDefinition) {
    const { command = u32be, length = u32be, lengthIncludesHeader = false } = definition;
    const {
      maxFrameBytes = DEFAULT_MAX_FRAME_BYTES,
      unknownCommand = 'refuse',
      invalidPayload = 'refuse',
    } = definition;
    if (!(command instanceof IntegerField)) throw new TypeError('command is no integer field');
    if (!(length instanceof IntegerField) || length.signed) throw new TypeError('length is no unsigned integer field');
    this.#definition = definition;
    this.#command = command;
    this.#headerBytes = command.minBytes + length.minBytes;
    this.#length = new LengthHeader({
      size: length.minBytes,
      littleEndian: length.littleEndian,
      countedBytes: checkBoolean('lengthIncludesHeader', lengthIncludesHeader) ? this.#headerBytes : 0,
      maxPayloadBytes: checkInteger('maxFrameBytes', maxFrameBytes, 1),
    });
    this.#deliversUnknown = checkOneOf('unknownCommand', unknownCommand, ['refuse', 'message']) === 'message';
    this.#deliversInvalid = checkOneOf('invalidPayload', invalidPayload, ['refuse', 'message']) === 'message';
    const received = compileTable('in', definition.in, command, this.#length.maxPayloadBytes);
    const sent = compileTable('out', definition.out, command, this.#length.maxPayloadBytes);
    this.#byCommand = new Map(received.map((layout) => [layout.command, layout]));
    this.#byType = new Map(sent.map((layout) => [layout.type, layout]));
    this.messages = [
      ...received.map(({ type, descriptions: fields }) => ({ type, direction: 'in', fields }) as const),
      ...this.#describeOwnMessages(),
      ...sent.map(({ type, descriptions: fields }) => ({ type, direction: 'out', fields }) as const),
    ];
  }

  peer(): Commands {
    if (this.#peer === undefined) {
      const { in: received, out: sent } = this.#definition;
      this.#peer = new Commands({ ...this.#definition, in: sent, out: received });
      this.#peer.#peer = this;
    }
    return this.#peer;
  }

  encode(message: Message): Uint8Array {
    const layout = this.#byType.get(message.type);
    if (layout === undefined)
      throw new TypeError(`message is ${show(message.type)}, expected a type of the table "out"`);
    const values = message as unknown as Record<string, unknown>;
    const payloadBytes = layout.sizeOf(values);
    if (payloadBytes > this.#length.maxPayloadBytes) {
      throw new TypeError(
        `${layout.type} has ${payloadBytes} bytes, above the limit of ${this.#length.maxPayloadBytes}`,
      );
    }
    const bytes = allocate(this.#headerBytes + payloadBytes);
    this.#command.write(bytes, 0, layout.command, 'command');
    this.#length.write(bytes, this.#command.minBytes, payloadBytes);
    layout.write(bytes, this.#headerBytes, values);
    return bytes;
  }

  decode(buffer: ByteQueue): Message | undefined {
    const headerBytes = this.#headerBytes;
    const available = buffer.byteLength - headerBytes;
    if (available < 0) return undefined;
    const length = this.#length.read(buffer, this.#command.minBytes);
    const command = this.#command.readUnlimited(buffer, 0);
    const layout = this.#byCommand.get(command);
    if (layout === undefined && !this.#deliversUnknown) {
      throw new PeerError('FRAME_INVALID', `command ${command} is not known`);
    }
    if (available < length) return undefined;
    const message =
      layout === undefined ? unknown(buffer, headerBytes, length, command) : this.#read(buffer, length, layout);
    buffer.skip(headerBytes + length);
    return message;
  }

  end(buffer: ByteQueue): undefined {
    return truncatedUnlessEmpty(buffer);
  }

  #read(buffer: ByteQueue, length: number, layout: Layout): Message {
    if (!this.#deliversInvalid) return layout.read(buffer, this.#headerBytes, length);
    try {
      return layout.read(buffer, this.#headerBytes, length);
    } catch (error) {
      if (!(error instanceof PeerError)) throw error;
      const message: InvalidPayloadMessage = {
        type: 'INVALID_PAYLOAD',
        command: layout.command,
        reason: error.message,
      };
      return message;
    }
  }

  #describeOwnMessages(): MessageDescription[] {
    const own: MessageDescription[] = [];
    const { min, max } = this.#command;
    const command = { kind: 'integer', min, max } as const;
    const payload = { kind: 'bytes', max: this.#length.maxPayloadBytes } as const;
    if (this.#deliversUnknown) own.push({ type: 'UNKNOWN_COMMAND', direction: 'in', fields: { command, payload } });
    if (this.#deliversInvalid) {
      own.push({ type: 'INVALID_PAYLOAD', direction: 'in', fields: { command, reason: { kind: 'text' } } });
    }
    return own;
  }
}

function unknown(buffer: ByteQueue, offset: number, length: number, command: number): UnknownCommandMessage {
  return { type: 'UNKNOWN_COMMAND', command, payload: buffer.slice(offset, length) };
}
