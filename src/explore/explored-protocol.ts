/**
 * The protocol as a path plays it: the same charts and codecs, with handlers and shared actors that can be told to answer otherwise.
 * Nothing else is replaced, and the user's protocol stays as it is.
 */
import type { AnyMachineSnapshot, AnyStateMachine, EventObject } from 'xstate';
import type { AnyProtocol, CommandHandler, SessionInfo } from '../session/protocol.js';
import type { SimulatedAnswers } from './explore-options.js';
import type { KnownAnswers } from './known-answers.js';
import type { Answers } from './script.js';

/** What is answered now: a step of a path sets it. */
export interface AnswerSwitch {
  answers: Answers;
  /** The path is over: an answer that comes now is nothing to learn from. */
  isOver: boolean;
}

export interface ExploredProtocolOptions {
  readonly answering: AnswerSwitch;
  readonly simulated: Readonly<Record<string, SimulatedAnswers>>;
  /** Told what the protocol's own handlers answer. */
  readonly known: KnownAnswers;
  readonly now: () => number;
}

export function exploredProtocol(protocol: AnyProtocol, options: ExploredProtocolOptions): AnyProtocol {
  const handlers = Object.entries((protocol.handlers ?? {}) as Record<string, CommandHandler>);
  const shared = Object.entries((protocol.shared ?? {}) as Record<string, { machine: AnyStateMachine }>);
  return {
    ...protocol,
    handlers: Object.fromEntries(handlers.map(([type, handler]) => [type, switched(type, handler, options)])),
    shared: Object.fromEntries(
      shared.map(([name, one]) => [name, { ...one, machine: mutable(one.machine, options.answering) }]),
    ),
  };
}

function switched(type: string, handler: CommandHandler, options: ExploredProtocolOptions): CommandHandler {
  const { answering, simulated, known, now } = options;
  const own = (command: EventObject, session: SessionInfo, signal: AbortSignal): unknown => {
    const startMs = now();
    const note = (event: unknown) => {
      if (!answering.isOver) known.note(command, { event: event as EventObject | undefined, afterMs: now() - startMs });
    };
    let answer: unknown;
    try {
      answer = handler.run(command, session, signal);
    } catch (error) {
      known.note(command, 'failed');
      throw error;
    }
    if (!isPromiseLike(answer)) {
      note(answer);
      return answer;
    }
    known.note(command, 'none');
    // An answer that comes on the clock begins when the session takes it, which is after this.
    queueMicrotask(() => {
      (answer as PromiseLike<unknown>).then(note, () => {
        if (!answering.isOver) known.note(command, 'failed');
      });
    });
    return answer;
  };
  return {
    ...handler,
    run(command, session, signal) {
      const { answers } = answering;
      if (answers === 'failure') throw new Error('a simulated failure');
      if (answers === 'none') return new Promise(() => {});
      const simulatedOnes = simulated[type];
      if (!simulatedOnes) return own(command, session, signal);
      const answer = simulatedOnes[typeof answers === 'number' ? Math.min(answers, simulatedOnes.length - 1) : 0]!;
      return typeof answer === 'function' ? answer(command) : answer;
    },
  };
}

/** With `none` it hears nothing of what sessions tell it, as if it had just failed. That they end it always hears. */
function mutable(machine: AnyStateMachine, answering: AnswerSwitch): AnyStateMachine {
  const transition: AnyStateMachine['transition'] = (snapshot, event, scope) => {
    const isTold = 'session' in event && event.type !== 'SESSION_CLOSED';
    if (isTold && answering.answers === 'none') return snapshot as AnyMachineSnapshot;
    return machine.transition(snapshot, event, scope);
  };
  return Object.create(machine, { transition: { value: transition } }) as AnyStateMachine;
}

function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as PromiseLike<unknown>).then === 'function';
}
