/** Bare echo that encodes each answer frame: header written, payload copied, one write for all frames of a chunk. */
import { serveBare } from './bare.js';

serveBare((bytes, ends) => {
  const answer = Buffer.allocUnsafe(ends[ends.length - 1] ?? 0);
  let start = 0;
  for (const end of ends) {
    const payload = bytes.subarray(start + 4, end);
    answer.writeUInt32BE(payload.length, start);
    answer.set(payload, start + 4);
    start = end;
  }
  return answer;
});
