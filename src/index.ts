/** Public entry of `wirechart`. */
export { createTcpServer } from './server.js';
export { StartError } from './session/starting.js';
export type { ServerState, ServerStatistics, TcpServer, TcpServerOptions } from './server.js';
export { createTcpClient } from './client.js';
export type { BackOffOptions, ClientState, ClientStatistics, TcpClient, TcpClientOptions } from './client.js';
export { defineProtocol, isProtocol } from './session/protocol.js';
export type {
  AnyProtocol,
  CodecFactories,
  CommandHandler,
  Protocol,
  ProtocolCommand,
  ProtocolDefinition,
  ProtocolReason,
  Secrets,
  SessionInfo,
  SharedCommand,
  SharedDefinition,
} from './session/protocol.js';
export { RegistryError } from './session/registry.js';
export type { RegistryChange, SessionRegistry } from './session/registry.js';
export type { RecordSessionOptions, Session, SessionRecord, SessionRecording } from './session/session.js';
export type { RecordOptions } from './session/record-options.js';
export type { SessionOptions } from './session/options.js';
export type { ServerEvent, SessionTotals } from './session/runtime.js';
export type { Live, PublicStream } from './session/public-stream.js';
export { RuntimeError } from './session/errors.js';
export type { RuntimeErrorCode } from './session/errors.js';
export { HandlerTimeoutError } from './session/command-handlers.js';
export { createNetLayer } from './socket/net/net-layer.js';
export type { NetLayerOptions } from './socket/net/net-layer.js';
export { SocketError } from './socket/socket-layer.js';
export type {
  DescriptorUse,
  ListenAddress,
  SocketErrorCode,
  SocketLayer,
  SocketRecord,
  SocketSignal,
  WaitOptions,
} from './socket/socket-layer.js';
export { parseTcpSocketOptions } from './socket/options.js';
export type { AppliedOption, KeepAliveOptions, TcpSocketOptions, TcpSocketUserOptions } from './socket/options.js';
export type { TcpSocketStatistics } from './socket/statistics.js';
export type { TcpInfo, TcpState } from './socket/tcp-info.js';
