/**
 * Thirty ways to break what sessions stand on, ten each of the session chart, the sweeper and the simulated network: the mistakes that
 * one makes there. Each is a text that stands once in its file, and what stands there instead.
 */
export interface Mutant {
  readonly name: string;
  readonly part: 'session' | 'sweeper' | 'network';
  readonly file: string;
  readonly from: string;
  readonly to: string;
  /** For people: what goes wrong by it. */
  readonly breaks: string;
}

const SESSION = 'machines/session.ts';
const SWEEPER_CHART = 'machines/gc-sweeper.ts';
const SWEEPER = 'src/session/sweeper.ts';
const REGISTRY = 'src/session/registry.ts';
const SIMULATED = 'src/socket/simulated';

const session = (name: string, from: string, to: string, breaks: string): Mutant => ({
  name,
  part: 'session',
  file: SESSION,
  from,
  to,
  breaks,
});
const sweeper = (file: string, name: string, from: string, to: string, breaks: string): Mutant => ({
  name,
  part: 'sweeper',
  file,
  from,
  to,
  breaks,
});
const network = (file: string, name: string, from: string, to: string, breaks: string): Mutant => ({
  name,
  part: 'network',
  file: `${SIMULATED}/${file}`,
  from,
  to,
  breaks,
});

export const MUTANTS: readonly Mutant[] = [
  session(
    'one wait too early',
    'c.waitTimeoutCount + (event as Waited).waits >= c.waitTimeoutCountMax,',
    'c.waitTimeoutCount + (event as Waited).waits >= c.waitTimeoutCountMax - 1,',
    'a session that gets its waits one by one ends a wait early',
  ),
  session(
    'waits count while it holds',
    'return !context.held && !context.inputFull && !context.outputFull;',
    'return !context.inputFull && !context.outputFull;',
    'a session is ended for the silence of a peer that waits for the answer',
  ),
  session(
    'a congested session goes on waiting',
    'return !context.held && !context.inputFull && !context.outputFull;',
    'return !context.held && !context.inputFull;',
    'a session that does not read its peer ends for its silence',
  ),
  session(
    'the frame deadline is not cancelled',
    "FRAME_ENDED:   { actions: ['endFrame', 'disarmFrameTimeout'] },",
    "FRAME_ENDED:   { actions: ['endFrame'] },",
    'a session is ended for a frame that was complete long ago',
  ),
  session(
    'a close without a deadline',
    "      after: { closeTimeout: 'reset' },\n      initial: 'flushing',",
    "      initial: 'flushing',",
    'a peer that never sends its FIN keeps its session for ever',
  ),
  session(
    'no FIN after the peer’s',
    "FLUSHED:  { target: 'lastAck', actions: 'sendFin' },",
    "FLUSHED:  { target: 'lastAck' },",
    'the answer to the peer’s FIN never leaves, and the close ends by RST',
  ),
  session(
    'nothing is decoded after a hold',
    "RELEASED:      { actions: ['release', 'decodeOn'] },",
    "RELEASED:      { actions: ['release'] },",
    'what a peer pipelined behind a request that holds waits for its next byte',
  ),
  session(
    'a slow reader is called stalled',
    'noteProgress: assign({ bytesSent: ({ event }) => (event as Measured).bytesSent, stallCount: 0 }),',
    'noteProgress: assign({ bytesSent: ({ event }) => (event as Measured).bytesSent }),',
    'looks that found no progress add up over all the time that a session is congested',
  ),
  session(
    'what a half-closed peer is owed is not sent',
    "entry: ['disarmFrameTimeout', 'endFrame', 'decodeEnd'],\n          initial: 'decoding',",
    "entry: ['disarmFrameTimeout', 'endFrame'],\n          initial: 'decoding',",
    'after the peer’s FIN nothing is decoded, and nobody ends the session',
  ),
  session(
    'the discarded bytes are forgotten',
    'discardedBytes: ({ context: c, event }) => c.discardedBytes + (event as Read).bytes.byteLength,',
    'discardedBytes: ({ event }) => (event as Read).bytes.byteLength,',
    'a peer may send without end after our FIN, until the deadline',
  ),

  sweeper(
    SWEEPER_CHART,
    'the moment of a sweep is not noted',
    "'nowMs' in event ? event.nowMs : context.sweptAtMs + context.sweepIntervalMs",
    'context.sweptAtMs',
    'after the first interval each accept makes it sweep',
  ),
  sweeper(
    SWEEPER_CHART,
    'no sweep by its own timer',
    "after: { sweepTimeout: { target: 'sweeping', actions: ['noteSweep', 'sweepFirst'] } },\n",
    '',
    'where nobody connects nothing is swept',
  ),
  sweeper(
    SWEEPER_CHART,
    'no sweep by an accept',
    "ACCEPT:     { target: 'sweeping', actions: ['noteSweep', 'sweepFirst'], guard: 'isDue' },",
    'ACCEPT:     {},',
    'a timer that is late postpones the sweep',
  ),
  sweeper(
    SWEEPER_CHART,
    'the first slice is the last',
    'hasRemaining: ({ event }) => (event as SliceDone).remaining > 0,',
    'hasRemaining: ({ event }) => (event as SliceDone).remaining > 1,',
    'what does not fit into a slice is never looked at',
  ),
  sweeper(
    SWEEPER_CHART,
    'each slice begins anew',
    "sweepNext: emit(({ context }) => ({ type: 'SWEEP_SLICE', max: context.sliceMax, first: false })),",
    "sweepNext: emit(({ context }) => ({ type: 'SWEEP_SLICE', max: context.sliceMax, first: true })),",
    'a queue that is longer than a slice is swept without end, and records are let go at once',
  ),
  sweeper(
    SWEEPER,
    'a slice forgets the rest',
    'return { ...done, remaining: 1 };',
    'this.#sockets = undefined;\n    return { ...done, remaining: 1 };',
    'the second slice finds nothing to go on with',
  ),
  sweeper(
    SWEEPER,
    'what was given up is not forced',
    '      else done.forced += 1;\n      layer.release(socket);',
    '      else return;\n      layer.release(socket);',
    'a socket that does not close by itself stays for ever',
  ),
  sweeper(
    SWEEPER,
    'one that still decodes is taken for a leak',
    "if (!socket.closed || !session?.finish || session.transportSnapshot?.hasTag('ended')) return;",
    'if (!socket.closed || !session?.finish) return;',
    'a session whose socket has closed is swept before it has decoded what came before',
  ),
  sweeper(
    SWEEPER,
    'nothing is forced at the end',
    'for (const socket of [...layer.sockets()]) if (socket.markedDeleted) layer.release(socket);',
    'void layer;',
    'sockets that were given up outlive their server',
  ),
  sweeper(
    REGISTRY,
    'records are let go too early',
    'const forgotten = this.#recent.splice(0, this.#seenCount).length;',
    'const forgotten = this.#recent.splice(0).length;',
    'a session that ended just before a sweep is never shown',
  ),

  network(
    'flight.ts',
    'a FIN is lost in a cut path',
    "if (kind === 'RST' && this.held) return this.clear(); // lost, and nobody repeats it",
    "if (kind !== 'DATA' && this.held) return; // lost",
    'a FIN that was sent while the path was cut never arrives',
  ),
  network(
    'tcp-end.ts',
    'RST is not sent',
    "    this.#flight.put('RST');\n    this.#forget();",
    '    this.#forget();',
    'nobody hears of a reset',
  ),
  network(
    'flight.ts',
    'segments overtake each other',
    '    else this.#last.next = segment;\n    this.#last = segment;',
    '    else if (this.#first !== undefined && this.#first !== this.#last && dueMs < this.#last.dueMs) {\n      segment.next = this.#first.next;\n      this.#first.next = segment;\n      return;\n    } else this.#last.next = segment;\n    this.#last = segment;',
    'a segment whose jitter is smaller arrives before those that were sent before it',
  ),
  network(
    'tcp-end.ts',
    'the window is never opened again',
    '    if (this.received.readBytes > readBytes) this.#tellSender();\n    return bytes;',
    '    return bytes;',
    'whoever has filled the receiver’s buffer once waits for ever',
  ),
  network(
    'byte-list.ts',
    'a piece that is taken in part loses its rest',
    'this.#pieces[this.#first] = piece.subarray(bytesMax);',
    'this.#pieces[this.#first] = piece;',
    'bytes are delivered twice',
  ),
  network(
    'credits.ts',
    'an acknowledgement that got lost is not repeated',
    'if (this.#coming.length > 0) this.lost = true;',
    '',
    'after a cut the sender goes on waiting for room that it has',
  ),
  network(
    'connection.ts',
    'the end of the file comes before the bytes',
    'if (!this.#endOfFile || this.#peerEnded || !this.#flows || received.length > 0) return;',
    'if (!this.#endOfFile || this.#peerEnded) return;',
    'a session hears of the peer’s FIN before it has read what came before it',
  ),
  network(
    'host-clock.ts',
    'timers run while the process stands still',
    'if (host.isStalled) this.schedule(given, host.stalledUntilMs - time.now());\n        else work.call(this, given);',
    'work.call(this, given);',
    'a stall ends sessions whose peers have sent in it',
  ),
  network(
    'process.ts',
    'descriptors are not given back',
    'if (socket.descriptor !== undefined) this.descriptors.free(socket.descriptor);',
    '',
    'each connection takes a descriptor for good',
  ),
  network(
    'connection.ts',
    'WRITE is never told',
    "if (wasCongested && !this.#congested && !this.#isOver) this.#deliver({ type: 'WRITE' });",
    '',
    'a session that was congested once stays so',
  ),
];
