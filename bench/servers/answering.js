/** The child's end of the channel to `child.js`: each request has an id, and exactly one answer. */

/** @typedef {Record<string, (request: any) => unknown>} Handlers */

/** Answers the parent until it lets go. The process ends with the channel, so none outlives a bench that was interrupted.
 *  @param {Handlers} handlers */
export function answerParent(handlers) {
  if (!process.send) throw new Error('this is a child process of bench/run.js');
  process.on('disconnect', () => process.exit());
  process.on('message', async (/** @type {{ id: number, type: string }} */ request) => {
    const { id, type } = request;
    try {
      const handler = handlers[type];
      if (!handler) throw new Error(`no handler for ${type}`);
      process.send?.({ id, result: await handler(request) });
    } catch (error) {
      process.send?.({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
  });
}

/** What every server answers besides its own: costs of its process.
 *  @type {Handlers} */
export const COSTS = {
  /** @returns user and system time since the process began, in ms */
  cpu: () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1_000;
  },
  memory: async () => {
    // Twice: what the first collection finalizes, the second frees.
    for (let run = 0; run < 2; run += 1) {
      globalThis.gc?.();
      await new Promise((resolve) => setImmediate(resolve));
    }
    const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage();
    return { rss, heapUsed, external, arrayBuffers };
  },
};
