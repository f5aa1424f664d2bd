/** `wirechart visualize`: the visualizer's page for recordings alone, until a signal. */
import { readFileSync, statSync, type Stats } from 'node:fs';
import { basename } from 'node:path';
import type { Command } from 'commander';
import { RecordingError } from '../inspect/recording-error.js';
import { readRecording } from '../inspect/recording-text.js';
import { whyTooLarge } from '../inspect/visualizer/recording-files.js';
import { createVisualizer } from '../inspect/visualizer/visualizer.js';
import { messageOf } from '../session/errors.js';
import { CliError, describeThrown } from './cli-error.js';
import { ProcessEvents, type ExitCode } from './process-events.js';
import { startVisualizer } from './serve-visualizer.js';
import { wholeNumber } from './whole-number.js';

interface VisualizeFlags {
  port: number;
}

const HELP = `
SIGINT and SIGTERM end it. Exit codes: 0 ended by a signal, 1 it could not listen, 2 wrong use: no such file or folder, no recording, or
one of more than 64 MiB.`;

export function visualizeCommand(program: Command, exit: (code: ExitCode) => void): void {
  program
    .command('visualize')
    .description('show recordings on a web page, step by step on their charts')
    .argument('<place>', 'a recording, or a folder with recordings: serve --record writes them')
    .option('--port <number>', 'port to listen on, of 127.0.0.1; 0 is any free one', wholeNumber(0, 65_535), 0)
    .addHelpText('after', HELP)
    .action(async (place: string, flags: VisualizeFlags) => exit(await visualize(place, flags)));
}

async function visualize(place: string, { port }: VisualizeFlags): Promise<ExitCode> {
  const found = look(place);
  const file = found.isFile() ? basename(place) : undefined;
  if (file !== undefined) check(place, found.size);
  // No server is shown: there is nothing in production to be careful with.
  const visualizer = createVisualizer([], { port, recordings: place, production: true });
  visualizer.errors.subscribe(({ message }) => process.stderr.write(`wirechart: ${message}\n`));
  const events = new ProcessEvents({
    force: () => {},
    fault: (_code, thrown) => process.stderr.write(`wirechart: ${describeThrown(thrown)}\n`),
  });
  try {
    await startVisualizer(visualizer, '--port');
    process.stdout.write(`wirechart: recordings at ${addressOf(visualizer.url, file)}\n`);
    await events.stopped();
    return events.exitCode;
  } finally {
    await visualizer.stop();
    events.end();
  }
}

function look(place: string): Stats {
  try {
    const found = statSync(place);
    if (found.isFile() || found.isDirectory()) return found;
  } catch (error) {
    throw new CliError(2, `cannot read ${place}: ${messageOf(error)}`);
  }
  throw new CliError(2, `${place} is neither a recording nor a folder`);
}

/** One that cannot be read is better told here than on the page. */
function check(file: string, bytes: number): void {
  const tooLarge = whyTooLarge(bytes);
  if (tooLarge !== undefined) throw new CliError(2, `cannot show ${file}: ${tooLarge}`);
  try {
    readRecording(readFileSync(file, 'utf8'));
  } catch (error) {
    if (error instanceof RecordingError) throw new CliError(2, `${file}, ${error.message}`);
    throw new CliError(2, `cannot read ${file}: ${messageOf(error)}`);
  }
}

/** Straight to the one recording, if it is one. */
function addressOf(url: string, file: string | undefined): string {
  const address = new URL(url);
  address.pathname = file === undefined ? '/recordings' : `/recordings/${encodeURIComponent(file)}`;
  return address.href;
}
