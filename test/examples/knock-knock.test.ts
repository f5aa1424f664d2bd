/** The knock-knock example with real sockets; its silences are on a virtual clock, so nobody has to wait for them. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { filter, firstValueFrom, map } from 'rxjs';
import { afterEach, expect, test } from 'vitest';
import { createTcpServer, type SessionRecord, type TcpServer, type TcpServerOptions } from 'wirechart';
import { VirtualTime } from 'wirechart/time';
import knockKnock from '../../examples/knock-knock/index.js';

let server: TcpServer;
let peer: Socket;
let text: string;
/** The record of the first session that ends. */
let record: Promise<SessionRecord>;

async function knock(options: TcpServerOptions = {}): Promise<void> {
  server = createTcpServer(knockKnock, options);
  await server.start();
  record = firstValueFrom(
    server.sessions.changes.pipe(
      filter((change) => change.type === 'removed'),
      map((change) => change.record),
    ),
  );
  text = '';
  peer = connect(server.address()!.port, '127.0.0.1');
  peer.on('data', (data) => (text += data.toString()));
  await reads('Knock, knock.\n');
}

async function reads(line: string): Promise<void> {
  while (!text.endsWith(line)) await once(peer, 'data');
}

afterEach(async () => {
  peer.destroy();
  await server.stop({ option: 'force' });
  expect(server.sessions.size).toBe(0);
});

test('the joke is told to its end, which is a FIN and the reason `protocol done`', async () => {
  await knock();
  peer.write("Who's there?\n");
  await reads('Boo.\n');
  peer.write('boo WHO?\r\n');
  await once(peer, 'end');
  expect(text).toBe("Knock, knock.\nBoo.\nDon't cry, it is only a joke.\n");
  expect(await record).toMatchObject({
    reason: 'protocol done',
    option: 'graceful',
    closedBy: 'fin',
    protocolState: 'leaving',
  });
});

test('all answers in one packet are taken one after the other', async () => {
  await knock();
  peer.end("who's there?\nboo who?\n");
  await once(peer, 'end');
  expect(text).toBe("Knock, knock.\nBoo.\nDon't cry, it is only a joke.\n");
  expect((await record).reason).toBe('protocol done');
});

test('a wrong answer changes nothing: nothing is said, and the right one is still waited for', async () => {
  await knock();
  peer.write('boo who?\nCome in!\n\n');
  peer.write("who's there?\n");
  await reads('Boo.\n');
  expect(text).toBe('Knock, knock.\nBoo.\n');
  expect([...server.sessions].map(({ protocolSnapshot }) => protocolSnapshot.value)).toEqual(['naming']);
});

test('one who stays silent is left after 10 s, and not 1 ms earlier', async () => {
  const time = new VirtualTime();
  await knock({ time });
  const [session] = server.sessions;
  time.advanceBy(9_999);
  expect(session!.protocolSnapshot.value).toBe('knocking');
  time.advanceBy(1);
  await once(peer, 'end');
  expect(text).toBe("Knock, knock.\nDon't cry, it is only a joke.\n");
  expect((await record).reason).toBe('protocol done');
});

test('with 60 waits of 100 ms silence ends the session sooner: after 6 s, and not 1 ms earlier', async () => {
  const time = new VirtualTime();
  await knock({ time, waitTimeoutCountMax: 60 });
  const [session] = server.sessions;
  time.advanceBy(5_999);
  expect(session!.transportState).toBe('accepted');
  time.advanceBy(1);
  await once(peer, 'end');
  expect(text).toBe('Knock, knock.\n');
  expect(await record).toMatchObject({ reason: 'wait timeout', option: 'graceful', closedBy: 'fin' });
});
