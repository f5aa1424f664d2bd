/**
 * An echo on `node:net` alone, as one writes it by hand: framing with a remainder, an idle timeout, half-closed peers,
 * back-pressure, errors. What is sent back for the whole frames of a chunk is the only thing that its two users differ in.
 */
import net from 'node:net';
import { answerParent, COSTS } from './answering.js';
import { readBack, setNotesOptions } from './kernel-options.js';

const HEADER_BYTES = 4;
/** As the framework's default. */
const FRAME_BYTES_MAX = 1024 * 1024;

/** @typedef {{ kernel: 'system' | 'notes', idleMs: number, watch: boolean }} ServerOptions
 *  `idleMs`: a silent connection is closed after so long, 0: never. `watch`: keep the lateness of those closes. */

/** @param {(bytes: Buffer, ends: number[]) => Buffer} answer
 *  `bytes` begins with whole frames, the i-th of which ends before `ends[i]`; more bytes may follow. */
export function serveBare(answer) {
  let sessions = 0;
  /** @type {number[]} */
  let late = [];
  /** @type {number | undefined} */
  let firstFd;

  /** @param {net.Socket} socket @param {ServerOptions} options */
  function serve(socket, { idleMs, watch }) {
    /** @type {Buffer | undefined} */
    let rest;
    let lastReadMs = 0;
    sessions += 1;
    if (idleMs > 0) socket.setTimeout(idleMs);
    socket.on('data', (/** @type {Buffer} */ chunk) => {
      if (watch) lastReadMs = performance.now();
      const bytes = rest ? Buffer.concat([rest, chunk]) : chunk;
      const ends = [];
      let end = 0;
      while (bytes.length - end >= HEADER_BYTES) {
        const frameBytes = HEADER_BYTES + bytes.readUInt32BE(end);
        if (frameBytes > FRAME_BYTES_MAX) {
          socket.destroy();
          return;
        }
        if (bytes.length - end < frameBytes) break;
        end += frameBytes;
        ends.push(end);
      }
      rest = end < bytes.length ? bytes.subarray(end) : undefined;
      if (end > 0 && !socket.write(answer(bytes, ends))) socket.pause();
    });
    socket.on('drain', () => socket.resume());
    socket.on('end', () => socket.end());
    socket.on('timeout', () => {
      if (socket.writableEnded) {
        socket.destroy(); // the peer has not answered our FIN
        return;
      }
      if (watch) late.push(performance.now() - lastReadMs - idleMs);
      socket.end();
    });
    socket.on('error', () => {}); // 'close' follows
    socket.on('close', () => (sessions -= 1));
  }

  answerParent({
    ...COSTS,
    start: (/** @type {ServerOptions} */ options) =>
      new Promise((resolve, reject) => {
        const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
          firstFd ??= descriptorOf(socket);
          serve(socket, options);
        });
        server.once('error', reject);
        server.listen({ host: '127.0.0.1', port: 0, backlog: 511 }, () => {
          const fd = descriptorOf(server);
          if (options.kernel === 'notes' && fd !== undefined) setNotesOptions(fd);
          resolve(/** @type {net.AddressInfo} */ (server.address()).port);
        });
      }),
    sessions: () => sessions,
    options: () => readBack(firstFd),
    late: () => {
      const list = late;
      late = [];
      return list;
    },
    faults: () => [],
  });
}

/** @param {net.Socket | net.Server} socket @returns {number | undefined} */
function descriptorOf(socket) {
  return /** @type {any} */ (socket)._handle?.fd;
}
