/** `wirechart replay`: does a recorded session go the same way today? */
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import { replayRecording } from '../explore/replay.js';
import { RecordingError } from '../inspect/recording-error.js';
import type { Recording } from '../inspect/recording.js';
import { readRecording } from '../inspect/recording-text.js';
import { CliError } from './cli-error.js';
import { exampleNames, loadProtocolModule, type ProtocolModule } from './load-protocol.js';
import { replayAsTest } from './replay-as-test.js';
import { replayJson, replayText } from './replay-report.js';

interface ReplayFlags {
  module?: string;
  json?: boolean;
  asTest?: boolean;
  out?: string;
}

const HELP = `
Exit codes: 0 all that was recorded happens again, 1 something differs, 2 wrong use: no such file, no recording, no such module.`;

export function replayCommand(program: Command, exit: (code: 0 | 1) => void): void {
  program
    .command('replay')
    .description(
      'play a recorded session again, and say whether each state and command agrees, or where the first differs',
    )
    .argument('<file>', 'a recording: serve --record writes them')
    .option(
      '--module <module>',
      'the protocol: a module or an example (default: the example of the name in the recording)',
    )
    .option('--json', 'one JSON object, on stdout')
    .option('--as-test', 'print a vitest test that plays the session')
    .option('--out <file>', 'with --as-test: write it there, as a new file')
    .addHelpText('after', HELP)
    .action(async (file: string, flags: ReplayFlags) => exit(await replay(file, flags)));
}

async function replay(file: string, flags: ReplayFlags): Promise<0 | 1> {
  if (flags.out !== undefined && !flags.asTest) throw new CliError(2, '--out needs --as-test');
  const recording = read(file);
  const module = await load(recording, flags.module);
  const { protocol } = module;
  if (protocol.name !== recording.header.protocol) {
    throw new CliError(2, `the recording is of ${recording.header.protocol}, and --module has ${protocol.name}`);
  }
  const result = replayRecording(recording, protocol);
  if (result.steps === 0 && !result.difference)
    throw new CliError(2, `${file} has no step that could be played again: there is nothing to compare`);
  if (!flags.asTest) {
    process.stdout.write(flags.json ? replayJson(recording, result) : replayText(recording, result));
    return result.agrees ? 0 : 1;
  }
  const folder = flags.out === undefined ? process.cwd() : dirname(resolve(flags.out));
  const { text, warnings } = await replayAsTest({ recording, result, module, file, folder });
  for (const warning of warnings) process.stderr.write(`wirechart: ${warning}\n`);
  if (flags.out === undefined) process.stdout.write(text);
  else write(flags.out, text);
  return result.agrees ? 0 : 1;
}

function read(file: string): Recording {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new CliError(2, `cannot read ${file}: ${(error as Error).message}`);
  }
  try {
    return readRecording(text);
  } catch (error) {
    if (error instanceof RecordingError) throw new CliError(2, `${file}, ${error.message}`);
    throw error;
  }
}

async function load({ header }: Recording, name: string | undefined): Promise<ProtocolModule> {
  if (name === undefined && !exampleNames().includes(header.protocol)) {
    throw new CliError(
      2,
      `the recording is of ${header.protocol}, which is none of the examples (${exampleNames().join(', ')}): name its module with --module`,
    );
  }
  try {
    return await loadProtocolModule(name ?? header.protocol);
  } catch (error) {
    // Exit code 1 would say that the session goes another way.
    if (error instanceof CliError) throw new CliError(2, error.message);
    throw error;
  }
}

function write(file: string, text: string): void {
  try {
    writeFileSync(file, text, { flag: 'wx' });
  } catch (error) {
    throw new CliError(2, `cannot write ${file}: ${(error as Error).message}`);
  }
}
