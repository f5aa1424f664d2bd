/** `wirechart/codec`: bytes to messages and back, without a socket. */
export { ByteQueue } from './byte-queue.js';
export {
  type Codec,
  type FieldDescription,
  type Message,
  type MessageDescription,
  type MessageIn,
  type MessageOut,
  PeerError,
  type PeerErrorCode,
  truncatedUnlessEmpty,
} from './codec.js';
export type { CommandDefinition, CommandTable } from './command-table.js';
export {
  commands,
  type CommandsCodec,
  type CommandsDefinition,
  type CommandsIn,
  type InvalidPayloadMessage,
  type MessagesOf,
  type PeerOf,
  type UnknownCommandMessage,
} from './commands.js';
export { delimited, type DelimitedOptions } from './delimited.js';
export {
  type BigIntField,
  boolean,
  type Field,
  i16be,
  i16le,
  i32be,
  i32le,
  i64be,
  i64le,
  i8,
  type IntegerField,
  u16be,
  u16le,
  u32be,
  u32le,
  u64be,
  u64le,
  u8,
  type ValueOf,
} from './fields.js';
export { type FrameMessage, lengthPrefixed, type LengthPrefixedOptions } from './length-prefixed.js';
export { type LineMessage, lines, type LinesOptions } from './lines.js';
export { mapped, type Mapping } from './mapped.js';
export { type BytesMessage, raw, type RawOptions } from './raw.js';
export { type PayloadMessage, streamed, type StreamedOptions } from './streamed.js';
export { bytes, prefixed, utf8 } from './variable-fields.js';
