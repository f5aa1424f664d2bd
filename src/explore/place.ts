/**
 * A place of the model: all that matters of a server and its peers between two steps, as plain data. The model moves from place to
 * place (`model.ts`); nothing of it runs.
 */
import type { AnyMachineSnapshot, EventObject } from 'xstate';
import type { Step } from './script.js';

/**
 * How far a session's connection has come: `open`; `ending`, our FIN is sent (END) and it reads on; `ended`, the peer's FIN was told
 * to a chart that asked for it; `closing`, our FIN is sent and nothing is decoded any more; `over`.
 */
export type Phase = 'open' | 'ending' | 'ended' | 'closing' | 'over';

export interface ModelSession {
  readonly id: string;
  snapshot: AnyMachineSnapshot;
  phase: Phase;
  phaseSinceMs: number;
  /** Since it was last read from. */
  silentSinceMs: number;
  waitCount: number;
  waitCountMax: number;
  congested: boolean;
  codec: string;
}

/** Something that will happen at its time. */
export interface Timer {
  /** Index of the session, or the name of the shared actor, whose chart it is for. */
  readonly owner: number | string;
  readonly id: string;
  readonly dueMs: number;
  /** Of timers that are due together the one set first comes first. */
  readonly order: number;
  /** What it tells the chart. Without it the session ends: a handler failed, and its protocol declares no failure event. */
  readonly event: EventObject | undefined;
  readonly kind: 'chart' | 'deadline' | 'answer';
  /** Of a handler: no frame is decoded until then. */
  readonly holds: boolean;
  /** The command whose handler it stands for. */
  readonly command: string | undefined;
}

export interface Place {
  readonly status: 'active';
  readonly output: undefined;
  readonly error: undefined;
  readonly sessions: readonly ModelSession[];
  readonly shared: Readonly<Record<string, AnyMachineSnapshot>>;
  /** What is due first comes first. */
  readonly timers: readonly Timer[];
  readonly keys: ReadonlyMap<string, number>;
  readonly nowMs: number;
  readonly order: number;
  readonly drainingSinceMs: number | undefined;
  /** How it was reached. */
  readonly from: { readonly place: Place; readonly step: Step } | undefined;
  readonly depth: number;
  /** Ids of what the last step took: transitions, and handlers' failures and deadlines. */
  readonly taken: readonly string[];
  /** What the last step told the charts of sessions, in order. */
  readonly told: readonly { readonly index: number; readonly event: EventObject }[];
  /** What the chart threw in the last step. */
  readonly threw: string | undefined;
  /** Types of the commands of its own that the last step made the chart give, and `TELL`. */
  readonly asked: readonly string[];
  /** Commands whose answers are not known yet: nothing can be said of what follows. */
  readonly unknown: readonly string[];
}

/** Are its frames decoded, as far as its connection goes? */
export function isOpen({ phase }: ModelSession): boolean {
  return phase === 'open' || phase === 'ending';
}

/** Its chart is in a state that is tagged `hold`, or one of its handlers holds: the next frame waits. */
export function holdsInput(place: Place, session: ModelSession, index: number): boolean {
  return session.snapshot.hasTag('hold' as never) || place.timers.some(({ owner, holds }) => owner === index && holds);
}

/** From the start to here. */
export function stepsTo(place: Place): Step[] {
  const steps: Step[] = [];
  for (let at = place.from; at !== undefined; at = at.place.from) steps.push(at.step);
  return steps.reverse();
}

/** The places on the way, the start first. */
export function placesTo(place: Place): Place[] {
  const places = [place];
  for (let at = place.from; at !== undefined; at = at.place.from) places.push(at.place);
  return places.reverse();
}

/** What makes a place another one. Counters and bytes are left out, so that there are few. */
export type Serialize = (snapshot: AnyMachineSnapshot) => unknown;

const TEXT_LENGTH_MAX = 32;

/** The state and, of the context, truth values and short texts: they are what guards mostly read, and take few values. */
export const serializeByDefault: Serialize = ({ value, context }) => {
  const kept = Object.entries((context ?? {}) as Record<string, unknown>).filter(
    ([, part]) =>
      part === null ||
      part === undefined ||
      typeof part === 'boolean' ||
      (typeof part === 'string' && part.length <= TEXT_LENGTH_MAX),
  );
  return [value, kept];
};

export function keyOf(place: Place, serialize: Serialize): string {
  const timersOf = (owner: number | string) =>
    [
      ...new Set(
        place.timers
          .filter((timer) => timer.owner === owner)
          .map(({ kind, event, command }) => `${kind} ${command ?? event?.type}`),
      ),
    ].sort();
  return JSON.stringify([
    place.sessions.map((session, index) => [
      session.phase,
      session.congested,
      session.codec,
      session.waitCountMax,
      session.snapshot.status,
      serialize(session.snapshot),
      timersOf(index),
    ]),
    Object.entries(place.shared).map(([name, snapshot]) => [serialize(snapshot), timersOf(name)]),
    place.drainingSinceMs !== undefined,
    place.unknown,
  ]);
}
