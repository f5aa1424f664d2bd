/**
 * What the process is told while it serves: signals, and faults that nobody caught.
 *
 * The hard question: what a fault in a user's own timer or promise should do to the other sessions. What the framework calls is
 * caught and ends one session, so what arrives here comes from behind its back.
 * - A promise that was rejected and that nobody awaits has unwound no stack but its own: it is reported, and the server goes on.
 * - An exception that nobody caught may have left anything half done: it is reported, the server drains, so that each
 *   session is told and answered, and the exit code is 1, upon which a supervisor (systemd, Kubernetes) starts a clean process.
 * Given up: going on after an exception, which would keep more sessions and may serve wrong answers.
 */

/** The signals were meant for the server (0), or it was forced or failed (1). */
export type ExitCode = 0 | 1;

export interface ProcessListener {
  /** The second signal, and each after it. */
  force(): void;
  fault(code: 'UNCAUGHT_EXCEPTION' | 'UNHANDLED_REJECTION', thrown: unknown): void;
}

export class ProcessEvents {
  readonly #listener: ProcessListener;
  readonly #stop = new AbortController();
  #signals = 0;
  #failed = false;

  constructor(listener: ProcessListener) {
    this.#listener = listener;
    process.on('SIGTERM', this.#onSignal).on('SIGINT', this.#onSignal);
    process.on('uncaughtException', this.#onException).on('unhandledRejection', this.#onRejection);
  }

  /** Aborted by the first signal, and by an uncaught exception. */
  get stop(): AbortSignal {
    return this.#stop.signal;
  }

  get exitCode(): ExitCode {
    return this.#failed || this.#signals > 1 ? 1 : 0;
  }

  /** @returns when `stop` is aborted. */
  stopped(): Promise<void> {
    if (this.stop.aborted) return Promise.resolve();
    return new Promise((resolve) => this.stop.addEventListener('abort', () => resolve(), { once: true }));
  }

  /** Leaves the process to Node's own ways. */
  end(): void {
    process.off('SIGTERM', this.#onSignal).off('SIGINT', this.#onSignal);
    process.off('uncaughtException', this.#onException).off('unhandledRejection', this.#onRejection);
  }

  readonly #onSignal = () => {
    this.#signals += 1;
    if (this.#signals > 1) this.#listener.force();
    this.#stop.abort();
  };

  readonly #onException = (thrown: unknown) => {
    this.#failed = true;
    this.#listener.fault('UNCAUGHT_EXCEPTION', thrown);
    this.#stop.abort();
  };

  readonly #onRejection = (thrown: unknown) => this.#listener.fault('UNHANDLED_REJECTION', thrown);
}
