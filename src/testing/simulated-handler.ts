/**
 * A command handler for tests whose answers come on the clock: after so many virtual ms, late, as a failure, or never. `advanceBy`
 * drives it, synchronously.
 *
 * Hard choices:
 * - **It needs no clock when it is declared.** A protocol is defined before there is a world. So what `run` returns is an answer that has
 *   not begun to count (`ClockAnswer`); the session that waits for it starts it on its own clock.
 * - **An answer, not a promise.** A promise calls back a microtask after it was settled, when the clock may have moved on. This one
 *   calls back inside the clock's action. Awaited by anybody but a session it still works, given the option `time`.
 */
import type { SchedulerLike, Subscription } from 'rxjs';
import type { EventObject } from 'xstate';
import type { CommandHandler, SessionInfo } from '../session/protocol.js';
import { checkInteger, invalid, refuseUnknown } from '../socket/check.js';
import { START_ON_CLOCK, type ClockAnswer } from '../time/held-promises.js';

export interface SimulatedHandlerOptions<TCommand, TEvent> {
  /** The event that answers, or what makes it when the answer is due; `undefined` says nothing. A throw is a rejection. */
  readonly answer?: TEvent | ((command: TCommand, session: SessionInfo) => TEvent | undefined);
  /**
   * How long the answer takes, in ms of the clock, at least 0; `Infinity`: it never comes. Default 0: at the same moment, but after
   * the session's turn. At the moment of the deadline an answer is in time, unless the clock has a `tieBreak`.
   */
  readonly afterMs?: number | ((command: TCommand) => number);
  /** What it is rejected with instead, for commands that it says something else than `undefined` of; asked when the answer is due. */
  readonly rejects?: (command: TCommand) => unknown;
  /** As of any handler: the longest time for an answer, in ms. */
  readonly deadlineMs: number;
  /** As of any handler. Default false. */
  readonly holds?: boolean;
  /** As of any handler. */
  readonly failure?: (error: unknown, command: TCommand) => TEvent;
  /** Answers also after its deadline and after its session's end, which is dropped and counted. Default false: its timer ends with them. */
  readonly ignoresSignal?: boolean;
  /** The clock, for who calls `run` without a session. Default: that of the session that waits. */
  readonly time?: SchedulerLike;
}

export interface SimulatedHandler<TCommand, TEvent> extends CommandHandler<TCommand, TEvent> {
  run(command: TCommand, session: SessionInfo, signal: AbortSignal): PromiseLike<TEvent | undefined>;
}

const OPTION_NAMES = ['answer', 'afterMs', 'rejects', 'deadlineMs', 'holds', 'failure', 'ignoresSignal', 'time'];

/**
 * ```ts
 * const handlers = {
 *   STORE: simulatedHandler({ answer: { type: 'STORED' }, afterMs: 250, deadlineMs: 1_000 }),
 * };
 * ```
 *
 * @throws {SocketError} OPTION_INVALID with the option and what was expected.
 */
export function simulatedHandler<
  TCommand = any,
  const TEvent extends { readonly type: TType } = any,
  TType extends string = string, // makes the compiler keep `'STORED'` where it would infer a string
>(options: SimulatedHandlerOptions<TCommand, TEvent>): SimulatedHandler<TCommand, TEvent> {
  refuseUnknown('simulatedHandler', options, OPTION_NAMES);
  const { deadlineMs, holds = false, failure, afterMs = 0 } = options;
  checkInteger('simulatedHandler.deadlineMs', deadlineMs, { min: 1, max: 2 ** 31 - 1 });
  if (typeof afterMs !== 'function') checkDelay(afterMs);
  return {
    deadlineMs,
    holds,
    ...(failure && { failure }),
    run: (command, session, signal) => {
      const delayMs = typeof afterMs === 'function' ? checkDelay(afterMs(command)) : afterMs;
      return new SimulatedAnswer({ options, command, session, signal, delayMs });
    },
  };
}

function checkDelay(afterMs: unknown): number {
  if (typeof afterMs === 'number' && afterMs >= 0) return afterMs;
  throw invalid('simulatedHandler.afterMs', 'a number of at least 0, or Infinity', afterMs);
}

interface Asked<TCommand, TEvent> {
  readonly options: SimulatedHandlerOptions<TCommand, TEvent>;
  readonly command: TCommand;
  readonly session: SessionInfo;
  readonly signal: AbortSignal;
  readonly delayMs: number;
}

type Maker<TCommand, TEvent> = (command: TCommand, session: SessionInfo) => TEvent | undefined;

function isMaker<TCommand, TEvent>(answer: unknown): answer is Maker<TCommand, TEvent> {
  return typeof answer === 'function';
}

type Outcome<T> = { readonly value: T } | { readonly error: unknown };

class SimulatedAnswer<TCommand, TEvent> implements ClockAnswer<TEvent | undefined> {
  readonly #asked: Asked<TCommand, TEvent>;
  #hasStarted = false;
  #outcome: Outcome<TEvent | undefined> | undefined;
  #waiting: ((outcome: Outcome<TEvent | undefined>) => void)[] = [];

  constructor(asked: Asked<TCommand, TEvent>) {
    this.#asked = asked;
    if (asked.options.time) this[START_ON_CLOCK](asked.options.time);
  }

  /** With the option `time` it has begun already, on that clock. */
  [START_ON_CLOCK](time: SchedulerLike): void {
    if (this.#hasStarted) return;
    this.#hasStarted = true;
    const { delayMs, signal, options } = this.#asked;
    const isAborted = signal.aborted && options.ignoresSignal !== true;
    if (delayMs === Infinity || isAborted) return;
    let timer: Subscription | undefined = undefined;
    const cancel = () => timer?.unsubscribe();
    timer = time.schedule(() => {
      signal.removeEventListener('abort', cancel);
      timer?.unsubscribe();
      this.#settle();
    }, delayMs);
    if (options.ignoresSignal !== true) signal.addEventListener('abort', cancel, { once: true });
  }

  then<A = TEvent | undefined, B = never>(
    fulfilled?: ((value: TEvent | undefined) => A | PromiseLike<A>) | null,
    rejected?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    if (!this.#hasStarted) this.#outcome = { error: this.#withoutClock() };
    return new Promise((resolve, reject) => {
      this.#whenSettled((outcome) => {
        try {
          if ('value' in outcome) resolve(fulfilled ? fulfilled(outcome.value) : (outcome.value as A));
          else if (rejected) resolve(rejected(outcome.error));
          else reject(outcome.error as Error);
        } catch (error) {
          reject(error as Error);
        }
      });
    });
  }

  #withoutClock(): TypeError {
    const { type } = this.#asked.command as EventObject;
    return new TypeError(`simulatedHandler: the answer to ${type} has no clock: give it the option \`time\``);
  }

  #whenSettled(listener: (outcome: Outcome<TEvent | undefined>) => void): void {
    if (this.#outcome) listener(this.#outcome);
    else this.#waiting.push(listener);
  }

  #settle(): void {
    const outcome = (this.#outcome = this.#makeOutcome());
    for (const listener of this.#waiting.splice(0)) listener(outcome);
  }

  #makeOutcome(): Outcome<TEvent | undefined> {
    const { options, command, session } = this.#asked;
    const { answer, rejects } = options;
    try {
      const error = rejects?.(command);
      if (error !== undefined) return { error };
      return { value: isMaker<TCommand, TEvent>(answer) ? answer(command, session) : answer };
    } catch (error) {
      return { error };
    }
  }
}
