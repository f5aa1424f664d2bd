/** The other end of a session: a plain `node:net` client that speaks one codec. */
import { connect, type Socket } from 'node:net';
import { firstValueFrom, raceWith, ReplaySubject, Subject, timer, type SchedulerLike } from 'rxjs';
import { ByteQueue, type Codec, type Message } from 'wirechart/codec';

/** What a peer may wait for one answer, or for its end, in ms. */
const LIMIT_MS = 10_000;

export class Peer<In extends Message = any, Out extends Message = any> {
  readonly socket: Socket;
  /** How the connection ended, as the peer sees it: `end`, or the code of an error. */
  saw: string | undefined;

  readonly #codec: Codec<In, Out>;
  readonly #time: SchedulerLike;
  readonly #input = new ByteQueue();
  readonly #messages: In[] = [];
  readonly #news = new Subject<void>();
  readonly #connected = new ReplaySubject<void>(1);
  readonly #over = new ReplaySubject<void>(1);

  constructor(port: number, codec: Codec<In, Out>, time: SchedulerLike) {
    this.#codec = codec;
    this.#time = time;
    this.socket = connect(port, '127.0.0.1')
      .on('connect', () => this.#connected.next())
      .on('data', (bytes) => this.#receive(bytes))
      .on('end', () => (this.saw ??= 'end'))
      .on('error', (error: NodeJS.ErrnoException) => (this.saw = error.code ?? error.message))
      .on('close', () => {
        this.#connected.error(new Error(`no connection: ${this.saw ?? 'closed'}`));
        this.#over.next();
        this.#news.next();
      });
  }

  connected(): Promise<void> {
    return this.#within(this.#connected, 'the connection');
  }

  /** After the connection has ended, and all that came before its end is read. */
  over(): Promise<void> {
    return this.#within(this.#over, 'the end of the connection');
  }

  /** @returns false when the kernel has no room: more is buffered in this process. */
  sends(...messages: Out[]): boolean {
    return this.socket.write(Buffer.concat(messages.map((message) => this.#codec.encode(message))));
  }

  /** The next message that is the one meant; those before it are passed over. */
  async reads(isMeant: (message: In) => boolean = () => true): Promise<In> {
    for (;;) {
      for (let message = this.#messages.shift(); message; message = this.#messages.shift()) {
        if (isMeant(message)) return message;
      }
      if (this.socket.closed) throw new Error(`the connection ended (${this.saw}) before the answer came`);
      await this.#within(this.#news, 'an answer');
    }
  }

  #receive(bytes: Uint8Array): void {
    this.#input.push(bytes);
    for (let message = this.#codec.decode(this.#input); message; message = this.#codec.decode(this.#input)) {
      this.#messages.push(message);
    }
    this.#news.next();
  }

  async #within(fact: Subject<void>, what: string): Promise<void> {
    const late = timer(LIMIT_MS, this.#time);
    const first = await firstValueFrom(fact.pipe(raceWith(late)));
    if (first === 0) throw new Error(`${what} took longer than ${LIMIT_MS} ms`);
  }
}
