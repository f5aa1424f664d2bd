/**
 * The clock of a host's processes: the network's clock, but while the host is stalled its timers wait. At the end of a stall they
 * run late and after the socket events of that moment, as `RealTime` has it when a process slept: data is judged before deadlines.
 */
import type { SchedulerAction, SchedulerLike, Subscription } from 'rxjs';
import { promiseHolderOf, type PromiseHolder } from '../../time/held-promises.js';
import type { Host } from './host.js';

export class HostClock implements SchedulerLike {
  /** The promises of a host's processes are the clock's that moves them all; `undefined` where that takes note of none. */
  readonly holdPromise: PromiseHolder['holdPromise'] | undefined;

  constructor(
    private readonly time: SchedulerLike,
    private readonly host: Host,
  ) {
    const holder = promiseHolderOf(time);
    this.holdPromise = holder && ((name) => holder.holdPromise(name));
  }

  now(): number {
    return this.time.now();
  }

  schedule<T>(work: (this: SchedulerAction<T>, state?: T) => void, delayMs = 0, state?: T): Subscription {
    const { host, time } = this;
    return time.schedule<T>(
      function (this: SchedulerAction<T>, given?: T): void {
        if (host.isStalled) this.schedule(given, host.stalledUntilMs - time.now());
        else work.call(this, given);
      },
      delayMs,
      state,
    );
  }
}
