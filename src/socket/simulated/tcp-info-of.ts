/** What a simulated kernel tells of a connection: what is true of the simulation. What it does not have (retransmissions, congestion) is left out. */
import type { TcpInfo, TcpState } from '../tcp-info.js';
import type { TcpEnd } from './tcp-end.js';

export function tcpInfoOf(end: TcpEnd): TcpInfo {
  const { options, received, credits } = end;
  const nowMs = options.time.now();
  credits.settle(nowMs);
  const rttMicroseconds = Math.round(end.roundTripMs * 1_000);
  return {
    state: stateOf(end),
    sendMssBytes: options.mssBytes,
    rttMicroseconds,
    rttMinMicroseconds: rttMicroseconds,
    sinceLastAckReceivedMs: Math.floor(nowMs - end.heardMs),
    bytesAcked: credits.arrivedBytes,
    bytesReceived: received.arrivedBytes,
    bytesSent: end.sentBytes,
    notSentBytes: end.notSentBytes,
    sendWindowBytes: end.windowBytes,
  };
}

/** RFC 9293, 3.3.2, of a connection that is made. Our FIN counts as acknowledged when it has arrived. */
function stateOf({ gone, finSent, finArrived, finSecond, finIsThere }: TcpEnd): TcpState {
  if (gone) return 'CLOSED';
  if (!finSent) return finArrived ? 'CLOSE_WAIT' : 'ESTABLISHED';
  if (finSecond) return 'LAST_ACK';
  if (finArrived) return finIsThere ? 'TIME_WAIT' : 'CLOSING';
  return finIsThere ? 'FIN_WAIT_2' : 'FIN_WAIT_1';
}
