/** `wirechart graph`: draws a protocol's chart, one of its shared charts, or one of the framework's, without a server and without a browser. */
import { writeFileSync } from 'node:fs';
import { InvalidArgumentError, Option, type Command } from 'commander';
import type { AnyStateMachine } from 'xstate';
import { clientMachine } from '../../machines/client.js';
import { gcSweeperMachine } from '../../machines/gc-sweeper.js';
import { serverSocketMachine } from '../../machines/server-socket.js';
import { sessionMachine } from '../../machines/session.js';
import { drawChart, DRAWING_FORMATS, type DrawingFormat } from '../inspect/drawing/draw-chart.js';
import { DrawingError } from '../inspect/drawing/drawing-error.js';
import { messageOf } from '../session/errors.js';
import type { AnyProtocol } from '../session/protocol.js';
import { CliError } from './cli-error.js';
import { exampleNames, loadProtocol } from './load-protocol.js';

interface GraphFlags {
  chart: string;
  format: DrawingFormat;
  out?: string;
  actions?: boolean;
}

/** The same for every protocol. */
const OF_FRAMEWORK: Readonly<Record<string, AnyStateMachine>> = {
  session: sessionMachine,
  'server-socket': serverSocketMachine,
  client: clientMachine,
  'gc-sweeper': gcSweeperMachine,
};
const SHARED = 'shared:';
const CHARTS = ['protocol', ...Object.keys(OF_FRAMEWORK), `${SHARED}<name>`].join(', ');

const HELP = `
Charts: ${CHARTS}. The same chart gives the same file, byte for byte.
Exit codes: 0 drawn, 1 it could not be (or the module could not be loaded), 2 wrong use.`;

export function graphCommand(program: Command): void {
  program
    .command('graph')
    .description(`draw a chart: of an example (${exampleNames().join(', ')}) or of the protocol of a module`)
    .argument('<protocol>', 'name of an example, or path of a module')
    .option('--chart <name>', `which of its charts: ${CHARTS}`, chartName, 'protocol')
    .addOption(new Option('--format <name>', 'what to write').choices(DRAWING_FORMATS).default('svg'))
    .option('--actions', 'show actions too; json and scxml always do')
    .option('--out <file>', 'write there instead of to stdout')
    .addHelpText('after', HELP)
    .action((name: string, flags: GraphFlags) => graph(name, flags));
}

async function graph(name: string, { chart, format, actions = false, out }: GraphFlags): Promise<void> {
  const protocol = await loadProtocol(name);
  const machine = machineOf(protocol, chart);
  let text: string;
  try {
    text = await drawChart(machine, { format, actions, ...nameOf(protocol, machine, chart) });
  } catch (error) {
    throw error instanceof DrawingError ? new CliError(1, error.message) : error;
  }
  if (out === undefined) process.stdout.write(text);
  else writeTo(out, text);
}

function machineOf(protocol: AnyProtocol, chart: string): AnyStateMachine {
  if (chart === 'protocol') return protocol.machine;
  const framework = OF_FRAMEWORK[chart];
  if (framework) return framework;
  const { shared = {} } = protocol;
  const name = chart.slice(SHARED.length);
  const found = Object.hasOwn(shared, name) ? shared[name] : undefined;
  if (found) return found.machine;
  const names = Object.keys(shared);
  const known = names.length === 0 ? 'it has none' : `it has ${names.join(', ')}`;
  throw new CliError(2, `--chart ${chart}: ${protocol.name} has no shared actor of that name; ${known}`);
}

/** XState calls a machine without an id `(machine)`: it is then what its protocol, or whoever shares it, calls it. */
function nameOf({ name }: AnyProtocol, { id }: AnyStateMachine, chart: string): { name?: string } {
  return id === '(machine)' ? { name: chart === 'protocol' ? name : chart.slice(SHARED.length) } : {};
}

function chartName(text: string): string {
  if (text === 'protocol' || Object.hasOwn(OF_FRAMEWORK, text)) return text;
  if (text.startsWith(SHARED) && text.length > SHARED.length) return text;
  throw new InvalidArgumentError(`expected one of ${CHARTS}`);
}

function writeTo(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (error) {
    throw new CliError(1, `cannot write ${file}: ${messageOf(error)}`);
  }
}
