/** A WebSocket of `ws` as an outlet takes it. */
import type { WebSocket } from 'ws';
import type { OutletSocket } from '../outlets/outlet.js';

export function outletSocket(socket: WebSocket): OutletSocket {
  return {
    send: (text) => socket.send(text, () => {}), // what fails ends in `close`
    close: (code, reason) => socket.close(code, reason),
    onMessage: (listener) =>
      socket.on('message', (data: Buffer, isBinary) => {
        if (!isBinary) listener(data.toString());
      }),
    onClose: (listener) => socket.once('close', () => listener()),
    get bufferedAmount() {
      return socket.bufferedAmount;
    },
  };
}
