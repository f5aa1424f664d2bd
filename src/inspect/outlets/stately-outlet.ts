/**
 * `/stately`: what `createWebSocketReceiver` of `@statelyai/inspect` reads, the inspector for XState 5. The package makes the messages, of
 * what it is given by hand for each chart that is followed; none of its servers, windows or clouds has a part in it. Nothing comes back.
 *
 * It is an optional peer of this package, and loaded when the first viewer comes.
 */
import type { AnyMachineSnapshot, EventObject } from 'xstate';
import type { createInspector } from '@statelyai/inspect';
import { FollowedCharts, type ChartFollower, type FollowedChart, type FollowedOptions } from './followed-charts.js';
import type { OutletSocket } from './outlet.js';
import { closeReason, messageOf, sendTo } from './send-to.js';

export interface StatelyOptions extends FollowedOptions {
  readonly noted: (text: string) => void;
}

type Inspector = ReturnType<typeof createInspector>;

/** One viewer. */
export class StatelyViewer implements ChartFollower {
  readonly #socket: OutletSocket;
  readonly #options: StatelyOptions;
  #inspector: Inspector | undefined;
  #charts: FollowedCharts | undefined;
  #isOver = false;

  constructor(socket: OutletSocket, options: StatelyOptions) {
    this.#socket = socket;
    this.#options = options;
  }

  /** @returns when it follows what it chose, or was given up; never rejected */
  async start(): Promise<void> {
    const load = await import('@statelyai/inspect').catch(() => undefined);
    if (this.#isOver) return;
    if (!load) {
      this.#giveUp(1011, 'the package @statelyai/inspect is not installed: npm install @statelyai/inspect');
      return;
    }
    try {
      this.#inspector = load.createInspector(
        { send: (event) => this.#send(event) },
        // It would name each session for its machine, and so all of them alike.
        { serialize: (event) => (event.type === '@xstate.actor' ? { ...event, name: event.sessionId } : event) },
      );
      const charts = new FollowedCharts(this.#options, this);
      if (this.#isOver) charts.stop();
      else this.#charts = charts;
    } catch (error) {
      this.failed(error);
    }
  }

  stop(): void {
    this.#isOver = true;
    this.#charts?.stop();
    this.#charts = undefined;
  }

  // ChartFollower

  began(chart: FollowedChart): void {
    this.#inspector?.actor(actorOf(chart), shownOf(chart, chart.snapshot));
  }

  stepped(chart: FollowedChart, event: EventObject | undefined, snapshot: AnyMachineSnapshot): void {
    const plain = event && chart.eventOf(event);
    if (plain) this.#inspector?.event(chart.id, plain);
    this.#inspector?.snapshot(chart.id, shownOf(chart, snapshot), plain && { event: plain });
  }

  ended(chart: FollowedChart): void {
    const { snapshot } = chart;
    const { status } = snapshot as { status: string };
    if (status === 'done') return; // told with its last step
    const shown = shownOf(chart, snapshot);
    this.#inspector?.snapshot(chart.id, { ...shown, status: status === 'error' ? 'error' : 'stopped' });
  }

  full(max: number): void {
    this.#options.noted(`a viewer follows ${max} sessions, which is all that it may: others are not shown to it`);
  }

  failed(error: unknown): void {
    this.#giveUp(1011, messageOf(error));
  }

  #send(event: object): void {
    if (this.#isOver) return;
    const failure = sendTo(this.#socket, JSON.stringify(event));
    if (failure !== undefined) this.#giveUp(1013, failure);
  }

  #giveUp(code: number, reason: string): void {
    this.stop();
    this.#socket.close(code, closeReason(reason));
  }
}

function shownOf(chart: FollowedChart, snapshot: AnyMachineSnapshot) {
  const { status, value } = snapshot as { status: 'active' | 'done' | 'error' | 'stopped'; value: unknown };
  return { status, value, context: chart.contextOf(snapshot) };
}

/** As much of an actor as the package reads. The machine's first context stays here: it may hold what is secret. */
function actorOf({ id, parent, machine }: FollowedChart): Parameters<Inspector['actor']>[0] {
  const config = { ...(machine.config as Record<string, unknown>), context: undefined };
  const actor = {
    id,
    sessionId: id,
    logic: { config },
    ...(parent !== undefined && { _parent: { sessionId: parent } }),
  };
  return actor as unknown as Parameters<Inspector['actor']>[0];
}
