/** How often one viewer may do something, ours or another tool's. */

/** After so long without one that was too many, the next one begins another burst. */
const BURST_MS = 1_000;

/** So many each second: what is not used up is not kept for longer than that. */
export class Allowance {
  #left: number;
  #atMs = 0;
  #refusedAtMs = -Infinity;
  #beginsBurst = false;

  constructor(readonly perSecond: number) {
    this.#left = perSecond;
  }

  /** @returns false: it is one too many */
  take(nowMs: number): boolean {
    this.#left = Math.min(this.perSecond, this.#left + ((nowMs - this.#atMs) / 1_000) * this.perSecond);
    this.#atMs = nowMs;
    if (this.#left < 1) {
      this.#beginsBurst = nowMs - this.#refusedAtMs >= BURST_MS;
      this.#refusedAtMs = nowMs;
      return false;
    }
    this.#left -= 1;
    return true;
  }

  /** Of the one that `take` has just refused: it is the first of its burst, and the only one that is worth a word. */
  get beginsBurst(): boolean {
    return this.#beginsBurst;
  }
}
