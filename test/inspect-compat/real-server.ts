/** A real server on a real port, with its outlets behind a real WebSocket server: what a receiver connects to. */
import { once } from 'node:events';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { WebSocketServer } from 'ws';
import { createFeed } from '../../src/inspect/create-feed.js';
import { createOutlets, type OutletsOptions } from '../../src/inspect/outlets.js';
import { outletSocket } from '../../src/inspect/visualizer/outlet-socket.js';
import { createTcpServer, type TcpServer } from '../../src/server.js';
import type { AnyProtocol } from '../../src/session/protocol.js';

export interface RealServer {
  readonly server: TcpServer;
  /** `127.0.0.1:40123`, of the WebSocket server. */
  readonly outlets: string;
  /** A peer, connected, and known to the server as a session. */
  join(): Promise<Peer>;
  end(): Promise<void>;
}

export interface Peer {
  readonly socket: Socket;
  /** Id of its session. */
  readonly session: string;
  /** All text that it has received. */
  text(): string;
  write(text: string): void;
}

export async function realServer(protocol: AnyProtocol, options: Partial<OutletsOptions> = {}): Promise<RealServer> {
  const server = createTcpServer(protocol);
  await server.start();
  const feed = createFeed(server);
  const outlets = createOutlets({
    sources: () => [{ name: protocol.name, target: server, feed }],
    control: true,
    payloads: false,
    nowMs: () => feed.nowMs(),
    ...options,
  });
  const sockets = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  await once(sockets, 'listening');
  sockets.on('connection', (socket, { url = '/' }) => {
    const { pathname, searchParams } = new URL(url, 'http://localhost');
    const outlet = outlets.find(({ path }) => path === pathname);
    if (outlet) outlet.connect(outletSocket(socket), searchParams);
    else socket.close(1008);
  });
  const peers: Socket[] = [];
  return {
    server,
    outlets: `127.0.0.1:${(sockets.address() as AddressInfo).port}`,
    join: async () => {
      const ids = new Set([...server.sessions].map(({ id }) => id));
      const socket = connect({ host: '127.0.0.1', port: (server.address() as { port: number }).port });
      peers.push(socket);
      let received = '';
      socket.on('data', (bytes) => (received += bytes.toString())).on('error', () => {});
      const added = new Promise<string>((resolve) => {
        const wire = server.sessions.changes.subscribe(({ type, session }) => {
          if (type !== 'added' || ids.has(session.id)) return;
          resolve(session.id);
          queueMicrotask(() => wire.unsubscribe());
        });
      });
      await once(socket, 'connect');
      return { socket, session: await added, text: () => received, write: (text) => socket.write(text) };
    },
    end: async () => {
      for (const peer of peers) peer.destroy();
      for (const outlet of outlets) outlet.stop();
      for (const socket of sockets.clients) socket.terminate();
      sockets.close();
      feed.end();
      await server.stop({ option: 'force' });
    },
  };
}
