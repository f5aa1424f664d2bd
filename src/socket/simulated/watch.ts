/** A timer for a deadline that is looked up: one that moves away costs nothing until the old moment comes. */
import type { SchedulerAction, SchedulerLike, Subscription } from 'rxjs';

export interface Watched {
  /** When it will have to be ended, as things stand; `Infinity`: never. */
  deadlineMs(): number;
  expired(): void;
}

export class Watch {
  #timer: Subscription | undefined;
  #timerMs = Infinity;

  constructor(
    private readonly time: SchedulerLike,
    private readonly watched: Watched,
  ) {}

  /** The deadline may have moved. */
  update(): void {
    const dueMs = this.watched.deadlineMs();
    if (this.#timer !== undefined && this.#timerMs <= dueMs && dueMs !== Infinity) return;
    this.#timer?.unsubscribe();
    this.#timer = undefined;
    this.#timerMs = dueMs;
    if (dueMs === Infinity) return;
    this.#timer = this.time.schedule(look, Math.max(0, dueMs - this.time.now()), this);
  }

  /** Of `look` alone. */
  due(): void {
    this.#timer = undefined;
    if (this.watched.deadlineMs() > this.time.now()) this.update();
    else this.watched.expired();
  }
}

function look(this: SchedulerAction<Watch>, watch?: Watch): void {
  watch!.due();
}
