/**
 * How a feed gets at the inside of a server or client that a user made: they hand it in here, each by itself, and nobody finds it but by
 * the object. So the public classes have no method for it, and this folder need not know them.
 */
import type { AnyStateMachine } from 'xstate';
import type { EngineActor } from '../engine/engine.js';
import type { Runtime } from '../session/runtime.js';
import type { SessionRecorders } from './session-recorders.js';

export interface Inside {
  readonly kind: 'server' | 'client';
  readonly runtime: Runtime;
  readonly recorders: SessionRecorders;
  /** Of the server socket, or of the client. */
  readonly owner: EngineActor<AnyStateMachine>;
  /** Of this start; `undefined` of a client, and of a server before its first. */
  sweeper(): EngineActor<AnyStateMachine> | undefined;
  /** Where it listens or connects to, as a person writes it; `undefined` before it does. */
  address(): string | undefined;
  /** Since it was made. */
  totals(): { readonly accepted: number; readonly refused: number; readonly sweeps: number };
}

const insides = new WeakMap<object, Inside>();

export function offerInside(owner: object, inside: Inside): void {
  insides.set(owner, inside);
}

/** @throws {TypeError} when it is neither a server nor a client of this package */
export function insideOf(owner: object): Inside {
  const inside = insides.get(owner);
  if (inside) return inside;
  throw new TypeError('expected what createTcpServer or createTcpClient returned');
}
