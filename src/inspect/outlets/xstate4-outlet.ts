/**
 * `/xstate4`: what the receiver of `@xstate/inspect` 0.8.0 reads, which is for XState 4. Five messages, of which three hold JSON in a
 * string; `service.event` comes before the `service.state` that it leads to.
 *
 * Other than the package's own server this tells each viewer only what it asked for, registers nothing twice, and never passes on what is
 * secret. That server finds the chart that an event is for by the event's inner `origin`; here `service` will do as well.
 */
import type { AnyMachineSnapshot, EventObject } from 'xstate';
import { readChart } from '../drawing/chart.js';
import {
  FollowedCharts,
  type ChartFollower,
  type FollowedChart,
  type FollowedOptions,
  type PlainEvent,
} from './followed-charts.js';
import { machineDefinition } from './machine-definition.js';
import type { OutletRequest, OutletSocket } from './outlet.js';
import { closeReason, messageOf, sendTo } from './send-to.js';

export interface Xstate4Options extends FollowedOptions {
  readonly control: boolean;
  readonly requested: (request: Omit<OutletRequest, 'path'>) => void;
  readonly noted: (text: string) => void;
}

/** Events of one viewer are as XState 4 sends them between machines. */
interface ScxmlEvent {
  readonly name: string;
  readonly data: PlainEvent;
  readonly $$type: 'scxml';
  readonly type: 'external';
}

const INIT: PlainEvent = { type: 'xstate.init' };

/** One viewer. */
export class Xstate4Viewer implements ChartFollower {
  readonly #socket: OutletSocket;
  readonly #options: Xstate4Options;
  #charts: FollowedCharts | undefined;
  #isOver = false;

  constructor(socket: OutletSocket, options: Xstate4Options) {
    this.#socket = socket;
    this.#options = options;
  }

  /** One text frame. Nothing that is in it throws; what is not known is ignored. */
  receive(text: string): void {
    const message = parsed(text);
    if (message?.['type'] === 'xstate.inspecting') this.#inspect();
    else if (message?.['type'] === 'xstate.event') this.#take(message);
  }

  stop(): void {
    this.#isOver = true;
    this.#charts?.stop();
    this.#charts = undefined;
  }

  // ChartFollower

  began(chart: FollowedChart): void {
    const { id, parent } = chart;
    this.#send({
      type: 'service.register',
      machine: definitionOf(chart),
      state: JSON.stringify(stateOf(chart, chart.snapshot, INIT)),
      id,
      sessionId: id,
      ...(parent !== undefined && { parent }),
    });
  }

  stepped(chart: FollowedChart, event: EventObject | undefined, snapshot: AnyMachineSnapshot): void {
    const sessionId = chart.id;
    const plain = event && chart.eventOf(event);
    if (plain) this.#send({ type: 'service.event', event: JSON.stringify(scxmlEvent(plain)), sessionId });
    this.#send({ type: 'service.state', state: JSON.stringify(stateOf(chart, snapshot, plain ?? INIT)), sessionId });
  }

  ended({ id }: FollowedChart): void {
    this.#send({ type: 'service.stop', sessionId: id });
  }

  full(max: number): void {
    this.#options.noted(`a viewer follows ${max} sessions, which is all that it may: others are not shown to it`);
  }

  failed(error: unknown): void {
    this.#giveUp(1011, messageOf(error));
  }

  // What the viewer says

  /** It may ask again, and is told of all of them again. */
  #inspect(): void {
    if (this.#isOver) return;
    try {
      if (this.#charts) {
        for (const chart of this.#charts.charts) this.began(chart);
        return;
      }
      const charts = new FollowedCharts(this.#options, this);
      // It may have been too slow for the first burst.
      if (this.#isOver) charts.stop();
      else this.#charts = charts;
    } catch (error) {
      this.failed(error);
    }
  }

  #take({ event: text, service }: Readonly<Record<string, unknown>>): void {
    const scxml = typeof text === 'string' ? parsed(text) : undefined;
    const id = typeof scxml?.['origin'] === 'string' ? scxml['origin'] : service;
    const event = scxml && eventIn(scxml);
    if (typeof id !== 'string' || !event) return;
    const chart = this.#charts?.get(id);
    if (!chart) return;
    const why = this.#refusal(chart, event);
    this.#options.requested({
      source: chart.source.name,
      session: chart.takesEventsOf ?? '',
      event: event.type.slice(0, 100),
      outcome: why === undefined ? 'done' : 'refused',
      text: why ?? '',
    });
  }

  /** Gives the event, if it may be given. @returns why not */
  #refusal({ id, source, takesEventsOf: session }: FollowedChart, event: PlainEvent): string | undefined {
    if (!this.#options.control) return 'control is not allowed';
    if (session === undefined) return `${id} can be looked at, and takes no events`;
    try {
      source.feed.sendEvent(session, event);
      return undefined;
    } catch (error) {
      return messageOf(error); // a viewer throws nothing into the process
    }
  }

  #send(message: object): void {
    if (this.#isOver) return;
    const failure = sendTo(this.#socket, JSON.stringify(message));
    if (failure !== undefined) this.#giveUp(1013, failure);
  }

  #giveUp(code: number, reason: string): void {
    this.stop();
    this.#socket.close(code, closeReason(reason));
  }
}

const definitions = new WeakMap<object, string>();

/** A machine never changes. */
function definitionOf({ machine }: FollowedChart): string {
  let text = definitions.get(machine);
  if (text === undefined) definitions.set(machine, (text = JSON.stringify(machineDefinition(readChart(machine)))));
  return text;
}

/** As `State.create` of XState 4 takes it; that throws at one without `_event`. */
function stateOf(chart: FollowedChart, snapshot: AnyMachineSnapshot, event: PlainEvent): object {
  return {
    value: snapshot.value,
    context: chart.contextOf(snapshot),
    _event: scxmlEvent(event),
    event,
    _sessionid: chart.id,
    actions: [],
    activities: {},
    meta: {},
    events: [],
    transitions: [],
    children: {},
    done: snapshot.status === 'done',
    tags: [...snapshot.tags],
    changed: true,
  };
}

function scxmlEvent(data: PlainEvent): ScxmlEvent {
  return { name: data.type, data, $$type: 'scxml', type: 'external' };
}

/** In XState 4's envelope, or without it. */
function eventIn(scxml: Readonly<Record<string, unknown>>): PlainEvent | undefined {
  const event = scxml['$$type'] === 'scxml' ? scxml['data'] : scxml;
  return isRecord(event) && typeof event['type'] === 'string' ? (event as PlainEvent) : undefined;
}

function parsed(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
