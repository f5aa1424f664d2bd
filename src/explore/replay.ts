/**
 * Plays a recording again, step by step, and says whether the present charts and codecs do what was recorded, or where they first differ.
 *
 * - Nothing runs here: no actor, no clock, no socket. A chart is asked for its next snapshot (`PureCharts`), a codec is given bytes. Timers,
 *   answers of handlers and what invoked actors reported are events of the recording like all others.
 * - Values are compared as the file would hold them, with the secrets of the recording left out on both sides. So a masked field is never
 *   a difference; a guard that looks at one may lead elsewhere, and the notes say that it could have.
 * - It stops at the first difference: what follows from a different state says nothing.
 * - A later checkpoint is compared too: its states, and its contexts, which no step shows.
 */
import {
  createEmptyActor,
  type AnyMachineSnapshot,
  type AnyStateMachine,
  type EventObject,
  type StateValue,
} from 'xstate';
import { decodes, sessionMachine, type SessionSnapshot } from '../../machines/session.js';
import { chartChanges, describeChart } from '../inspect/chart-description.js';
import { Masks } from '../inspect/masks.js';
import { ActorName, Elided, toPlain } from '../inspect/plain-data.js';
import type { ChartName, ChartSnapshot, Checkpoint, Recording, RecordingEntry, Step } from '../inspect/recording.js';
import type { AnyProtocol } from '../session/protocol.js';
import { PureCharts } from './pure-chart.js';
import { ReplayedCodec } from './replay-codec.js';
import { isSamePlain } from './replay-comparison.js';
import { Difference, type DifferenceKind } from './replay-difference.js';

export interface ReplayDifference {
  /** Its `n` in the file. */
  readonly entry: number;
  /** Line of the file, from 1 on. */
  readonly line: number;
  /** Since the session's start, in ms. */
  readonly atMs: number;
  readonly what: DifferenceKind;
  /** As recorded; `undefined`: nothing. */
  readonly expected: unknown;
  /** As replayed. */
  readonly actual: unknown;
}

export interface ReplayResult {
  /** Something was compared, and there was no difference. */
  readonly agrees: boolean;
  /** Entries that were played, the one that differs included. */
  readonly entries: number;
  readonly steps: number;
  /** States and commands that were compared, and equal. */
  readonly states: number;
  readonly commands: number;
  /** Messages that went through the codecs, and were equal; 0 without payloads. */
  readonly messages: number;
  readonly difference?: ReplayDifference;
  /** What is different in the charts since then, a sentence each: `protocol chart: state ready: on PING had ..., now ...`. */
  readonly changes: readonly string[];
  /** What this replay could not look at. */
  readonly notes: readonly string[];
}

/** @param protocol that of the recording, as it is now. Neither is changed. */
export function replayRecording(recording: Recording, protocol: AnyProtocol): ReplayResult {
  return new Replay(recording, protocol).run();
}

type Outcome =
  { readonly snapshot: AnyMachineSnapshot; readonly commands: readonly unknown[] } | { readonly thrown: unknown };

class Replay {
  readonly #machines: Readonly<Record<ChartName, AnyStateMachine>>;
  readonly #charts = new PureCharts();
  readonly #masks: Masks;
  readonly #codec: ReplayedCodec | undefined;
  /** `undefined`: it has not started, or what led to its state was not kept. */
  readonly #now: Record<ChartName, AnyMachineSnapshot | undefined> = { transport: undefined, protocol: undefined };
  /** As recorded last. */
  readonly #states: Record<ChartName, StateValue | undefined> = { transport: undefined, protocol: undefined };
  readonly #notes = new Set<string>();
  #steps = 0;
  #stateCount = 0;
  #commandCount = 0;

  constructor(
    readonly recording: Recording,
    readonly protocol: AnyProtocol,
  ) {
    this.#machines = { transport: sessionMachine, protocol: protocol.machine as AnyStateMachine };
    this.#masks = new Masks(recording.header.masked);
    if (recording.header.payloads) this.#codec = new ReplayedCodec(protocol, (a, b) => this.#isSame(a, b));
  }

  run(): ReplayResult {
    const { entries, firstLine } = this.recording;
    let difference: ReplayDifference | undefined;
    let played = 0;
    for (const entry of entries) {
      played += 1;
      try {
        this.#play(entry);
      } catch (found) {
        if (!(found instanceof Difference)) throw found;
        const { what, expected, actual } = found;
        difference = { entry: played - 1, line: firstLine + played - 1, atMs: entry.atMs, what, expected, actual };
        break;
      }
    }
    this.#noteWhatIsMissing();
    return {
      agrees: difference === undefined && this.#steps > 0,
      entries: played,
      steps: this.#steps,
      states: this.#stateCount,
      commands: this.#commandCount,
      messages: this.#codec?.count ?? 0,
      ...(difference && { difference }),
      changes: changesOf(this.recording, this.#machines),
      notes: [...this.#notes],
    };
  }

  #play(entry: RecordingEntry): void {
    switch (entry.kind) {
      case 'checkpoint':
        return this.#goOnFrom(entry);
      case 'step':
        return this.#playStep(entry);
      case 'error':
        return;
      default:
        this.#codec?.play(entry);
    }
  }

  #playStep(step: Step): void {
    const { chart, event } = step;
    if (step.state !== undefined) this.#states[chart] = step.state;
    if (event instanceof Elided) {
      this.#now[chart] = undefined;
      this.#notes.add(`a step was too large to be kept, and what follows it is looked at from the next checkpoint on`);
      return;
    }
    if (chart === 'protocol' && step.origin === 'message') this.#codec?.decoded(event, step.atEnd === true);
    if (chart === 'transport') this.#lookForMore(event);
    const before = this.#now[chart];
    if (step.origin !== 'start' && !before) return;
    this.#steps += 1;
    this.#compare(step, this.#outcomeOf(step, event, before));
  }

  #outcomeOf({ chart, origin }: Step, event: EventObject, before: AnyMachineSnapshot | undefined): Outcome {
    try {
      const machine = this.#machines[chart];
      const { input } = event as { input?: unknown };
      return origin === 'start' ? this.#charts.start(machine, input) : this.#charts.step(machine, before!, event);
    } catch (thrown) {
      return { thrown };
    }
  }

  #compare({ chart, commands, failure }: Step, outcome: Outcome): void {
    if ('thrown' in outcome) {
      this.#now[chart] = undefined;
      if (failure === undefined) throw new Difference(`${chart} failure`, undefined, outcome.thrown);
      return;
    }
    if (failure !== undefined) throw new Difference(`${chart} failure`, failure, undefined);
    this.#now[chart] = outcome.snapshot;
    for (let index = 0; index < Math.max(commands.length, outcome.commands.length); index += 1) {
      const [expected, actual] = [commands[index], outcome.commands[index]];
      if (!this.#isSame(expected, actual)) throw new Difference(`${chart} command`, expected, actual);
      this.#commandCount += 1;
    }
    const { value } = outcome.snapshot as { value: StateValue };
    if (!isSamePlain(value, this.#states[chart])) throw new Difference(`${chart} state`, this.#states[chart], value);
    this.#stateCount += 1;
  }

  /** More bytes come, or no more at all: a codec that was let decode has said that it needs them. */
  #lookForMore({ type }: EventObject): void {
    const transport = this.#now.transport as SessionSnapshot | undefined;
    if (!transport || transport.status !== 'active' || !decodes(transport)) return;
    if (type === 'READ' || type === 'PEER_END') this.#codec?.isStarved();
    if (type === 'INPUT_DONE') this.#codec?.hasEnded();
  }

  #goOnFrom({ charts, codec, input, pendingHandlers }: Checkpoint): void {
    if (pendingHandlers.length > 0)
      this.#notes.add(`at a checkpoint these commands waited for their handlers: ${pendingHandlers.join(', ')}`);
    this.#codec?.goOnFrom(codec, input);
    for (const chart of ['transport', 'protocol'] as const) {
      const recorded = charts?.[chart];
      if (!recorded) continue;
      const before = this.#now[chart];
      if (before) this.#compareSnapshots(chart, recorded, before);
      else this.#restore(chart, recorded);
      this.#states[chart] = recorded.value;
    }
  }

  #compareSnapshots(chart: ChartName, recorded: ChartSnapshot, { value, context }: AnyMachineSnapshot): void {
    if (!isSamePlain(recorded.value, value)) throw new Difference(`${chart} state`, recorded.value, value);
    // A context of a masked recording was made of what was masked.
    if (this.#masks.hasAny) return;
    const tree = this.#masks.context;
    const [expected, actual] = [recorded.context, context].map((one) =>
      toPlain(one, { masks: this.#masks, tree, leavesOut: true }),
    );
    if (!isSamePlain(expected, actual)) throw new Difference(`${chart} context`, recorded.context, context);
  }

  #restore(chart: ChartName, recorded: ChartSnapshot): void {
    const machine = this.#machines[chart];
    try {
      this.#now[chart] = restored(machine, recorded);
    } catch (error) {
      throw new Difference(`${chart} state`, recorded.value, error);
    }
    if (hasElided(recorded.context))
      this.#notes.add(`the context of the ${chart} chart has parts that could not be kept`);
  }

  #isSame(expected: unknown, actual: unknown): boolean {
    const options = { masks: this.#masks, leavesOut: true };
    return isSamePlain(toPlain(expected, options), toPlain(actual, options));
  }

  #noteWhatIsMissing(): void {
    const { header, isComplete } = this.recording;
    const { masked, payloads, dropped } = header;
    if (this.#steps === 0) this.#notes.add('nothing was compared: there is no step in it that could be played again');
    if (this.#codec?.hasLostBytes)
      this.#notes.add('bytes were too many to be kept, and the codec is looked at from the next checkpoint on');
    if (!isComplete) this.#notes.add('the file was cut off: it was looked at as far as it goes');
    if (dropped > 0) this.#notes.add(`${dropped} entries from the start on were dropped while it was recorded`);
    if (!payloads) this.#notes.add('recorded without payloads: the charts were looked at, and no codec');
    if (!this.#masks.hasAny) return;
    const fields = Object.entries(masked).flatMap(([type, names]) => names.map((name) => `${type}.${name}`));
    this.#notes.add(
      `masked, and so not compared: ${fields.join(', ')}; a guard that looks at one may decide otherwise`,
    );
  }
}

function changesOf({ header }: Recording, machines: Readonly<Record<ChartName, AnyStateMachine>>): string[] {
  return (['transport', 'protocol'] as const).flatMap((chart) =>
    chartChanges(header.charts[chart], describeChart(machines[chart])).map((change) => `${chart} chart: ${change}`),
  );
}

/** Actors that the chart had made do nothing here: what they reported is in the recording. */
function restored(
  machine: AnyStateMachine,
  { value, context, status, history, children }: ChartSnapshot,
): AnyMachineSnapshot {
  const actors = new Map(children.map((id) => [id, createEmptyActor()]));
  const snapshot = machine.resolveState({
    value,
    context: withActors(context, actors) as never,
    status: status as 'active',
    historyValue: Object.fromEntries(
      Object.entries(history).map(([id, states]) => [id, states.map((state) => machine.getStateNodeById(state))]),
    ) as never,
  }) as AnyMachineSnapshot;
  return Object.assign(snapshot, { children: Object.fromEntries(actors) });
}

function withActors(value: unknown, actors: ReadonlyMap<string, unknown>): unknown {
  if (value instanceof ActorName) return actors.get(value.id) ?? createEmptyActor();
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map((item) => withActors(item, actors));
  if (Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withActors(inner, actors)]));
}

function hasElided(value: unknown): boolean {
  if (value instanceof Elided) return true;
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return false;
  return Object.values(value).some(hasElided);
}
