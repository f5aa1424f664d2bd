/** A server on the fake layer and virtual time, listening. */
import type { RuntimeError } from '../../src/session/errors.js';
import { createTcpServer, type TcpServer, type TcpServerOptions } from '../../src/server.js';
import type { AnyProtocol } from '../../src/session/protocol.js';
import { VirtualTime } from '../../src/time/virtual-time.js';
import echo from '../../examples/echo/index.js';
import { FakeLayer } from './fake-layer.js';

export interface Started {
  readonly time: VirtualTime;
  readonly layer: FakeLayer;
  readonly server: TcpServer;
  /** Everything that was reported on `server.errors`. */
  readonly errors: RuntimeError[];
}

export async function start(protocol: AnyProtocol = echo, options: TcpServerOptions = {}): Promise<Started> {
  const time = new VirtualTime();
  const layer = new FakeLayer(time);
  const server = createTcpServer(protocol, { time, layer, maxSessions: 100_000, ...options });
  const errors: RuntimeError[] = [];
  server.errors.subscribe((error) => errors.push(error));
  await server.start();
  return { time, layer, server, errors };
}

/** A frame of the echo example: 4-byte big-endian length, payload. */
export function frame(payload: string): Uint8Array {
  const bytes = Buffer.from(`....${payload}`);
  bytes.writeUInt32BE(bytes.length - 4, 0);
  return bytes;
}
