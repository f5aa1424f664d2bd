/** What real sessions have done: how often each state was entered and each transition taken. */
import type { AnyMachineSnapshot, AnyTransitionDefinition } from 'xstate';
import type { CommandHandler } from '../session/protocol.js';
import { nodesOf, pathOf, stateId, type ChartMap, type ChartTransition } from './chart-map.js';
import { deadlineOf, failureOf } from './model-run.js';

export interface CoveredState {
  readonly path: string;
  /** Paths on which it was entered. */
  readonly count: number;
}

export interface CoveredTransition {
  readonly source: string;
  readonly event: string;
  readonly guard: string | undefined;
  readonly targets: readonly string[];
  readonly count: number;
  /** Why it was not taken, as far as is known. */
  readonly reason?: string;
}

export interface CoveredTimeout {
  /** A state, or a command. */
  readonly where: string;
  readonly event: string;
  readonly count: number;
}

export interface Coverage {
  readonly states: readonly CoveredState[];
  readonly transitions: readonly CoveredTransition[];
  /**
   * The `after` transitions, and of handlers that declare a `failure` that one and the deadline. A count is of those that came at their
   * time, with nothing 1 ms before it.
   */
  readonly timeouts: readonly CoveredTimeout[];
  /** Covered parts of each, 0 to 1; 1 where there is nothing to cover. */
  readonly shares: { readonly states: number; readonly transitions: number; readonly timeouts: number };
}

/** How a transition is named in findings: `nameless NICK`, `inside after 10 ms [isLate]`. */
export function transitionName({ source, event, guard }: Pick<ChartTransition, 'source' | 'event' | 'guard'>): string {
  return `${source === '' ? '(chart)' : source} ${event}${guard === undefined ? '' : ` [${guard}]`}`;
}

export class CoverageCount {
  readonly #chart: ChartMap;
  readonly #handlers: readonly [string, CommandHandler][];
  readonly #counts = new Map<string, number>();
  /** Timeouts that fired, and not 1 ms earlier. */
  readonly #onTime = new Map<string, number>();

  constructor(chart: ChartMap, handlers: Readonly<Record<string, CommandHandler>>) {
    this.#chart = chart;
    this.#handlers = Object.entries(handlers).filter(([, handler]) => handler.failure !== undefined);
  }

  entered(snapshot: AnyMachineSnapshot): void {
    for (const node of nodesOf(snapshot)) this.count(stateId(pathOf(node)));
  }

  /** A session has begun. */
  began(): void {
    for (const id of this.#chart.begins) this.count(id);
  }

  took(definitions: readonly AnyTransitionDefinition[]): void {
    for (const definition of definitions) {
      const known = this.#chart.transitionOf.get(definition);
      for (const id of known ? [known.id, ...known.enters] : []) this.count(id);
    }
  }

  count(id: string): void {
    this.#counts.set(id, (this.#counts.get(id) ?? 0) + 1);
  }

  /** Those of them that are timeouts fired at their time, and nothing had happened 1 ms before. */
  tookOnTime(definitions: readonly AnyTransitionDefinition[]): void {
    for (const definition of definitions) {
      const known = this.#chart.transitionOf.get(definition);
      if (known?.isTimeout) this.#onTime.set(known.id, (this.#onTime.get(known.id) ?? 0) + 1);
    }
  }

  /** Ids of all that there is to cover. */
  get all(): string[] {
    return [
      ...this.#chart.states.map(({ path }) => stateId(path)),
      ...this.#chart.transitions.map(({ id }) => id),
      ...this.#handlers.flatMap(([command]) => [failureOf(command), deadlineOf(command)]),
    ];
  }

  /** Of `all`, those that were not covered. */
  get missing(): Set<string> {
    const timeouts = new Set(this.#chart.transitions.filter(({ isTimeout }) => isTimeout).map(({ id }) => id));
    return new Set(this.all.filter((id) => !(timeouts.has(id) ? this.#onTime : this.#counts).has(id)));
  }

  /** @param reasons by id of a transition */
  result(reasons: ReadonlyMap<string, string>): Coverage {
    const states = this.#chart.states.map(({ path }) => ({ path, count: this.#counts.get(stateId(path)) ?? 0 }));
    const transitions = this.#chart.transitions.map(({ id, source, event, guard, targets }) => {
      const count = this.#counts.get(id) ?? 0;
      const reason = count === 0 ? reasons.get(id) : undefined;
      return { source, event, guard, targets, count, ...(reason !== undefined && { reason }) };
    });
    const afters = this.#chart.transitions
      .filter(({ isTimeout }) => isTimeout)
      .map(({ id, source, event, guard }) => ({
        where: source,
        event: guard === undefined ? event : `${event} [${guard}]`,
        count: this.#onTime.get(id) ?? 0,
      }));
    const deadlines = this.#handlers.flatMap(([command, { deadlineMs }]) => [
      { where: command, event: 'failure', count: this.#counts.get(failureOf(command)) ?? 0 },
      { where: command, event: `deadline ${deadlineMs} ms`, count: this.#counts.get(deadlineOf(command)) ?? 0 },
    ]);
    const timeouts = [...afters, ...deadlines];
    return {
      states,
      transitions,
      timeouts,
      shares: { states: shareOf(states), transitions: shareOf(transitions), timeouts: shareOf(timeouts) },
    };
  }
}

function shareOf(parts: readonly { readonly count: number }[]): number {
  return parts.length === 0 ? 1 : parts.filter(({ count }) => count > 0).length / parts.length;
}
