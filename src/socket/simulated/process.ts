/** One process on a host: its descriptors, and the way of its sockets' events. */
import type { SocketEvent } from '../../../machines/events.js';
import type { EventRouter, RoutedSocket } from '../event-router.js';
import type { DescriptorTable } from './descriptor-table.js';
import type { Fabric } from './fabric.js';
import type { Host } from './host.js';

/** A socket that may have a descriptor, and a port of its own. */
export interface DescriptorHolder extends RoutedSocket {
  descriptor: number | undefined;
  /** Of a client. */
  clientPort?: number | undefined;
}

export class Process {
  constructor(
    readonly fabric: Fabric,
    readonly host: Host,
    readonly descriptors: DescriptorTable,
    readonly router: EventRouter,
  ) {}

  deliver(socket: RoutedSocket, event: SocketEvent): void {
    this.fabric.trace(() => `${this.host.address} ${socket.kind} ${socket.handle} ${shown(event)}`);
    this.router.deliver(socket, event);
  }

  /** A socket is closed. */
  freed(socket: DescriptorHolder): void {
    if (socket.descriptor !== undefined) this.descriptors.free(socket.descriptor);
    socket.descriptor = undefined;
    if (socket.clientPort !== undefined) this.host.freeClientPort(socket.clientPort);
    socket.clientPort = undefined;
  }
}

function shown(event: SocketEvent): string {
  switch (event.type) {
    case 'READ':
      return `READ ${event.bytes.byteLength}`;
    case 'ACCEPT':
      return `ACCEPT ${event.socket} ${event.peer.address}:${event.peer.port} ${event.descriptor}`;
    case 'CLOSE':
      return `CLOSE ${event.byReset ? 'by reset' : 'by FIN'} ${event.bytesDropped}`;
    case 'ERROR':
      return `ERROR ${event.code}`;
    case 'LISTENING':
      return `LISTENING ${event.local.address}:${event.local.port}`;
    default:
      return event.type;
  }
}
