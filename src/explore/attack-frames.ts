/** What the peers of a protocol say when they mean well, as bytes: attacks cut it, bend it, repeat it and leave it unfinished. */
import type { Message } from '../codec/codec.js';
import { otherEndOf } from '../codec/other-end.js';
import type { AnyProtocol } from '../session/protocol.js';
import { requestsOf } from './attack-requests.js';
import type { Probe } from './probe.js';

export interface HostileFrames {
  /** A whole request that a server answers, or takes. */
  readonly request: Uint8Array;
  /** One with a long answer, if there is such a one. */
  readonly heaviest: Uint8Array;
  /** The shortest and the longest request that there is, in one piece. */
  readonly shortest: Uint8Array;
  readonly longest: Uint8Array;
  /** All of them, each once. */
  readonly all: readonly Uint8Array[];
}

/** A longer one says no more, and there are many of them. */
const FRAME_BYTES_MAX = 65_536;

/**
 * @param probe what `probeOf` found; without it the shortest request stands for those that get answers.
 * @returns `undefined` when nobody can say what the other end sends: a codec without `peer()` whose messages go one way, or one whose messages are
 *   not described.
 */
export function framesOf(protocol: AnyProtocol, probe?: Probe): HostileFrames | undefined {
  const encode = encoderOf(protocol);
  if (!encode) return undefined;
  const all = requestsOf(protocol)
    .flatMap((message) => encode(message) ?? [])
    .filter(({ byteLength }) => byteLength > 0 && byteLength <= FRAME_BYTES_MAX)
    .sort((one, other) => one.byteLength - other.byteLength);
  const shortest = all[0];
  const longest = all.at(-1);
  if (!shortest || !longest) return undefined;
  const request = (probe && encode(probe.request)) ?? shortest;
  const heaviest = (probe && encode(probe.heaviest)) ?? request;
  return { request, heaviest, shortest, longest, all };
}

function encoderOf(protocol: AnyProtocol): ((message: Message) => Uint8Array | undefined) | undefined {
  const factory = protocol.codecs[protocol.initialCodec] as Parameters<typeof otherEndOf>[0];
  try {
    otherEndOf(factory);
  } catch {
    return undefined;
  }
  return (message) => {
    try {
      // A codec each: an encoder that counts or compresses would make frames that are valid in one order alone.
      return otherEndOf(factory).encode(message);
    } catch {
      return undefined; // a sample that the codec refuses is none
    }
  };
}
