/** Waits in a row that ended without a READ: one tick each, until the last one ends the session. */

/** More than can be told apart are drawn as so many. */
const TICKS_MAX = 60;
const CENTRE = 60;
const [INNER, OUTER] = [44, 55];

interface WaitRingProps {
  readonly count: number;
  readonly max: number;
  /** Until the last one; `undefined`: they stand still, or nobody says. */
  readonly leftMs: number | undefined;
  readonly eachMs: number | undefined;
  readonly isStill: boolean;
}

export function WaitRing({ count, max, leftMs, eachMs, isStill }: WaitRingProps) {
  const ticks = Math.min(max, TICKS_MAX);
  const lit = max === 0 ? 0 : (count / max) * ticks;
  const share = max === 0 ? 0 : count / max;
  const text =
    max === 0
      ? 'waits never end it'
      : isStill
        ? 'stands still'
        : leftMs === undefined
          ? ''
          : `${(leftMs / 1_000).toFixed(1)} s left`;
  return (
    <svg
      className={`ring ring-${waitTone(share)}`}
      viewBox="0 0 120 120"
      role="img"
      aria-label={
        max === 0 ? 'Waits never end the session' : `${Math.floor(count)} of ${max} waits have ended, ${text}`
      }
    >
      {max === 0 && <circle cx={CENTRE} cy={CENTRE} r={(INNER + OUTER) / 2} className="ring-none" />}
      {Array.from({ length: ticks }, (_, index) => {
        const angle = ((index + 0.5) / ticks) * 2 * Math.PI;
        const [x, y] = [Math.sin(angle), -Math.cos(angle)];
        return (
          <line
            key={index}
            className={index < Math.floor(lit) ? 'ring-on' : 'ring-off'}
            x1={CENTRE + x * INNER}
            y1={CENTRE + y * INNER}
            x2={CENTRE + x * OUTER}
            y2={CENTRE + y * OUTER}
          />
        );
      })}
      <text x={CENTRE} y={CENTRE + 4} className="ring-count">
        {max === 0 ? '–' : Math.floor(count)}
      </text>
      <text x={CENTRE} y={CENTRE + 20} className="ring-max">
        {max === 0 ? 'off' : `of ${max}`}
      </text>
      <title>
        {eachMs === undefined ? 'Waits in a row without a READ' : `Waits of ${eachMs} ms in a row without a READ`}
      </title>
    </svg>
  );
}

/** Colours of rings go with it: `ring-bad` and so on. @param share of the waits that have ended, from 0 to 1 */
export function waitTone(share: number): 'calm' | 'warn' | 'bad' {
  return share >= 0.8 ? 'bad' : share >= 0.5 ? 'warn' : 'calm';
}
