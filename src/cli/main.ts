/** The `wirechart` command. Exit codes: 0 done, 1 could not do it (or was forced to end), 2 wrong use. */
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { SocketError } from '../socket/socket-layer.js';
import { CliError } from './cli-error.js';
import { serveCommand } from './serve.js';

/** @returns the exit code. Never throws and never ends the process itself. */
export async function main(args: readonly string[]): Promise<number> {
  let exitCode = 0;
  const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  const program = new Command('wirechart')
    .description('TCP protocol servers as statecharts')
    .version(version)
    .showHelpAfterError('(wirechart --help shows what there is)')
    .exitOverride();
  serveCommand(program, (code) => (exitCode = code));
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
    return fail((error as Error).stack ?? String(error), 1);
  }
}

function fail(message: string, exitCode: number): number {
  process.stderr.write(`wirechart: ${message}\n`);
  return exitCode;
}
