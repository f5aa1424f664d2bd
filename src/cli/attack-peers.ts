/** A process of its own for the healthy peers of an attack: forked by `attack-load.ts`, and told what to do by messages. */
import { otherEndOf } from '../codec/other-end.js';
import { NetLoad } from '../explore/attack-load.js';
import type { Probe } from '../explore/probe.js';
import { messageOf } from '../session/errors.js';
import { RealTime } from '../time/real-time.js';
import { loadProtocol } from './load-protocol.js';

export interface LoadOrder {
  readonly host: string;
  readonly port: number;
  readonly probe: Probe | undefined;
  /** As the user named it. */
  readonly protocol: string | undefined;
}

export type LoadRequest =
  | { readonly id: number; readonly call: 'start'; readonly order: LoadOrder }
  | { readonly id: number; readonly call: 'take' | 'finish' | 'stop' };

export interface LoadAnswer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}

let load: NetLoad | undefined;

async function answer(request: LoadRequest): Promise<unknown> {
  if (request.call !== 'start') return load?.[request.call]();
  const { host, port, probe, protocol: name } = request.order;
  const protocol = name === undefined ? undefined : await loadProtocol(name);
  const factory = protocol && (protocol.codecs[protocol.initialCodec] as Parameters<typeof otherEndOf>[0]);
  const codec = factory && (() => otherEndOf(factory));
  load = new NetLoad({ address: { host, port }, time: new RealTime(), probe, codec });
  return load.start();
}

process.on('message', (request: LoadRequest) => {
  answer(request).then(
    (value) => process.send?.({ id: request.id, value } satisfies LoadAnswer),
    (error: unknown) => process.send?.({ id: request.id, error: messageOf(error) } satisfies LoadAnswer),
  );
});
