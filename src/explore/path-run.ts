/**
 * Carries a path out: a real server of the protocol on a simulated network of its own, scripted peers, and a clock that is moved step
 * by step. What the model said of each step is compared with what happened.
 *
 * Hard choices:
 * - **A server for each path**: it costs about a millisecond, and nothing that one path leaves behind can help the next.
 * - **Peers do not answer the server's FIN** by themselves: a chart whose session is closing goes on, and a path may want to see
 *   where to. `end` is a step.
 * - **Both sides of each edge**: a clock that moves to a deadline stops 1 ms before it, and nothing may have happened yet.
 * - **A fact that nobody foresaw cuts a path short**; the same events with another outcome are a finding.
 */
import type { Message } from '../codec/codec.js';
import { messageOf } from '../session/errors.js';
import { eventName } from '../inspect/chart-names.js';
import type { Finding, Findings } from './findings.js';
import { CutShort, PathWorld, type PathWorldOptions } from './path-world.js';
import type { Place } from './place.js';
import { bytesOf, isEqual } from './protocol-samples.js';
import { answersOf, describeEvent, describeScript, peerOf, type Script, type Step } from './script.js';

export interface PathRunOptions extends PathWorldOptions {
  readonly findings: Findings;
}

export interface PathOutcome {
  /** What each step that was carried out has led to, for people. */
  readonly notes: readonly string[];
  /** Why it did not come to its end: `step 3: CONGESTED was not foreseen`. */
  readonly cutShort: string | undefined;
}

/** Was a path cut short by what the model cannot know, an answer of an invoked actor say? */
export function isUnforeseen(cutShort: string): boolean {
  return cutShort.endsWith(UNFORESEEN);
}

const UNFORESEEN = 'was not foreseen';

export async function runPath(script: Script, places: readonly Place[], of: PathRunOptions): Promise<PathOutcome> {
  const run = new PathRun(script, of);
  await run.start();
  const notes: string[] = [];
  let cutShort: string | undefined;
  try {
    run.compare(places[0]);
    for (const [index, step] of script.steps.entries()) {
      notes.push(await run.carryOut(step, places[index + 1]));
      run.compare(places[index + 1]);
    }
  } catch (error) {
    if (!(error instanceof CutShort)) throw error;
    cutShort = `step ${run.step}: ${error.message}`;
  }
  await run.end();
  return { notes, cutShort };
}

class PathRun {
  /** Of the step that is carried out, from 1. */
  step = 0;
  readonly #script: Script;
  readonly #of: PathRunOptions;
  readonly #world: PathWorld;
  /** Handlers were made to fail, or to miss their deadlines: what follows from that is no fault of theirs. */
  #hasFailures = false;

  constructor(script: Script, of: PathRunOptions) {
    this.#script = script;
    this.#of = of;
    this.#world = new PathWorld(of);
  }

  start(): Promise<void> {
    return this.#world.start();
  }

  /**
   * @param next what the model says that it leads to; `undefined` for a step of a written script
   * @returns what it has led to, for people
   */
  async carryOut(step: Step, next: Place | undefined): Promise<string> {
    this.step += 1;
    for (const watch of this.#world.watches) watch.forget();
    this.#world.answering.answers = answersOf(step);
    this.#hasFailures ||= this.#world.answering.answers === 'failure' || this.#world.answering.answers === 'none';
    const startMs = this.#world.time.now();
    const before = this.#world.leaves();
    await this.#carryOut(step, next);
    const passedMs = this.#world.time.now() - startMs;
    const after = this.#world.leaves();
    const changed = after.filter((leaf) => !before.includes(leaf));
    const events = this.#world.watches.flatMap(({ events: seen }) => seen.map(({ type }) => eventName(type)));
    return [
      ...(passedMs > 0 ? [`${Number(passedMs.toFixed(3))} ms`] : []),
      ...(step.do === 'wait' || step.do === 'advance' ? [...new Set(events)] : []),
      changed.length > 0 ? changed.join(' + ') : 'stays',
    ].join(', ');
  }

  async #carryOut(step: Step, next: Place | undefined): Promise<void> {
    const index = peerOf(step) - 1;
    if ('peer' in step || step.do === 'send' || step.do === 'write') await this.#world.connect(index + 1);
    switch (step.do) {
      case 'connect':
        return; // just done
      case 'send':
      case 'write':
        this.#world.peers[index]!.write(this.#bytesOf(step, index));
        return this.#world.settle();
      case 'wait':
        await (next ? this.#world.waitUntil(next.nowMs) : this.#world.waitForAnything());
        for (const { taken } of this.#world.watches) this.#of.coverage.tookOnTime(taken);
        return;
      case 'advance':
        return this.#world.time.advanceByAsync(step.ms);
      case 'end':
        this.#world.peers[index]!.end();
        return this.#world.settle();
      case 'stopReading':
        return this.#world.fill(index);
      case 'readAgain':
        this.#world.peers[index]!.resume();
        return this.#world.settle();
      case 'stopServer':
        this.#world.stop();
        return this.#world.settle();
    }
  }

  /** Is everything as the model says? Counts what only the model can name. @throws {CutShort} when something came that it did not foresee. */
  compare(place: Place | undefined): void {
    this.#judgeErrors();
    this.#compareMessages();
    if (!place) return;
    for (const [index, { snapshot, phase }] of place.sessions.entries()) {
      const watch = this.#world.watches[index];
      if (!watch) throw new CutShort('there is no session');
      const isSame = JSON.stringify(snapshot.value) === JSON.stringify(watch.snapshot?.value);
      if (isSame && phase === watch.phase) continue;
      const foreseen = place.told.filter((told) => told.index === index).map(({ event }) => event.type);
      const seen = watch.events.map(({ type }) => type);
      if (isEqual(foreseen, seen) && !isSame && phase === watch.phase) {
        const [is, should] = [shown(watch.snapshot?.value), shown(snapshot.value)];
        this.#find(
          'diverged',
          `after ${seen.join(', ') || 'the start'} the session is in ${is}, and its chart alone would be in ${should}`,
          is,
        );
        throw new CutShort(`the session is in ${is} instead of ${should}`);
      }
      const extra = seen.find((type, at) => type !== foreseen[at]);
      throw new CutShort(
        extra === undefined
          ? `the session is ${watch.record ? `over (${watch.record.reason})` : `${watch.phase} in ${shown(watch.snapshot?.value)}`}`
          : `${extra} ${UNFORESEEN}`,
      );
    }
    for (const id of place.taken) if (id.startsWith('handler ')) this.#of.coverage.count(id);
  }

  /** Everybody goes, and nothing may be left. */
  async end(): Promise<void> {
    for (const text of await this.#world.leave()) this.#find('leftBehind', text);
    this.#judgeErrors();
  }

  /** What the peer writes. Of bytes nobody can say what they should be decoded as, nor of what comes after them. */
  #bytesOf(step: Extract<Step, { do: 'send' | 'write' }>, index: number): Uint8Array {
    const watch = this.#world.watches[index];
    if (step.do === 'write') {
      if (watch) watch.expected = undefined;
      return bytesOf(step.bytes);
    }
    const codec = watch?.peerCodec;
    if (!codec) throw new CutShort('the codec has no other end that could encode it');
    try {
      const messages = [step.message].flat() as Message[];
      const pieces = messages.map((message) => codec.encode(message));
      watch.expected?.push(...messages);
      return Uint8Array.from(pieces.flatMap((piece) => [...piece]));
    } catch (error) {
      throw new CutShort(`the other end cannot encode it: ${messageOf(error)}`);
    }
  }

  /** Is what was decoded what was sent? A session that holds decodes later, one that ends not at all. */
  #compareMessages(): void {
    for (const { decodeProblem } of this.#world.watches) {
      if (!decodeProblem) continue;
      const { sent, as } = decodeProblem;
      this.#find('codec', `${describeEvent(sent)} was sent, and decoded as: ${as}`, sent.type);
      throw new CutShort(`${describeEvent(sent)} was decoded as ${as}`);
    }
  }

  #judgeErrors(): void {
    for (const fault of this.#world.faults.splice(0)) this.#find('internal', messageOf(fault));
    for (const { code, message } of this.#world.errors.splice(0)) {
      const isMeant = this.#hasFailures && message.startsWith('the handler of ');
      if (code === 'INTERNAL') this.#find('internal', message);
      else if (code === 'PROTOCOL_FAILED' && !isMeant) this.#find('failed', message, message);
      else if (code === 'SHARED_FAILED') this.#find('failed', message, message);
    }
    for (const watch of this.#world.watches) {
      const { encodeProblem } = watch;
      if (!encodeProblem) continue;
      const { type, text } = encodeProblem;
      this.#find('codec', `the other end cannot decode ${type}: ${text}`, type);
    }
  }

  #find(finding: Finding['finding'], text: string, where = this.#script.name): void {
    const steps = this.#script.steps.slice(0, this.step);
    this.#of.findings.add(finding, where, text, describeScript({ name: this.#script.name, steps }));
  }
}

function shown(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
