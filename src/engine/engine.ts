/**
 * The one place that makes actors. Today each is an actor of XState's interpreter; another execution of the same
 * charts can take its place here without anything else knowing.
 *
 * What the engine adds to an actor, whoever executes it:
 * - *Commands come after the macrostep, outside the actor, in order.* A command that is carried out may send the actor its next
 *   event, and must find the state that the chart has just reached. (XState calls `emit` listeners while the actor
 *   still processes: an event sent from there waits behind the commands that should follow it.) A command's own consequences
 *   are complete before the next command of the same transition is carried out.
 * - *An error stays in its actor.* XState throws an unobserved error, or one of a chart run by a timer, into the process;
 *   here it is `failed`, once, and the actor is over.
 * - *One clock* for every actor of an engine. If it takes note of promises, it is told of those that charts invoke.
 */
import {
  createActor,
  type Actor,
  type AnyEventObject,
  type AnyMachineSnapshot,
  type AnyStateMachine,
  type AnyTransitionDefinition,
  type EventFromLogic,
  type EventObject,
  type InputFrom,
  type SnapshotFrom,
} from 'xstate';
import type { SchedulerLike } from 'rxjs';
import { clockFrom } from '../time/clock.js';
import { promiseHolderOf, type PromiseHolder } from '../time/held-promises.js';
import { lookInside } from './inside.js';
import { InvokedPromises } from './invoked-promises.js';
import { nodesOf, placesOf, type Place, type PlaceFollower } from './places.js';

/** Whoever owns actors of one kind. One object for all of them: `owner` says which, so that no actor needs closures. */
export interface ActorOwner<TOwner, TCommand> {
  carryOut(owner: TOwner, command: TCommand): void;
  /** The chart threw, or an actor that it invoked failed and nobody handled it. No event is processed any more. */
  failed(owner: TOwner, error: unknown): void;
  /** The chart has reached its final state. All its commands have been carried out. */
  done?(owner: TOwner, output: unknown): void;
  /**
   * The chart has moved by itself, not because of a `send`: by a timer, or by an actor that it invoked. All its commands have been
   * carried out; told before `failed` and `done`.
   */
  moved?(owner: TOwner): void;
}

/**
 * Looks at one actor from inside: a recorder, an explorer, a simulation's checks. An actor without one pays nothing for it.
 * None of these may throw, or change what it is given.
 */
export interface ActorTap {
  /** An event is about to be processed: one that was sent, a timer's, or one of an actor that the chart invoked; `xstate.init` at the start. */
  event?(event: EventObject): void;
  /** A microstep takes these transitions. */
  transitions?(transitions: readonly AnyTransitionDefinition[]): void;
  /** Emitted, in order, after the macrostep and before any of them is carried out. */
  command?(command: unknown): void;
  /** After the macrostep, also one that changed nothing. */
  snapshot?(snapshot: AnyMachineSnapshot): void;
  /** The chart threw instead, or an actor that it invoked failed and nobody handled it. Told after `snapshot`, if that came. */
  failed?(error: unknown): void;
}

/** An event that a chart will send itself. */
export interface PendingTimer {
  readonly id: string;
  readonly event: EventObject;
  readonly delayMs: number;
  /** When it fires, in ms of the engine's clock; known of the timers that were set while the actor had a tap. */
  readonly dueMs: number | undefined;
}

export interface EngineActor<TMachine extends AnyStateMachine> {
  start(): void;
  /** Ends it without a word: no further command, no `done`. */
  stop(): void;
  /** Runs the macrostep and carries its commands out before it returns; from inside a command likewise. Ignored once the actor is over. */
  send(event: EventFromLogic<TMachine>): void;
  readonly snapshot: SnapshotFrom<TMachine>;
  /**
   * Told after each change of the snapshot that follows, and at the start. Who begins to watch while others are told of a change is
   * not told of that one. @returns what ends it, at once.
   */
  watch(listener: (snapshot: SnapshotFrom<TMachine>) => void): () => void;
  /**
   * @returns what takes the tap off.
   * @throws {TypeError} when this XState is not one that can be looked into.
   */
  tap(tap: ActorTap): () => void;
  /** Delayed events that wait, in the order in which they were set. */
  readonly timers: readonly PendingTimer[];
  /** The states that are active now. @throws {TypeError} as `placesOf` */
  readonly place: Place;
  /**
   * From now on the follower knows the actor's place, and is told of its changes. An actor that nobody follows pays a test for
   * `undefined`. @throws {TypeError} as `placesOf`
   */
  follow(follower: PlaceFollower): void;
  /** Without effect on a follower of none, or of another. */
  unfollow(follower: PlaceFollower): void;
}

export interface Engine {
  createActor<TMachine extends AnyStateMachine, TOwner, TCommand>(
    machine: TMachine,
    input: InputFrom<TMachine>,
    owner: TOwner,
    handlers: ActorOwner<TOwner, TCommand>,
  ): EngineActor<TMachine>;
}

export function createEngine(time: SchedulerLike): Engine {
  const due = new Set<InterpretedActor<any>>();
  const clock = clockFrom(time, () => {
    // A timer sent events to actors behind our back; what they emitted is carried out now.
    for (const actor of due) actor.drain();
  });
  const parts: EngineParts = { clock, due, holder: promiseHolderOf(time), time };
  return {
    createActor: (machine, input, owner, handlers) =>
      new InterpretedActor(machine, input, owner, handlers as ActorOwner<unknown, unknown>, parts),
  };
}

/** What all actors of one engine share. */
interface EngineParts {
  readonly clock: ReturnType<typeof clockFrom>;
  /** Actors whose commands wait to be carried out. */
  readonly due: Set<InterpretedActor<any>>;
  /** The clock, if it takes note of promises. */
  readonly holder: PromiseHolder | undefined;
  readonly time: SchedulerLike;
}

interface Watcher<TSnapshot> {
  readonly listener: (snapshot: TSnapshot) => void;
  isOver: boolean;
}

/** Of every actor that nobody watches. */
const NOBODY: readonly never[] = [];

/** @returns the first snapshot, of those to come, that is what `isReached` wants. */
export function until<TMachine extends AnyStateMachine>(
  actor: EngineActor<TMachine>,
  isReached: (snapshot: SnapshotFrom<TMachine>) => boolean,
): Promise<SnapshotFrom<TMachine>> {
  return new Promise((resolve) => {
    const unwatch = actor.watch((snapshot) => {
      if (!isReached(snapshot)) return;
      unwatch();
      resolve(snapshot);
    });
  });
}

class InterpretedActor<TMachine extends AnyStateMachine> implements EngineActor<TMachine> {
  readonly #actor: Actor<TMachine>;
  readonly #owner: unknown;
  readonly #handlers: ActorOwner<unknown, unknown>;
  readonly #due: Set<InterpretedActor<any>>;
  readonly #time: SchedulerLike;
  readonly #input: unknown;
  /** When the timers fire that were set since the first tap, by XState's own record of each. */
  #dueMs: WeakMap<object, number> | undefined;
  /** Never changed in place, so that those who are being told stay the same. XState's own would be told of the change under way. */
  #watchers: readonly Watcher<SnapshotFrom<TMachine>>[] = NOBODY;
  #taps: readonly ActorTap[] = NOBODY;
  /** The first of a list. */
  #follower: PlaceFollower | undefined = undefined;
  #commands: unknown[] = [];
  #depth = 0;
  #isStopped = false;
  /** Stopped, failed or done: XState would ignore an event, and in its development build say so on the console. */
  #isOver = false;
  #hasMoved = false;
  #ending: { error: unknown } | { output: unknown } | undefined;

  constructor(
    machine: TMachine,
    input: InputFrom<TMachine>,
    owner: unknown,
    handlers: ActorOwner<unknown, unknown>,
    { clock, due, holder, time }: EngineParts,
  ) {
    this.#owner = owner;
    this.#input = input;
    this.#time = time;
    this.#handlers = handlers;
    this.#due = due;
    const promises = holder && new InvokedPromises(holder, machine.id);
    this.#actor = createActor(machine as AnyStateMachine, { input, clock }) as unknown as Actor<TMachine>;
    const actor = this.#actor as Actor<AnyStateMachine>;
    actor.on('*', (command: unknown) => {
      this.#commands.push(command);
      for (const tap of this.#taps) tap.command?.(command);
      if (this.#depth === 0) this.#dueLater();
    });
    actor.subscribe({
      next: (snapshot) => {
        promises?.look(snapshot);
        if (this.#follower !== undefined) this.#tellFollowers(this.#follower, snapshot);
        for (const tap of this.#taps) tap.snapshot?.(snapshot);
        if (this.#depth === 0) {
          this.#hasMoved = true;
          this.#dueLater();
        }
        this.#tellWatchers(snapshot as SnapshotFrom<TMachine>);
      },
      error: (error) => {
        for (const tap of this.#taps) tap.failed?.(error);
        this.#end({ error });
      },
      complete: () => this.#end({ output: actor.getSnapshot().output as unknown }),
    });
  }

  get snapshot(): SnapshotFrom<TMachine> {
    return this.#actor.getSnapshot();
  }

  start(): void {
    const init = { type: 'xstate.init', input: this.#input } as EventObject;
    for (const tap of this.#taps) tap.event?.(init);
    this.#run(() => this.#actor.start());
  }

  stop(): void {
    this.#isStopped = this.#isOver = true;
    this.#commands = [];
    this.#ending = undefined;
    this.#due.delete(this);
    this.#actor.stop();
  }

  send(event: EventFromLogic<TMachine>): void {
    if (this.#isOver) return;
    this.#run(() => this.#actor.send(event as AnyEventObject as EventFromLogic<TMachine>));
  }

  watch(listener: (snapshot: SnapshotFrom<TMachine>) => void): () => void {
    const watcher: Watcher<SnapshotFrom<TMachine>> = { listener, isOver: false };
    this.#watchers = [...this.#watchers, watcher];
    return () => {
      watcher.isOver = true;
      this.#watchers = this.#watchers.filter((other) => other !== watcher);
    };
  }

  tap(tap: ActorTap): () => void {
    const actor = this.#actor as unknown as Actor<AnyStateMachine>;
    this.#dueMs ??= lookInside(actor, this.#time, (event) => {
      for (const tap of this.#taps) tap.event?.(event);
    });
    // XState copies all that it does for its inspectors, which costs as much as doing it. Only transitions can be had in no other way.
    const inspection =
      tap.transitions &&
      actor.system.inspect((inspected) => {
        if (inspected.actorRef === actor && inspected.type === '@xstate.microstep')
          tap.transitions?.(inspected._transitions);
      });
    this.#taps = [...this.#taps, tap];
    return () => {
      inspection?.unsubscribe();
      this.#taps = this.#taps.filter((other) => other !== tap);
    };
  }

  get timers(): readonly PendingTimer[] {
    const actor = this.#actor as unknown as Actor<AnyStateMachine>;
    const { _scheduledEvents: scheduled } = actor.system.getSnapshot();
    return Object.values(scheduled).flatMap(({ source, id, event, delay }) =>
      (source as unknown) === actor ? [{ id, event, delayMs: delay, dueMs: this.#dueMs?.get(event) }] : [],
    );
  }

  get place(): Place {
    const { snapshot } = this;
    return placesOf((snapshot as AnyMachineSnapshot).machine).of(snapshot);
  }

  follow(follower: PlaceFollower): void {
    const { machine } = this.snapshot as AnyMachineSnapshot;
    follower.places = placesOf(machine);
    follower.nodes = nodesOf(this.snapshot);
    follower.place = this.place;
    follower.nextFollower = this.#follower;
    this.#follower = follower;
  }

  unfollow(follower: PlaceFollower): void {
    if (this.#follower === follower) {
      this.#follower = follower.nextFollower;
    } else {
      let before = this.#follower;
      while (before !== undefined && before.nextFollower !== follower) before = before.nextFollower;
      if (before === undefined) return;
      before.nextFollower = follower.nextFollower;
    }
    follower.nextFollower = undefined;
  }

  /** Carries out what is waiting, and what that leads to. */
  drain(): void {
    this.#due.delete(this);
    this.#run(() => {});
  }

  #tellFollowers(first: PlaceFollower, snapshot: AnyMachineSnapshot): void {
    const nodes = nodesOf(snapshot);
    for (let follower: PlaceFollower | undefined = first; follower !== undefined; follower = follower.nextFollower) {
      if (follower.nodes === nodes) continue;
      follower.nodes = nodes;
      const before = follower.place;
      const place = follower.places!.ofNodes(nodes);
      if (place === before) continue; // a history has changed, and no state
      follower.place = place;
      follower.moved(before);
    }
  }

  #tellWatchers(snapshot: SnapshotFrom<TMachine>): void {
    let failure: { error: unknown } | undefined;
    for (const watcher of this.#watchers) {
      if (watcher.isOver) continue;
      try {
        watcher.listener(snapshot);
      } catch (error) {
        failure ??= { error };
      }
    }
    if (failure) throw failure.error;
  }

  #run(step: () => void): void {
    // The commands of this step only: those that an outer step has left are carried out by the outer step.
    const outer = this.#commands;
    const own: unknown[] = this.#depth === 0 ? outer : [];
    this.#commands = own;
    this.#depth += 1;
    try {
      step();
      for (let next = 0; next < own.length && !this.#isStopped; next += 1) {
        this.#commands = [];
        this.#handlers.carryOut(this.#owner, own[next]);
      }
    } finally {
      this.#depth -= 1;
      this.#commands = this.#depth === 0 ? [] : outer;
    }
    if (this.#depth > 0 || this.#isStopped) return;
    if (this.#hasMoved) {
      this.#hasMoved = false;
      this.#handlers.moved?.(this.#owner);
    }
    this.#tellEnd();
  }

  #end(ending: { error: unknown } | { output: unknown }): void {
    if (this.#isStopped) return;
    this.#isOver = true;
    this.#ending = ending;
    if (this.#depth === 0) this.#dueLater();
  }

  #tellEnd(): void {
    const ending = this.#ending;
    if (!ending) return;
    this.#ending = undefined;
    if ('error' in ending) this.#handlers.failed(this.#owner, ending.error);
    else this.#handlers.done?.(this.#owner, ending.output);
  }

  #dueLater(): void {
    // Emitted outside `send`: by a timer (drained when the timer's work is over), or by an actor that the chart invoked
    // (a promise, say), whose event comes from a microtask.
    if (this.#due.has(this)) return;
    this.#due.add(this);
    queueMicrotask(() => this.#due.has(this) && this.drain());
  }
}
