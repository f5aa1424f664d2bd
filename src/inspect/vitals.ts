/** How a session is, asked again and again while somebody looks at it. */
import type { AnyMachineSnapshot } from 'xstate';
import type { PendingTimer } from '../engine/engine.js';
import { eventName } from './chart-names.js';
import type { SessionChart, Vitals } from './feed.js';
import type { LiveFeedSession } from './live-feed-session.js';
import type { Masks } from './masks.js';

export interface VitalsParts {
  readonly waitTimeoutMs: number;
  /** Types that nobody sends to a protocol's chart but the runtime. */
  readonly reservedEvents: ReadonlySet<string>;
  readonly masks: Masks;
  readonly nowMs: number;
}

export function vitalsOf(of: LiveFeedSession, { waitTimeoutMs, reservedEvents, masks, nowMs }: VitalsParts): Vitals {
  const { live } = of;
  const { waitTimeoutCountMax, waitTimeoutCount } = live.transportSnapshot.context;
  return {
    atMs: nowMs,
    session: of.session,
    protocol: of.protocol,
    waits: {
      max: waitTimeoutCountMax,
      count: waitTimeoutCount,
      eachMs: waitTimeoutMs,
      endAtMs: live.waitsEndAtMs ?? null,
    },
    timers: [...timersOf('session', live.transportTimers), ...timersOf('protocol', live.protocolTimers)],
    codec: live.codecName,
    inputBytes: live.inputBytes,
    queuedBytes: live.queuedBytes,
    pendingHandlers: live.pendingHandlers,
    groups: live.groups.map((group) => masks.textOf('JOIN', 'group', group)),
    statistics: live.statistics.toJSON(),
    tcp: live.tcpInfo() ?? null,
    can: takenEvents(live.protocolSnapshot, reservedEvents),
  };
}

function timersOf(chart: SessionChart, timers: readonly PendingTimer[]): Vitals['timers'] {
  return timers.map(({ event, delayMs, dueMs }) => ({
    chart,
    label: eventName(event.type),
    delayMs,
    dueAtMs: dueMs ?? null,
  }));
}

/**
 * @returns types of events that somebody may send, of which the chart would take one as it is now. A guard that throws may want fields
 * that the bare type does not have: that one is among them.
 */
export function takenEvents(snapshot: AnyMachineSnapshot, reservedEvents: ReadonlySet<string>): string[] {
  if (snapshot.status !== 'active') return [];
  const types = snapshot.machine.events as readonly string[];
  return types.filter((type) => {
    if (/^(xstate|done)\.|\*/.test(type) || type === '' || reservedEvents.has(type)) return false;
    try {
      return snapshot.can({ type });
    } catch {
      return true;
    }
  });
}
