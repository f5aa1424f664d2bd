/** The healthy peers of an attack in a process of their own, as the attack sees them. */
import type { HealthyCounts } from '../explore/attack-healthy.js';
import type { HealthyLoad } from '../explore/attack-load.js';
import { ExploreError } from '../explore/explore-error.js';
import { AttackChild } from './attack-child.js';
import type { LoadAnswer, LoadOrder, LoadRequest } from './attack-peers.js';

type Call = LoadRequest extends infer Request ? (Request extends { id: number } ? Omit<Request, 'id'> : never) : never;

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

export class ForkedLoad implements HealthyLoad {
  readonly #child = new AttackChild(new URL('./attack-peers.js', import.meta.url), []);
  readonly #order: LoadOrder;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;

  constructor(order: LoadOrder) {
    this.#order = order;
    this.#child.process.on('message', ({ id, value, error }: LoadAnswer) => {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) waiting?.resolve(value);
      else waiting?.reject(new ExploreError('UNREACHABLE', error));
    });
    void this.#child.ended.then(() => {
      for (const { reject } of this.#waiting.values()) reject(this.#gone());
      this.#waiting.clear();
    });
  }

  async start(): Promise<void> {
    await this.#call({ call: 'start', order: this.#order });
  }

  async take(): Promise<HealthyCounts> {
    return (await this.#call({ call: 'take' })) as HealthyCounts;
  }

  async finish(): Promise<void> {
    await this.#call({ call: 'finish' });
  }

  stop(): void {
    void this.#child.stop();
  }

  #call(call: Call): Promise<unknown> {
    if (this.#child.isGone) return Promise.reject(this.#gone());
    const id = (this.#lastId += 1);
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#child.process.send({ ...call, id } as LoadRequest);
    });
  }

  #gone(): ExploreError {
    const said = this.#child.errorLines.join(' ');
    return new ExploreError(
      'UNREACHABLE',
      `the process of the healthy peers has ended (${this.#child.ending}) ${said}`,
    );
  }
}
