/** The chat example with real sockets: people with a terminal. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { filter, firstValueFrom } from 'rxjs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createTcpServer, type TcpServer } from 'wirechart';
import chat from '../../examples/chat/index.js';

let server: TcpServer;
let people: Person[];

beforeEach(async () => {
  server = createTcpServer(chat);
  people = [];
  await server.start();
});

afterEach(async () => {
  for (const person of people) person.socket.destroy();
  await server.stop({ option: 'force' });
  expect(server.sessions.size).toBe(0);
});

class Person {
  #text = '';
  readonly #waiting = new Set<() => void>();
  ended = false;

  private constructor(readonly socket: Socket) {
    socket.on('data', (data) => {
      this.#text += data.toString();
      for (const look of this.#waiting) look();
    });
    socket.on('end', () => (this.ended = true));
    socket.on('error', () => {});
  }

  static async arrive(): Promise<Person> {
    const person = new Person(connect(server.address()!.port, '127.0.0.1'));
    people.push(person);
    await person.reads('* welcome: nick NAME, join ROOM, say TEXT, who, quit');
    return person;
  }

  types(...lines: string[]): void {
    this.socket.write(lines.map((line) => `${line}\n`).join(''));
  }

  /** The next line that is this one; what came before it is passed over. */
  reads(line: string): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        const at = `\n${this.#text}`.indexOf(`\n${line}\n`);
        if (at < 0) return;
        this.#text = this.#text.slice(at + line.length + 1);
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
  }

  get unread(): string {
    return this.#text;
  }
}

test('two people meet in a room, talk, and see who is here', async () => {
  const ann = await Person.arrive();
  const bob = await Person.arrive();
  ann.types('nick ann', 'join lobby');
  await ann.reads('* you are in lobby');
  bob.types('nick bob', 'join lobby');
  await bob.reads('* you are in lobby');
  await ann.reads('* bob came');
  bob.types('say hello');
  await ann.reads('<bob> hello');
  await bob.reads('<bob> hello');
  ann.types('who');
  await ann.reads('* here: ann, bob');
});

test('what is typed all at once is answered in order, while each answer is waited for', async () => {
  const ann = await Person.arrive();
  ann.types(
    'say too early',
    'nick ann',
    'nick again',
    'join lobby',
    'say one',
    'say two',
    'who',
    'join attic',
    'who',
    'quit',
  );
  await once(ann.socket, 'end');
  expect(ann.unread).toBe(
    [
      '! first: join ROOM',
      '* you are ann',
      '! you have a nick',
      '* you are in lobby',
      '<ann> one',
      '<ann> two',
      '* here: ann',
      '* you are in attic',
      '* here: ann',
      '* bye',
      '',
    ].join('\n'),
  );
});

test('a nick is taken as long as its session lives, whatever its case, and free afterwards', async () => {
  const ann = await Person.arrive();
  const bob = await Person.arrive();
  ann.types('nick ann');
  await ann.reads('* you are ann');
  bob.types('nick ANN');
  await bob.reads('! ANN is taken');
  const gone = firstValueFrom(server.sessions.changes.pipe(filter(({ type }) => type === 'removed')));
  ann.types('quit');
  await gone;
  bob.types('nick ANN');
  await bob.reads('* you are ANN');
});

test('one who leaves, by FIN or by RST, is seen to leave by those who stay, once', async () => {
  const [ann, bob, eve] = [await Person.arrive(), await Person.arrive(), await Person.arrive()];
  for (const [person, name] of [
    [ann, 'ann'],
    [bob, 'bob'],
    [eve, 'eve'],
  ] as const) {
    person.types(`nick ${name}`, 'join lobby');
    await person.reads('* you are in lobby');
  }
  bob.socket.end();
  await ann.reads('* bob left');
  eve.socket.resetAndDestroy();
  await ann.reads('* eve left');
  ann.types('who');
  await ann.reads('* here: ann');
  expect(ann.unread).toBe('');
});

test('control characters do not reach anybody else, and are refused in words', async () => {
  const ann = await Person.arrive();
  ann.types('nick ann', 'join lobby', 'say \u001b[2Jgone', 'nick \u0007');
  await ann.reads('! control characters are not sent on');
  await ann.reads('! a name is 1 to 20 letters, digits, - or _');
});

test('the longest line that may be typed, 512 bytes, is heard by all, whatever the nick in front of it', async () => {
  const ann = await Person.arrive();
  const nick = '\u{10400}'.repeat(20);
  const text = 'x'.repeat(512 - 'say '.length);
  ann.types(`nick ${nick}`, 'join lobby', `say ${text}`, 'who');
  await ann.reads(`<${nick}> ${text}`);
  await ann.reads(`* here: ${nick}`);
});

test('a line of more than 512 bytes ends its session alone', async () => {
  const ann = await Person.arrive();
  const bob = await Person.arrive();
  ann.types('x'.repeat(513));
  await once(ann.socket, 'end');
  bob.types('nick bob');
  await bob.reads('* you are bob');
  expect(server.sessions.size).toBeLessThanOrEqual(2);
});
