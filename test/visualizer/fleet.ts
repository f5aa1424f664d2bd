/** Real peers of the chat example, each brought to where somebody wants to see it: `nc` in the hands of a test. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** How far a peer goes: connected and silent, with a nick, in a room. */
export type Depth = 'nameless' | 'outside' | 'inside';

let lastNick = 0;

export class ChatPeer {
  readonly nick = `n${(lastNick += 1)}`;
  #text = '';
  #wake: (() => void) | undefined;
  closedBy: 'fin' | 'rst' | undefined;

  constructor(readonly socket: Socket) {
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => {
      this.#text += text;
      this.#wake?.();
    });
    socket.on('end', () => (this.closedBy ??= 'fin'));
    socket.on('error', () => (this.closedBy = 'rst'));
    socket.on('close', () => this.#wake?.());
  }

  /** The port that its session shows. */
  get port(): number {
    return this.socket.localPort!;
  }

  say(line: string): void {
    this.socket.write(`${line}\n`);
  }

  /** @returns when the server has said something with this in it, since the last time that this was asked */
  async hears(part: string): Promise<void> {
    while (!this.#text.includes(part)) {
      if (this.socket.destroyed) throw new Error(`the connection ended before the server said ${JSON.stringify(part)}`);
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    this.#text = this.#text.slice(this.#text.indexOf(part) + part.length);
  }

  async goTo(depth: Depth, room = 'lobby'): Promise<this> {
    await this.hears('welcome');
    if (depth === 'nameless') return this;
    this.say(`nick ${this.nick}`);
    await this.hears('you are');
    if (depth === 'outside') return this;
    this.say(`join ${room}`);
    await this.hears('you are in');
    return this;
  }

  /** @returns when nothing of the connection is left */
  async ended(): Promise<void> {
    if (!this.socket.closed) await once(this.socket, 'close');
  }
}

/** `localAddress`: 127.0.0.x, so that more of them have ports. `allowHalfOpen`: it does not answer a FIN with its own. */
export async function chatPeer(
  port: number,
  options: { readonly localAddress?: string; readonly allowHalfOpen?: boolean } = {},
): Promise<ChatPeer> {
  const socket = connect({ port, host: '127.0.0.1', ...options });
  const peer = new ChatPeer(socket);
  await once(socket, 'connect');
  return peer;
}

/** @returns `count` peers that have gone that far, a few rooms between them */
export function chatPeers(port: number, count: number, depth: Depth): Promise<ChatPeer[]> {
  return Promise.all(
    Array.from({ length: count }, async (_, index) => (await chatPeer(port)).goTo(depth, `room${index % 7}`)),
  );
}
