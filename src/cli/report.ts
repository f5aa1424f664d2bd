/** What `wirechart serve` prints: for people, or one JSON object a line. */
import type { TcpServer } from '../server.js';
import type { Session } from '../session/session.js';
import { oneLine } from './cli-error.js';

export type Line =
  | { type: 'listening'; protocol: string; host: string; port: number; visualizer?: string }
  | { type: 'session'; id: string; peer: string; transport: unknown; protocol: unknown }
  | { type: 'closed'; id: string; reason: string; option: string }
  | { type: 'error'; code: string; message: string; id?: string };

export type Print = (line: Line) => void;

export function printJson(line: Line): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

/** For people: where it listens, and on stderr what goes wrong. */
export function printText(line: Line): void {
  if (line.type === 'listening') {
    const at = line.visualizer === undefined ? '' : `wirechart: visualizer at ${line.visualizer}\n`;
    process.stdout.write(`wirechart: ${line.protocol} listening on ${hostAndPort(line.host, line.port)}\n${at}`);
  }
  if (line.type === 'error')
    process.stderr.write(`wirechart: ${line.id ? `session ${line.id}: ` : ''}${oneLine(line.message)}\n`);
}

/** Prints each change of a session's state and each error. A session's states are looked at only for that, so `--json` alone asks. */
export function report(server: TcpServer, print: Print, withSessions: boolean): void {
  server.errors.subscribe(({ code, message, session }) =>
    print({ type: 'error', code, message, ...(session !== undefined && { id: session }) }),
  );
  if (!withSessions) return;
  server.sessions.changes.subscribe((change) => {
    if (change.type !== 'removed') return print(sessionLine(change.session));
    const { id, reason, option } = change.record;
    print({ type: 'closed', id, reason, option });
  });
}

function sessionLine({ id, peer, transportState, protocolSnapshot }: Session): Line {
  const transport = transportState;
  return {
    type: 'session',
    id,
    peer: hostAndPort(peer.address, peer.port),
    transport,
    protocol: protocolSnapshot.value,
  };
}

/** A Unix socket has a path and no port. */
function hostAndPort(address: string, port: number): string {
  if (port === 0) return address;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
