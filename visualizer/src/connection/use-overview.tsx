/** The overview of the chosen source, for views: each is drawn anew only when the part that it shows has changed. */
import { createContext, useContext, useEffect, useMemo, useSyncExternalStore, type ReactNode } from 'react';
import type { Sample, Source } from '../../../src/inspect/visualizer/messages.js';
import type { Link } from './link.js';
import { NO_OVERVIEW, withAges, withOverview, withSamples, type Overview } from './overview.js';
import { useLink, useSubscription } from './use-link.js';

class OverviewStore {
  overview = NO_OVERVIEW;
  readonly #source: string;
  readonly #listeners = new Set<() => void>();
  /** The server may be another one, whose numbers begin at 0: what was known is shown until its first message. */
  #isOther = false;

  constructor(source: string) {
    this.#source = source;
  }

  readonly onChange = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** @returns what ends it */
  follow(link: Link): () => void {
    const ends = [
      link.on('overview', (message) => this.#receive(message, withOverview)),
      link.on('samples', (message) => this.#receive(message, withSamples)),
      link.on('ages', (message) => this.#receive(message, withAges)),
      link.on('hello', () => void (this.#isOther = true)),
    ];
    return () => ends.forEach((end) => end());
  }

  #receive<M extends { readonly source: string }>(message: M, take: (before: Overview, message: M) => Overview): void {
    if (message.source !== this.#source) return;
    const before = this.#isOther ? NO_OVERVIEW : this.overview;
    this.#isOther = false;
    this.overview = take(before, message);
    for (const listener of [...this.#listeners]) listener();
  }
}

const OverviewContext = createContext<OverviewStore | undefined>(undefined);

/** Another source is another overview, from nothing on. */
export function OverviewProvider({ source, children }: { source: Source; children: ReactNode }) {
  const link = useLink();
  const store = useMemo(() => new OverviewStore(source.name), [source.name]);
  // Before the subscription: its first answer is the whole.
  useEffect(() => store.follow(link), [link, store]);
  useSubscription({ type: 'subscribe', topic: 'overview', source: source.name });
  return <OverviewContext.Provider value={store}>{children}</OverviewContext.Provider>;
}

/**
 * @param select what the component shows: a number, a text, or a part of the overview as it is. What it makes anew each time would
 *   draw the component anew at each message.
 */
export function useOverview<T>(select: (overview: Overview) => T): T {
  const store = useContext(OverviewContext);
  if (!store) throw new Error('there is no overview above this component');
  return useSyncExternalStore(store.onChange, () => select(store.overview));
}

export function useSamples(): readonly Sample[] {
  return useOverview(({ samples }) => samples);
}
