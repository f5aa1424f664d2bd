/** A page that is none: what it sends and is told, over the WebSocket of a visualizer that runs. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import type { ScriptedPeer } from '../../src/explore/peer.js';
import type { PageMessage, ServerMessage, TableView } from '../../src/inspect/visualizer/messages.js';
import type { TcpServer } from '../../src/server.js';
import type { World } from '../../src/testing/world.js';

export type MessageOf<T extends ServerMessage['type']> = Extract<ServerMessage, { type: T }>;

export class TestPage {
  readonly socket: WebSocket;
  readonly messages: ServerMessage[] = [];
  readonly frames: Buffer[] = [];
  /** `[code, reason]`. */
  readonly closed: Promise<[number, string]>;
  #look = () => {};

  /** @param url as `Visualizer.url` says it */
  constructor(url: string, headers: Readonly<Record<string, string>> = {}) {
    const { host, origin, searchParams } = new URL(url);
    const [, port] = host.split(':');
    this.socket = new WebSocket(`ws://${host}/viz`, {
      headers: { cookie: `wirechart_${port}=${searchParams.get('token')}`, origin, ...headers },
    });
    this.socket.on('error', () => {});
    this.closed = new Promise((resolve) =>
      this.socket.on('close', (code, reason) => resolve([code, reason.toString()])),
    );
    this.socket.on('message', (data: Buffer, isBinary) => {
      if (isBinary) this.frames.push(data);
      else this.messages.push(JSON.parse(data.toString()) as ServerMessage);
      this.#look();
    });
    this.socket.on('close', () => this.#look());
  }

  send(message: PageMessage): void {
    this.socket.send(JSON.stringify(message));
  }

  /** Fulfilled when `find` finds something in all that it was told so far; the test's own limit bounds it. */
  until<T>(find: (page: this) => T | undefined | false): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#look = () => {
        const found = find(this);
        if (found !== undefined && found !== false) resolve(found);
        else if (this.socket.readyState === WebSocket.CLOSED) reject(new Error('the socket was closed'));
      };
      this.#look();
    });
  }

  /** The first message of a type, or the first for which `is` says so. */
  told<T extends ServerMessage['type']>(type: T, is: (message: MessageOf<T>) => boolean = () => true) {
    return this.until(() => this.all(type).find(is));
  }

  all<T extends ServerMessage['type']>(type: T): MessageOf<T>[] {
    return this.messages.filter((message): message is MessageOf<T> => message.type === type);
  }

  /** All that was sent has been read, and what it was answered at once is here. */
  async settled(): Promise<void> {
    const before = this.all('pong').length;
    this.send({ type: 'ping' });
    await this.until(() => this.all('pong').length > before);
  }
}

export type Command = Extract<PageMessage, { type: 'command' }>;

let lastRef = 0;

/** Gives a command, of the echo unless told otherwise. @returns what became of it */
export async function result(page: TestPage, command: Omit<Command, 'type' | 'ref' | 'source'> & { source?: string }) {
  const own = (lastRef += 1);
  page.send({ type: 'command', ref: own, source: 'echo', ...command });
  const { outcome, text, recording } = await page.told('result', ({ ref }) => ref === own);
  return { outcome, text, ...(recording !== undefined && { recording }) };
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Asked {
  readonly method?: string;
  readonly path?: string;
  /** An array: raw, name and value in turn. */
  readonly headers?: Readonly<Record<string, string>> | readonly string[];
}

/** One request, as it is: no redirect is followed, no cookie kept. */
export async function ask(url: string, { method = 'GET', path = '/', headers = {} }: Asked = {}): Promise<Answer> {
  const { hostname, port } = new URL(url);
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const made = request({ host: hostname.replace(/[[\]]/g, ''), port, method, path, headers: headers as string[] });
    made.on('upgrade', (upgraded, socket) => {
      socket.destroy();
      resolve(upgraded);
    });
    made.on('response', resolve).on('error', reject).end();
  });
  let body = '';
  for await (const chunk of response.setEncoding('utf8')) body += chunk as string;
  return { status: response.statusCode!, headers: response.headers, body };
}

/** What lets in. */
export function cookieOf(url: string): { readonly cookie: string } {
  const { port, searchParams } = new URL(url);
  return { cookie: `wirechart_${port}=${searchParams.get('token')}` };
}

/** A built page: its files, by name. @returns the folder, and what removes it */
export function pageFolder(files: Readonly<Record<string, string>> = PAGE): [folder: string, remove: () => void] {
  const folder = mkdtempSync(join(tmpdir(), 'wirechart-page-'));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder, name, '..'), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return [folder, () => rmSync(folder, { recursive: true, force: true })];
}

export const PAGE = {
  'index.html': '<!doctype html><title>the page</title>',
  'favicon.svg': '<svg xmlns="http://www.w3.org/2000/svg"/>',
  'assets/index-0123abcd.js': 'export {};',
  'notes.txt': 'no part of a page',
};

export function tableView(view: Partial<TableView> = {}): TableView {
  return {
    from: 0,
    count: 50,
    sort: 'id',
    descending: false,
    text: '',
    state: null,
    longerThanMs: 0,
    hold: false,
    ...view,
  };
}

/** One after the other, so that their sessions have their order. They are silent, so their sessions stay `accepted`. */
export function silentPeers(world: World, server: TcpServer, count: number): ScriptedPeer[] {
  return Array.from({ length: count }, () => {
    const before = server.statistics.value.accepted;
    const peer = world.peer(server);
    world.runUntil(() => server.statistics.value.accepted === before + 1);
    return peer;
  });
}
