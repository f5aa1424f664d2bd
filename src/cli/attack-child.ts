/** A process of ours that an attack needs beside it, and that ends with the attack on every way out. */
import { fork, type ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const PRELOAD = new URL('./ends-with-parent.js', import.meta.url).href;
const LINES_MAX = 5;
const TEXT_MAX = 4_096;

export class AttackChild {
  readonly process: ChildProcess;
  /** Fulfilled when it is gone and all that it printed was read. */
  readonly ended: Promise<void>;
  /** The last lines that it printed on stderr. */
  readonly errorLines: string[] = [];
  errorLineCount = 0;
  #isGone = false;
  #unread = '';

  constructor(file: URL, args: readonly string[]) {
    this.process = fork(fileURLToPath(file), args, {
      execArgv: ['--import', PRELOAD],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      serialization: 'advanced',
    });
    this.process.stderr?.setEncoding('utf8').on('data', (text: string) => this.#readErrors(text));
    this.ended = new Promise((resolve) => {
      const gone = () => {
        this.#isGone = true;
        process.off('exit', this.#kill);
        resolve();
      };
      this.process.on('close', gone);
      // It could not be started; or it was told something when it had gone already.
      this.process.on('error', () => this.process.pid === undefined && gone());
    });
    process.on('exit', this.#kill);
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  /** How it ended, for a sentence. */
  get ending(): string {
    const { exitCode, signalCode } = this.process;
    return signalCode === null ? `exit code ${exitCode}` : `by ${signalCode}`;
  }

  /** Resident memory, in KiB: VmRSS of proc(5). `undefined` where there is no such thing. */
  residentKib(): number | undefined {
    try {
      const text = readFileSync(`/proc/${this.process.pid}/status`, 'utf8');
      return Number(/^VmRSS:\s+(\d+) kB$/m.exec(text)?.[1]);
    } catch {
      return undefined;
    }
  }

  /** Open descriptors. `undefined` where the system does not tell. */
  descriptors(): number | undefined {
    try {
      return readdirSync(`/proc/${this.process.pid}/fd`).length;
    } catch {
      return undefined;
    }
  }

  /** @returns when it is gone. */
  async stop(): Promise<void> {
    this.#kill();
    await this.ended;
  }

  /** What it holds is worth nothing to anybody: no drain, no deadline. */
  readonly #kill = () => void (this.#isGone || this.process.kill('SIGKILL'));

  #readErrors(text: string): void {
    const lines = `${this.#unread}${text}`.split('\n');
    this.#unread = (lines.pop() ?? '').slice(-TEXT_MAX);
    this.errorLineCount += lines.length;
    this.errorLines.push(...lines.slice(-LINES_MAX));
    this.errorLines.splice(0, this.errorLines.length - LINES_MAX);
  }
}
