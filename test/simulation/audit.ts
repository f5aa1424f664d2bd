/**
 * What must hold of a server's sessions besides what a world looks at: that each ends for a reason that is true, at the moment that the
 * reason says. It is judged from outside, by what the sockets reported and when, not by what the chart thinks of itself.
 *
 * - A deadline is looked at on both sides: an end that comes early is wrong when it comes, one that does not come is found by `look`.
 * - A process that stood still is late by that, and nothing is said of the exact moment then.
 */
import { Subscription } from 'rxjs';
import type { SocketEvent } from '../../machines/events.js';
import { isPeerError } from '../../src/codec/codec.js';
import type { TcpServer } from '../../src/server.js';
import type { LiveSession } from '../../src/session/live-session.js';
import { parseSessionOptions, withDefaults, type ParsedSessionOptions } from '../../src/session/options.js';
import type { SessionRecord } from '../../src/session/session.js';
import type { World, WorldServerOptions } from '../../src/testing/world.js';
import { WorldError } from '../../src/testing/world-error.js';

/** The clock is exact; sums of fractions are not. */
const TOLERANCE_MS = 0.01;
/** Between two looks: what they alone can tell is as precise as that. */
export const STEP_MS = 250;
/** Of a look that finds a session that should have been ended: what is due at the moment of the look may not have run yet. */
const LOOK_MS = 1;

interface Seen {
  readonly madeMs: number;
  lastReadMs: number;
  /** Waits stood still at some time since the last READ: the moment of their end is not known from outside. */
  stoodStill: boolean;
  lastDecodedMs: number;
  /** Since when `bytesSent` has not grown, as far as looks can tell. */
  progressMs: number;
  bytesSent: number;
  ended: boolean;
  closedMs: number;
  peerEnded: boolean;
  /** The last error of the socket. */
  failure: string | undefined;
  /** As it was when the close began. */
  reason: string | undefined;
  closingMs: number | undefined;
  /** Since when all is answered, after the peer's FIN. */
  answeredMs: number | undefined;
  decodeFailure: unknown;
}

export class Audit {
  readonly options: ParsedSessionOptions;
  /** The protocol fails on purpose. */
  mayFail = false;
  /** The protocol changes its waits: the moment of their end is not known from outside. */
  changesWaits = false;
  /** Somebody forces sessions that are closing. */
  forcesLate = false;
  readonly #wires = new Subscription();
  readonly #seen = new Map<LiveSession, Seen>();
  /** All that have ended, by reason and by what closed them. */
  readonly ends = new Map<string, number>();
  #violation: WorldError | undefined;

  constructor(
    readonly world: World,
    readonly server: TcpServer,
    options: WorldServerOptions = {},
  ) {
    this.options = parseSessionOptions(withDefaults(server.protocol.options, options), 'audit');
    this.#wires.add(
      server.sessions.changes.subscribe((change) => {
        const session = change.session as LiveSession;
        if (change.type === 'added') this.#added(session);
        else if (change.type === 'changed') this.#changed(session);
        else this.#removed(session, change.record);
      }),
    );
    this.#wires.add(
      server.events.subscribe(({ session, event }) => {
        if (session) this.#event(session as LiveSession, event);
      }),
    );
  }

  end(): void {
    this.#wires.unsubscribe();
  }

  /** How many sessions ended so. */
  count(reason: string, closedBy?: 'fin' | 'rst'): number {
    const of = (by: string) => this.ends.get(`${reason} ${by}`) ?? 0;
    return closedBy ? of(closedBy) : of('fin') + of('rst');
  }

  /** Whatever shows without an event. To be called after each step. @throws {WorldError} PROPERTY_BROKEN with the first that was broken */
  look(): void {
    for (const [session, seen] of this.#seen) this.#lookAt(session, seen);
    if (this.#violation) throw this.#violation;
  }

  /** Longest time that the server's process stands still within this world, in ms. */
  get #stallMs(): number {
    return this.world.scheduledFaults.reduce((sum, f) => sum + (f.kind === 'stall' ? f.durationMs : 0), 0);
  }

  #added(session: LiveSession): void {
    const nowMs = this.world.time.now();
    const seen: Seen = {
      madeMs: nowMs,
      lastReadMs: nowMs,
      stoodStill: false,
      lastDecodedMs: nowMs,
      progressMs: nowMs,
      bytesSent: 0,
      ended: false,
      closedMs: Infinity,
      peerEnded: false,
      failure: undefined,
      reason: undefined,
      closingMs: undefined,
      answeredMs: undefined,
      decodeFailure: undefined,
    };
    this.#seen.set(session, seen);
    session.tap({
      decoded: () => void (seen.lastDecodedMs = this.world.time.now()),
      decodeFailed: (error) => void (seen.decodeFailure = error),
      transport: {
        snapshot: (snapshot) => {
          const { held, inputFull, outputFull } = snapshot.context as Record<string, boolean>;
          if (held || inputFull || outputFull) seen.stoodStill = true;
        },
      },
    });
  }

  #event(session: LiveSession, event: SocketEvent): void {
    const seen = this.#seen.get(session);
    if (seen === undefined) return;
    if (seen.ended) this.#broken(session, `${event.type} after its end`);
    if (event.type === 'READ') {
      seen.lastReadMs = this.world.time.now();
      const { held, inputFull, outputFull } = session.transportSnapshot.context;
      seen.stoodStill = held || inputFull || outputFull;
      if (seen.peerEnded) this.#broken(session, 'bytes are read behind the end of the file');
    }
    if (event.type === 'PEER_END') seen.peerEnded = true;
    if (event.type === 'ERROR') seen.failure = event.code;
    if (event.type === 'CLOSE') seen.closedMs = this.world.time.now();
    if (event.type === 'CLOSE' && event.byReset && !session.transportSnapshot.matches('reset'))
      seen.failure ??= 'CLOSE';
  }

  #changed(session: LiveSession): void {
    const seen = this.#seen.get(session);
    if (seen === undefined) return;
    const snapshot = session.transportSnapshot;
    const nowMs = this.world.time.now();
    seen.answeredMs = snapshot.matches({ halfClosed: { byPeer: 'answered' } }) ? (seen.answeredMs ?? nowMs) : undefined;
    const isClosing = snapshot.matches('closing') || snapshot.matches('reset');
    if (!isClosing || seen.closingMs !== undefined) return;
    seen.closingMs = nowMs;
    seen.reason = snapshot.context.reason;
    this.#judgeReason(session, seen, snapshot.context);
  }

  /** Is the reason true? What is decided when the close begins. */
  #judgeReason(
    session: LiveSession,
    seen: Seen,
    context: {
      readonly reason: string | undefined;
      readonly held: boolean;
      readonly inputFull: boolean;
      readonly outputFull: boolean;
      readonly waitTimeoutCountMax: number;
    },
  ): void {
    const nowMs = this.world.time.now();
    const { options } = this;
    const { reason, waitTimeoutCountMax } = context;
    const broken = (text: string) => this.#broken(session, `it ends by ${reason}: ${text}`);
    switch (reason) {
      case 'wait timeout': {
        if (context.held || context.inputFull || context.outputFull) broken('its waits should stand still');
        const lateMs = nowMs - seen.lastReadMs - waitTimeoutCountMax * options.waitTimeoutMs;
        if (lateMs < -TOLERANCE_MS) broken(`${-lateMs} ms too early`);
        if (!seen.stoodStill && !this.changesWaits && lateMs > this.#stallMs + TOLERANCE_MS)
          broken(`${lateMs} ms too late`);
        return;
      }
      case 'frame timeout': {
        // The first byte of the frame came with a READ after the last message, or with its READ.
        const pendingMs = nowMs - Math.max(seen.madeMs, seen.lastDecodedMs);
        if (pendingMs < options.frameTimeoutMs - TOLERANCE_MS) {
          broken(`its last message is ${pendingMs} ms old, and a frame has ${options.frameTimeoutMs} ms`);
        }
        return;
      }
      case 'send timeout': {
        if (seen.failure === 'ETIMEDOUT') return;
        const stalledMs = nowMs - seen.progressMs;
        if (session.statistics.bytesSent > seen.bytesSent || stalledMs < options.sendTimeoutMs - STEP_MS) {
          broken(`the kernel took bytes ${stalledMs} ms ago or later`);
        }
        return;
      }
      case 'peer reset':
        if (!['ECONNRESET', 'EPIPE'].includes(seen.failure ?? '')) broken(`its socket said ${seen.failure}`);
        return;
      case 'socket error':
        if (seen.failure === undefined || ['ECONNRESET', 'EPIPE'].includes(seen.failure))
          broken(`its socket said ${seen.failure}`);
        return;
      case 'peer closed':
        if (!seen.peerEnded) broken('its peer has not');
        return;
      case 'truncated frame':
      case 'bad frame':
        if (!isPeerError(seen.decodeFailure)) broken(`its codec said ${String(seen.decodeFailure)}`);
        return;
      case 'protocol failed':
        if (!this.mayFail) broken('it may not');
        return;
      case 'swept':
        broken('nothing here leaves it to the sweeper');
        return;
      default:
    }
  }

  #removed(session: LiveSession, record: SessionRecord): void {
    const seen = this.#seen.get(session);
    if (seen === undefined) return;
    if (seen.ended) this.#broken(session, 'it ends twice');
    seen.ended = true;
    this.#seen.delete(session);
    const key = `${record.reason} ${record.closedBy}`;
    this.ends.set(key, (this.ends.get(key) ?? 0) + 1);
    if (seen.closingMs !== undefined && seen.reason !== undefined && record.reason !== seen.reason) {
      this.#broken(session, `its close began by ${seen.reason}, and it ended by ${record.reason}`);
    }
    if (record.reason === 'peer closed' && !seen.peerEnded)
      this.#broken(session, 'it ended by its peer, which has not sent FIN');
    if (record.reason === 'peer reset' && seen.failure === undefined && record.closedBy !== 'rst') {
      this.#broken(session, 'it ended by a reset, and was closed by FIN');
    }
    // One whose socket has closed may still decode what came before: there is nothing left to reset.
    const wasClosed = seen.closedMs < this.world.time.now();
    if (record.option === 'force' && record.closedBy === 'fin' && seen.failure === undefined && !wasClosed) {
      this.#broken(session, 'it was to be reset, and closed by FIN');
    }
    const closingMs = seen.closingMs === undefined ? 0 : this.world.time.now() - seen.closingMs;
    const failed = seen.failure !== undefined || record.reason === 'peer reset' || record.option === 'force';
    if (
      record.closedBy === 'rst' &&
      !failed &&
      closingMs < this.options.closeTimeoutMs - TOLERANCE_MS &&
      !this.#mayBeResetEarly(record)
    ) {
      this.#broken(
        session,
        `its graceful close (${record.reason}) became a reset after ${closingMs} ms, before its deadline`,
      );
    }
  }

  /** Too much after our FIN; a second request that forces it. */
  #mayBeResetEarly(record: SessionRecord): boolean {
    return record.statistics.bytesReceived > this.options.discardedBytesMax || this.forcesLate;
  }

  #lookAt(session: LiveSession, seen: Seen): void {
    const nowMs = this.world.time.now();
    const { bytesSent } = session.statistics;
    if (bytesSent !== seen.bytesSent) {
      seen.bytesSent = bytesSent;
      seen.progressMs = nowMs;
    }
    const snapshot = session.transportSnapshot;
    const { held, inputFull, outputFull, waitTimeoutCountMax } = snapshot.context;
    const stallMs = this.#stallMs;
    const { waitTimeoutMs, closeTimeoutMs, sendTimeoutMs } = this.options;
    const standsStill = held || inputFull || outputFull;
    if (standsStill) seen.stoodStill = true;
    if (snapshot.hasTag('counting') && !seen.stoodStill && !this.changesWaits && waitTimeoutCountMax > 0) {
      const silentMs = nowMs - seen.lastReadMs - waitTimeoutCountMax * waitTimeoutMs;
      if (silentMs > stallMs + LOOK_MS) this.#broken(session, `nobody ended it ${silentMs} ms after its last wait`);
    }
    if (snapshot.matches({ connected: 'congested' })) {
      const stalledMs = nowMs - seen.progressMs - sendTimeoutMs;
      // By one look of six, and one step of whoever calls this.
      if (stalledMs > sendTimeoutMs / 3 + stallMs + LOOK_MS) {
        this.#broken(session, `nobody ended it ${stalledMs} ms after its send timeout`);
      }
    }
    if (seen.answeredMs !== undefined && nowMs - seen.answeredMs > closeTimeoutMs + stallMs + LOOK_MS) {
      this.#broken(session, `it has been half-closed for ${nowMs - seen.answeredMs} ms`);
    }
  }

  #broken(session: LiveSession, text: string): void {
    if (this.#violation) return;
    const tail = this.world.trace
      .filter((line) => line.includes(` session ${session.id} `) || line.includes(' fault '))
      .slice(-20);
    this.#violation = new WorldError(
      'PROPERTY_BROKEN',
      `session ${session.id}: ${text} (seed ${this.world.seed}, at ${this.world.time.now()} ms)${tail.map((l) => `\n  ${l}`).join('')}`,
      session.id,
    );
  }
}
