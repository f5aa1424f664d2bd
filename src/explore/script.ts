/**
 * A path as a script: what peers, the clock and the server's owner do, one step after the other. Found paths and paths that a
 * person writes are the same thing, so that one that was found can be kept, and one that was written can be read.
 */
import type { EventObject } from 'xstate';
import type { Message } from '../codec/codec.js';
import { checkInteger, checkObject, checkOneOf, invalid, refuseUnknown } from '../socket/check.js';

/**
 * What becomes of the commands and TELLs that a step leads to: `given` (default) lets the protocol's own handlers and shared actors
 * answer; a number takes this answer of a simulated handler; with `failure` handlers throw; with `none` neither handlers nor
 * shared actors ever answer, so that deadlines pass.
 */
export type Answers = 'given' | 'failure' | 'none' | number;

/** A message of the protocol, whatever its fields are. */
export type Sent = Message | { readonly type: string; readonly [field: string]: unknown };

/** Peers are numbered from 1; peer 1 is connected from the start. Times are virtual ms. */
export type Step =
  | { readonly do: 'connect'; readonly peer: number }
  /** Encoded by the codec of the other end; several messages go in one write. */
  | {
      readonly do: 'send';
      readonly message: Sent | readonly Sent[];
      readonly peer?: number;
      readonly answers?: Answers;
    }
  /** Bytes as they are; text is sent as UTF-8. */
  | {
      readonly do: 'write';
      readonly bytes: Uint8Array | string;
      readonly peer?: number;
      readonly answers?: Answers;
    }
  /** To the next moment at which something is due: an `after`, a delayed event, a handler's deadline, the end of the waits. */
  | { readonly do: 'wait'; readonly answers?: Answers }
  | { readonly do: 'advance'; readonly ms: number; readonly answers?: Answers }
  /** The peer's FIN. */
  | { readonly do: 'end'; readonly peer?: number; readonly answers?: Answers }
  /** It reads no more, and the server has much to say to it: CONGESTED. */
  | { readonly do: 'stopReading'; readonly peer?: number; readonly answers?: Answers }
  /** It reads again: FLOWING. */
  | { readonly do: 'readAgain'; readonly peer?: number; readonly answers?: Answers }
  /** The server drains: DRAIN. */
  | { readonly do: 'stopServer'; readonly answers?: Answers };

export interface Script {
  /** Shown with what it finds. */
  readonly name: string;
  readonly steps: readonly Step[];
}

/** What a step may have besides `do`. */
const PARTS: Record<Step['do'], readonly string[]> = {
  connect: ['peer'],
  send: ['message', 'peer', 'answers'],
  write: ['bytes', 'peer', 'answers'],
  wait: ['answers'],
  advance: ['ms', 'answers'],
  end: ['peer', 'answers'],
  stopReading: ['peer', 'answers'],
  readAgain: ['peer', 'answers'],
  stopServer: ['answers'],
};

/** @throws {SocketError} OPTION_INVALID naming the step and the part at fault. */
export function checkScript(path: string, script: Script): void {
  refuseUnknown(path, checkObject(path, script), ['name', 'steps']);
  if (typeof script.name !== 'string' || script.name === '') throw invalid(`${path}.name`, 'a name', script.name);
  if (!Array.isArray(script.steps)) throw invalid(`${path}.steps`, 'an array of steps', script.steps);
  for (const [index, step] of (script.steps as Step[]).entries()) checkStep(`${path}.steps[${index}]`, step);
}

function checkStep(path: string, step: Step): void {
  checkObject(path, step);
  checkOneOf(`${path}.do`, step.do, Object.keys(PARTS) as Step['do'][]);
  refuseUnknown(path, step, ['do', ...PARTS[step.do]]);
  if (step.do === 'connect' || ('peer' in step && step.peer !== undefined))
    checkInteger(`${path}.peer`, step.peer!, { min: 1, max: 1_000 });
  if (step.do === 'advance') checkInteger(`${path}.ms`, step.ms, { min: 0, max: 2 ** 31 - 1 });
  if (step.do === 'write' && typeof step.bytes !== 'string' && !(step.bytes instanceof Uint8Array))
    throw invalid(`${path}.bytes`, 'bytes or text', step.bytes);
  if (step.do === 'send') {
    for (const message of [step.message].flat() as Message[])
      if (typeof message?.type !== 'string') throw invalid(`${path}.message`, 'a message with a type', message);
  }
  const { answers } = step as { answers?: Answers };
  if (answers === undefined || answers === 'given' || answers === 'failure' || answers === 'none') return;
  checkInteger(`${path}.answers`, answers, { min: 0, max: 1_000 });
}

export function peerOf(step: Step): number {
  return 'peer' in step ? (step.peer ?? 1) : 1;
}

export function answersOf(step: Step): Answers {
  return 'answers' in step ? (step.answers ?? 'given') : 'given';
}

/** A script for people: a line for each step. `notes` stands behind them, where there is one. */
export function describeScript({ steps }: Script, notes: readonly (string | undefined)[] = []): string[] {
  return steps.map((step, index) => {
    const note = notes[index];
    return `${String(index + 1).padStart(2)}. ${describeStep(step)}${note === undefined ? '' : `  -> ${note}`}`;
  });
}

const ANSWERED: Record<string, string> = { given: '', failure: '; handlers fail', none: '; nobody answers' };

export function describeStep(step: Step): string {
  const answers = answersOf(step);
  const then = ANSWERED[answers] ?? `; handlers give answer ${answers}`;
  return `${whatHappens(step)}${then}`;
}

function whatHappens(step: Step): string {
  const peer = `peer ${peerOf(step)}`;
  switch (step.do) {
    case 'connect':
      return `${peer} connects`;
    case 'send':
      return `${peer} sends ${([step.message].flat() as Message[]).map(describeEvent).join(', ')}`;
    case 'write':
      return `${peer} writes ${shownBytes(step.bytes)}`;
    case 'wait':
      return 'time passes until something is due';
    case 'advance':
      return `${step.ms} ms pass`;
    case 'end':
      return `${peer} sends its FIN`;
    case 'stopReading':
      return `${peer} stops reading`;
    case 'readAgain':
      return `${peer} reads again`;
    case 'stopServer':
      return 'the server drains';
  }
}

/** `NICK {"name":"ann"}`; bytes are counted. */
export function describeEvent({ type, ...data }: EventObject): string {
  if (Object.keys(data).length === 0) return type;
  const text = JSON.stringify(data, (_, value: unknown) => {
    if (typeof value === 'bigint') return `${value}n`;
    if (value instanceof Uint8Array) return `${value.byteLength} bytes`;
    return typeof value === 'string' && value.length > 40 ? `${value.slice(0, 37)}...` : value;
  });
  return `${type} ${text}`;
}

function shownBytes(bytes: Uint8Array | string): string {
  if (typeof bytes === 'string') return JSON.stringify(bytes.length > 40 ? `${bytes.slice(0, 37)}...` : bytes);
  const shown = [...bytes.subarray(0, 12)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
  return bytes.byteLength > 12 ? `${shown} ... (${bytes.byteLength} bytes)` : shown;
}
