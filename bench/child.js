/** The parent's end of the channel to a server or load process: each request has exactly one answer, or fails. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const ANSWER_MS = 120_000;

/** @typedef {{ resolve: (result: any) => void, reject: (error: Error) => void, timer: NodeJS.Timeout }} Pending */

export class Child {
  #name;
  #process;
  /** @type {Map<number, Pending>} */
  #pending = new Map();
  #lastId = 0;
  #ending = false;

  /** @param {string} path below `bench/` @param {string[]} [execArgv] */
  constructor(path, execArgv = []) {
    this.#name = path;
    this.#process = fork(fileURLToPath(new URL(path, import.meta.url)), { execArgv });
    this.#process.on('message', (/** @type {{ id: number, result: unknown, error?: string }} */ answer) => {
      const pending = this.#take(answer.id);
      if (answer.error === undefined) pending?.resolve(answer.result);
      else pending?.reject(new Error(`${path}: ${answer.error}`));
    });
    this.#process.on('exit', (code, signal) => {
      const error = new Error(`${path} ended by itself (${signal ?? code})`);
      for (const id of [...this.#pending.keys()]) this.#take(id)?.reject(error);
    });
  }

  /** @param {string} type @param {object} [content] @returns {Promise<any>} */
  ask(type, content = {}) {
    const id = (this.#lastId += 1);
    return new Promise((resolve, reject) => {
      const late = () => this.#take(id)?.reject(new Error(`${this.#name} did not answer ${type} in ${ANSWER_MS} ms`));
      this.#pending.set(id, { resolve, reject, timer: setTimeout(late, ANSWER_MS) });
      this.#process.send({ ...content, id, type }, (error) => {
        if (error) this.#take(id)?.reject(error);
      });
    });
  }

  /** Lets the process go, and waits until it has. */
  async end() {
    if (this.#ending || this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    this.#ending = true;
    const exit = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#process.disconnect();
    await exit;
  }

  /** @param {number} id */
  #take(id) {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    clearTimeout(pending?.timer);
    return pending;
  }
}
