/** Frames: `u32 command, u32 length of the payload, payload`, big-endian. An answer carries its command with bit 15 set. */
import {
  boolean,
  bytes,
  commands,
  u16be,
  u32be,
  u64be,
  u8,
  utf8,
  type MessageIn,
  type MessageOut,
} from 'wirechart/codec';

/** Longest payload, in bytes. */
export const PAYLOAD_BYTES_MAX = 1024 * 1024;
/** Of a STREAM_DATA's payload, what is in front of the frame's bytes: kind, sequence, time. */
export const DATA_HEADER_BYTES = 1 + 4 + 8;

export const COMMANDS = {
  HELLO: 1,
  QOS_ENABLE: 2,
  STREAM_START: 3,
  STREAM_STOP: 4,
  STATS: 5,
  BYE: 6,
  ABORT: 7,
  PING: 8,
} as const;

/** Codes of an ERROR. */
export const ERRORS = { unknownCommand: 1, version: 2, wrongState: 3, badPayload: 4 } as const;

const answerTo = (command: number) => command | 0x8000;
const kind = u8.between(1, 2);

export const mediaCodec = commands({
  in: {
    /** Any version is read, so that a wrong one is answered with its own error. */
    HELLO: { command: COMMANDS.HELLO, fields: { version: u8 } },
    QOS_ENABLE: { command: COMMANDS.QOS_ENABLE, fields: { enabled: boolean } },
    STREAM_START: {
      command: COMMANDS.STREAM_START,
      /** 0 bits per second are allowed, as is any rate below one byte a frame: the frames are empty then. */
      fields: { kind, bitsPerSecond: u32be.between(0, 100_000_000), framesPerSecond: u16be.between(1, 240) },
    },
    STREAM_STOP: { command: COMMANDS.STREAM_STOP, fields: { kind } },
    STATS: { command: COMMANDS.STATS },
    BYE: { command: COMMANDS.BYE },
    ABORT: { command: COMMANDS.ABORT },
    PING: { command: COMMANDS.PING, fields: { payload: bytes() } },
  },
  out: {
    HELLO_OK: { command: answerTo(COMMANDS.HELLO), fields: { session: u32be } },
    QOS_OK: { command: answerTo(COMMANDS.QOS_ENABLE) },
    START_OK: { command: answerTo(COMMANDS.STREAM_START) },
    STOP_OK: { command: answerTo(COMMANDS.STREAM_STOP), fields: { framesSent: u32be, framesDropped: u32be } },
    STATS_OK: { command: answerTo(COMMANDS.STATS), fields: { json: utf8() } },
    BYE_OK: { command: answerTo(COMMANDS.BYE) },
    PONG: { command: answerTo(COMMANDS.PING), fields: { payload: bytes() } },
    STREAM_DATA: { command: 0x100, fields: { kind, sequence: u32be, microseconds: u64be, bytes: bytes() } },
    ERROR: { command: 0xffff, fields: { code: u32be, command: u32be, text: utf8() } },
  },
  maxFrameBytes: PAYLOAD_BYTES_MAX,
  unknownCommand: 'message',
  invalidPayload: 'message',
});

/** The other end's codec, for clients and tests: it encodes what is `in` above and decodes what is `out`. */
export const peerCodec = mediaCodec.peer();

export type MediaMessage = MessageIn<typeof mediaCodec>;
export type MediaAnswer = MessageOut<typeof mediaCodec>;
