/**
 * What the GC-sweeper chart's slices do, on one server's things:
 * - records of sessions that had ended when the sweep before this one began are let go;
 * - a socket that was given up and is still not closed is forced;
 * - a session without a live socket is a leak: counted, reported, removed.
 */
import type { GcSweeperCommand, GcSweeperEvent, gcSweeperMachine } from '../../machines/gc-sweeper.js';
import type { ActorOwner, EngineActor } from '../engine/engine.js';
import type { SocketLayer, SocketRecord } from '../socket/socket-layer.js';
import { messageOf, RuntimeError } from './errors.js';
import type { RegistryControl } from './registry.js';
import type { LiveSession } from './live-session.js';

export interface SweeperHost {
  readonly layer: SocketLayer;
  readonly registry: RegistryControl;
  report(error: RuntimeError): void;
}

export class Sweeper {
  actor: EngineActor<typeof gcSweeperMachine> | undefined;
  #sockets: IterableIterator<SocketRecord> | undefined;

  constructor(readonly host: SweeperHost) {}

  sweep(max: number, first: boolean): Extract<GcSweeperEvent, { type: 'SLICE_DONE' }> {
    const done = { type: 'SLICE_DONE' as const, freed: 0, forced: 0, leaked: 0, remaining: 0 };
    const { layer, registry } = this.host;
    if (first) {
      // Those that were there when the last sweep began: they have been shown for a whole interval.
      done.freed = registry.forgetRecent();
      this.#sockets = layer.sockets();
    }
    for (let looked = 0; looked < max; looked += 1) {
      const next = this.#sockets?.next();
      if (!next || next.done) {
        this.#sockets = undefined;
        return done;
      }
      this.#lookAt(next.value, done);
    }
    return { ...done, remaining: 1 };
  }

  /** No sweep follows: what was given up and is still not closed is forced now. */
  finish(): void {
    this.actor?.stop();
    const { layer } = this.host;
    for (const socket of [...layer.sockets()]) if (socket.markedDeleted) layer.release(socket);
  }

  #lookAt(socket: SocketRecord, done: { freed: number; forced: number; leaked: number }): void {
    const { layer } = this.host;
    if (socket.markedDeleted) {
      if (socket.closed) done.freed += 1;
      else done.forced += 1;
      layer.release(socket);
      return;
    }
    const session = socket.owner as Partial<LiveSession> | undefined;
    // One that has ended and still decodes what came before is no leak: its chart gives it a deadline.
    if (!socket.closed || !session?.finish || session.transportSnapshot?.hasTag('ended')) return;
    done.leaked += 1;
    this.host.report(new RuntimeError('INTERNAL', 'a session had outlived its socket, and was removed', session.id));
    session.finish('swept');
  }
}

export const SWEEPER: ActorOwner<Sweeper, GcSweeperCommand> = {
  carryOut: (sweeper, command) => sweeper.actor?.send(sweeper.sweep(command.max, command.first)),
  failed: (sweeper, error) =>
    sweeper.host.report(
      new RuntimeError('INTERNAL', `the sweeper chart threw: ${messageOf(error)}`, undefined, { cause: error }),
    ),
};
