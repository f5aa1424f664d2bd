/**
 * What a peer of a protocol can send, ready to be sent: for each message that a codec decodes, the protocol's own `samples` or else what
 * the codec's description gives. Each was encoded by the other end and decoded by ours once, so that a chart is explored
 * with what its session will really be given; what does not come back as it was is a problem of the codec.
 */
import { ByteQueue } from '../codec/byte-queue.js';
import type { Codec, Message } from '../codec/codec.js';
import { otherEndOf } from '../codec/other-end.js';
import { messageOf } from '../session/errors.js';
import type { AnyProtocol } from '../session/protocol.js';
import { messagesOf } from './samples.js';
import { describeEvent, type Step } from './script.js';

/** Something that a peer sends in one go. */
export interface Sample {
  readonly type: string;
  readonly step: Extract<Step, { do: 'send' | 'write' }>;
  /** What the session's codec makes of it. */
  readonly events: readonly Message[];
}

export interface SampleProblem {
  readonly type: string;
  /** Nobody can send it (`unsent`), or it comes back as something else (`changed`). */
  readonly kind: 'unsent' | 'changed';
  readonly text: string;
}

export interface ProtocolSamples {
  readonly samples: readonly Sample[];
  readonly problems: readonly SampleProblem[];
}

/** @param codecName one of the protocol's codecs */
export function samplesOf(protocol: AnyProtocol, codecName: string): ProtocolSamples {
  const make = (protocol.codecs as Record<string, () => Codec>)[codecName]!;
  const generated = messagesOf(make()) as Record<string, readonly Message[]>;
  const samples: Sample[] = [];
  const problems: SampleProblem[] = [];
  const other = otherEndProblem(make);
  for (const { type, direction } of make().messages) {
    if (direction === 'out') continue;
    const own = protocol.samples?.[type];
    const steps = (own ?? generated[type] ?? []).map((sample) => stepOf(type, sample));
    const tried = steps.map((step) => tryOut(make, type, step));
    for (const one of tried) {
      if ('events' in one) samples.push(one);
      else if (one.kind === 'changed' || own !== undefined) problems.push(one);
    }
    const [first] = tried;
    // That there is no other end is said once, of the codec.
    if (
      own === undefined &&
      first &&
      other === undefined &&
      tried.every((one) => 'kind' in one && one.kind === 'unsent')
    ) {
      problems.push({
        type,
        kind: 'unsent',
        text: `${(first as SampleProblem).text}: give samples.${type}, as messages or bytes`,
      });
    }
  }
  const inbound = make().messages.filter(({ direction }) => direction !== 'out');
  const areBytes = ({ type }: { readonly type: string }) =>
    protocol.samples?.[type]?.every((sample: unknown) => stepOf(type, sample).do === 'write') === true;
  if (other !== undefined && !inbound.every(areBytes))
    problems.push({ type: codecName, kind: 'unsent', text: `${codecName}: ${other}` });
  return { samples, problems };
}

/** @returns why nobody can say how peers encode, unless all messages have samples of bytes. */
function otherEndProblem(make: () => Codec): string | undefined {
  try {
    otherEndOf(make);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/** A protocol's sample is a message (its `type` may be left out), several in a row, or bytes. */
function stepOf(type: string, sample: unknown): Sample['step'] {
  if (typeof sample === 'string' || sample instanceof Uint8Array) return { do: 'write', bytes: sample };
  if (Array.isArray(sample)) return { do: 'send', message: sample as Message[] };
  return { do: 'send', message: { type, ...(sample as object) } };
}

function tryOut(make: () => Codec, type: string, step: Sample['step']): Sample | SampleProblem {
  let bytes: Uint8Array[];
  try {
    bytes = step.do === 'write' ? [bytesOf(step.bytes)] : encoded(make, [step.message].flat());
  } catch (error) {
    return { type, kind: 'unsent', text: `the other end cannot encode ${type} (${messageOf(error)})` };
  }
  const changed = (text: string): SampleProblem => ({ type, kind: 'changed', text });
  const what = step.do === 'write' ? `a sample of ${type}` : [step.message].flat().map(describeEvent).join(', ');
  let events: Message[];
  try {
    events = decoded(make(), bytes);
  } catch (error) {
    return changed(`${what} cannot be decoded: ${messageOf(error)}`);
  }
  if (step.do === 'write') {
    if (events.some((event) => event.type === type)) return { type, step, events };
    return changed(`${what}, ${bytes[0]!.byteLength} bytes, is decoded as ${shown(events)}`);
  }
  // More may follow by itself: an announced payload of no bytes is over as soon as it has begun.
  const sent = [step.message].flat();
  if (isEqual(events.slice(0, sent.length), sent)) return { type, step, events };
  return changed(`${what} comes back as ${shown(events)}`);
}

function shown(events: readonly Message[]): string {
  return events.length === 0 ? 'no whole message' : events.map(describeEvent).join(', ');
}

function encoded(make: () => Codec, messages: readonly Message[]): Uint8Array[] {
  const other = otherEndOf(make);
  return messages.map((message) => other.encode(message));
}

function decoded(codec: Codec, pieces: readonly Uint8Array[]): Message[] {
  const queue = new ByteQueue();
  for (const bytes of pieces) queue.push(bytes);
  const messages: Message[] = [];
  for (let next = codec.decode(queue); next !== undefined; next = codec.decode(queue)) messages.push(next);
  return messages;
}

export function bytesOf(bytes: Uint8Array | string): Uint8Array {
  return typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes;
}

/** As deep as messages are: data alone. */
export function isEqual(one: unknown, other: unknown): boolean {
  if (Object.is(one, other)) return true;
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return false;
  if (one instanceof Uint8Array || other instanceof Uint8Array) {
    if (!(one instanceof Uint8Array) || !(other instanceof Uint8Array)) return false;
    return one.byteLength === other.byteLength && one.every((byte, index) => byte === other[index]);
  }
  const keys = Object.keys(one);
  if (keys.length !== Object.keys(other).length) return false;
  return keys.every((key) => isEqual((one as Record<string, unknown>)[key], (other as Record<string, unknown>)[key]));
}
