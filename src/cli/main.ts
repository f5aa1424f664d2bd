/** The `wirechart` command. Exit codes: 0 done, 1 could not do it (or was forced to end), 2 wrong use. */
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { SocketError } from '../socket/socket-layer.js';
import { attackCommand } from './attack.js';
import { checkCommand } from './check.js';
import { CliError, describeThrown, oneLine } from './cli-error.js';
import { graphCommand } from './graph.js';
import { replayCommand } from './replay.js';
import { serveCommand } from './serve.js';
import { visualizeCommand } from './visualize.js';

/** @returns the exit code. Never throws and never ends the process itself. */
export async function main(args: readonly string[]): Promise<number> {
  // Whoever read our output may go (`| head -1`): EPIPE comes as an event and would end the process with a stack trace. A server goes on.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  let exitCode = 0;
  const program = new Command('wirechart')
    .description('TCP protocol servers as statecharts')
    .version(packageVersion())
    .configureOutput({ outputError: (text, write) => write(`wirechart: ${usageError(text)}\n`) })
    .exitOverride();
  serveCommand(program, (code) => (exitCode = code));
  checkCommand(program, (code) => (exitCode = code));
  attackCommand(program, (code) => (exitCode = code));
  replayCommand(program, (code) => (exitCode = code));
  graphCommand(program);
  visualizeCommand(program, (code) => (exitCode = code));
  if (args.length === 0) {
    program.outputHelp({ error: true });
    return 2;
  }
  try {
    await program.parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (error) {
    // Commander has printed its own message; help and version are no errors.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (error instanceof CliError) return fail(error.message, error.exitCode);
    if (error instanceof SocketError) return fail(error.message, 2);
    return fail(`unexpected: ${describeThrown(error)}`, 1);
  }
}

function fail(message: string, exitCode: number): number {
  process.stderr.write(`wirechart: ${oneLine(message)}\n`);
  return exitCode;
}

/** Commander's `error: ...`, which may have a second line with a guess, as one line. */
function usageError(text: string): string {
  return `${oneLine(text.replace(/^error: /, ''))} (see wirechart --help)`;
}

function packageVersion(): string {
  const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
