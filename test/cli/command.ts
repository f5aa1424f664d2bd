/** Runs a command of this package as a process, and waits for what it prints, with a limit. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export class Command {
  readonly process: ChildProcessWithoutNullStreams;
  /** `[exit code, signal]`, after everything that was printed is read. */
  readonly ended: Promise<[number | null, NodeJS.Signals | null]>;
  stdout = '';
  stderr = '';
  readonly #waiting = new Set<() => void>();

  constructor(args: readonly string[], { cwd = ROOT, env = {} }: RunOptions = {}) {
    this.process = spawn(process.execPath, args, { cwd, env: { ...process.env, ...env } });
    this.process.stdout.setEncoding('utf8').on('data', (text: string) => this.#read('stdout', text));
    this.process.stderr.setEncoding('utf8').on('data', (text: string) => this.#read('stderr', text));
    this.ended = new Promise((resolve) =>
      this.process.on('close', (code, signal) => {
        resolve([code, signal]);
        this.#look();
      }),
    );
  }

  get lines(): string[] {
    return this.stdout.split('\n').slice(0, -1);
  }

  /** The lines of `--json`. */
  get objects(): Record<string, unknown>[] {
    return this.lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  /** Fulfilled with what `find` finds in the output; rejected when the process ends without it. The test's own limit bounds it. */
  until<T>(what: string, find: (command: this) => T | undefined | false): Promise<T> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const found = find(this);
        const isOver = this.process.exitCode !== null || this.process.signalCode !== null;
        if (found === undefined || found === false) {
          if (isOver && this.process.stdout.readableEnded)
            reject(new Error(`ended without ${what}:\n${this.stdout}${this.stderr}`));
          return;
        }
        this.#waiting.delete(look);
        resolve(found);
      };
      this.#waiting.add(look);
      look();
    });
  }

  /** The port of line 1. */
  async port(): Promise<number> {
    const [, port] = await this.until(
      'a port',
      ({ stdout }) => /^.*(?:"port":|listening on .*:)(\d+)\D/.exec(stdout) ?? undefined,
    );
    return Number(port);
  }

  /** For `afterEach`. */
  async kill(): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) this.process.kill('SIGKILL');
    await this.ended;
  }

  #read(stream: 'stdout' | 'stderr', text: string): void {
    this[stream] += text;
    this.#look();
  }

  #look(): void {
    for (const look of this.#waiting) look();
  }
}
