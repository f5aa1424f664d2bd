/** Protocols of lines that tests put together piece by piece, and what a test looks at when it is over. */
import { emit, setup, type AnyStateMachine } from 'xstate';
import { expect } from 'vitest';
import { lines } from '../../src/codec/lines.js';
import type { Codec } from '../../src/codec/codec.js';
import { defineProtocol, type AnyProtocol } from '../../src/session/protocol.js';
import type { FakeSocket } from './fake-layer.js';
import type { Started } from './start.js';

/** What a test may give a chart besides what every lab chart has. Loose on purpose: many of these charts are wrong. */
export interface Lab {
  /** Merged over the chart that answers each line with itself. */
  readonly machine?: Record<string, unknown>;
  readonly implementations?: Record<string, unknown>;
  readonly [part: string]: unknown;
}

export const line = (text: string) => ({ type: 'SEND' as const, message: { type: 'LINE' as const, text } });

/** Actions that every lab chart may name: `say` with a text, `echo` for the line that came. */
const ACTIONS = {
  say: emit((_: unknown, text: string) => line(text)),
  echo: emit(({ event }: { event: unknown }) => line((event as { text: string }).text)),
  end: emit({ type: 'END' }),
};

export function labMachine({ machine = {}, implementations = {} }: Lab = {}): AnyStateMachine {
  const { actions, ...others } = implementations as { actions?: object };
  return setup({ ...others, actions: { ...ACTIONS, ...actions } } as never).createMachine({
    id: 'lab',
    on: { LINE: { actions: 'echo' } },
    ...machine,
  } as never) as unknown as AnyStateMachine;
}

/** A protocol of lines that echoes, but for what `lab` says. */
export function labProtocol(lab: Lab = {}): AnyProtocol {
  const parts: Record<string, unknown> = { ...lab, machine: labMachine(lab) };
  delete parts['implementations'];
  return defineProtocol({
    name: 'lab',
    codecs: { lines: () => lines() },
    initialCodec: 'lines',
    ...parts,
  } as never) as AnyProtocol;
}

/** The lines codec with some of its methods replaced. */
export function brokenLines(
  broken: Partial<Record<'encode' | 'decode' | 'end', (...all: any[]) => unknown>>,
): Codec<any> {
  const whole = lines();
  return {
    messages: whole.messages,
    encode: (message) => whole.encode(message as never),
    decode: (buffer) => whole.decode(buffer),
    end: (buffer) => whole.end(buffer),
    ...(broken as object),
  };
}

/** Lines that a peer was sent. */
export const heard = (peer: FakeSocket): string[] => peer.written.split('\n').slice(0, -1);

export function says(peer: FakeSocket, ...texts: string[]): void {
  peer.read(texts.map((text) => `${text}\n`).join(''));
}

/** Stops the server, and looks whether anything of it is left: sockets, timers, sessions, groups. */
export async function nothingIsLeft({ server, time, layer }: Started): Promise<void> {
  const stopped = server.stop({ option: 'force' });
  await time.runUntilAsync(() => server.state.value === 'closed');
  await stopped;
  expect(left({ server, time, layer })).toEqual({ sockets: 0, timers: 0, sessions: 0, groups: 0 });
}

export function left({ server, time, layer }: Pick<Started, 'server' | 'time' | 'layer'>) {
  return {
    sockets: layer.size,
    timers: time.pendingCount,
    sessions: server.sessions.size,
    groups: server.sessions.groups.length,
  };
}
