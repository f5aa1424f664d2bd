/**
 * `wirechart attack`: attacks a server on this machine, one that it starts itself or one that is there, and says what became of it.
 *
 * Three processes: the server, the healthy peers, and this one, which attacks. So the healthy peers measure the server and not
 * the work of its attackers. The other two end with this one, whatever ends it.
 */
import { type Command } from 'commander';
import { attackPort, type PortReport } from '../explore/attack-port.js';
import { loopbackAddressOf } from '../explore/attack-address.js';
import { attacks, chosenAttacks } from '../explore/attacks/attacks.js';
import { ExploreError } from '../explore/explore-error.js';
import type { AnyProtocol } from '../session/protocol.js';
import { AttackChild } from './attack-child.js';
import { ForkedLoad } from './attack-load.js';
import { attackHeading, attackLines, attackRow, type ServerMemory } from './attack-report.js';
import { CliError } from './cli-error.js';
import { exampleNames, loadProtocol } from './load-protocol.js';
import { wholeNumber } from './whole-number.js';

interface AttackFlags {
  host?: string;
  port?: number;
  seconds: number;
  connections: number;
  seed: number;
  only?: string[];
  json?: boolean;
}

const HELP = `
Attacks: ${attacks.map(({ name }) => name).join(', ')}.
Loopback addresses alone (127.0.0.0/8, ::1). Without a protocol, at a --port, the attacks that need no frames of one are tried.
Exit codes: 0 all attacks survived, 1 not, or it could not be done, 2 wrong use.`;

export function attackCommand(program: Command, exit: (code: 0 | 1) => void): void {
  program
    .command('attack')
    .description(
      `attack a server on this machine: of an example (${exampleNames().join(', ')}) or a module, started for it, or the one at --port`,
    )
    .argument('[protocol]', 'name of an example, or path of a module; may be left out with --port')
    .option('--host <address>', 'loopback address of the server (default 127.0.0.1)')
    .option('--port <number>', 'attack the server there, instead of starting one', wholeNumber(1, 65_535))
    .option('--seconds <count>', 'how long, half of it with attacks', wholeNumber(1, 300), 10)
    .option('--connections <count>', 'hostile connections at once, at most', wholeNumber(1, 10_000), 200)
    .option('--only <names>', 'some attacks alone, with commas between', (text) => text.split(','))
    .option('--seed <number>', 'all chance comes from it', wholeNumber(0, Number.MAX_SAFE_INTEGER), 1)
    .option('--json', 'one JSON object a line: attack, result')
    .addHelpText('after', HELP)
    .action(async (name: string | undefined, flags: AttackFlags) => exit(await attack(name, flags)));
}

async function attack(name: string | undefined, flags: AttackFlags): Promise<0 | 1> {
  chosenAttacks('--only', flags.only);
  if (name === undefined && flags.port === undefined)
    throw new CliError(2, 'expected a protocol to start, or a --port to attack');
  const host = await loopbackAddress(flags.host ?? '127.0.0.1');
  const stop = new AbortController();
  const abort = () => stop.abort();
  process.on('SIGINT', abort).on('SIGTERM', abort);
  let server: AttackChild | undefined;
  try {
    const protocol = name === undefined ? undefined : await loadProtocol(name);
    if (flags.port === undefined) server = startServer(name!, host);
    const port = flags.port ?? (await portOf(server!, stop.signal));
    const beforeKib = server?.residentKib();
    if (!flags.json) process.stdout.write(`${attackHeading(protocol?.name, { host, port }, server !== undefined)}\n`);
    const report = await attackWith({ name, protocol, server, host, port, flags, signal: stop.signal });
    const memory = { beforeKib, afterKib: server?.residentKib() };
    print(report, memory, server, flags.json === true);
    if (stop.signal.aborted) throw new CliError(1, 'stopped by a signal before all attacks were tried');
    return report.survived ? 0 : 1;
  } catch (error) {
    if (error instanceof ExploreError) throw new CliError(error.code === 'NOT_LOOPBACK' ? 2 : 1, error.message);
    throw error;
  } finally {
    process.off('SIGINT', abort).off('SIGTERM', abort);
    await server?.stop();
  }
}

async function loopbackAddress(host: string): Promise<string> {
  try {
    return await loopbackAddressOf(host);
  } catch (error) {
    throw error instanceof ExploreError ? new CliError(2, error.message) : error;
  }
}

function startServer(name: string, host: string): AttackChild {
  const bin = new URL('../../../bin/wirechart.js', import.meta.url);
  return new AttackChild(bin, ['serve', name, '--host', host, '--port', '0']);
}

/** @throws {CliError} when it ends, or we are to end, before it listens. */
async function portOf(server: AttackChild, signal: AbortSignal): Promise<number> {
  const port = new Promise<number>((resolve, reject) => {
    let text = '';
    server.process.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      text = `${text}${chunk}`.slice(0, 4_096);
      const found = /listening on \S+:(\d+)\n/.exec(text);
      if (found) resolve(Number(found[1]));
    });
    signal.addEventListener('abort', () => reject(new CliError(1, 'stopped by a signal before the server listened')));
    void server.ended.then(() =>
      reject(new CliError(1, `the server did not start: ${server.errorLines.join(' ') || server.ending}`)),
    );
  });
  return port;
}

interface AttackParts {
  readonly name: string | undefined;
  readonly protocol: AnyProtocol | undefined;
  readonly server: AttackChild | undefined;
  readonly host: string;
  readonly port: number;
  readonly flags: AttackFlags;
  readonly signal: AbortSignal;
}

function attackWith({ name, protocol, server, host, port, flags, signal }: AttackParts): Promise<PortReport> {
  const { seconds, connections, seed, only, json } = flags;
  return attackPort({
    host,
    port,
    seed,
    seconds,
    connections,
    signal,
    ...(protocol && { protocol }),
    ...(only && { attacks: only }),
    healthy: (probe) => new ForkedLoad({ host, port, probe, protocol: name }),
    ...(server && {
      watch: {
        problem: () => (server.isGone ? `the server's process has ended, ${server.ending}` : undefined),
        descriptors: () => server.descriptors(),
      },
    }),
    onAttack: (result) =>
      process.stdout.write(`${json ? JSON.stringify({ type: 'attack', ...result }) : attackRow(result)}\n`),
  });
}

function print(report: PortReport, memory: ServerMemory, server: AttackChild | undefined, asJson: boolean): void {
  const errors = { errorLineCount: server?.errorLineCount, errorLines: server?.errorLines ?? [] };
  if (asJson) {
    const { attacks: results, ...others } = report;
    process.stdout.write(
      `${JSON.stringify({ type: 'result', attackCount: results.length, ...others, ...memory, ...errors }, shown)}\n`,
    );
    return;
  }
  for (const line of attackLines(report, memory, errors)) process.stdout.write(`${line}\n`);
}

/** A request may hold what JSON has no word for. */
function shown(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value;
}
