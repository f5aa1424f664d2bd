/** What an exploration says against a protocol. */
/**
 * - `unreachable`: no arrow of the chart leads to the state, whatever the guards say.
 * - `noExit`: the state is not final, and neither it nor a state around it handles anything: the session just stays.
 * - `noDeadline`: a session may stay in the state for ever: nothing is due there, and the waits are off or stand still (`hold`).
 * - `unhandled`: a message that the codec decodes is handled in no state.
 * - `neverSent`: a message that only we send was sent on no path.
 * - `notCovered`: a state, a transition or a timeout that no path has really taken.
 * - `noSample`: nobody can say how a peer sends a message.
 * - `codec`: what the other end encodes is decoded as something else, or what we encode cannot be decoded by the other end.
 * - `diverged`: the same events led a real session to another state than the chart alone: it reads something that others write.
 * - `failed`: the protocol's own code threw (PROTOCOL_FAILED, SHARED_FAILED).
 * - `internal`: a fault of the framework.
 * - `leftBehind`: after a path there was still a session, a socket or a timer.
 * - `script`: a written script could not be carried out.
 */
export const FINDING_KINDS = [
  'unreachable', 'noExit', 'noDeadline', 'unhandled', 'neverSent', 'notCovered', 'noSample', 'codec', 'diverged', 'failed', 'internal',
  'leftBehind', 'script',
] as const; // prettier-ignore

export type FindingKind = (typeof FINDING_KINDS)[number];

export interface Finding {
  readonly finding: FindingKind;
  /** A state's path, `state EVENT`, a message's type. */
  readonly where: string;
  /** One sentence for people. */
  readonly text: string;
  /** The path that shows it, a line each step, where one does. */
  readonly path?: readonly string[];
  /** Why it does not count, in the words of who accepted it. */
  readonly accepted?: string;
}

/** A finding that is known and wanted: it is shown, and does not count. */
export interface AcceptedFinding {
  readonly finding: FindingKind;
  /** The finding's place as it is shown: a state, or `state EVENT`; `*` at its end stands for any rest. */
  readonly where: string;
  /** Why it is right as it is; people read it. */
  readonly because: string;
}

/** Each finding once, in the order of the kinds. */
export class Findings {
  readonly #found = new Map<string, Finding>();

  add(finding: FindingKind, where: string, text: string, path?: readonly string[]): void {
    const key = `${finding} ${where}`;
    if (!this.#found.has(key)) this.#found.set(key, { finding, where, text, ...(path && path.length > 0 && { path }) });
  }

  /** @returns all of them, those that `ignore` names with its reason */
  list(ignore: readonly AcceptedFinding[]): Finding[] {
    const all = [...this.#found.values()].map((one) => {
      const accepted = ignore.find(({ finding, where }) => finding === one.finding && fits(where, one.where));
      return accepted ? { ...one, accepted: accepted.because } : one;
    });
    return all.sort((a, b) => FINDING_KINDS.indexOf(a.finding) - FINDING_KINDS.indexOf(b.finding));
  }
}

function fits(pattern: string, where: string): boolean {
  return pattern.endsWith('*') ? where.startsWith(pattern.slice(0, -1)) : where === pattern;
}
