/** `wirechart check`: explores one protocol, and says what is covered and what is wrong. */
import { InvalidArgumentError, type Command } from 'commander';
import { exploreProtocol } from '../explore/explore-protocol.js';
import type { ExploreOptions } from '../explore/explore-options.js';
import { RealTime } from '../time/real-time.js';
import { checkTable, checkJson } from './check-report.js';
import { CliError } from './cli-error.js';
import { exampleNames, loadProtocolModule } from './load-protocol.js';
import { wholeNumber } from './whole-number.js';

interface CheckFlags {
  json?: boolean;
  paths?: boolean;
  seed?: number;
  depth?: number;
  states?: number;
  threshold?: number;
}

const HELP = `
A module may export \`exploration\`: options for it, such as scripts, thresholds, and findings that are accepted with a reason.
Exit codes: 0 nothing was found, 1 something was (or the module could not be loaded), 2 wrong use.`;

export function checkCommand(program: Command, exit: (code: 0 | 1) => void): void {
  program
    .command('check')
    .description(
      `explore a protocol on a simulated network: an example (${exampleNames().join(', ')}) or the path of a module`,
    )
    .argument('<protocol>', 'name of an example, or path of a module')
    .option('--json', 'one JSON object, on stdout')
    .option('--paths', 'print each path that was carried out, step by step')
    .option('--seed <number>', 'all chance comes from it (default 1)', wholeNumber(0, Number.MAX_SAFE_INTEGER))
    .option('--depth <steps>', 'steps of one path, at most (default 60)', wholeNumber(1, 10_000))
    .option(
      '--states <count>',
      'states of a server with its peers that are looked at, at most (default 2000)',
      wholeNumber(1, 1_000_000),
    )
    .option('--threshold <share>', 'of states, transitions and timeouts, to be covered: 0 to 1 (default 1)', share)
    .addHelpText('after', HELP)
    .action(async (name: string, flags: CheckFlags) => exit(await check(name, flags)));
}

async function check(name: string, flags: CheckFlags): Promise<0 | 1> {
  const { protocol, exported } = await loadProtocolModule(name);
  const time = new RealTime();
  const startMs = time.now();
  const exploration = await exploreProtocol(protocol, optionsOf(name, exported('exploration'), flags));
  const durationMs = Math.round(time.now() - startMs);
  const shown = { exploration, durationMs, withPaths: flags.paths === true };
  process.stdout.write(flags.json ? checkJson(shown) : checkTable(shown));
  return exploration.passes ? 0 : 1;
}

/** What the module says, with the flags over it. */
function optionsOf(name: string, exported: unknown, flags: CheckFlags): ExploreOptions {
  if (exported !== undefined && (typeof exported !== 'object' || exported === null))
    throw new CliError(1, `${name} exports an \`exploration\` that is no object of options`);
  const { seed, depth, states, threshold } = flags;
  return {
    ...(exported as ExploreOptions | undefined),
    ...(seed !== undefined && { seed }),
    ...(depth !== undefined && { depthMax: depth }),
    ...(states !== undefined && { placesMax: states }),
    ...(threshold !== undefined && { thresholds: { states: threshold, transitions: threshold, timeouts: threshold } }),
  };
}

function share(text: string): number {
  const number = Number(text);
  if (text.trim() !== '' && number >= 0 && number <= 1) return number;
  throw new InvalidArgumentError('expected a number from 0 to 1');
}
