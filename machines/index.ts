/** Public entry of `wirechart/machines`: the four charts and the vocabulary that they speak. */
export { CLOSE_REASONS } from './events.js';
export type {
  CloseOption,
  CloseReason,
  Fact,
  FactType,
  SocketAddress,
  SocketCommand,
  SocketEvent,
  SocketHandle,
  SocketKind,
  StopRequest,
} from './events.js';
export { sessionMachine, waitsUntilDue } from './session.js';
export type { SessionCommand, SessionContext, SessionEvent, SessionInput, SessionSnapshot } from './session.js';
export { serverSocketMachine } from './server-socket.js';
export type {
  RefuseReason,
  SaturationPolicy,
  ServerSocketCommand,
  ServerSocketContext,
  ServerSocketEvent,
  ServerSocketFailure,
  ServerSocketInput,
  ServerSocketSnapshot,
} from './server-socket.js';
export { gcSweeperMachine } from './gc-sweeper.js';
export type {
  GcSweeperCommand,
  GcSweeperContext,
  GcSweeperEvent,
  GcSweeperInput,
  GcSweeperSnapshot,
} from './gc-sweeper.js';
export { clientMachine } from './client.js';
export type {
  ClientCommand,
  ClientContext,
  ClientEvent,
  ClientFailure,
  ClientInput,
  ClientSnapshot,
} from './client.js';
