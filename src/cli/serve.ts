/** `wirechart serve`: runs one protocol until a signal. */
import { config } from 'rxjs';
import type { Command } from 'commander';
import { createTcpServer, StartError, type TcpServer, type TcpServerOptions } from '../server.js';
import { messageOf, type RuntimeError } from '../session/errors.js';
import type { Session } from '../session/session.js';
import { CliError } from './cli-error.js';
import { exampleNames, loadProtocol } from './load-protocol.js';

interface ServeFlags {
  host?: string;
  port?: number;
  path?: string;
  json?: boolean;
  waits?: number;
  maxSessions?: number;
  drainTimeout?: number;
  kernelOptions: 'notes' | 'system';
}

export function serveCommand(program: Command, exit: (code: number) => void): void {
  program
    .command('serve')
    .description(
      `serve a protocol: an example (${exampleNames().join(', ')}) or the path of a module, JavaScript or TypeScript`,
    )
    .argument('<protocol>', 'name of an example, or path of a module')
    .option('--host <address>', 'address to listen on (default 127.0.0.1)')
    .option('--port <number>', 'port to listen on; 0 is any free one (default 0)', wholeNumber)
    .option('--path <file>', 'listen on a Unix socket instead')
    .option('--json', 'one JSON object a line: listening, session, closed, error')
    .option('--waits <count>', 'waits of 100 ms without a READ that end a session; 0: none', wholeNumber)
    .option('--max-sessions <count>', 'live sessions at most', wholeNumber)
    .option('--drain-timeout <ms>', 'after a signal, wait so long for sessions to end (default 30000)', wholeNumber)
    .option('--kernel-options <set>', 'buffers and MTU: `notes` (16 KiB, 1500) or `system`', 'notes')
    .action(async (name: string, flags: ServeFlags) => exit(await serve(name, flags)));
}

async function serve(name: string, flags: ServeFlags): Promise<number> {
  const server = createTcpServer(await loadProtocol(name), serverOptions(flags));
  const print = flags.json ? printJson : printLine;
  // A throw behind a user's own operators: reported like any other, and the server goes on.
  config.onUnhandledError = (error: unknown) =>
    print({ type: 'error', code: 'SUBSCRIBER_FAILED', message: messageOf(error) });
  report(server, print);
  const stopped = untilStopped(server);
  try {
    await server.start();
  } catch (error) {
    stopped.ignore();
    if (error instanceof StartError && stopped.signalled()) return 0;
    if (error instanceof StartError) throw new CliError(1, error.message);
    throw error;
  }
  const { address, port } = server.address()!;
  if (flags.json) print({ type: 'listening', protocol: server.protocol.name, host: address, port });
  else
    process.stdout.write(
      `wirechart: ${server.protocol.name} listening on ${flags.path ?? hostAndPort(address, port)}\n`,
    );
  return stopped.exitCode;
}

function serverOptions(flags: ServeFlags): TcpServerOptions {
  if (!['notes', 'system'].includes(flags.kernelOptions)) {
    throw new CliError(2, `--kernel-options: expected notes or system, got ${flags.kernelOptions}`);
  }
  const system = { sendBufferBytes: 'system', receiveBufferBytes: 'system', mtuBytes: 'system' } as const;
  return {
    ...(flags.host !== undefined && { host: flags.host }),
    ...(flags.port !== undefined && { port: flags.port }),
    ...(flags.path !== undefined && { path: flags.path }),
    ...(flags.waits !== undefined && { waitTimeoutCountMax: flags.waits }),
    ...(flags.maxSessions !== undefined && { maxSessions: flags.maxSessions }),
    ...(flags.drainTimeout !== undefined && { drainTimeoutMs: flags.drainTimeout }),
    ...(flags.kernelOptions === 'system' && { socket: system }),
  };
}

type Line =
  | { type: 'listening'; protocol: string; host: string; port: number }
  | { type: 'session'; id: string; peer: string; transport: unknown; protocol: unknown }
  | { type: 'closed'; id: string; reason: string; option: string }
  | { type: 'error'; code: string; message: string; id?: string };

function report(server: TcpServer, print: (line: Line) => void): void {
  server.sessions.changes.subscribe((change) => {
    if (change.type === 'removed')
      print({ type: 'closed', id: change.record.id, reason: change.record.reason, option: change.record.option });
    else print(sessionLine(change.session));
  });
  server.errors.subscribe(({ code, message, session }: RuntimeError) =>
    print({ type: 'error', code, message, ...(session !== undefined && { id: session }) }),
  );
}

function sessionLine(session: Session): Line {
  const { id, peer, transportState, protocolSnapshot } = session;
  return {
    type: 'session',
    id,
    peer: hostAndPort(peer.address, peer.port),
    transport: transportState,
    protocol: protocolSnapshot.value,
  };
}

/** SIGTERM and SIGINT drain; a second one forces. */
function untilStopped(server: TcpServer): { exitCode: Promise<number>; signalled: () => boolean; ignore: () => void } {
  let count = 0;
  let settle: (code: number) => void;
  const exitCode = new Promise<number>((resolve) => (settle = resolve));
  const onSignal = () => {
    count += 1;
    const option = count === 1 ? 'graceful' : 'force';
    void server.stop({ option }).then(() => {
      ignore();
      settle(count === 1 ? 0 : 1);
    });
  };
  const ignore = () => process.off('SIGTERM', onSignal).off('SIGINT', onSignal);
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
  return { exitCode, signalled: () => count > 0, ignore };
}

function printJson(line: Line): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

/** For people: what goes wrong, on stderr. Names and bytes of peers never reach the terminal as they are. */
function printLine(line: Line): void {
  if (line.type === 'error')
    process.stderr.write(`wirechart: ${line.id ? `session ${line.id}: ` : ''}${printable(line.message)}\n`);
}

function printable(text: string): string {
  return text.replace(
    /[\u0000-\u001f\u007f-\u009f]/g,
    (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

function hostAndPort(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new CliError(2, `expected a whole number, got ${JSON.stringify(text)}`);
  return Number(text);
}
