/** A few numbers over time, as a line in the height of a text. */

interface SparklineProps {
  /** Oldest first; `undefined` leaves a gap. */
  readonly values: readonly (number | undefined)[];
  /** Places that there are: where fewer values are, they stand at the right. */
  readonly length: number;
  readonly label: string;
}

const [WIDTH, HEIGHT] = [120, 24];

export function Sparkline({ values, length, label }: SparklineProps) {
  const known = values.filter((value) => value !== undefined);
  const max = Math.max(...known, 0) || 1;
  const points = values
    .map((value, index) => {
      if (value === undefined) return undefined;
      const x = WIDTH - ((values.length - 1 - index) / (length - 1)) * WIDTH;
      return `${x.toFixed(1)},${(HEIGHT - 1.5 - (value / max) * (HEIGHT - 3)).toFixed(1)}`;
    })
    .filter((point) => point !== undefined);
  return (
    <svg
      className="sparkline"
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={label}
    >
      <line x1={0} x2={WIDTH} y1={HEIGHT - 1} y2={HEIGHT - 1} className="sparkline-base" />
      <polyline points={points.join(' ')} />
    </svg>
  );
}
