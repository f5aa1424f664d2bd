/** What reached the process while a test ran: nothing may. */
export interface ProcessErrors {
  watch(): void;
  /** Waits until all that is due in this process has run, and ends the watch. */
  seen(): Promise<unknown[]>;
}

export function processErrors(): ProcessErrors {
  let errors: unknown[] = [];
  const note = (error: unknown) => void errors.push(error);
  return {
    watch: () => {
      errors = [];
      process.on('uncaughtException', note);
      process.on('unhandledRejection', note);
    },
    seen: async () => {
      // XState and RxJS throw what nobody catches from a timer.
      await settled();
      process.off('uncaughtException', note);
      process.off('unhandledRejection', note);
      return errors;
    },
  };
}

/** All promises that are settled have been told, and all timers of 0 ms have fired. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 2; turn += 1) await new Promise((resolve) => setTimeout(resolve, 0));
}

/** A bounded number of turns of the promise queue: a loop until something happens would hang the test when it never does. */
export async function microtasks(turns: number): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
}
