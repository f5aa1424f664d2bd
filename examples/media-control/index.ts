/**
 * Media control, the protocol of the notes: audio and video streams at a set rate, with QoS for a peer that is slow to read.
 * A peer that only listens must PING: the waits that end a silent session count what the peer sends.
 */
import { defineProtocol } from 'wirechart';
import { mediaCodec } from './codec.js';
import { mediaControlMachine, type MediaEvent } from './machine.js';

export { peerCodec } from './codec.js';

const media = () => mediaCodec; // keeps no state, so that one serves all sessions

export default defineProtocol({
  name: 'media-control',
  codecs: { media },
  initialCodec: 'media',
  machine: mediaControlMachine,
  // The wire has 32 bits for it; an id that is no number becomes 0.
  input: ({ id }) => ({ session: Number(id) >>> 0 }),
  facts: ['CONGESTED', 'FLOWING'],
  handlers: {
    READ_TCP_INFO: {
      run: (_command, session): MediaEvent => ({ type: 'TCP_INFO', tcpInfo: session.tcpInfo() }),
      failure: (): MediaEvent => ({ type: 'TCP_INFO', tcpInfo: undefined }),
      deadlineMs: 1_000,
    },
  },
  samples: {
    HELLO: [{ version: 1 }, { version: 2 }],
    // Command 99, and a HELLO without its version: no codec would send them.
    UNKNOWN_COMMAND: [Uint8Array.of(0, 0, 0, 99, 0, 0, 0, 0)],
    INVALID_PAYLOAD: [Uint8Array.of(0, 0, 0, 1, 0, 0, 0, 0)],
  },
  options: { waitTimeoutCountMax: 60 },
});
