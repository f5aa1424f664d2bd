/** Chat: a line that is said in a room reaches exactly its members, once and in order; nobody has another's nick; who is gone is forgotten. */
import chat from '../../../examples/chat/index.js';
import type { ScriptedPeer } from '../../../src/explore/peer.js';
import type { TcpServer } from '../../../src/server.js';
import type { LiveSession } from '../../../src/session/live-session.js';
import type { WorldServerOptions } from '../../../src/testing/world.js';
import { scenario, type Stage } from '../stage.js';
import { SMALL_BUFFERS } from './echo.js';

interface Member {
  readonly nick: string;
  readonly room?: string;
}

/** What sessions were owed and what they were sent, by the tokens that each line has in it, once in the world. */
class Ledger {
  readonly #stage: Stage;
  readonly #server: TcpServer;
  readonly #owed = new Map<string, string[]>();
  readonly #sent = new Map<string, string[]>();
  readonly #byAddress = new Map<string, string>();
  #problem: string | undefined;

  constructor(stage: Stage, server: TcpServer) {
    this.#stage = stage;
    this.#server = server;
    stage.watch(server.sessions.changes, (change) => {
      if (change.type === 'added') this.#tap(change.session as LiveSession);
    });
    stage.looks.push(() => this.look());
  }

  get members(): Readonly<Record<string, Member>> {
    const room = this.#server.snapshots().shared['room'] as
      { context: { members: Record<string, Member> } } | undefined;
    return room?.context.members ?? {};
  }

  look(): void {
    const { members } = this;
    const stage = this.#stage;
    if (this.#problem) stage.fail(this.#problem);
    const nicks = Object.values(members).map(({ nick }) => nick.toLowerCase());
    stage.check(new Set(nicks).size === nicks.length, () => `two have one nick: ${nicks.join(', ')}`);
    for (const id of Object.keys(members)) {
      stage.check(this.#server.sessions.get(id) !== undefined, () => `the room still has session ${id}, which is gone`);
    }
    for (const session of this.#server.sessions) {
      const inside = session.protocolSnapshot.matches('inside');
      const room = (session.protocolSnapshot.context as { room?: string }).room;
      stage.check(
        !inside || members[session.id]?.room === room,
        () => `session ${session.id} is in ${room}, the room says ${members[session.id]?.room}`,
      );
      stage.check(
        !inside || session.groups.join() === room,
        () => `session ${session.id} in ${room} is in the groups ${session.groups.join()}`,
      );
      const named = ['outside', 'entering', 'inside'].some((state) => session.protocolSnapshot.matches(state));
      stage.check(
        !named || session.id in members,
        () => `session ${session.id} has a nick, and the room does not know`,
      );
    }
    for (const [id, owed] of this.#owed) {
      const sent = this.#sent.get(id) ?? [];
      stage.check(owed.join() === sent.join(), () => `session ${id} was owed ${owed.join()} and sent ${sent.join()}`);
    }
  }

  /** What a peer reads is what its session was sent, from the beginning. */
  checkPeer(peer: ScriptedPeer): void {
    const id = peer.address && this.#byAddress.get(`${peer.address.address}:${peer.address.port}`);
    const read = tokensOf(peer.text);
    const sent = (id === undefined ? undefined : this.#sent.get(id)) ?? [];
    this.#stage.check(
      read.join() === sent.slice(0, read.length).join(),
      () => `a peer read ${read.join()}, and was sent ${sent.join()}`,
    );
  }

  #tap(session: LiveSession): void {
    const { peer, id } = session;
    this.#byAddress.set(`${peer.address}:${peer.port}`, id);
    session.tap({
      decoded: ({ type, text }: { type: string; text?: string }) => {
        if (type === 'SAY' && session.protocolSnapshot.matches('inside')) this.#owe(id, text!);
      },
      encoded: ({ text }: { text?: string }) => {
        const said = /^<(\S+)> /.exec(text ?? '');
        if (!said) return;
        const [token] = tokensOf(text!);
        if (token === undefined) return;
        (this.#sent.get(id) ?? this.#sent.set(id, []).get(id)!).push(token);
        const { nick } = this.members[token.split('.')[0]!] ?? {};
        if (nick !== undefined && nick !== said[1])
          this.#problem ??= `${said[1]} is said to have said what ${nick} said`;
      },
    } as never);
  }

  /** To everybody who is in the room at this moment, and can be written to. */
  #owe(id: string, text: string): void {
    const [token] = tokensOf(text);
    const { members } = this;
    const room = members[id]?.room;
    if (token === undefined || room === undefined) return;
    for (const [other, member] of Object.entries(members)) {
      const session = this.#server.sessions.get(other);
      if (member.room !== room || !session?.transportSnapshot.hasTag('sending')) continue;
      if (!session.groups.includes(room)) continue; // its ENTERED is on its way
      (this.#owed.get(other) ?? this.#owed.set(other, []).get(other)!).push(token);
    }
  }
}

function tokensOf(text: string): string[] {
  return [...text.matchAll(/#(\w+\.\d+);/g)].map(([, token]) => token!);
}

/** Talks as a person would who knows the commands, and sometimes mistypes. */
class Talker {
  #said = 0;
  constructor(
    readonly stage: Stage,
    readonly peer: ScriptedPeer,
    readonly rooms: number,
    readonly longest: number,
  ) {
    this.say(`nick n${stage.below(40)}`, `join r${stage.below(rooms)}`);
  }

  say(...lines: string[]): void {
    this.peer.write(lines.map((line) => `${line}\n`).join(''));
  }

  /** A line that is found again: `id` is the session's, if it is known. */
  line(id: string): string {
    const filler = 'x'.repeat(this.stage.below(this.longest));
    return `say #${id}.${(this.#said += 1)}; ${filler}`;
  }

  act(server: TcpServer): void {
    const { stage, peer } = this;
    const id =
      [...server.sessions].find((s) => s.peer.port === peer.address?.port && s.peer.address === peer.address?.address)
        ?.id ?? 'x';
    const chance = stage.below(100);
    if (chance < 60) this.say(this.line(id), ...(stage.is(0.3) ? [this.line(id), this.line(id)] : []));
    else if (chance < 72) this.say(`join r${stage.below(this.rooms)}`, this.line(id));
    else if (chance < 80) this.say('who');
    else if (chance < 86) this.say(`nick n${stage.below(40)}`);
    else if (chance < 92) this.say('what', 'say', 'join a b c');
    else if (chance < 94) this.say('quit');
    else if (chance < 96) peer.end();
    else this.say(this.line(id), 'who', `join r${stage.below(this.rooms)}`, this.line(id), 'who');
  }
}

function checkServed(stage: Stage, server: TcpServer, ledger: Ledger): void {
  const peer = stage.world.peer(server, { codec: false });
  peer.write('nick last\njoin last\nsay #last.1;\nwho\n');
  stage.advanceBy(1_000);
  const expected =
    '* welcome: nick NAME, join ROOM, say TEXT, who, quit\n* you are last\n* you are in last\n<last> #last.1;\n* here: last\n';
  stage.check(peer.text === expected, () => `a new peer is told ${JSON.stringify(peer.text)}`);
  ledger.look();
}

function play(stage: Stage, server: TcpServer, options: { readonly steps: number; readonly longest: number }): Ledger {
  const { world } = stage;
  const ledger = new Ledger(stage, server);
  const talkers: Talker[] = [];
  const join = () => talkers.push(new Talker(stage, world.peer(server, { codec: false }), 3, options.longest));
  for (let n = 0; n < 8; n += 1) join();
  for (let step = 0; step < options.steps; step += 1) {
    for (const talker of talkers) if (stage.is(0.3)) talker.act(server);
    if (stage.is(0.3)) join();
    stage.advanceBy(1 + stage.below(500));
    for (const { peer } of talkers) ledger.checkPeer(peer);
  }
  return ledger;
}

const underFaults = scenario({
  name: 'chat: rooms, all kinds of faults',
  world: { latencyMs: 5, jitterMs: 10, splitRate: 0.1, mergeRate: 0.5 },
  async play(stage) {
    const { world } = stage;
    const server = await stage.server(chat, { waitTimeoutCountMax: 100, sweepIntervalMs: 5_000 });
    world.drawFaults({ perSecond: 1.5, durationMs: 15_000 });
    const ledger = play(stage, server, { steps: 60, longest: 60 });
    // Whoever still says something is reached by it, however long its path was cut.
    stage.calm(10_000);
    const alive = world.peers.filter(({ state }) => state === 'connected');
    const asks = alive.map((peer) => ({ peer, before: peer.bytesReceived }));
    for (const { peer } of asks) peer.write('who\n');
    stage.advanceBy(30_000);
    for (const { peer, before } of asks) {
      if (peer.state === 'connected')
        stage.check(
          peer.bytesReceived > before,
          () => 'after the faults, somebody who asks is neither answered nor ended',
        );
    }
    checkServed(stage, server, ledger);
  },
});

/** Nobody reads much, so rooms are full of slow readers: the marks, the cap, and the others' rate. */
const SLOW: WorldServerOptions = {
  highWaterMarkBytes: 2_000,
  lowWaterMarkBytes: 500,
  heldBytesMax: 6_000,
  sendTimeoutMs: 3_000,
  closeTimeoutMs: 2_000,
  socket: SMALL_BUFFERS,
};

const slowReaders = scenario({
  name: 'chat: slow readers in a room hold up nobody but themselves',
  world: { latencyMs: 2 },
  async play(stage) {
    const { world } = stage;
    const server = await stage.server(chat, SLOW);
    const ledger = new Ledger(stage, server);
    const [ann, ben] = ['ann', 'ben'].map((nick) => {
      const peer = world.peer(server, { codec: false });
      peer.write(`nick ${nick}\njoin hall\n`);
      return peer;
    });
    const slow = Array.from({ length: 4 }, (_, n) => {
      const peer = world.peer(server, { codec: false, host: `10.0.1.${100 + n}` });
      peer.write(`nick slow${n}\njoin hall\n`);
      return peer;
    });
    stage.advanceBy(100);
    for (const peer of slow) peer.pause();
    for (let n = 1; n <= 200; n += 1) {
      ann!.write([0, 1, 2].map((part) => `say #ann.${3 * n + part}; ${'y'.repeat(450)}\n`).join(''));
      if (n % 20 === 0) slow[0]!.resume();
      if (n % 20 === 1) slow[0]!.pause();
      if (stage.is(0.02)) stage.pick(slow).end();
      stage.advanceBy(20 + stage.below(60));
      ledger.checkPeer(stage.pick(slow));
    }
    stage.check(tokensOf(ben!.text).length === 600, () => `ben heard ${tokensOf(ben!.text).length} of 600 lines`);
    const { reasons } = world;
    stage.check(
      (reasons['slow reader'] ?? 0) + (reasons['send timeout'] ?? 0) > 0,
      () => `no slow reader was ended: ${JSON.stringify(reasons)}`,
    );
    for (const peer of slow) peer.resume();
    stage.calm();
    checkServed(stage, server, ledger);
  },
});

/** Each session costs nothing to the others, whatever it says. */
const misbehaving = scenario({
  name: 'chat: peers that misbehave in a room',
  world: { latencyMs: 2, splitRate: 0.4 },
  async play(stage) {
    const { world } = stage;
    const server = await stage.server(chat, { ...SLOW, frameTimeoutMs: 2_000, waitTimeoutCountMax: 60 });
    const ledger = new Ledger(stage, server);
    const good = world.peer(server, { codec: false, host: '10.0.1.200' });
    good.write('nick good\njoin hall\n');
    for (let step = 1; step <= 40; step += 1) {
      const peer = world.peer(server, { codec: false, answersFin: !stage.is(0.2) });
      switch (stage.below(8)) {
        case 0:
          peer.write(stage.bytes(1_500));
          break;
        case 1:
          peer.write('z'.repeat(600)); // a line that does not end
          break;
        case 2:
          peer.write(`nick b${step}\njoin hall\nwh`);
          peer.end();
          break;
        case 3:
          peer.write(`nick b${step}\njoin hall\nsay he`);
          peer.reset();
          break;
        case 4:
          peer.write(`nick b${step}\njoin hall\nquit\nsay too late\n`);
          break;
        case 5:
          peer.pause();
          peer.write(`nick b${step}\njoin hall\n${'who\n'.repeat(400)}`);
          break;
        case 6:
          for (const letter of `nick b${step}\njoin hall`) peer.write(letter); // no end either
          break;
        case 7:
          peer.end();
      }
      good.write(`say #good.${step};\n`);
      stage.advanceBy(300);
      stage.check(
        tokensOf(good.text).at(-1) === `good.${step}`,
        () => 'a peer that behaves is not answered within 300 ms',
      );
    }
    for (const peer of world.peers) peer.resume();
    stage.calm(10_000, () => good.write('who\n'));
    stage.check(
      Object.keys(ledger.members).length <= server.sessions.size,
      () => 'the room has more members than there are sessions',
    );
    checkServed(stage, server, ledger);
  },
});

export const CHAT_SCENARIOS = [underFaults, slowReaders, misbehaving];
