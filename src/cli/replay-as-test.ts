/**
 * A recorded session as a test that a person would have written: in a world, with the peer's messages as literals, or, where the session
 * cannot be played in one, of the protocol's chart alone.
 */
import { basename, relative, sep } from 'node:path';
import type { Message } from '../codec/codec.js';
import type { ReplayResult } from '../explore/replay.js';
import { Elided } from '../inspect/plain-data.js';
import type { ChartSnapshot, Recording, RecordingEntry, Step } from '../inspect/recording.js';
import { statePathOf } from '../testing/state-path.js';
import { CliError } from './cli-error.js';
import type { ProtocolModule } from './load-protocol.js';
import { commentText, literal, textLiteral } from './replay-literal.js';
import { mismatchOf, scenarioOf, type Scenario, type ScenarioAction, type ScenarioMoment } from './replay-scenario.js';

export interface AsTestParts {
  readonly recording: Recording;
  readonly result: ReplayResult;
  readonly module: ProtocolModule;
  /** Of the recording. */
  readonly file: string;
  /** Where the test will lie. */
  readonly folder: string;
}

/** Messages that are written out; of more, the types. */
const MESSAGES_MAX = 6;
const LITERAL_MAX = 400;
/** Kinds of messages that a title names. */
const RUNS_MAX = 4;

/** @returns the text, and what its reader should know of it */
export async function replayAsTest(
  parts: AsTestParts,
): Promise<{ readonly text: string; readonly warnings: readonly string[] }> {
  const { recording, result, module } = parts;
  const warnings: string[] = [];
  if (!result.agrees)
    warnings.push('the recording and the protocol differ, so the test is red: it says what was recorded');
  if (Object.keys(recording.header.masked).length > 0)
    warnings.push('the recording is masked, and so are the values in the test');
  const scenario = scenarioOf(recording, module.protocol);
  const problem =
    typeof scenario === 'string' ? scenario : result.agrees && (await mismatchOf(scenario, module.protocol));
  if (typeof scenario !== 'string' && !problem) return { text: worldTest(parts, scenario), warnings };
  const isPlayable = ({ kind, ...entry }: RecordingEntry) =>
    kind === 'step' && (entry as Step).chart === 'protocol' && !((entry as Step).event instanceof Elided);
  if (!recording.entries.some(isPlayable)) {
    const why = `no step of the protocol's chart is in it, and it cannot be played as a whole: ${String(problem)}`;
    throw new CliError(2, `there is no test to make of ${parts.file}: ${why}`);
  }
  warnings.push(`the test plays the chart alone: ${String(problem)}`);
  return { text: chartTest(parts), warnings };
}

// In a world

function worldTest(parts: AsTestParts, { server, moments, answersFin, lastMs, end, isAsync }: Scenario): string {
  const advance = (ms: number) => (isAsync ? `await world.advanceByAsync(${ms});` : `world.advanceBy(${ms});`);
  const body = moments.flatMap((moment, index) => {
    const next = moments[index + 1];
    const lines = [
      ...(index > 0 ? ['', `// ${moment.atMs} ms after its start`] : []),
      ...moment.actions.map(actionText),
      advance(next ? next.atMs - moment.atMs : lastMs),
      ...expectations(moment, moments[index - 1]),
    ];
    return lines;
  });
  return [
    header(parts),
    `import { expect, test } from 'vitest';`,
    `import { createWorld } from 'wirechart/testing';`,
    importLine(parts),
    '',
    `test(${textLiteral(titleOf(parts.recording))}, async () => {`,
    ...indented([
      `const world = createWorld();`,
      `const server = await world.server(protocol${serverText(server)});`,
      `const peer = world.peer(server${answersFin ? '' : ', { answersFin: false }'});`,
      `world.runUntil(() => server.sessions.size > 0);`,
      `const [session] = server.sessions;`,
      ...body,
      ...(end ? ['', `expect(server.sessions.recent[0]).toMatchObject(${literal(end, 2, 52)});`] : []),
      `await world.end();`,
    ]),
    `});`,
    '',
  ].join('\n');
}

function serverText({ ids, ...options }: Scenario['server']): string {
  const parts = Object.entries(options).map(([name, value]) => `${name}: ${literal(value)}`);
  if (ids !== undefined) parts.unshift(`ids: () => ${textLiteral(ids)}`);
  return parts.length === 0 ? '' : `, { ${parts.join(', ')} }`;
}

function actionText(action: ScenarioAction): string {
  switch (action.kind) {
    case 'send': {
      const messages = action.messages.map((message) => literal(message, 4, 2));
      const flat = `peer.send(${messages.join(', ')});`;
      return flat.length <= 110 ? flat : `peer.send(\n${messages.map((message) => `    ${message},\n`).join('')}  );`;
    }
    case 'write':
      return `peer.write(${literal(action.bytes)});`;
    case 'dispatch':
      return `session!.dispatch(${literal(action.event, 2)});`;
    case 'close':
      return `session!.close(${textLiteral(action.option)}, ${textLiteral(action.reason)});`;
    case 'drain':
      return `void server.stop();`;
    default:
      return `peer.${action.kind}();`;
  }
}

function expectations({ received, state }: ScenarioMoment, before: ScenarioMoment | undefined): string[] {
  const lines = [receivedText(received)];
  if (state !== undefined && JSON.stringify(state) !== JSON.stringify(before?.state)) {
    lines.push(`expect(session!.protocolSnapshot.value).toEqual(${literal(state, 2, 50)});`);
  }
  return lines;
}

function receivedText(received: readonly Message[]): string {
  const written = literal(received, 2, 42);
  if (received.length <= MESSAGES_MAX && written.length <= LITERAL_MAX) {
    return `expect(peer.received.splice(0)).toEqual(${written});`;
  }
  const runs = runsOf(received.map(({ type }) => type));
  const types = runs.map(([type, count]) =>
    count === 1 ? textLiteral(type) : `...Array<string>(${count}).fill(${textLiteral(type)})`,
  );
  return `expect(peer.received.splice(0).map(({ type }) => type)).toEqual([${types.join(', ')}]);`;
}

// The chart alone

function chartTest(parts: AsTestParts): string {
  const { recording } = parts;
  const steps = recording.entries.filter((entry): entry is Step => entry.kind === 'step' && entry.chart === 'protocol');
  const start = recording.entries[0];
  const charts = start?.kind === 'checkpoint' ? start.charts : undefined;
  const begin = charts
    ? [
        `let snapshot = machine.resolveState(${literal(resolvable(charts.protocol), 2)});`,
        `let actions: readonly ExecutableActionObject[] = [];`,
      ]
    : [
        `let [snapshot, actions] = initialTransition(machine, ${literal(inputOf(steps[0]), 2)});`,
        ...commandsExpected(steps[0]),
        ...stateExpected(steps[0]),
      ];
  return [
    header(parts),
    `import { expect, test } from 'vitest';`,
    `import { ${charts ? '' : 'initialTransition, '}transition, type AnyStateMachine, type ExecutableActionObject } from 'xstate';`,
    importLine(parts),
    '',
    `const machine = protocol.machine as AnyStateMachine;`,
    '',
    `/** What the chart emitted. */`,
    `const commandsOf = (actions: readonly ExecutableActionObject[]) =>`,
    `  actions.flatMap(({ type, params }) => (type === 'xstate.emit' ? [(params as { event: unknown }).event] : []));`,
    '',
    `test(${textLiteral(titleOf(recording))}, () => {`,
    ...indented([...begin, ...(charts ? steps : steps.slice(1)).flatMap(stepText)]),
    `});`,
    '',
  ].join('\n');
}

function stepText(step: Step): string[] {
  const { atMs, origin, event, failure } = step;
  if (event instanceof Elided) return ['', `// ${atMs} ms: ${commentText(event.why)}, which was not kept`];
  const head = ['', `// ${atMs} ms, ${ORIGINS[origin]}`];
  const call = `transition(machine, snapshot, ${literal(event, 2, 54)})`;
  if (failure !== undefined) return [...head, `expect(() => ${call}).toThrow();`];
  return [...head, `[snapshot, actions] = ${call};`, ...commandsExpected(step), ...stateExpected(step)];
}

const ORIGINS: Readonly<Record<Step['origin'], string>> = {
  message: 'from the peer',
  fact: 'from the connection',
  answer: 'from a handler',
  dispatch: 'from the server',
  key: 'from the registry',
  start: 'its start',
  timer: 'from a timer of its own',
  actor: 'from an actor that it invoked',
  session: 'from the session',
};

function commandsExpected(step: Step | undefined): string[] {
  return [`expect(commandsOf(actions)).toEqual(${literal(step?.commands ?? [], 2, 38)});`];
}

function stateExpected(step: Step | undefined): string[] {
  return step?.state === undefined ? [] : [`expect(snapshot.value).toEqual(${literal(step.state, 2, 34)});`];
}

function inputOf(step: Step | undefined): unknown {
  return (step?.event as { readonly input?: unknown } | undefined)?.input;
}

function resolvable({ value, context }: ChartSnapshot): object {
  return { value, context };
}

// What both have

function header({ recording, file }: AsTestParts): string {
  const { session, protocol } = recording.header;
  const made = `Made of ${basename(file)} by \`wirechart replay --as-test\`: session ${session.id} of ${protocol}.`;
  return `/** ${commentText(made)} */`;
}

function importLine({ module: { file, exportName }, folder }: AsTestParts): string {
  // A path that ends in `.ts` is an error of tsc, unless a project allows it; one that ends in `.js` finds the same file.
  const path = relative(folder, file)
    .split(sep)
    .join('/')
    .replace(/\.([cm]?)ts$/, '.$1js');
  const from = textLiteral(path.startsWith('.') ? path : `./${path}`);
  if (exportName === 'default') return `import protocol from ${from};`;
  return `import { ${exportName} as protocol } from ${from};`;
}

/** `media-control: a peer that sends HELLO twice is closed with 'too many errors'`. */
function titleOf({ header: { protocol }, entries, end }: Recording): string {
  return `${protocol}: a peer that ${storyOf(entries)} ${outcomeOf(entries, end)}`;
}

function storyOf(entries: readonly RecordingEntry[]): string {
  const types = entries.flatMap((entry) => {
    if (entry.kind === 'decoded') return [String((entry.message as Partial<Message>).type)];
    const isMessage = entry.kind === 'step' && entry.chart === 'protocol' && entry.origin === 'message';
    return isMessage && !(entry.event instanceof Elided) ? [entry.event.type] : [];
  });
  const broken = entries.some(({ kind }) => kind === 'decodeFailed');
  const runs = runsOf(types).map(([type, count]) =>
    count === 1 ? type : `${type} ${count === 2 ? 'twice' : `${count} times`}`,
  );
  const said = runs.length <= RUNS_MAX ? runs : [`${types.length} messages`, `${types.at(-1)} last`];
  if (broken)
    return said.length === 0
      ? 'sends bytes that are no frame'
      : `sends ${listed(said)} and then bytes that are no frame`;
  return said.length === 0 ? 'says nothing' : `sends ${listed(said)}`;
}

function outcomeOf(entries: readonly RecordingEntry[], end: Recording['end']): string {
  if (!end) {
    const states = entries.flatMap((entry) =>
      entry.kind === 'step' && entry.chart === 'protocol' && entry.state ? [entry.state] : [],
    );
    const state = states.at(-1);
    return state === undefined ? 'is served' : `leaves the chart in ${statePathOf(state)}`;
  }
  if (end.reason === 'peer closed') return 'is let go when it closes';
  if (end.reason === 'peer reset') return 'is forgotten when it resets the connection';
  return `is ${end.closedBy === 'rst' ? 'reset' : 'closed'} with '${end.reason}'`;
}

function listed(parts: readonly string[]): string {
  return parts.length < 2 ? parts.join() : `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}`;
}

function runsOf(types: readonly string[]): [type: string, count: number][] {
  const runs: [string, number][] = [];
  for (const type of types) {
    const last = runs.at(-1);
    if (last?.[0] === type) last[1] += 1;
    else runs.push([type, 1]);
  }
  return runs;
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => (line === '' ? '' : `  ${line}`));
}
