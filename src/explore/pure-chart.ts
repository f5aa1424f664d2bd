/**
 * A chart taken one event further without an actor: what it emits, the timers that it sets and cancels, and the transitions that it
 * took come back as data.
 *
 * XState's own `transition()` makes an actor for each call, which costs as much as the step itself and evaluates the chart's
 * initial context without an input; and it does not say which transitions were taken. So the machine is asked directly, in the
 * scope of an actor that does nothing.
 */
import type { AnyMachineSnapshot, AnyStateMachine, AnyTransitionDefinition, EventObject } from 'xstate';
import { createEmptyActor } from 'xstate';

export interface ChartStep {
  readonly snapshot: AnyMachineSnapshot;
  readonly commands: readonly EventObject[];
  readonly changes: readonly TimerChange[];
  readonly taken: readonly AnyTransitionDefinition[];
}

/** In the order in which the chart asked for them: a timer that is set again replaces the one before. */
export type TimerChange =
  { readonly set: string; readonly event: EventObject; readonly delayMs: number } | { readonly cancel: string };

/** As XState hands it to whoever carries it out. */
export interface Action {
  readonly type: string;
  readonly params?: unknown;
}

/** Makes steps of charts. One for an exploration: it has nothing of any one chart. */
export class PureCharts {
  readonly #scope: Parameters<AnyStateMachine['transition']>[2];
  #actions: Action[] = [];
  #taken: AnyTransitionDefinition[] = [];
  #lastTimer = 0;

  constructor() {
    const self = createEmptyActor();
    self.system.inspect((inspected) => {
      if (inspected.type === '@xstate.microstep') this.#taken.push(...inspected._transitions);
    });
    const nothing = () => {};
    this.#scope = {
      self,
      id: self.id,
      sessionId: self.sessionId,
      system: self.system,
      logger: nothing,
      defer: nothing,
      emit: nothing,
      stopChild: nothing,
      actionExecutor: (action: Action) => void this.#actions.push(action),
    } as never;
  }

  /** @throws what the chart throws */
  start(machine: AnyStateMachine, input: unknown): ChartStep {
    return this.#step(() => machine.getInitialSnapshot(this.#scope, input as never));
  }

  /** @throws what the chart throws */
  step(machine: AnyStateMachine, snapshot: AnyMachineSnapshot, event: EventObject): ChartStep {
    if (snapshot.status !== 'active') return { snapshot, commands: [], changes: [], taken: [] };
    return this.#step(() => machine.transition(snapshot, event, this.#scope));
  }

  #step(run: () => unknown): ChartStep {
    this.#actions = [];
    this.#taken = [];
    const snapshot = run() as AnyMachineSnapshot;
    if (snapshot.status === 'error') throw snapshot.error;
    const effects = effectsOf(this.#actions, () => `#${(this.#lastTimer += 1)}`);
    return { snapshot, ...effects, taken: this.#taken };
  }
}

/**
 * What the actions of a step come to, as data.
 * @param idFor an id that no timer has, for one without: it can be neither cancelled nor replaced
 */
export function effectsOf(
  actions: readonly Action[],
  idFor: (event: EventObject) => string,
): Pick<ChartStep, 'commands' | 'changes'> {
  const commands: EventObject[] = [];
  const changes: TimerChange[] = [];
  for (const { type, params } of actions) {
    if (type === 'xstate.emit') commands.push((params as { event: EventObject }).event);
    if (type === 'xstate.cancel') changes.push({ cancel: (params as { sendId: string }).sendId });
    if (type === 'xstate.raise') {
      const { event, id, delay } = params as { event: EventObject; id?: string; delay?: number };
      if (delay !== undefined) changes.push({ set: id ?? idFor(event), event, delayMs: delay });
    }
  }
  return { commands, changes };
}
