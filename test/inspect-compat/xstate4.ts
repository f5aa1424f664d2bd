/**
 * The real `@xstate/inspect` 0.8.0, over the real XState 4.38.3, out of the workspace that owns them. `require` finds them from that
 * folder, and nothing else of the tests does: everywhere else `xstate` is version 5.
 */
import { createRequire } from 'node:module';
import { WebSocket } from 'ws';

export interface OldState {
  readonly value: unknown;
  readonly context: unknown;
  readonly event: { readonly type: string };
  readonly done: boolean;
  readonly tags: ReadonlySet<string>;
  matches(value: unknown): boolean;
}

export interface OldMachine {
  readonly id: string;
  readonly stateIds: readonly string[];
  readonly initialState: OldState;
  readonly events: readonly string[];
  withConfig(options: { guards: Record<string, (...args: never[]) => boolean> }): OldMachine;
  transition(state: OldState, event: string): OldState;
  resolveState(state: OldState): OldState;
}

/** What the receiver makes of the messages. */
export type ReceivedEvent =
  | {
      readonly type: 'service.register';
      readonly id: string;
      readonly sessionId: string;
      readonly parent?: string;
      readonly machine: OldMachine;
      readonly state: OldState;
    }
  | {
      readonly type: 'service.event';
      readonly sessionId: string;
      readonly event: { readonly name: string; readonly data: { readonly type: string } & Record<string, unknown> };
    }
  | { readonly type: 'service.state'; readonly sessionId: string; readonly state: OldState }
  | { readonly type: 'service.stop'; readonly sessionId: string };

export interface Receiver {
  send(event: { readonly type: string; readonly event?: string; readonly service?: string }): void;
  subscribe(next: (event: ReceivedEvent) => void, error?: (error: unknown) => void): { unsubscribe(): void };
}

const require = createRequire(new URL('../../visualizer/inspect-compat/package.json', import.meta.url));

const { createMachine, toSCXMLEvent } = require('xstate') as {
  readonly createMachine: (config: unknown) => OldMachine;
  readonly toSCXMLEvent: (event: object, more: object) => object;
};
const { createWebSocketReceiver } = require('@xstate/inspect') as {
  readonly createWebSocketReceiver: (options: { readonly server: string }) => Receiver;
};

export { createMachine, toSCXMLEvent };
export const versions = {
  inspect: (require('@xstate/inspect/package.json') as { version: string }).version,
  xstate: (require('xstate/package.json') as { version: string }).version,
};

/**
 * The receiver makes its socket of the global class, which is a browser's, and has no way to close it.
 * @param server `127.0.0.1:7001/xstate4?token=...`
 */
export function receive(server: string): { readonly receiver: Receiver; readonly socket: WebSocket } {
  const sockets: WebSocket[] = [];
  const holder = globalThis as { WebSocket?: unknown };
  const before = holder.WebSocket;
  holder.WebSocket = class extends WebSocket {
    constructor(url: string) {
      super(url);
      sockets.push(this);
    }
  };
  try {
    return { receiver: createWebSocketReceiver({ server }), socket: sockets[0]! };
  } finally {
    holder.WebSocket = before;
  }
}
