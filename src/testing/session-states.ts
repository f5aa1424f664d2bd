/** The states of one session of a server as a stream, for `recordMarbles`. */
import { Observable } from 'rxjs';
import type { SessionRegistry } from '../session/registry.js';
import type { Session } from '../session/session.js';
import { checkOneOf, refuseUnknown } from '../socket/check.js';
import { statePathOf } from './state-path.js';

export interface SessionStatesOptions {
  /** Which session. Default: the oldest live one, or else the next that comes. */
  readonly id?: string;
  /** Whose states: the transport's (`connected.flowing`), or the protocol's own chart's. Default `transport`. */
  readonly chart?: 'transport' | 'protocol';
}

/**
 * @returns the paths of the session's states, cold: the present one when it is subscribed to (or when the session comes), and then each
 *   change, up to the last one; it completes when the session has ended.
 *
 * ```ts
 * const states = recordMarbles(time, sessionStates(server));
 * ```
 */
export function sessionStates(
  { sessions }: { readonly sessions: SessionRegistry },
  options: SessionStatesOptions = {},
): Observable<string> {
  refuseUnknown('sessionStates', options, ['id', 'chart']);
  const { id, chart = 'transport' } = options;
  checkOneOf('sessionStates.chart', chart, ['transport', 'protocol']);
  const pathOf = (session: Session) =>
    statePathOf(chart === 'transport' ? session.transportState : session.protocolSnapshot.value);
  return new Observable((subscriber) => {
    let session: Session | undefined;
    let lastPath: string | undefined;
    const look = () => {
      const path = pathOf(session!);
      if (path !== lastPath) subscriber.next((lastPath = path));
    };
    const take = (candidate: Session | undefined) => {
      if (session !== undefined || candidate === undefined || (id !== undefined && candidate.id !== id)) return;
      session = candidate;
      look();
    };
    take(id === undefined ? [...sessions][0] : sessions.get(id));
    return sessions.changes.subscribe((change) => {
      if (change.type === 'added') return take(change.session);
      if (change.session !== session) return;
      look();
      if (change.type === 'removed') subscriber.complete();
    });
  });
}
