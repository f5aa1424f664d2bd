/** How long until waits end a session, as a ring in the height of a row. */
import { durationText } from '../design/text.js';
import { waitTone } from '../session/wait-ring.js';

const RADIUS = 6;
const LENGTH = 2 * Math.PI * RADIUS;

/** @param wholeMs of all the waits that end it: a full ring */
export function WaitMark({ leftMs, wholeMs }: { leftMs: number | undefined; wholeMs: number }) {
  if (leftMs === undefined) return <span className="faint">–</span>;
  const share = Math.min(1, Math.max(0, leftMs / wholeMs));
  return (
    <span className={`wait-mark ring-${waitTone(1 - share)}`}>
      <svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true">
        <circle cx="8" cy="8" r={RADIUS} className="ring-off" />
        <circle
          cx="8"
          cy="8"
          r={RADIUS}
          className="ring-on"
          strokeDasharray={`${(share * LENGTH).toFixed(2)} ${LENGTH.toFixed(2)}`}
          transform="rotate(-90 8 8)"
        />
      </svg>
      {durationText(Math.max(0, leftMs))}
    </span>
  );
}
