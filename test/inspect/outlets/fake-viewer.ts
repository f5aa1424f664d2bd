/** A viewer of an outlet, without a socket: what it was sent, as data. */
import type { OutletSocket } from '../../../src/inspect/outlets/outlet.js';

export class FakeViewer implements OutletSocket {
  readonly sent: Record<string, any>[] = [];
  closed: { readonly code: number; readonly reason: string } | undefined;
  bufferedAmount = 0;
  #message: (text: string) => void = () => {};
  #close: () => void = () => {};

  send(text: string): void {
    if (this.closed) throw new Error('it is closed');
    this.sent.push(JSON.parse(text) as Record<string, any>);
  }

  close(code: number, reason: string): void {
    if (this.closed) return;
    this.closed = { code, reason };
    this.#close();
  }

  onMessage(listener: (text: string) => void): void {
    this.#message = listener;
  }

  onClose(listener: () => void): void {
    this.#close = listener;
  }

  say(message: object | string): void {
    this.#message(typeof message === 'string' ? message : JSON.stringify(message));
  }

  /** What was sent since the last call, in short: `service.state echo/1/protocol`. */
  lines(): string[] {
    return this.sent.splice(0).map(({ type, sessionId }) => `${type} ${sessionId}`);
  }
}
