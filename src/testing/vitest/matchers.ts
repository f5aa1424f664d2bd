/**
 * Matchers for vitest: states by their path, how a session ended, marbles. What a matcher cannot look at is an error that says what it was
 * given, and fails with `not` as well: a typing error must not pass for a state that was not reached.
 */
import type { StateValue } from 'xstate';
import { matchesMarbles } from '../marble-comparison.js';
import type { MarbleRecord, MarbleValues } from '../marbles.js';
import { isInState, statePathOf } from '../state-path.js';

/** What `expect` has once `wirechart/testing/vitest` is imported. */
export interface WirechartMatchers<R = unknown> {
  /**
   * It is in the state `path`, or in one below it: `connected` is true of `connected.flowing`. Of a session it is the transport's
   * chart (`expect(session.protocolSnapshot)` is the protocol's); of a server, a client and a scripted peer their `state`; also of
   * snapshots, actors, played charts and state values.
   */
  toBeInState(path: string): R;
  /** The connection ended so; of the record of a session, for `reason` if that is given. A scripted peer knows no reason. */
  toHaveClosedBy(closedBy: 'fin' | 'rst', reason?: string): R;
  /** The session has ended, or is closing, for this reason. */
  toHaveReason(reason: string): R;
  /** What was recorded is what the marbles say, to the millisecond. `values`: by sign; without it the signs are the values. */
  toMatchMarbles(marbles: string, values?: MarbleValues): R;
}

interface Outcome {
  readonly pass: boolean;
  readonly message: () => string;
}

interface MatcherContext {
  readonly isNot?: boolean;
}

export const matchers = {
  toBeInState(this: MatcherContext, received: unknown, path: string): Outcome {
    const actual = stateOf(received);
    if (actual === undefined) throw cannot('toBeInState', 'a session, snapshot, server, client or peer', received);
    const message = () => `expected it ${this.isNot ? 'not ' : ''}to be in ${path}; it is in ${statePathOf(actual)}`;
    return { pass: isInState(actual, path), message };
  },

  toHaveClosedBy(this: MatcherContext, received: unknown, closedBy: 'fin' | 'rst', reason?: string): Outcome {
    const ended = recordOf(received);
    if (!('closedBy' in ended)) throw cannot('toHaveClosedBy', 'the record of a session, or a scripted peer', received);
    if (reason !== undefined && ended.reason === undefined) {
      throw cannot('toHaveClosedBy', `the record of a session, because a reason is expected (${reason})`, received);
    }
    const isReason = reason === undefined || ended.reason === reason;
    const message = () =>
      `expected it ${this.isNot ? 'not ' : ''}to be closed by ${endText(closedBy, reason)}; ` +
      (ended.closedBy === undefined ? 'it is not closed' : `it is closed by ${endText(ended.closedBy, ended.reason)}`);
    return { pass: ended.closedBy === closedBy && isReason, message };
  },

  toHaveReason(this: MatcherContext, received: unknown, reason: string): Outcome {
    const { reason: actual, isSession } = reasonOf(received);
    if (actual === undefined && !isSession) throw cannot('toHaveReason', 'a session, or the record of one', received);
    const message = () =>
      `expected it ${this.isNot ? 'not ' : ''}to end for the reason \`${reason}\`; ` +
      (actual === undefined ? 'nothing ends it' : `its reason is \`${actual}\``);
    return { pass: actual === reason, message };
  },

  toMatchMarbles(received: unknown, marbles: string, values?: MarbleValues): Outcome {
    const { entries } = (received ?? {}) as Partial<MarbleRecord>;
    if (!Array.isArray(entries)) throw cannot('toMatchMarbles', 'what recordMarbles or playChart returned', received);
    const { matches, difference } = matchesMarbles({ entries }, marbles, values);
    return { pass: matches, message: () => `marbles: ${difference}` };
  },
};

/** @returns the state value of whatever has one. */
function stateOf(received: unknown): StateValue | undefined {
  if (typeof received === 'string') return received;
  if (typeof received !== 'object' || received === null) return undefined;
  const holder = received as Record<string, unknown>;
  if ('transportSnapshot' in holder) return stateOf(holder['transportSnapshot']);
  if (typeof holder['getSnapshot'] === 'function')
    return stateOf((holder['getSnapshot'] as () => unknown).call(received));
  // Before `snapshot`: a client has both, and its state is the shorter word for it.
  if ('state' in holder) return stateOf(holder['state']);
  if (typeof holder['snapshot'] === 'function') return stateOf((holder['snapshot'] as () => unknown).call(received));
  if ('snapshot' in holder) return stateOf(holder['snapshot']);
  if ('value' in holder) return stateOf(holder['value']);
  return isStateValue(received) ? received : undefined;
}

/** `{ connected: 'flowing' }`: nothing but states all the way down. */
function isStateValue(value: object): value is Exclude<StateValue, string> {
  const inner = Object.values(value);
  return inner.length > 0 && inner.every((below) => stateOf(below) !== undefined);
}

function recordOf(received: unknown): { readonly closedBy?: string; readonly reason?: string } {
  return typeof received === 'object' && received !== null ? received : {};
}

function reasonOf(received: unknown): { readonly reason: string | undefined; readonly isSession: boolean } {
  const { transportSnapshot } = recordOf(received) as { transportSnapshot?: { context?: { reason?: string } } };
  if (transportSnapshot) return { reason: transportSnapshot.context?.reason, isSession: true };
  return { reason: recordOf(received).reason, isSession: false };
}

function endText(closedBy: string, reason: string | undefined): string {
  return `${closedBy.toUpperCase()}${reason === undefined ? '' : ` (${reason})`}`;
}

function cannot(matcher: string, expected: string, received: unknown): TypeError {
  const kind =
    typeof received === 'object' && received !== null
      ? `an object with ${Object.keys(received).slice(0, 8).join(', ') || 'nothing in it'}`
      : String(received);
  return new TypeError(`${matcher}: expected ${expected}, got ${kind}`);
}
