/**
 * A way out for viewers that are not ours: each speaks a protocol of somebody else's, over a WebSocket that the visualizer's server has
 * accepted. It is that server which checks who may come (token, Origin, Host), bounds a message (64 kB) and how many may come.
 */

/** One connected viewer, as far as an outlet sees it. */
export interface OutletSocket {
  send(text: string): void;
  /** @param code of RFC 6455, 7.4 @param reason at most 123 bytes */
  close(code: number, reason: string): void;
  /** Text frames; binary ones are nobody's. */
  onMessage(listener: (text: string) => void): void;
  /** However it ended; told once. */
  onClose(listener: () => void): void;
  /** Bytes that were sent and are not with the kernel yet. */
  readonly bufferedAmount: number;
}

export interface Outlet {
  /** Of the upgrade: `/xstate4`. */
  readonly path: string;
  /** A viewer has come. It never throws: what is wrong with the query closes the socket, with the reason. @param query as in the upgrade's URL */
  connect(socket: OutletSocket, query: URLSearchParams): void;
  /** Lets go of every session, and closes the sockets. */
  stop(): void;
}

/** What a viewer has asked for, for the log. */
export interface OutletRequest {
  readonly path: string;
  /** `Source.name`; empty where nothing of that name is shown. */
  readonly source: string;
  /** Id of the session; empty where it was for none. */
  readonly session: string;
  /** Type of the event that it was to be given; empty where that was not read. */
  readonly event: string;
  readonly outcome: 'done' | 'refused';
  /** Why it was refused. */
  readonly text: string;
}
