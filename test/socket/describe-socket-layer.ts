/**
 * The tests that every socket layer passes, word for word: what backends do not share is not part of `SocketLayer`.
 * Both ends are made by the layer under test, so nothing here knows what carries the bytes.
 */
import { lastValueFrom, toArray } from 'rxjs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { SocketEvent, SocketHandle } from '../../machines/events.js';
import type { SocketErrorCode, SocketRecord } from '../../src/socket/socket-layer.js';
import { addressOf, Harness, type LayerUnderTest, pattern } from './layer-harness.js';

const MEBIBYTE = 2 ** 20;
/** More than both kernels' buffers take while the peer does not read. */
const TOO_MUCH = 8 * MEBIBYTE;

export function describeSocketLayer(name: string, makeLayer: () => LayerUnderTest): void {
  describe(`socket layer: ${name}`, () => {
    let h: Harness;

    beforeEach(() => {
      h = new Harness(makeLayer());
    });

    afterEach(async () => {
      await h.dispose();
      expect([...h.layer.sockets()]).toEqual([]);
      expect(h.time.pendingCount).toBe(0);
    });

    describe('opening', () => {
      test('a server socket answers RESOLVE, LISTEN and CONFIGURE one by one, and knows its port then', async () => {
        const server = await h.listen();
        expect(h.types(server)).toEqual(['RESOLVED', 'LISTENING', 'CONFIGURED']);
        expect(server.local).toEqual(h.last(server, 'LISTENING').local);
        expect(server.local?.port).toBeGreaterThan(0);
        expect(server.options.map(({ option }) => option)).toContain('backlog');
      });

      test('a connection is one ACCEPT there and one CONNECT here, and each end knows both addresses', async () => {
        const { server, client, accepted } = await h.pair();
        expect(h.count(server, 'ACCEPT')).toBe(1);
        expect(h.types(client)).toEqual(['CONNECT']);
        expect(accepted.kind).toBe('acceptedClient');
        expect(accepted.peer).toEqual(h.last(server, 'ACCEPT').peer);
        expect(accepted.peer).toEqual(client.local);
        expect(accepted.local).toEqual(client.peer);
        expect(client.peer).toEqual(server.local);
      });

      test('a second server socket on the same port gets ERROR EADDRINUSE', async () => {
        const server = await h.listen();
        const second = h.openServer({}, addressOf(server));
        h.layer.claim(second, h);
        h.carryOut(second, 'LISTEN');
        await h.untilEvent(second, 'ERROR');
        expect(h.last(second, 'ERROR').code).toBe('EADDRINUSE');
      });

      test('connecting to where nobody listens is ERROR ECONNREFUSED, then CLOSE, and no more', async () => {
        const server = await h.listen();
        h.carryOut(server, 'STOP_LISTENING');
        await h.untilEvent(server, 'STOPPED_LISTENING');
        const client = h.openClient(addressOf(server));
        h.layer.claim(client, h);
        h.carryOut(client, 'CONNECT');
        await h.untilEvent(client, 'CLOSE');
        await h.settle();
        expect(h.types(client)).toEqual(['ERROR', 'CLOSE']);
        expect(h.last(client, 'ERROR').code).toBe('ECONNREFUSED');
        expect(h.last(client, 'CLOSE')).toEqual({ type: 'CLOSE', byReset: false, bytesDropped: 0 });
        expect(client.closed).toBe(true);
      });

      test.each(['SEND_RST', 'SEND_FIN'] as const)(
        '%s gives up a client that is not connected: CLOSE, never CONNECT',
        async (command) => {
          const server = await h.listen();
          const client = h.openClient(addressOf(server));
          h.layer.claim(client, h);
          h.carryOut(client, 'CONNECT', command, command, 'CONNECT');
          await h.untilEvent(client, 'CLOSE');
          await h.settle();
          expect(h.types(client)).toEqual(['CLOSE']);
        },
      );

      test('STOP_LISTENING leaves live connections alone, and LISTEN takes the same port again', async () => {
        const pair = await h.pair();
        const { local } = pair.server;
        h.carryOut(pair.server, 'STOP_LISTENING');
        await h.untilEvent(pair.server, 'STOPPED_LISTENING');
        h.carryOut(pair.server, 'LISTEN');
        await h.untilEvent(pair.server, 'LISTENING', 2);
        expect(pair.server.local).toEqual(local);

        h.write(pair.client, 'still there');
        await h.until('the old connection reads', () => h.received(pair.accepted).byteLength === 11);
        const second = await h.connect(pair.server);
        expect(second.accepted.closed).toBe(false);
      });

      test('STOP_LISTENING is answered also by a server socket that does not listen, or not yet', async () => {
        const server = h.openServer();
        h.layer.claim(server, h);
        h.carryOut(server, 'STOP_LISTENING');
        await h.untilEvent(server, 'STOPPED_LISTENING');
        h.carryOut(server, 'LISTEN', 'STOP_LISTENING');
        await h.untilEvent(server, 'STOPPED_LISTENING', 2);
        await h.settle();
        expect(h.types(server)).toEqual(['STOPPED_LISTENING', 'STOPPED_LISTENING']);
      });
    });

    describe('reading and writing', () => {
      test('nothing is read before the first RESUME; then all of it, and the FIN behind it', async () => {
        const { client, accepted } = await h.connectPaused(await h.listen());
        h.write(client, 'early');
        h.carryOut(client, 'SEND_FIN');
        await h.settle();
        expect(h.types(accepted)).toEqual([]);
        h.carryOut(accepted, 'RESUME');
        await h.untilEvent(accepted, 'PEER_END');
        expect(Buffer.from(h.received(accepted)).toString()).toBe('early');
      });

      test('4 MiB in writes of 1 to 100 000 bytes arrive whole and in order, and are counted at both ends', async () => {
        const { client, accepted } = await h.pair();
        const bytes = pattern(4 * MEBIBYTE);
        for (let from = 0, length = 1; from < bytes.byteLength; from += length, length = ((length * 7) % 100_000) + 1) {
          h.write(client, bytes.subarray(from, from + length));
        }
        await h.until('all bytes', () => accepted.statistics.bytesReceived === bytes.byteLength);
        expect(Buffer.compare(h.received(accepted), bytes)).toBe(0);
        await h.until('all sent', () => client.statistics.bytesSent === bytes.byteLength);
        expect(h.layer.queuedBytes(client)).toBe(0);
      });

      test('READ carries a plain Uint8Array, not a Buffer', async () => {
        const { client, accepted } = await h.pair();
        h.write(client, 'x');
        await h.untilEvent(accepted, 'READ');
        expect(Object.getPrototypeOf(h.last(accepted, 'READ').bytes)).toBe(Uint8Array.prototype);
      });

      test('PAUSE stops READ until RESUME', async () => {
        const { client, accepted } = await h.pair();
        h.carryOut(accepted, 'PAUSE');
        h.write(client, 'later');
        await h.settle();
        expect(h.types(accepted)).toEqual([]);
        h.carryOut(accepted, 'RESUME');
        await h.untilEvent(accepted, 'READ');
        expect(h.types(accepted)).toEqual(['READ']);
      });

      test('a small write is with the kernel at once: no retry, nothing queued, no WRITE event', async () => {
        const { client, accepted } = await h.pair();
        h.write(client, 'x');
        expect(h.layer.queuedBytes(client)).toBe(0);
        expect(client.statistics).toMatchObject({ bytesWritten: 1, bytesSent: 1, sendRetries: 0 });
        await h.untilEvent(accepted, 'READ');
        expect(h.types(client)).toEqual(['CONNECT']);
      });
    });

    describe('flushing', () => {
      test('FLUSH with nothing queued is answered before carryOut returns, once each time', async () => {
        const { client } = await h.pair();
        h.carryOut(client, 'FLUSH');
        expect(h.types(client)).toEqual(['CONNECT', 'FLUSHED']);
        h.write(client, 'x');
        h.carryOut(client, 'FLUSH');
        await h.settle();
        expect(h.types(client)).toEqual(['CONNECT', 'FLUSHED', 'FLUSHED']);
      });

      test('a peer that does not read holds FLUSHED back; when it reads, FLUSHED and WRITE come once each', async () => {
        const { client, accepted } = await h.connectPaused(await h.listen());
        h.write(client, pattern(TOO_MUCH));
        h.carryOut(client, 'FLUSH', 'FLUSH');
        await h.settle();
        expect(h.types(client)).toEqual(['CONNECT']);
        expect(h.layer.queuedBytes(client)).toBeGreaterThan(0);
        expect(client.statistics.sendRetries).toBe(1);

        h.carryOut(accepted, 'RESUME');
        await h.untilEvent(client, 'WRITE');
        expect(h.layer.queuedBytes(client)).toBe(0);
        await h.until('all bytes', () => accepted.statistics.bytesReceived === TOO_MUCH);
        expect(h.types(client)).toEqual(['CONNECT', 'FLUSHED', 'WRITE']);
      });

      test('FLUSH after SEND_FIN is answered when the queue and the FIN are out', async () => {
        const { client, accepted } = await h.connectPaused(await h.listen());
        h.write(client, pattern(TOO_MUCH));
        h.carryOut(client, 'SEND_FIN', 'FLUSH');
        await h.settle();
        expect(h.count(client, 'FLUSHED')).toBe(0);
        h.carryOut(accepted, 'RESUME');
        await h.untilEvent(client, 'FLUSHED');
        await h.untilEvent(accepted, 'PEER_END');
        expect(accepted.statistics.bytesReceived).toBe(TOO_MUCH);
        expect(h.count(client, 'FLUSHED')).toBe(1);
      });

      test('SEND_FIN behind a pending FLUSH does not lose FLUSHED', async () => {
        const { client, accepted } = await h.connectPaused(await h.listen());
        h.write(client, pattern(TOO_MUCH));
        h.carryOut(client, 'FLUSH', 'SEND_FIN');
        h.carryOut(accepted, 'RESUME');
        await h.untilEvent(client, 'FLUSHED');
        await h.untilEvent(accepted, 'PEER_END');
        expect(h.count(client, 'FLUSHED')).toBe(1);
      });

      test('in the middle of one write of 8 MiB bytesSent grows, never falls, and with queuedBytes makes 8 MiB', async () => {
        const { client, accepted } = await h.connectPaused(await h.listen());
        h.write(client, pattern(TOO_MUCH));
        const seen = [client.statistics.bytesSent];
        h.layer.events.subscribe(({ socket, event }) => {
          if (socket !== accepted || event.type !== 'READ') return;
          const { bytesSent } = client.statistics;
          expect(bytesSent + h.layer.queuedBytes(client)).toBe(TOO_MUCH);
          seen.push(bytesSent);
        });
        h.carryOut(accepted, 'RESUME');
        await h.until('all bytes', () => accepted.statistics.bytesReceived === TOO_MUCH);
        expect(seen).toEqual([...seen].sort((a, b) => a - b));
        expect(seen.some((bytesSent) => bytesSent > seen[0]! && bytesSent < TOO_MUCH)).toBe(true);
        await h.until('all sent', () => client.statistics.bytesSent === TOO_MUCH);
      });
    });

    describe('closing', () => {
      test('half-open: after the peer’s FIN we can still write, and our FIN ends both with CLOSE, not by reset', async () => {
        const { client, accepted } = await h.pair();
        h.carryOut(client, 'SEND_FIN');
        await h.untilEvent(accepted, 'PEER_END');
        h.write(accepted, 'answer');
        h.carryOut(accepted, 'SEND_FIN', 'SEND_FIN');
        await h.untilEvent(client, 'CLOSE');
        await h.untilEvent(accepted, 'CLOSE');
        await h.settle();
        expect(h.types(client)).toEqual(['CONNECT', 'READ', 'PEER_END', 'CLOSE']);
        expect(h.types(accepted)).toEqual(['PEER_END', 'CLOSE']);
        expect(h.last(client, 'CLOSE')).toEqual({ type: 'CLOSE', byReset: false, bytesDropped: 0 });
        expect(h.last(accepted, 'CLOSE')).toEqual({ type: 'CLOSE', byReset: false, bytesDropped: 0 });
      });

      test('FINs of both ends at once end both with one PEER_END and one CLOSE', async () => {
        const { client, accepted } = await h.pair();
        h.carryOut(client, 'SEND_FIN');
        h.carryOut(accepted, 'SEND_FIN');
        await h.untilEvent(client, 'CLOSE');
        await h.untilEvent(accepted, 'CLOSE');
        expect(h.types(client)).toEqual(['CONNECT', 'PEER_END', 'CLOSE']);
        expect(h.types(accepted)).toEqual(['PEER_END', 'CLOSE']);
      });

      test('SEND_RST while open: the peer gets ERROR ECONNRESET, and CLOSE of both says byReset', async () => {
        const { client, accepted } = await h.pair();
        h.carryOut(accepted, 'SEND_RST', 'SEND_RST');
        await h.untilEvent(client, 'CLOSE');
        await h.untilEvent(accepted, 'CLOSE');
        await h.settle();
        expect(h.types(accepted)).toEqual(['CLOSE']);
        expect(h.types(client)).toEqual(['CONNECT', 'ERROR', 'CLOSE']);
        expect(h.last(client, 'ERROR').code).toBe('ECONNRESET');
        expect(h.last(client, 'CLOSE').byReset).toBe(true);
        expect(h.last(accepted, 'CLOSE').byReset).toBe(true);
      });

      test('an RST after our FIN fails the peer’s writes with EPIPE or ECONNRESET', async () => {
        const { client, accepted } = await h.pair();
        h.carryOut(accepted, 'SEND_FIN');
        await h.untilEvent(client, 'PEER_END');
        h.carryOut(accepted, 'SEND_RST');
        await h.untilEvent(accepted, 'CLOSE');
        await h.until('the peer’s write fails', () => {
          h.write(client, 'x');
          return h.count(client, 'ERROR') > 0;
        });
        expect(['EPIPE', 'ECONNRESET']).toContain(h.last(client, 'ERROR').code);
        await h.untilEvent(client, 'CLOSE');
        expect(h.last(client, 'CLOSE').byReset).toBe(true);
      });

      test('SEND_RST in the same turn as SEND_FIN closes once, by reset', async () => {
        const { client, accepted } = await h.pair();
        h.carryOut(accepted, 'SEND_FIN', 'SEND_RST', 'SEND_RST');
        await h.untilEvent(accepted, 'CLOSE');
        expect(h.types(accepted)).toEqual(['CLOSE']);
        expect(h.last(accepted, 'CLOSE').byReset).toBe(true);
        await h.until('the peer hears of it', () => h.types(client).length > 1);
      });

      test('SEND_RST drops what is queued, and CLOSE and the statistics say how much', async () => {
        const { client } = await h.connectPaused(await h.listen());
        h.write(client, pattern(TOO_MUCH));
        const queued = h.layer.queuedBytes(client);
        h.carryOut(client, 'SEND_RST');
        await h.untilEvent(client, 'CLOSE');
        expect(queued).toBeGreaterThan(0);
        expect(h.last(client, 'CLOSE')).toEqual({ type: 'CLOSE', byReset: true, bytesDropped: queued });
        expect(client.statistics).toMatchObject({ bytesDropped: queued, bytesSent: TOO_MUCH - queued });
      });

      test('a reset by the peer drops what is queued, and the statistics still add up', async () => {
        const { client, accepted } = await h.connectPaused(await h.listen());
        h.carryOut(client, 'RESUME');
        h.write(client, pattern(TOO_MUCH));
        h.carryOut(accepted, 'SEND_RST');
        await h.untilEvent(client, 'CLOSE');
        const { bytesDropped } = h.last(client, 'CLOSE');
        expect(bytesDropped).toBeGreaterThan(0);
        expect(bytesDropped).toBeLessThan(TOO_MUCH);
        expect(client.statistics.bytesSent + bytesDropped).toBe(TOO_MUCH);
        expect(h.count(client, 'FLUSHED') + h.count(client, 'WRITE')).toBe(0);
      });

      test('a WRITE after SEND_FIN is ignored and counted as dropped', async () => {
        const { client, accepted } = await h.pair();
        h.carryOut(client, 'SEND_FIN');
        h.write(client, 'late');
        await h.untilEvent(accepted, 'PEER_END');
        await h.settle();
        expect(h.types(client)).toEqual(['CONNECT']);
        expect(accepted.statistics.bytesReceived).toBe(0);
        expect(client.statistics).toMatchObject({ bytesWritten: 0, bytesDropped: 4 });
      });

      test('a closed socket ignores every command, and keeps its addresses until it is released', async () => {
        const { client, accepted } = await h.pair();
        const { local, peer } = accepted;
        h.carryOut(client, 'SEND_RST');
        await h.untilEvent(accepted, 'CLOSE');
        h.write(accepted, 'late');
        h.carryOut(accepted, 'FLUSH', 'SEND_FIN', 'SEND_RST', 'PAUSE', 'RESUME', 'CONNECT', 'LISTEN', 'STOP_LISTENING');
        await h.settle();
        expect(h.types(accepted).at(-1)).toBe('CLOSE');
        expect(accepted).toMatchObject({ local, peer, closed: true });
        expect(h.layer.get(accepted.handle)).toBe(accepted);
        expect(h.layer.queuedBytes(accepted)).toBe(0);
        expect(h.layer.tcpInfo(accepted)).toBeUndefined();
        h.layer.release(accepted);
        expect(h.layer.get(accepted.handle)).toBeUndefined();
      });

      test('releasing an open socket ends the connection, and no event of it follows', async () => {
        const { client, accepted } = await h.pair();
        h.layer.release(accepted);
        await h.until('the peer hears of it', () => h.types(client).length > 1);
        await h.settle();
        expect(h.types(accepted)).toEqual([]);
        expect(accepted.closed).toBe(true);
      });
    });

    describe('many', () => {
      test('100 connections echo at once, close, and leave 1 record after release', async () => {
        const server = await h.listen();
        const clients: SocketRecord[] = [];
        h.layer.events.subscribe(({ socket, event }) => {
          if (event.type === 'ACCEPT') {
            const accepted = h.layer.get(event.socket)!;
            h.layer.claim(accepted, h);
            h.carryOut(accepted, 'RESUME');
          }
          if (socket.kind === 'acceptedClient' && event.type === 'READ')
            h.carryOut(socket, { type: 'WRITE', bytes: event.bytes });
          if (event.type === 'PEER_END') h.carryOut(socket, 'SEND_FIN');
          if (event.type === 'CONNECT') {
            h.write(socket, `I am ${socket.handle}`);
            h.carryOut(socket, 'RESUME');
          }
          if (socket.kind === 'client' && event.type === 'READ') h.carryOut(socket, 'SEND_FIN');
          if (event.type === 'CLOSE') h.layer.release(socket);
        });
        for (let index = 0; index < 100; index += 1) {
          const client = h.openClient(addressOf(server));
          clients.push(client);
          h.layer.claim(client, h);
          h.carryOut(client, 'CONNECT');
        }
        await h.until('one record', () => [...h.layer.sockets()].length === 1);
        for (const client of clients) {
          expect(Buffer.from(h.received(client)).toString()).toBe(`I am ${client.handle}`);
          expect(h.types(client).at(-1)).toBe('CLOSE');
        }
      });
    });

    describe('waitEvents', () => {
      /** An accepted connection that nobody claimed, and its peer. */
      const unclaimed = async (): Promise<{ socket: SocketRecord; peer: SocketRecord }> => {
        const { client, accepted } = await h.connect(await h.listen());
        accepted.owner = undefined;
        return { socket: accepted, peer: client };
      };
      const wait = (handle: SocketHandle | null, timeoutMs?: number): Promise<SocketEvent[]> => {
        const events = h.layer.waitEvents(handle, timeoutMs === undefined ? {} : { timeoutMs });
        return lastValueFrom(events.pipe(toArray()));
      };
      const refused = (code: SocketErrorCode): Promise<void> =>
        expect(wait(waited)).rejects.toMatchObject({ name: 'SocketError', code });
      let waited: SocketHandle | null;

      test('a null handle is refused with HANDLE_NULL', async () => {
        waited = null;
        await refused('HANDLE_NULL');
      });

      test('a handle that was never given out is refused with HANDLE_UNKNOWN', async () => {
        waited = 12_345 as SocketHandle;
        await refused('HANDLE_UNKNOWN');
      });

      test('a socket that is marked deleted is refused with SOCKET_DELETED, a released one with HANDLE_UNKNOWN', async () => {
        const { socket } = await unclaimed();
        waited = socket.handle;
        socket.markedDeleted = true;
        await refused('SOCKET_DELETED');
        h.layer.release(socket);
        await refused('HANDLE_UNKNOWN');
      });

      test('a closed socket gives its last event, and is refused with SOCKET_STOPPED from then on', async () => {
        const { socket, peer } = await unclaimed();
        waited = socket.handle;
        h.carryOut(peer, 'SEND_RST');
        await h.until('the close', () => socket.closed);
        expect(await wait(waited)).toMatchObject([{ type: 'ERROR', code: 'ECONNRESET' }]);
        expect(await wait(waited)).toEqual([{ type: 'CLOSE', byReset: true, bytesDropped: 0 }]);
        await refused('SOCKET_STOPPED');
      });

      test('a claimed socket, and one that somebody waits for, are refused with HANDLE_IN_USE', async () => {
        const { socket, peer } = await unclaimed();
        waited = peer.handle;
        await refused('HANDLE_IN_USE');
        waited = socket.handle;
        const first = wait(waited);
        await refused('HANDLE_IN_USE');
        h.time.advanceBy(100);
        expect(await first).toEqual([{ type: 'WAIT_TIMEOUT', waits: 1 }]);
      });

      test('a claim fails the wait that is going on with HANDLE_IN_USE, a release with SOCKET_DELETED', async () => {
        const first = await unclaimed();
        const claimed = expect(wait(first.socket.handle)).rejects.toMatchObject({ code: 'HANDLE_IN_USE' });
        h.layer.claim(first.socket, h);
        await claimed;
        const second = await unclaimed();
        const released = expect(wait(second.socket.handle)).rejects.toMatchObject({ code: 'SOCKET_DELETED' });
        h.layer.release(second.socket);
        await released;
      });

      test.each([
        { timeoutMs: undefined, lastMs: 100 },
        { timeoutMs: 250, lastMs: 250 },
        { timeoutMs: 0, lastMs: 0 },
      ])(
        'a wait with timeoutMs $timeoutMs ends with WAIT_TIMEOUT after $lastMs ms, not earlier, and is counted',
        async ({ timeoutMs, lastMs }) => {
          const { socket } = await unclaimed();
          let events: SocketEvent[] | undefined;
          void wait(socket.handle, timeoutMs).then((found) => (events = found));
          if (lastMs > 0) {
            h.time.advanceBy(lastMs - 1);
            await Promise.resolve().then(() => undefined);
            expect(events).toBeUndefined();
            expect(socket.statistics.receiveRetries).toBe(0);
          }
          h.time.advanceBy(lastMs > 0 ? 1 : 0);
          await h.until('the end of the wait', () => events !== undefined);
          expect(events).toEqual([{ type: 'WAIT_TIMEOUT', waits: 1 }]);
          expect(socket.statistics.receiveRetries).toBe(1);
        },
      );

      test('a negative or broken timeoutMs is refused with OPTION_INVALID', async () => {
        const { socket } = await unclaimed();
        await expect(wait(socket.handle, -1)).rejects.toMatchObject({ code: 'OPTION_INVALID' });
        await expect(wait(socket.handle, Number.NaN)).rejects.toMatchObject({ code: 'OPTION_INVALID' });
      });

      test('an event ends the wait at once, and its timer with it', async () => {
        const { socket, peer } = await unclaimed();
        const waiting = wait(socket.handle, 60_000);
        h.write(peer, 'x');
        expect(await withSteps(waiting)).toMatchObject([{ type: 'READ' }]);
        expect(h.time.pendingCount).toBe(0);
        expect(socket.statistics.receiveRetries).toBe(0);
      });

      test('an early unsubscribe loses nothing: the next wait gets the event', async () => {
        const { socket, peer } = await unclaimed();
        h.layer.waitEvents(socket.handle).subscribe().unsubscribe();
        h.write(peer, 'kept');
        await h.until('it is read', () => socket.statistics.bytesReceived === 4);
        expect(await wait(socket.handle)).toMatchObject([{ type: 'READ' }]);
      });

      test('between two waits at most 64 READs are kept, then reading pauses, and after all not a byte of 16 MiB is lost', async () => {
        const { socket, peer } = await unclaimed();
        const bytes = pattern(2 * TOO_MUCH);
        h.write(peer, bytes);
        h.carryOut(peer, 'SEND_FIN');
        await h.untilQuiet(() => socket.statistics.bytesReceived);
        expect(socket.statistics.bytesReceived).toBeLessThan(bytes.byteLength);
        h.carryOut(socket, 'RESUME'); // asked for or not: a full queue reads no more
        await h.settle();
        expect(socket.statistics.bytesReceived).toBeLessThan(bytes.byteLength);

        const parts: Uint8Array[] = [];
        for (;;) {
          const [event] = await withSteps(wait(socket.handle, 1_000));
          if (event?.type === 'PEER_END') break;
          expect(event?.type).toBe('READ');
          if (event?.type === 'READ') parts.push(event.bytes);
        }
        expect(Buffer.compare(Buffer.concat(parts), bytes)).toBe(0);
      });

      test('a claim hands over what waited, in order, and then the stream goes on', async () => {
        const { socket, peer } = await unclaimed();
        h.write(peer, 'first');
        await h.until('it is read', () => socket.statistics.bytesReceived === 5);
        expect(h.types(socket)).toEqual([]);
        h.layer.claim(socket, h);
        expect(h.types(socket)).toEqual(['READ']);
        h.write(peer, ' second');
        h.carryOut(peer, 'SEND_FIN');
        await h.untilEvent(socket, 'PEER_END');
        expect(Buffer.from(h.received(socket)).toString()).toBe('first second');
      });

      test('a server socket can be waited for as well: RESOLVED, LISTENING, then ACCEPT', async () => {
        const server = h.openServer();
        h.carryOut(server, 'RESOLVE');
        expect(await withSteps(wait(server.handle))).toMatchObject([{ type: 'RESOLVED' }]);
        h.carryOut(server, 'LISTEN');
        expect(await withSteps(wait(server.handle))).toMatchObject([{ type: 'LISTENING' }]);
        const client = h.openClient(addressOf(server));
        h.carryOut(client, 'CONNECT');
        expect(await withSteps(wait(server.handle))).toMatchObject([{ type: 'ACCEPT' }]);
        expect(await withSteps(wait(client.handle))).toMatchObject([{ type: 'CONNECT' }]);
      });

      /** Lets the layer's world go on until the promise is settled. */
      async function withSteps<T>(promise: Promise<T>): Promise<T> {
        let settled = false;
        void promise.then(
          () => (settled = true),
          () => (settled = true),
        );
        await h.until('the end of the wait', () => settled);
        return promise;
      }
    });
  });
}
