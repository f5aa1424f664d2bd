/**
 * The waits of all sessions on one timer. A wait's due time moves on each READ, and moving it must cost no more than
 * the store that the session makes anyway; so the wheel is not told, but asks when it comes by.
 *
 * The hard question (measured before this was written): a wheel with a fixed tick is either late or costs too much,
 * because an idle process pays some 0.2 ms for each wake-up. The choice has two levels and sleeps in between:
 * - a far entry lies in a coarse slot of `lookMs` and is looked at once, at the start of the slot. Mostly its due time
 *   has moved on by then, and it goes to a later coarse slot;
 * - an entry that is due within the present coarse slot goes to a fine slot, whose moment is its due time rounded *up*
 *   to a multiple of `actMs` (0: not rounded). Looking is cheap and may be early; acting is never early.
 * Slots exist only while they hold something, in one heap by their moment, so the timer sleeps until the next filled
 * one and any distance costs the same. Entries are linked through their own fields: joining and leaving is O(1), but for
 * the O(log slots) of a slot's first and last entry.
 *
 * The second question is what to judge by after the event loop stalled. `now()` may then be seconds past the moment
 * that the timer was set for, and bytes that came meanwhile are still in the kernel. So a wake-up judges by the moment
 * it was *set for*. What fell due later is judged at a wake-up of its own, which is asked for in the same turn with a
 * delay of 0: on `RealTime` an action that an action schedules runs after the sockets have been polled again.
 *
 * Given up: the order within a slot is the order of arrival, not of due times; they are less than `actMs` apart.
 */
import type { SchedulerLike, Subscription } from 'rxjs';
import { type Due, DueHeap, NOT_IN_HEAP } from './due-heap.js';
import { throwCollected, TimeError } from './time-error.js';

/**
 * Something that waits: extended by its owner (a session), so that a wait costs three fields and no closure.
 * An entry is on one wheel at a time.
 */
export abstract class WaitEntry {
  /** Kept by the wheel; `undefined` when the entry is on none. */
  waitSlot: WaitSlot | undefined = undefined;
  /** Kept by the wheel. */
  nextWait: WaitEntry | undefined = undefined;
  /** Kept by the wheel. */
  previousWait: WaitEntry | undefined = undefined;

  /**
   * When the wait ends, in ms of the scheduler's `now()`; `Infinity` when the entry waits for nothing at present.
   * Asked when the entry is added or updated and when the wheel looks at it. It must not change the wheel.
   */
  abstract dueMs(): number;

  /**
   * The wait has ended: `dueMs() <= atMs`. The entry is off the wheel, and adds itself again if it has more to wait for.
   * @param atMs the moment to judge by. It is at most `now()`, and before it after a stall or when the entry was due
   *   already when it was added: what `now()` would make of the difference (further waits that went by) is not known
   *   before the sockets have been read.
   */
  abstract judge(atMs: number): void;
}

/** A list of entries and the moment to look at them. */
class WaitSlot implements Due {
  heapIndex = NOT_IN_HEAP;
  first: WaitEntry | undefined = undefined;
  last: WaitEntry | undefined = undefined;

  constructor(
    readonly dueMs: number,
    /** Coarse slots before fine ones. */
    readonly rank: number,
    readonly sequence: number,
    /** The slot's name on its level: the number of a coarse slot, the moment of a fine one. */
    readonly key: number,
  ) {}
}

const COARSE = 0;
const FINE = 1;

export interface WaitWheelOptions {
  /** Length of a coarse slot, in ms, above 0. Default 100. */
  lookMs?: number;
  /** How far apart wake-ups that act are at least, and so how late a wait may be judged, in ms. Default 0: exactly. 5 suits `RealTime`. */
  actMs?: number;
  /**
   * Told of each error that an entry throws, after the other entries of the wake-up had their turn.
   * Default: thrown by the wheel's action, so the scheduler reports it.
   */
  onError?: (error: unknown) => void;
}

export class WaitWheel {
  readonly #time: SchedulerLike;
  readonly #lookMs: number;
  readonly #actMs: number;
  readonly #onError: ((error: unknown) => void) | undefined;

  readonly #slots = new DueHeap<WaitSlot>();
  readonly #coarse = new Map<number, WaitSlot>();
  readonly #fine = new Map<number, WaitSlot>();
  /** Entries that wait for nothing. They are on the wheel and never looked at; `update` wakes them. */
  readonly #asleep = new WaitSlot(Infinity, COARSE, 0, Infinity);

  #size = 0;
  #sequence = 0;
  #timer: Subscription | undefined;
  /** The slot time that `#timer` sleeps for. */
  #wakeMs = Infinity;
  /** What the next wake-up may judge by, at most. */
  #horizonMs = -Infinity;
  /** The slots of the wake-up that is running: out of the heap, but not yet empty. */
  #looking: WaitSlot[] = [];
  #waking = false;
  #disposed = false;

  /** @throws {RangeError} when an option is outside its limits. */
  constructor(time: SchedulerLike, options: WaitWheelOptions = {}) {
    const { lookMs = 100, actMs = 0, onError } = options;
    if (!(lookMs > 0 && lookMs < Infinity)) throw new RangeError(`lookMs must be finite and above 0, and is ${lookMs}`);
    if (!(actMs >= 0 && actMs < Infinity)) throw new RangeError(`actMs must be finite and at least 0, and is ${actMs}`);
    this.#time = time;
    this.#lookMs = lookMs;
    this.#actMs = actMs;
    this.#onError = onError;
  }

  /** How many entries are on the wheel, asleep or not. */
  get size(): number {
    return this.#size;
  }

  /**
   * Puts the entry on the wheel; one that is on it already is updated. It is judged from the scheduler, never from
   * inside this call, also when it is due at once.
   * @throws {RangeError} when `dueMs()` is NaN, and whatever `dueMs()` throws; the entry is not added then.
   * @throws {TimeError} WHEEL_DISPOSED after `dispose`.
   */
  add(entry: WaitEntry): void {
    if (this.#disposed)
      throw new TimeError('WHEEL_DISPOSED', 'an entry was added to a wheel that has been disposed of');
    if (entry.waitSlot !== undefined) {
      this.update(entry);
      return;
    }
    const dueMs = dueOf(entry);
    this.#size += 1;
    this.#file(entry, dueMs, this.#time.now());
    this.#sleep();
  }

  /** Takes the entry off the wheel; one that is not on it is left alone. */
  remove(entry: WaitEntry): void {
    if (entry.waitSlot === undefined) return;
    this.#size -= 1;
    this.#unlink(entry);
    this.#sleep();
  }

  /**
   * Says that the entry's due time may be earlier than it was (or is no longer `Infinity`). A later one needs no call.
   * An entry that is not on the wheel is left alone.
   * @throws as `add`; the entry is asleep then.
   */
  update(entry: WaitEntry): void {
    if (entry.waitSlot === undefined) return;
    const nowMs = this.#time.now();
    let dueMs = Infinity;
    try {
      dueMs = dueOf(entry);
    } finally {
      if (entry.waitSlot !== this.#slotFor(dueMs, nowMs)) {
        this.#unlink(entry);
        this.#file(entry, dueMs, nowMs);
        this.#sleep();
      }
    }
  }

  /** Takes all entries off and ends the timer. */
  dispose(): void {
    this.#disposed = true;
    for (const slot of [this.#asleep, ...this.#looking, ...this.#slots.sorted()]) {
      while (slot.first !== undefined) this.#unlink(slot.first);
    }
    this.#size = 0;
    this.#sleep();
  }

  #wake(): void {
    const atMs = Math.min(this.#horizonMs, this.#time.now());
    const errors: unknown[] = [];
    this.#timer = undefined;
    this.#wakeMs = Infinity;
    this.#waking = true;
    // All slots first, then their entries: one that adds itself again for a moment in the past waits for the next
    // wake-up, and cannot keep this one from ending.
    this.#looking = this.#takeSlots(atMs);
    for (const slot of this.#looking) {
      while (slot.first !== undefined) this.#look(slot.first, atMs, errors);
    }
    this.#looking = [];
    this.#waking = false;
    this.#sleep(this.#time.now());
    this.#report(errors);
  }

  #look(entry: WaitEntry, atMs: number, errors: unknown[]): void {
    this.#unlink(entry);
    let dueMs: number;
    try {
      dueMs = dueOf(entry);
    } catch (error) {
      errors.push(error);
      dueMs = Infinity; // it stays on the wheel, where its owner can still update or remove it
    }
    if (dueMs > atMs) {
      this.#file(entry, dueMs, atMs);
      return;
    }
    this.#size -= 1;
    try {
      entry.judge(atMs);
    } catch (error) {
      errors.push(error);
    }
  }

  #takeSlots(atMs: number): WaitSlot[] {
    const taken: WaitSlot[] = [];
    for (;;) {
      const slot = this.#slots.peek();
      if (slot === undefined || slot.dueMs > atMs) return taken;
      this.#drop(slot);
      taken.push(slot);
    }
  }

  /** Sets the timer to the next filled slot. @param turnMs the present moment, when called at the end of a wake-up. */
  #sleep(turnMs = -Infinity): void {
    if (this.#waking) return;
    const wakeMs = this.#slots.peek()?.dueMs ?? Infinity;
    if (wakeMs === this.#wakeMs) return;
    this.#timer?.unsubscribe();
    this.#timer = undefined;
    this.#wakeMs = wakeMs;
    if (wakeMs === Infinity) return;
    this.#horizonMs = Math.max(wakeMs, turnMs);
    this.#timer = this.#time.schedule(() => this.#wake(), Math.max(0, wakeMs - this.#time.now()));
  }

  #file(entry: WaitEntry, dueMs: number, nowMs: number): void {
    let slot = this.#slotFor(dueMs, nowMs);
    if (slot === undefined) {
      slot = this.#isFar(dueMs, nowMs) ? this.#newCoarse(dueMs) : this.#newFine(dueMs);
      this.#slots.push(slot);
    }
    entry.waitSlot = slot;
    entry.previousWait = slot.last;
    if (slot.last === undefined) slot.first = entry;
    else slot.last.nextWait = entry;
    slot.last = entry;
  }

  #unlink(entry: WaitEntry): void {
    const slot = entry.waitSlot!;
    const { nextWait, previousWait } = entry;
    if (previousWait === undefined) slot.first = nextWait;
    else previousWait.nextWait = nextWait;
    if (nextWait === undefined) slot.last = previousWait;
    else nextWait.previousWait = previousWait;
    entry.waitSlot = entry.nextWait = entry.previousWait = undefined;
    if (slot.first === undefined) this.#drop(slot);
  }

  #drop(slot: WaitSlot): void {
    // A slot that is being looked at is out of the heap already, and another may have its name by now.
    if (this.#slots.remove(slot)) (slot.rank === COARSE ? this.#coarse : this.#fine).delete(slot.key);
  }

  /** @returns the slot that the due time belongs to now; `undefined` when it has to be made. */
  #slotFor(dueMs: number, nowMs: number): WaitSlot | undefined {
    if (dueMs === Infinity) return this.#asleep;
    return this.#isFar(dueMs, nowMs)
      ? this.#coarse.get(this.#coarseNumber(dueMs))
      : this.#fine.get(this.#fineMoment(dueMs));
  }

  #newCoarse(dueMs: number): WaitSlot {
    const number = this.#coarseNumber(dueMs);
    const slot = new WaitSlot(number * this.#lookMs, COARSE, this.#sequence++, number);
    this.#coarse.set(number, slot);
    return slot;
  }

  #newFine(dueMs: number): WaitSlot {
    const moment = this.#fineMoment(dueMs);
    const slot = new WaitSlot(moment, FINE, this.#sequence++, moment);
    this.#fine.set(moment, slot);
    return slot;
  }

  #isFar(dueMs: number, nowMs: number): boolean {
    return this.#coarseNumber(dueMs) > this.#coarseNumber(nowMs);
  }

  #coarseNumber(ms: number): number {
    const number = Math.floor(ms / this.#lookMs);
    // The quotient may be rounded up to the next slot, which would be looked at too late.
    return number * this.#lookMs > ms ? number - 1 : number;
  }

  #fineMoment(dueMs: number): number {
    if (this.#actMs === 0) return dueMs;
    return Math.max(dueMs, Math.ceil(dueMs / this.#actMs) * this.#actMs);
  }

  #report(errors: unknown[]): void {
    if (this.#onError === undefined) throwCollected(errors, 'waits');
    else for (const error of errors) this.#onError(error);
  }
}

function dueOf(entry: WaitEntry): number {
  const dueMs = entry.dueMs();
  if (Number.isNaN(dueMs)) throw new RangeError('dueMs() of a wait must be a number, and is NaN');
  return dueMs;
}
