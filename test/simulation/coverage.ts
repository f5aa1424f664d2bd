/** Which transitions of a chart are taken, and which states are entered, by whatever runs in this process: also by actors that nobody can get at. */
import type { AnyMachineSnapshot, AnyStateMachine, AnyStateNode, AnyTransitionDefinition, EventObject } from 'xstate';

type Selects = (snapshot: AnyMachineSnapshot, event: EventObject) => AnyTransitionDefinition[];

interface Selecting {
  getTransitionData: Selects;
}

export class Coverage {
  readonly #all = new Map<AnyTransitionDefinition, string>();
  readonly #taken = new Set<AnyTransitionDefinition>();

  /** The chart's own method is wrapped until `end`. */
  constructor(readonly machine: AnyStateMachine) {
    for (const node of nodesOf(machine.root)) {
      for (const list of node.transitions.values()) {
        list.forEach((transition, index) => this.#all.set(transition, labelOf(node, transition, index, list.length)));
      }
    }
    const select = this.#wrapped.getTransitionData.bind(machine) as Selects;
    this.#wrapped.getTransitionData = (snapshot, event) => {
      const selected = select(snapshot, event);
      for (const transition of selected) this.#taken.add(transition);
      return selected;
    };
  }

  /** The chart is as it was. */
  end(): void {
    delete (this.#wrapped as Partial<Selecting>).getTransitionData;
  }

  get #wrapped(): Selecting {
    return this.machine as unknown as Selecting;
  }

  /** Transitions of the table that were not taken: `state on EVENT`, with the number of the branch where there are several. */
  get missed(): readonly string[] {
    return [...this.#all].filter(([transition]) => !this.#taken.has(transition)).map(([, label]) => label);
  }

  get count(): number {
    return this.#all.size;
  }
}

function nodesOf(node: AnyStateNode): AnyStateNode[] {
  return [node, ...Object.values(node.states).flatMap((child) => nodesOf(child as AnyStateNode))];
}

function labelOf(node: AnyStateNode, { eventType }: AnyTransitionDefinition, index: number, count: number): string {
  const state = node.path.length === 0 ? '*' : node.path.join('.');
  const event = eventType.replace(/^xstate\.after\.(\w+)\..*$/, 'after $1');
  return `${state} on ${event}${count > 1 ? ` ${index + 1}` : ''}`;
}
