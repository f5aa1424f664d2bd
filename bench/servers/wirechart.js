/** This project's echo, as `examples/echo` ships it, from `dist/`. */
import { answerParent, COSTS } from './answering.js';
import { readBack, socketOptionsOf } from './kernel-options.js';

const WAIT_MS = 100;

// Built files are imported by a name that the compiler does not follow: the bench is checked without a build.
const dist = new URL('../../dist/', import.meta.url);
/** @type {typeof import('../../src/index.js')} */
const { createTcpServer } = await import(new URL('src/index.js', dist).href);
/** @type {{ default: import('../../src/index.js').AnyProtocol }} */
const { default: echo } = await import(new URL('examples/echo/index.js', dist).href);

/** @type {import('../../src/index.js').TcpServer} */
let server;
/** @type {string[]} */
const faults = [];
/** @type {number[]} */
let late = [];
/** @type {import('./kernel-options.js').ReadBack | undefined} */
let options;

answerParent({
  ...COSTS,
  start: async (/** @type {import('./bare.js').ServerOptions} */ { kernel, idleMs, watch }) => {
    const socket = socketOptionsOf(kernel);
    server = createTcpServer(echo, { waitTimeoutCountMax: idleMs / WAIT_MS, sessionsPerAddressMax: 0, socket });
    server.errors.subscribe((error) => faults.push(`${error.code}: ${error.message}`));
    if (watch) watchIdleCloses(idleMs);
    else readFirstAccepted();
    await server.start();
    const address = server.address();
    return address && 'port' in address ? address.port : undefined;
  },
  sessions: () => server.sessions.size,
  options: () => options,
  late: () => {
    const list = late;
    late = [];
    return list;
  },
  faults: () => faults,
});

/** Only until the first connection: a subscriber costs something on each event. */
function readFirstAccepted() {
  const subscription = server.events.subscribe(({ event }) => {
    if (event.type !== 'ACCEPT') return;
    options = readBack(event.descriptor);
    subscription.unsubscribe();
  });
}

/** Subscribed before the start, and so told of a READ before the session is: the decision cannot seem early.
 *  @param {number} idleMs */
function watchIdleCloses(idleMs) {
  /** @type {WeakMap<import('../../src/index.js').Session, number>} */
  const lastReads = new WeakMap();
  server.events.subscribe(({ session, event }) => {
    if (event.type === 'READ' && session) lastReads.set(session, performance.now());
  });
  server.sessions.changes.subscribe((change) => {
    if (change.type === 'removed') {
      if (change.record.reason !== 'wait timeout') faults.push(`a session ended by: ${change.record.reason}`);
      return;
    }
    const lastReadMs = lastReads.get(change.session);
    if (lastReadMs === undefined || !isClosing(change.session.transportState)) return;
    lastReads.delete(change.session);
    late.push(performance.now() - lastReadMs - idleMs);
  });
}

/** @param {unknown} state */
function isClosing(state) {
  return state === 'closing' || (typeof state === 'object' && state !== null && 'closing' in state);
}
