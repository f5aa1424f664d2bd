/** What is made of repeated measurements. */

/** @param {readonly number[]} values @param {number} share 0 to 1 @returns {number} NaN of nothing */
export function percentile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN;
}

/** @param {readonly number[]} values */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)] ?? NaN;
  const lower = sorted[Math.ceil(sorted.length / 2) - 1] ?? NaN;
  return (upper + lower) / 2;
}

/** Ratios of what was measured in the same round: what disturbs the machine disturbs both.
 *  @param {readonly number[]} ours @param {readonly number[]} theirs */
export function pairedRatios(ours, theirs) {
  return ours.map((value, round) => value / (theirs[round] ?? NaN)).filter(Number.isFinite);
}
