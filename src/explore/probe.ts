/**
 * Finds a request that a protocol answers, by trying: what a peer that means well can say to see whether the server still serves.
 *
 * The hard question: what an answer is, when nothing but the codec and the chart is known. The choice: messages that come after a
 * request and did not come before it, the same types in the same order eight times in a row on one connection that goes on
 * afterwards. So a greeting is no answer, nor what is said once, nor the errors of a server that loses patience. Of the requests that are
 * left the one that costs the fewest bytes is taken. Given up: protocols that answer only after a conversation (a log-in).
 */
import type { Message } from '../codec/codec.js';
import { otherEndOf } from '../codec/other-end.js';
import type { SessionOptions } from '../session/options.js';
import type { AnyProtocol } from '../session/protocol.js';
import { checkInteger, checkObject, refuseUnknown } from '../socket/check.js';
import { describedRequestsOf, samplesOf } from './attack-requests.js';
import { AttackServer } from './attack-server.js';
import { ExploreError } from './explore-error.js';
import type { ScriptedPeer } from './peer.js';

export interface Probe {
  readonly request: Message;
  /** Types of the messages that answer it, in order; at least one. */
  readonly answers: readonly string[];
  /** Messages of those types that the server sends before it is asked. */
  readonly greetings: number;
  /** Of a request and its answer. */
  readonly bytes: number;
  /** Of the requests that get answers the one that costs the most bytes, with its answer: for whoever does not mean well. */
  readonly heaviest: Message;
}

export interface ProbeOptions {
  /** An integer of at least 0. Default 1. */
  readonly seed?: number;
  /** Requests that are tried, 1 to 1 000. Default 64. */
  readonly triesMax?: number;
  /** Options of the sessions, above the protocol's own. */
  readonly session?: SessionOptions;
}

/** Requests in a row that have to be answered: more than a patient server takes of what it does not like. */
const REPEATS = 8;
/** Of virtual time: for a greeting, for an answer, and for what follows an answer. */
const GREETING_MS = 500;
const ANSWER_MS = 2_000;
const QUIET_MS = 100;

/**
 * Tries the protocol's `samples`, then what its first codec describes, each on a connection of its own to a server on the simulated
 * network. Takes no real time but for handlers that do.
 *
 * @throws {ExploreError} NO_ANSWER with what was tried; SERVER_FAILED
 * @throws {SocketError} OPTION_INVALID
 */
export async function probeOf(protocol: AnyProtocol, options: ProbeOptions = {}): Promise<Probe> {
  refuseUnknown('probeOf', checkObject('probeOf', options), ['seed', 'triesMax', 'session']);
  const { seed = 1, triesMax = 64, session = {} } = options;
  checkInteger('probeOf.seed', seed, { min: 0, max: Number.MAX_SAFE_INTEGER });
  checkInteger('probeOf.triesMax', triesMax, { min: 1, max: 1_000 });
  const own = samplesOf(protocol).slice(0, triesMax);
  const described = describedRequestsOf(protocol).slice(0, triesMax - own.length);
  const server = new AttackServer({ protocol, seed, session });
  await server.start();
  try {
    const found = (await tryAll(server, protocol, own)) ?? (await tryAll(server, protocol, described));
    if (found) return found;
  } finally {
    await server.stop();
  }
  throw noAnswer(protocol, [...own, ...described]);
}

async function tryAll(
  server: AttackServer,
  protocol: AnyProtocol,
  requests: readonly Message[],
): Promise<Probe | undefined> {
  const answered: Answered[] = [];
  for (const request of requests) {
    const one = await tryOne(server, protocol, request);
    if (one) answered.push(one);
  }
  const [first] = answered;
  if (!first) return undefined;
  const lightest = answered.reduce((best, one) => (one.bytes < best.bytes ? one : best), first);
  const heaviest = answered.reduce((best, one) => (one.bytes > best.bytes ? one : best), first);
  return { ...lightest, heaviest: heaviest.request };
}

type Answered = Omit<Probe, 'heaviest'>;

async function tryOne(server: AttackServer, protocol: AnyProtocol, request: Message): Promise<Answered | undefined> {
  let peer: ScriptedPeer;
  let requestBytes: number;
  try {
    const codec = otherEndOf(protocol.codecs[protocol.initialCodec] as Parameters<typeof otherEndOf>[0]);
    requestBytes = codec.encode(request).byteLength;
    peer = server.healthy.connect(server.address, { codec });
  } catch {
    return undefined; // nobody can say it
  }
  await server.run(GREETING_MS);
  const greeting = peer.received.map(({ type }) => type);
  const startBytes = peer.bytesReceived;
  const answers = await answersTo(request, peer, server);
  const bytes = requestBytes + (peer.bytesReceived - startBytes) / REPEATS;
  peer.reset();
  await server.run(QUIET_MS);
  return answers && { request, answers, greetings: greeting.filter((type) => answers.includes(type)).length, bytes };
}

/** @returns the types of an answer's messages; `undefined` when there is none, or not the same each time, or the connection ends of it. */
async function answersTo(
  request: Message,
  peer: ScriptedPeer,
  server: AttackServer,
): Promise<readonly string[] | undefined> {
  let answers: readonly string[] | undefined;
  for (let count = 0; count < REPEATS; count += 1) {
    if (peer.state !== 'connected' || peer.decodeError !== undefined) return undefined;
    const before = peer.received.length;
    peer.send(request);
    await server.runUntil(() => peer.received.length > before, ANSWER_MS);
    await server.run(QUIET_MS);
    const types = peer.received.slice(before).map(({ type }) => type);
    if (types.length === 0 || (answers && types.join() !== answers.join())) return undefined;
    answers = types;
  }
  return peer.state === 'connected' ? answers : undefined;
}

function noAnswer({ name }: AnyProtocol, tried: readonly Message[]): ExploreError {
  const types = [...new Set(tried.map(({ type }) => type))].join(', ');
  const what =
    tried.length === 0
      ? 'no request could be made of what its codec describes'
      : `${tried.length} requests were tried (${types}), each ${REPEATS} times`;
  return new ExploreError(
    'NO_ANSWER',
    `no request to ${name} gets an answer that is the same each time: ${what}. Name one in the protocol's \`samples\``,
  );
}
