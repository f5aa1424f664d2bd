/** The actors that a server's sessions share: rooms, rosters, subscription lists. One supervisor for all of a server. */
import type { SchedulerLike } from 'rxjs';
import type { AnyStateMachine, EventObject } from 'xstate';
import type { ActorOwner, Engine, EngineActor } from '../engine/engine.js';
import { messageOf, RuntimeError } from './errors.js';
import type { SharedCommand, SharedDefinition } from './protocol.js';
import type { SessionRegistry } from './registry.js';

/** Restarts within RESTART_PERIOD_MS before the server gives up (as an Erlang supervisor: intensity and period). */
const RESTARTS_MAX = 3;
const RESTART_PERIOD_MS = 5_000;

export interface SharedActorsHost {
  readonly engine: Engine;
  readonly time: SchedulerLike;
  readonly registry: SessionRegistry;
  report(error: RuntimeError): void;
  /** A shared actor failed too often. */
  giveUp(name: string): void;
}

interface SharedActor {
  readonly name: string;
  readonly definition: SharedDefinition;
  readonly host: SharedActorsHost;
  /** `undefined` when its input could not be made. */
  actor: EngineActor<AnyStateMachine> | undefined;
  readonly restartedAtMs: number[];
}

const SHARED: ActorOwner<SharedActor, SharedCommand> = {
  carryOut: ({ name, host }, command) => {
    try {
      carryOut(name, host, command);
    } catch (error) {
      // The actor is fine, and so are the sessions: one command was wrong.
      host.report(
        new RuntimeError(
          'SHARED_FAILED',
          `the command ${command.type} of the shared chart ${name} failed: ${messageOf(error)}`,
          undefined,
          { cause: error },
        ),
      );
    }
  },
  failed: (shared, error) => restart(shared, error),
};

function carryOut(name: string, host: SharedActorsHost, command: SharedCommand): void {
  switch (command.type) {
    case 'DISPATCH':
      // To a session that has ended meanwhile: nobody is there to get it.
      host.registry.get(command.session)?.dispatch(command.event);
      return;
    case 'BROADCAST':
      host.registry.broadcast(command.message, {
        ...(command.group !== undefined && { group: command.group }),
        ...(command.except !== undefined && { except: command.except }),
      });
      return;
    default:
      throw new TypeError(`${name} has no such command`);
  }
}

export class SharedActors {
  readonly #actors = new Map<string, SharedActor>();

  constructor(definitions: Readonly<Record<string, SharedDefinition>>, host: SharedActorsHost) {
    for (const [name, definition] of Object.entries(definitions)) {
      const shared: SharedActor = { name, definition, host, actor: undefined, restartedAtMs: [] };
      this.#actors.set(name, shared);
      run(shared);
    }
  }

  /** @returns false when there is no actor of that name */
  tell(name: string, event: EventObject, session: string): boolean {
    const shared = this.#actors.get(name);
    shared?.actor?.send({ ...event, session } as never);
    return shared !== undefined;
  }

  /** A session has ended; `reason` is its close reason. */
  sessionClosed(session: string, reason: string): void {
    for (const { actor } of this.#actors.values()) actor?.send({ type: 'SESSION_CLOSED', session, reason } as never);
  }

  /** @returns `undefined` when there is none of that name, or it could not be made */
  actor(name: string): EngineActor<AnyStateMachine> | undefined {
    return this.#actors.get(name)?.actor;
  }

  /** Snapshots, by name. */
  snapshots(): Record<string, unknown> {
    return Object.fromEntries([...this.#actors].map(([name, { actor }]) => [name, actor?.snapshot]));
  }

  stop(): void {
    for (const { actor } of this.#actors.values()) actor?.stop();
    this.#actors.clear();
  }
}

function run(shared: SharedActor): void {
  const { definition, host } = shared;
  let input: unknown;
  try {
    input = definition.input?.();
  } catch (error) {
    shared.actor = undefined;
    restart(shared, error);
    return;
  }
  shared.actor = host.engine.createActor(definition.machine, input as never, shared, SHARED);
  shared.actor.start();
}

function restart(shared: SharedActor, error: unknown): void {
  const { host, name, restartedAtMs } = shared;
  const nowMs = host.time.now();
  host.report(
    new RuntimeError('SHARED_FAILED', `the shared chart ${name} threw: ${messageOf(error)}`, undefined, {
      cause: error,
    }),
  );
  while (restartedAtMs.length > 0 && nowMs - restartedAtMs[0]! >= RESTART_PERIOD_MS) restartedAtMs.shift();
  if (restartedAtMs.length >= RESTARTS_MAX) {
    host.giveUp(name);
    return;
  }
  restartedAtMs.push(nowMs);
  run(shared);
}
