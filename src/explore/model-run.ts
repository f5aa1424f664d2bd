/** One step of the model under way: a copy of a place that is changed until nothing more follows, as a server does within a turn. */
import type { AnyMachineSnapshot, AnyStateMachine, EventObject } from 'xstate';
import { HandlerTimeoutError } from '../session/command-handlers.js';
import { messageOf } from '../session/errors.js';
import type { AnyProtocol, CommandHandler, ProtocolCommand, SessionInfo, SharedCommand } from '../session/protocol.js';
import type { ParsedSessionOptions } from '../session/options.js';
import { TcpSocketStatistics } from '../socket/statistics.js';
import type { ChartMap } from './chart-map.js';
import type { SimulatedAnswers } from './explore-options.js';
import type { KnownAnswers } from './known-answers.js';
import type { ModelSession, Phase, Place, Timer } from './place.js';
import type { ChartStep, PureCharts } from './pure-chart.js';
import type { Answers, Step } from './script.js';

/** What an exploration is of. */
export interface ModelOf {
  readonly protocol: AnyProtocol;
  readonly chart: ChartMap;
  readonly charts: PureCharts;
  readonly options: ParsedSessionOptions;
  readonly drainTimeoutMs: number;
  readonly known: KnownAnswers;
  readonly simulated: Readonly<Record<string, SimulatedAnswers>>;
}

/** Of handlers, next to the ids of transitions. */
export const failureOf = (command: string) => `handler ${command} failure`;
export const deadlineOf = (command: string) => `handler ${command} deadline`;

export const SERVER_ADDRESS = '10.0.0.1';
export const PEERS_ADDRESS = '10.0.0.2';
export const PORT = 7_000;

const FIRST_PLACE: Place = {
  status: 'active',
  output: undefined,
  error: undefined,
  sessions: [],
  shared: {},
  timers: [],
  keys: new Map(),
  nowMs: 0,
  order: 0,
  drainingSinceMs: undefined,
  from: undefined,
  depth: 0,
  taken: [],
  told: [],
  threw: undefined,
  asked: [],
  unknown: [],
};

export class ModelRun {
  sessions: ModelSession[];
  timers: Timer[];
  nowMs: number;
  drainingSinceMs: number | undefined;
  readonly #of: ModelOf;
  readonly #before: Place;
  readonly #answers: Answers;
  readonly #shared: Record<string, AnyMachineSnapshot>;
  readonly #keys: Map<string, number>;
  readonly #taken = new Set<string>();
  readonly #told: { readonly index: number; readonly event: EventObject }[] = [];
  #threw: string | undefined;
  readonly #asked = new Set<string>();
  readonly #unknown: string[] = [];
  #order: number;

  constructor(of: ModelOf, before: Place = FIRST_PLACE, answers: Answers = 'given') {
    this.#of = of;
    this.#before = before;
    this.#answers = answers;
    this.sessions = before.sessions.map((session) => ({ ...session }));
    this.timers = [...before.timers];
    this.nowMs = before.nowMs;
    this.drainingSinceMs = before.drainingSinceMs;
    this.#shared = { ...before.shared };
    this.#keys = new Map(before.keys);
    this.#order = before.order;
  }

  place(step: Step | undefined): Place {
    return {
      ...FIRST_PLACE,
      sessions: this.sessions,
      shared: this.#shared,
      timers: this.timers.sort((a, b) => a.dueMs - b.dueMs || a.order - b.order),
      keys: this.#keys,
      nowMs: this.nowMs,
      order: this.#order,
      drainingSinceMs: this.drainingSinceMs,
      from: step && { place: this.#before, step },
      depth: step ? this.#before.depth + 1 : 0,
      taken: [...this.#taken],
      told: this.#told,
      threw: this.#threw,
      asked: [...this.#asked],
      unknown: this.#unknown,
    };
  }

  startShared(): void {
    for (const [name, { machine, input }] of Object.entries(this.#of.protocol.shared ?? {}) as [
      string,
      { machine: AnyStateMachine; input?: () => unknown },
    ][]) {
      const step = this.#of.charts.start(machine, input?.());
      this.#shared[name] = step.snapshot;
      this.#tookShared(name, step);
    }
  }

  connect(): void {
    const { protocol, charts, options } = this.#of;
    const index = this.sessions.length;
    const id = String(index + 1);
    let first: ChartStep;
    try {
      first = charts.start(protocol.machine as AnyStateMachine, protocol.input?.(infoOf(id, index)));
    } catch {
      return; // the real session says what is wrong
    }
    this.sessions.push({
      id,
      snapshot: first.snapshot,
      phase: 'open',
      phaseSinceMs: this.nowMs,
      silentSinceMs: this.nowMs,
      waitCount: 0,
      waitCountMax: options.waitTimeoutCountMax,
      congested: false,
      codec: protocol.initialCodec,
    });
    for (const state of this.#of.chart.begins) this.#taken.add(state);
    this.#took(index, first);
  }

  /** An event for a session's chart, and all that it leads to. */
  tell(index: number, event: EventObject): void {
    const session = this.sessions[index]!;
    if (session.phase === 'over') return;
    this.#told.push({ index, event });
    let step: ChartStep;
    try {
      step = this.#of.charts.step(this.#of.protocol.machine as AnyStateMachine, session.snapshot, event);
    } catch (error) {
      this.#threw ??= messageOf(error);
      this.close(index, 'closing');
      return;
    }
    session.snapshot = step.snapshot;
    this.#took(index, step);
  }

  tellShared(name: string, event: EventObject): void {
    const definition = this.#of.protocol.shared?.[name] as { machine: AnyStateMachine } | undefined;
    const snapshot = this.#shared[name];
    if (!definition || !snapshot) return;
    try {
      const step = this.#of.charts.step(definition.machine, snapshot, event);
      this.#shared[name] = step.snapshot;
      this.#tookShared(name, step);
    } catch {
      // The real actor fails as well, and is reported there.
    }
  }

  /** A graceful end leads to `closing`, unless the peer has ended already. */
  close(index: number, how: Extract<Phase, 'closing' | 'over'>): void {
    const session = this.sessions[index]!;
    if (session.phase === 'over' || (session.phase === 'closing' && how === 'closing')) return;
    const phase = session.phase === 'ended' ? 'over' : how;
    session.phase = phase;
    session.phaseSinceMs = this.nowMs;
    if (phase !== 'over') return;
    this.timers = this.timers.filter(({ owner }) => owner !== index);
    for (const [key, holder] of this.#keys) if (holder === index) this.#keys.delete(key);
    for (const name of Object.keys(this.#shared))
      this.tellShared(name, { type: 'SESSION_CLOSED', session: session.id, reason: 'peer closed' } as EventObject);
  }

  /** Takes it off, and lets it happen. */
  fire(timer: Timer): void {
    this.timers = this.timers.filter((other) => other !== timer);
    const { owner, event, kind, command } = timer;
    if (kind === 'deadline' && command !== undefined) this.#taken.add(deadlineOf(command));
    if (typeof owner === 'string') return void (event && this.tellShared(owner, event));
    if (event) this.tell(owner, event);
    else if (kind === 'deadline') this.close(owner, 'closing');
  }

  #took(index: number, { snapshot, commands, changes, taken }: ChartStep): void {
    for (const one of taken) {
      const known = this.#of.chart.transitionOf.get(one);
      for (const id of known ? [known.id, ...known.enters] : []) this.#taken.add(id);
    }
    this.#changeTimers(index, changes);
    for (const command of commands) {
      if (this.sessions[index]!.phase === 'over') return;
      this.#carryOut(index, command as ProtocolCommand<never, EventObject>);
    }
    if (snapshot.status !== 'active' && this.sessions[index]!.snapshot === snapshot) this.close(index, 'closing');
  }

  #tookShared(name: string, { commands, changes }: ChartStep): void {
    this.#changeTimers(name, changes);
    for (const command of commands as SharedCommand[]) {
      if (command.type !== 'DISPATCH') continue;
      const index = this.sessions.findIndex(({ id }) => id === command.session);
      if (index >= 0) this.tell(index, command.event);
    }
  }

  #changeTimers(owner: number | string, changes: ChartStep['changes']): void {
    for (const change of changes) {
      const id = 'set' in change ? change.set : change.cancel;
      this.timers = this.timers.filter((timer) => timer.owner !== owner || timer.id !== id);
      if (!('set' in change)) continue;
      this.#setTimer({ owner, id, event: change.event, kind: 'chart' }, change.delayMs);
    }
  }

  #setTimer(timer: Pick<Timer, 'owner' | 'id' | 'event' | 'kind'> & Partial<Timer>, delayMs: number): void {
    this.#order += 1;
    this.timers.push({ holds: false, command: undefined, ...timer, dueMs: this.nowMs + delayMs, order: this.#order });
  }

  #carryOut(index: number, command: ProtocolCommand<never, EventObject>): void {
    const session = this.sessions[index]!;
    switch (command.type) {
      case 'CLOSE':
        return this.close(index, (command as { option?: string }).option === 'force' ? 'over' : 'closing');
      case 'END':
        if (session.phase === 'ended') this.close(index, 'over');
        else if (session.phase === 'open') session.phase = 'ending';
        return;
      case 'TELL': {
        const { to, event } = command as { to: string; event: EventObject };
        this.#asked.add('TELL');
        if (this.#answers === 'none') return;
        return this.tellShared(to, { ...event, session: session.id } as EventObject);
      }
      case 'USE_CODEC':
        session.codec = (command as { name: string }).name;
        return;
      case 'SET_WAITS':
        session.waitCountMax = (command as { count: number }).count;
        session.waitCount = 0;
        session.silentSinceMs = this.nowMs;
        return;
      case 'SET_KEY': {
        const { key } = command as { key: string };
        const holder = this.#keys.get(key);
        if (holder === undefined) {
          for (const [old, owner] of this.#keys) if (owner === index) this.#keys.delete(old);
          this.#keys.set(key, index);
        }
        const type = holder === undefined || holder === index ? 'KEY_SET' : 'KEY_TAKEN';
        return this.tell(index, { type, key } as EventObject);
      }
      case 'SEND':
      case 'BROADCAST':
      case 'JOIN':
      case 'LEAVE':
        return;
      default:
        this.#handle(index, command as EventObject);
    }
  }

  /** One of the protocol's own commands. */
  #handle(index: number, command: EventObject): void {
    const handlers = (this.#of.protocol.handlers ?? {}) as Record<string, CommandHandler>;
    const handler = Object.hasOwn(handlers, command.type) ? handlers[command.type]! : undefined;
    if (!handler) return this.close(index, 'closing');
    this.#asked.add(command.type);
    const answers = this.#answers;
    const simulated = this.#of.simulated[command.type];
    if (answers === 'none') return this.#expectDeadline(index, command, handler);
    if (answers === 'failure') return this.#fail(index, command, handler, new Error('a simulated failure'));
    if (simulated) {
      const answer = simulated[typeof answers === 'number' ? Math.min(answers, simulated.length - 1) : 0]!;
      return this.tell(index, typeof answer === 'function' ? answer(command) : answer);
    }
    const known = this.#of.known.of(command);
    if (known === undefined) return void this.#unknown.push(command.type);
    if (known === 'none') return this.#expectDeadline(index, command, handler);
    if (known === 'failed') return this.#fail(index, command, handler, new Error('the handler failed'));
    const { event, afterMs } = known;
    if (afterMs > 0) {
      const answer = { owner: index, id: `answer ${command.type}`, event, kind: 'answer' as const };
      return this.#setTimer({ ...answer, holds: handler.holds === true, command: command.type }, afterMs);
    }
    if (event) this.tell(index, event);
  }

  #expectDeadline(index: number, command: EventObject, handler: CommandHandler): void {
    const late = new HandlerTimeoutError(`no answer to ${command.type} within ${handler.deadlineMs} ms`);
    const event = handler.failure?.(late, command) as EventObject | undefined;
    const deadline = { owner: index, id: `deadline ${command.type}`, event, kind: 'deadline' as const };
    this.#setTimer({ ...deadline, holds: handler.holds === true, command: command.type }, handler.deadlineMs);
  }

  #fail(index: number, command: EventObject, handler: CommandHandler, error: Error): void {
    this.#taken.add(failureOf(command.type));
    if (handler.failure) this.tell(index, handler.failure(error, command) as EventObject);
    else this.close(index, 'closing');
  }
}

/** Enough of a session for a chart's input: who reads more of it is told nothing yet, as at a real start. */
function infoOf(id: string, index: number): SessionInfo {
  const at = (address: string, port: number) => ({ transport: 'tcp', address, port, family: 'IPv4' }) as const;
  return {
    id,
    key: undefined,
    peer: at(PEERS_ADDRESS, 40_000 + index),
    local: at(SERVER_ADDRESS, PORT),
    statistics: new TcpSocketStatistics(),
    tcpInfo: () => undefined,
  };
}
