/** `wirechart serve`: runs one protocol until a signal. */
import { Option, type Command } from 'commander';
import { config, filter, firstValueFrom } from 'rxjs';
import { createTcpServer, type TcpServer, type TcpServerOptions } from '../server.js';
import { StartError } from '../session/starting.js';
import type { Visualizer } from '../inspect/visualizer/visualizer.js';
import { messageOf } from '../session/errors.js';
import { CliError, describeThrown } from './cli-error.js';
import { exampleNames, loadProtocol } from './load-protocol.js';
import { ProcessEvents, type ExitCode } from './process-events.js';
import { printJson, printText, report } from './report.js';
import {
  startVisualizer,
  visualizerFlags,
  visualizerOf,
  warningFor,
  type VisualizerFlags,
} from './serve-visualizer.js';
import { wholeNumber } from './whole-number.js';

interface ServeFlags extends VisualizerFlags {
  host?: string;
  port?: number;
  path?: string;
  json?: boolean;
  waits?: number;
  maxSessions?: number;
  drainTimeout?: number;
  kernelOptions: 'notes' | 'system';
  recordAll?: boolean;
}

const INT_MAX = 2 ** 31 - 1;

const HELP = `
SIGTERM and SIGINT drain: no more connections, sessions are closed gracefully, exit code 0. A second one resets what is left: 1.
An unhandled rejection is reported and the server goes on; after an uncaught exception it drains, and the exit code is 1.
Exit codes: 0 drained, 1 could not start, was forced or failed, 2 wrong use.`;

export function serveCommand(program: Command, exit: (code: ExitCode) => void): void {
  const command = program
    .command('serve')
    .description(
      `serve a protocol: an example (${exampleNames().join(', ')}) or the path of a module, JavaScript or TypeScript`,
    )
    .argument('<protocol>', 'name of an example, or path of a module')
    .option('--host <address>', 'address to listen on (default 127.0.0.1)')
    .option('--port <number>', 'port to listen on; 0 is any free one (default 0)', wholeNumber(0, 65_535))
    .addOption(new Option('--path <file>', 'listen on a Unix socket instead').conflicts(['host', 'port']))
    .option('--json', 'one JSON object a line: listening, session, closed, error')
    .option('--waits <count>', 'waits of 100 ms without a READ that end a session; 0: none', wholeNumber(0, INT_MAX))
    .option('--max-sessions <count>', 'live sessions at most', wholeNumber(1, INT_MAX))
    .option(
      '--drain-timeout <ms>',
      'after a signal, wait so long for sessions to end (default 30000)',
      wholeNumber(0, INT_MAX),
    )
    .addOption(
      new Option('--kernel-options <set>', 'buffers and MTU: `notes` (16 KiB, 1500) or `system`')
        .choices(['notes', 'system'])
        .default('notes'),
    )
    .option('--record <folder>', 'write a file of each session that ends in an error')
    .option('--record-all', 'with --record: of each session that ends')
    .option('--payloads', 'with --record and --visualizer: keep and show the bytes, and mask nothing');
  visualizerFlags(command)
    .addHelpText('after', HELP)
    .action(async (name: string, flags: ServeFlags) => exit(await serve(name, flags)));
}

async function serve(name: string, flags: ServeFlags): Promise<ExitCode> {
  const print = flags.json ? printJson : printText;
  let server: TcpServer | undefined;
  let visualizer: Visualizer | undefined;
  const events = new ProcessEvents({
    force: () => void server?.stop({ option: 'force' }),
    fault: (code, thrown) => print({ type: 'error', code, message: describeFault(code, thrown) }),
  });
  // A throw behind a user's own operators: reported like any other, and the server goes on.
  config.onUnhandledError = (error: unknown) =>
    print({ type: 'error', code: 'SUBSCRIBER_FAILED', message: messageOf(error) });
  try {
    const protocol = await Promise.race([loadProtocol(name), events.stopped()]);
    if (!protocol) return events.exitCode;
    server = createTcpServer(protocol, serverOptions(flags));
    report(server, print, flags.json === true);
    visualizer = visualizerOf(server, flags);
    visualizer?.errors.subscribe(({ message }) => print({ type: 'error', code: 'VISUALIZER_FAILED', message }));
    // Before the server: what cannot be had is said before anybody is served.
    if (visualizer) await startVisualizer(visualizer, '--visualizer');
    if (!(await start(server, events.stop))) return events.exitCode;
    const { address, port } = server.address()!;
    const at = visualizer && { visualizer: visualizer.url };
    print({ type: 'listening', protocol: protocol.name, host: flags.path ?? address, port, ...at });
    const warning = warningFor(flags);
    if (warning !== undefined) process.stderr.write(`wirechart: ${warning}\n`);
    const closed = firstValueFrom(server.state.pipe(filter((state) => state === 'closed')));
    const gaveUp = await Promise.race([events.stopped(), closed]);
    if (gaveUp) throw new CliError(1, `${protocol.name} has stopped by itself: the errors above say why`);
    await server.stop();
    return events.exitCode;
  } finally {
    // Last, so that one can watch it drain.
    await visualizer?.stop();
    events.end();
  }
}

/** @returns false when it was stopped before it listened. */
async function start(server: TcpServer, signal: AbortSignal): Promise<boolean> {
  try {
    await server.start({ signal });
    return true;
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    if (signal.aborted) return false;
    throw new CliError(1, error.message);
  }
}

function serverOptions(flags: ServeFlags): TcpServerOptions {
  const system = { sendBufferBytes: 'system', receiveBufferBytes: 'system', mtuBytes: 'system' } as const;
  return {
    ...(flags.host !== undefined && { host: flags.host }),
    ...(flags.port !== undefined && { port: flags.port }),
    ...(flags.path !== undefined && { path: flags.path }),
    ...(flags.waits !== undefined && { waitTimeoutCountMax: flags.waits }),
    ...(flags.maxSessions !== undefined && { maxSessions: flags.maxSessions }),
    ...(flags.drainTimeout !== undefined && { drainTimeoutMs: flags.drainTimeout }),
    ...(flags.kernelOptions === 'system' && { socket: system }),
    ...recordOptions(flags),
  };
}

function recordOptions({ record, recordAll, payloads, visualizer }: ServeFlags): Pick<TcpServerOptions, 'record'> {
  if (record === undefined) {
    if (recordAll) throw new CliError(2, '--record-all needs --record <folder>');
    if (payloads && visualizer === undefined)
      throw new CliError(2, '--payloads needs --record <folder> or --visualizer');
    return {};
  }
  return { record: { folder: record, when: recordAll ? 'always' : 'error', payloads: payloads === true } };
}

function describeFault(code: 'UNCAUGHT_EXCEPTION' | 'UNHANDLED_REJECTION', thrown: unknown): string {
  const text = describeThrown(thrown);
  return code === 'UNCAUGHT_EXCEPTION'
    ? `an exception that nobody caught, so the server drains: ${text}`
    : `a rejection that nobody handled: ${text}`;
}
