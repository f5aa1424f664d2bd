/**
 * What a server of a protocol will do, said in advance: its charts are really taken from state to state, and everything around them
 * (sessions, handlers, shared actors, time) is as little as what they can see of it. Each step of a path is predicted here, then
 * carried out by a real server (`path-run.ts`), and the two are compared.
 *
 * Hard choices:
 * - **Steps are what comes from outside** (a peer, the clock, the server's owner), not a chart's events: an answer of a room or of
 *   a handler is not made up, it follows from what the chart asked.
 * - **Handlers are not called here**: they may write files. What they answer is learned when paths are carried out (`KnownAnswers`),
 *   and a place whose answer is not known yet is an end until then.
 * - **The transport is not modelled but for its ends.** Where a real session goes another way for a reason of its connection's (its
 *   output was congested by itself), the path is cut short there; that is no fault.
 */
import type { EventObject } from 'xstate';
import type { CommandHandler } from '../session/protocol.js';
import { ModelRun, type ModelOf } from './model-run.js';
import { holdsInput, isOpen, type ModelSession, type Place } from './place.js';
import type { Sample } from './protocol-samples.js';
import { answersOf, peerOf, type Answers, type Step } from './script.js';

export interface ModelOptions extends ModelOf {
  /** By codec: what peers send. */
  readonly samples: Readonly<Record<string, readonly Sample[]>>;
  readonly peersMax: number;
}

/** Something that the transport, and not a chart, has a deadline for. */
interface Limit {
  readonly dueMs: number;
  readonly index: number;
  readonly what: 'wait' | 'waits' | 'close' | 'drain';
}

export class Model {
  readonly #samplesByStep = new WeakMap<Step, Sample>();
  /** What was taken already: what may follow a step is asked before it is taken. */
  #taken = new WeakMap<Place, Map<Step, Place>>();

  constructor(readonly of: ModelOptions) {
    for (const samples of Object.values(of.samples))
      for (const sample of samples) this.#samplesByStep.set(sample.step, sample);
  }

  /** Peer 1 is connected. */
  start(): Place {
    const run = new ModelRun(this.of);
    run.startShared();
    run.connect();
    return run.place(undefined);
  }

  /** More is known of the handlers' answers: what was predicted before does not count any more. */
  forget(): void {
    this.#taken = new WeakMap();
  }

  /** All that may happen next. The same steps for the same place, in the same order. */
  stepsFrom(place: Place): Step[] {
    return this.plainStepsFrom(place).flatMap((step) => this.withAnswers(place, step));
  }

  /** The same, each only as it is answered by the protocol itself. */
  plainStepsFrom(place: Place): Step[] {
    if (place.unknown.length > 0) return [];
    const steps: Step[] = [];
    if (place.sessions.length < this.of.peersMax) steps.push({ do: 'connect', peer: place.sessions.length + 1 });
    for (const [index, session] of place.sessions.entries()) steps.push(...this.#stepsOf(place, session, index));
    const next = this.#nextDueMs(place);
    if (next !== undefined) steps.push({ do: 'wait' });
    if (this.#asked('DRAIN') && place.drainingSinceMs === undefined && place.sessions.some(isOpen))
      steps.push({ do: 'stopServer' });
    return steps;
  }

  /** @returns where `step`, one of `stepsFrom(place)`, leads to */
  take(place: Place, step: Step): Place {
    let taken = this.#taken.get(place);
    if (!taken) this.#taken.set(place, (taken = new Map<Step, Place>()));
    let next = taken.get(step);
    if (!next) taken.set(step, (next = this.#take(place, step)));
    return next;
  }

  #take(place: Place, step: Step): Place {
    const run = new ModelRun(this.of, place, answersOf(step));
    const index = peerOf(step) - 1;
    switch (step.do) {
      case 'connect':
        run.connect();
        break;
      case 'send':
      case 'write':
        this.#receive(run, index, step);
        break;
      case 'wait':
        this.#wait(run, place);
        break;
      case 'end':
        this.#end(run, index);
        break;
      case 'stopReading':
        run.sessions[index]!.congested = true;
        if (this.#asked('CONGESTED')) run.tell(index, { type: 'CONGESTED' });
        break;
      case 'readAgain':
        Object.assign(run.sessions[index]!, { congested: false, silentSinceMs: run.nowMs, waitCount: 0 });
        if (this.#asked('FLOWING')) run.tell(index, { type: 'FLOWING' });
        break;
      case 'stopServer':
        run.drainingSinceMs = run.nowMs;
        for (const [each, session] of run.sessions.entries()) {
          if (isOpen(session)) run.tell(each, { type: 'DRAIN' });
        }
        break;
      case 'advance': // of written scripts alone, which are not predicted
    }
    return run.place(step);
  }

  /** May one of `stepsFrom` an earlier place be taken here? Asked of what can be repeated: messages and waiting. */
  allows(place: Place, step: Step): boolean {
    if (place.unknown.length > 0) return false;
    if (step.do === 'wait') return this.#nextDueMs(place) !== undefined;
    if (step.do !== 'send' && step.do !== 'write') return true;
    const index = peerOf(step) - 1;
    const session = place.sessions[index];
    if (!session || !isOpen(session) || session.congested || holdsInput(place, session, index)) return false;
    return (this.of.samples[session.codec] ?? []).includes(this.#samplesByStep.get(step)!);
  }

  /** What a sample says of a step of its own. */
  sampleOf(step: Step): Sample | undefined {
    return this.#samplesByStep.get(step);
  }

  #stepsOf(place: Place, session: ModelSession, index: number): Step[] {
    const peer = index === 0 ? {} : { peer: index + 1 };
    const steps: Step[] = [];
    if (session.phase === 'over') return steps;
    const holds = holdsInput(place, session, index);
    if (isOpen(session) && !session.congested && !holds) {
      for (const { step } of this.of.samples[session.codec] ?? [])
        steps.push(index === 0 ? step : this.#variant(step, { peer: index + 1 }));
    }
    const pending = place.timers.some(({ owner, kind }) => owner === index && kind !== 'chart');
    if (session.phase !== 'ended' && !session.congested && !holds && !pending) steps.push({ do: 'end', ...peer });
    if (session.congested) steps.push({ do: 'readAgain', ...peer });
    else if (session.phase === 'open' && (this.#asked('CONGESTED') || this.#asked('FLOWING')))
      steps.push({ do: 'stopReading', ...peer });
    return steps;
  }

  /** The step itself, and with each other answer that what it asks may be given. */
  withAnswers(place: Place, step: Step): Step[] {
    const { asked } = this.take(place, step);
    if (asked.length === 0) return [step];
    const handlers = (this.of.protocol.handlers ?? {}) as Record<string, CommandHandler>;
    const steps: Step[] = [step];
    const answerCount = Math.max(0, ...asked.map((type) => this.of.simulated[type]?.length ?? 0));
    for (let n = 1; n < answerCount; n += 1) steps.push(this.#variant(step, { answers: n }));
    // A failure that the protocol does not declare ends the session: its chart has no part in it.
    if (asked.some((type) => handlers[type]?.failure !== undefined))
      steps.push(this.#variant(step, { answers: 'failure' }));
    if (asked.some((type) => type === 'TELL' || handlers[type]?.failure !== undefined))
      steps.push(this.#variant(step, { answers: 'none' }));
    return steps;
  }

  #variant(step: Step, change: { readonly peer?: number; readonly answers?: Answers }): Step {
    const variant = { ...step, ...change } as Step;
    const sample = this.#samplesByStep.get(step);
    if (sample) this.#samplesByStep.set(variant, sample);
    return variant;
  }

  #receive(run: ModelRun, index: number, step: Step): void {
    Object.assign(run.sessions[index]!, { silentSinceMs: run.nowMs, waitCount: 0 });
    for (const event of this.sampleOf(step)?.events ?? []) {
      const session = run.sessions[index]!;
      if (!isOpen(session)) return;
      run.tell(index, event);
    }
  }

  #end(run: ModelRun, index: number): void {
    const session = run.sessions[index]!;
    if (session.phase === 'open' && this.#asked('PEER_END')) {
      Object.assign(session, { phase: 'ended', phaseSinceMs: run.nowMs });
      run.tell(index, { type: 'PEER_END' });
    } else run.close(index, 'over');
  }

  #wait(run: ModelRun, place: Place): void {
    const dueMs = this.#nextDueMs(place);
    if (dueMs === undefined) return;
    run.nowMs = dueMs;
    const limit = this.#limits(place).find((one) => one.dueMs === dueMs);
    // What a chart set first fires first; the transport's own come after it.
    for (const timer of place.timers.filter((one) => one.dueMs === dueMs))
      if (run.timers.includes(timer)) run.fire(timer);
    if (!limit) return;
    const session = run.sessions[limit.index];
    if (limit.what === 'drain') for (const index of run.sessions.keys()) run.close(index, 'over');
    if (!session || limit.what === 'drain') return;
    if (limit.what === 'close') return run.close(limit.index, 'over');
    session.waitCount += 1;
    const isLast = session.waitCountMax > 0 && session.waitCount >= session.waitCountMax;
    if (limit.what === 'waits' || isLast) return run.close(limit.index, 'closing');
    run.tell(limit.index, { type: 'WAIT_TIMEOUT', waits: 1 } as EventObject);
  }

  /** `undefined`: nothing ever is. */
  #nextDueMs(place: Place): number | undefined {
    const due = [...place.timers, ...this.#limits(place)].map(({ dueMs }) => dueMs);
    return due.length === 0 ? undefined : Math.min(...due);
  }

  #limits(place: Place): Limit[] {
    const { options, drainTimeoutMs } = this.of;
    const limits: Limit[] = [];
    for (const [index, session] of place.sessions.entries()) {
      const { phase, phaseSinceMs, silentSinceMs, waitCount, waitCountMax } = session;
      if (phase === 'closing' || phase === 'ended')
        limits.push({ dueMs: phaseSinceMs + options.closeTimeoutMs, index, what: 'close' });
      const counts = isOpen(session) && !session.congested && !holdsInput(place, session, index);
      if (!counts) continue;
      if (this.#asked('WAIT_TIMEOUT'))
        limits.push({ dueMs: silentSinceMs + (waitCount + 1) * options.waitTimeoutMs, index, what: 'wait' });
      else if (waitCountMax > 0)
        limits.push({ dueMs: silentSinceMs + waitCountMax * options.waitTimeoutMs, index, what: 'waits' });
    }
    if (place.drainingSinceMs !== undefined && place.sessions.some(({ phase }) => phase !== 'over'))
      limits.push({ dueMs: place.drainingSinceMs + drainTimeoutMs, index: -1, what: 'drain' });
    return limits;
  }

  #asked(fact: string): boolean {
    return ((this.of.protocol.facts ?? []) as readonly string[]).includes(fact);
  }
}
