/**
 * Runs one chart by itself on a clock of its own, given events as marbles, and writes down its states and its commands: for a
 * chart whose time matters. It runs in the engine that runs it in a server. (Where time does not matter `play` is shorter.)
 */
import { Subject } from 'rxjs';
import type { AnyStateMachine, EmittedFrom, EventFromLogic, InputFrom, SnapshotFrom } from 'xstate';
import { createEngine, type ActorOwner } from '../engine/engine.js';
import { refuseUnknown } from '../socket/check.js';
import { VirtualTime } from '../time/virtual-time.js';
import { marblesLengthMs, playMarbles, recordMarbles, type MarbleRecord, type MarbleValues } from './marbles.js';
import { statePathOf } from './state-path.js';

export interface PlayChartOptions<TMachine extends AnyStateMachine> {
  /** Marbles: what the chart is sent, and when. A chart has no end of its events, so there is no `|` and no `#`. */
  readonly events: string;
  /** The events, by their signs. */
  readonly values?: MarbleValues<EventFromLogic<TMachine>>;
  readonly input?: InputFrom<TMachine>;
  /** How long the chart runs, in virtual ms. Default: the length of `events`, so that ` 6s ` at its end means to wait. */
  readonly forMs?: number;
}

/** What a chart did. */
export interface PlayedChart<TMachine extends AnyStateMachine> {
  /** Each state that it came into, by its path (`closing.finWait`), the first one at 0 ms; `|`: it is done, `#`: it threw. */
  readonly states: MarbleRecord<string>;
  /** What it emitted, with the same ends. */
  readonly commands: MarbleRecord<EmittedFrom<TMachine>>;
  /** Where it is. */
  readonly snapshot: SnapshotFrom<TMachine>;
  /** Its clock, which may be moved on. */
  readonly time: VirtualTime;
}

/**
 * ```ts
 * const { states } = playChart(lightMachine, { events: '2m' });
 * matchesMarbles(states, 'g 29999ms y', { g: 'green', y: 'yellow' });
 * ```
 *
 * @throws {TypeError} when the marbles cannot be read or name an event that `values` has not.
 * @throws {TimeError} PROMISE_PENDING when the chart invokes a promise: `machine.provide` another actor for it.
 */
export function playChart<TMachine extends AnyStateMachine>(
  machine: TMachine,
  options: PlayChartOptions<TMachine>,
): PlayedChart<TMachine> {
  refuseUnknown('playChart', options, ['events', 'values', 'input', 'forMs']);
  const { events, values, input, forMs = marblesLengthMs(events) } = options;
  const time = new VirtualTime();
  const states = new Subject<string>();
  const commands = new Subject<EmittedFrom<TMachine>>();
  const recorded = { states: recordMarbles(time, states), commands: recordMarbles(time, commands) };
  const owner: ActorOwner<undefined, EmittedFrom<TMachine>> = {
    carryOut: (_, command) => commands.next(command),
    failed: (_, error) => {
      states.error(error);
      commands.error(error);
    },
    done: () => {
      states.complete();
      commands.complete();
    },
  };
  const actor = createEngine(time).createActor(machine, input as InputFrom<TMachine>, undefined, owner);
  let lastPath: string | undefined;
  actor.watch((snapshot) => {
    const path = statePathOf((snapshot as { value: string }).value);
    if (path !== lastPath) states.next((lastPath = path));
  });
  playMarbles(time, events, values, { next: (event: EventFromLogic<TMachine>) => actor.send(event) });
  actor.start();
  time.advanceTo(forMs);
  return {
    ...recorded,
    time,
    get snapshot() {
      return actor.snapshot;
    },
  };
}
