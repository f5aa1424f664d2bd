/** The commands of a protocol's own that one session waits for, each with its deadline. */
import type { SchedulerLike, Subscription } from 'rxjs';
import type { EventObject } from 'xstate';
import { holdPromise, isClockAnswer, START_ON_CLOCK } from '../time/held-promises.js';
import { checkEvent, type CommandHandler, type SessionInfo } from './protocol.js';

export interface HandlerOutcome {
  /** `undefined`: done, with nothing to say. */
  answer(event: EventObject | undefined): void;
  failed(error: unknown, type: string): void;
  /** An answer came too late to matter. */
  dropped(): void;
}

interface Pending {
  /** Of the command. */
  readonly type: string;
  readonly holds: boolean;
  readonly abort: AbortController;
  deadline: Subscription | undefined;
  /** A clock that is moved by hand is told of this promise. */
  release: (() => void) | undefined;
}

/** A command handler's answer did not come in time. */
export class HandlerTimeoutError extends Error {
  readonly code = 'HANDLER_TIMEOUT';
  override readonly name = 'HandlerTimeoutError';
}

export class PendingHandlers {
  readonly #pending = new Set<Pending>();
  #holding = 0;

  constructor(
    readonly time: SchedulerLike,
    readonly session: SessionInfo,
    readonly outcome: HandlerOutcome,
  ) {}

  get size(): number {
    return this.#pending.size;
  }

  /** The commands that wait for an answer, by type. */
  get types(): readonly string[] {
    return [...this.#pending].map(({ type }) => type);
  }

  /** Is one of them a handler that holds? */
  get holds(): boolean {
    return this.#holding > 0;
  }

  /** A synchronous answer, or throw, is dealt with before this returns. */
  run(command: EventObject, handler: CommandHandler): void {
    const abort = new AbortController();
    let answer: unknown;
    try {
      answer = handler.run(command, this.session, abort.signal);
    } catch (error) {
      this.#fail(error, command, handler);
      return;
    }
    if (!isPromiseLike(answer)) {
      this.#answer(answer, command);
      return;
    }
    const pending: Pending = {
      type: command.type,
      holds: handler.holds === true,
      abort,
      deadline: undefined,
      release: undefined,
    };
    this.#pending.add(pending);
    if (pending.holds) this.#holding += 1;
    // An answer that comes on the clock begins before its deadline: at the same moment it is in time.
    if (isClockAnswer(answer)) answer[START_ON_CLOCK](this.time);
    else pending.release = holdPromise(this.time, () => `the handler of ${command.type} (session ${this.session.id})`);
    pending.deadline = this.time.schedule(() => {
      if (!this.#settle(pending)) return;
      const late = new HandlerTimeoutError(`no answer to ${command.type} within ${handler.deadlineMs} ms`);
      abort.abort(late);
      this.#fail(late, command, handler);
    }, handler.deadlineMs);
    answer.then(
      (event) => {
        if (this.#settle(pending)) this.#answer(event, command);
        else this.outcome.dropped();
      },
      (error: unknown) => {
        // A rejection that our own abort has caused is no news.
        if (this.#settle(pending)) this.#fail(error, command, handler);
      },
    );
  }

  /** The session has ended: nobody waits any more. */
  abandon(): void {
    for (const pending of [...this.#pending]) {
      this.#settle(pending);
      pending.abort.abort(new Error('the session has ended'));
    }
  }

  #settle(pending: Pending): boolean {
    if (!this.#pending.delete(pending)) return false;
    pending.deadline?.unsubscribe();
    pending.release?.();
    if (pending.holds) this.#holding -= 1;
    return true;
  }

  #answer(answer: unknown, command: EventObject): void {
    let event: EventObject | undefined;
    try {
      event = answer === undefined ? undefined : checkEvent(answer, `the handler of ${command.type} answered`);
    } catch (error) {
      this.outcome.failed(error, command.type);
      return;
    }
    this.outcome.answer(event);
  }

  #fail(error: unknown, command: EventObject, handler: CommandHandler): void {
    if (!handler.failure) {
      this.outcome.failed(error, command.type);
      return;
    }
    let event: EventObject;
    try {
      event = checkEvent(handler.failure(error, command), `\`failure\` of ${command.type} gave`);
    } catch (second) {
      this.outcome.failed(second, command.type);
      return;
    }
    this.outcome.answer(event);
  }
}

function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as PromiseLike<unknown>).then === 'function';
}
