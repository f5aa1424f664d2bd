/** The overview of the chosen source, for views: each is drawn anew only when the part that it shows has changed. */
import { createContext, useContext, useEffect, useState, useSyncExternalStore, type ReactNode } from 'react';
import type { Sample, Source } from '../../../src/inspect/visualizer/messages.js';
import type { Link } from './link.js';
import { NO_OVERVIEW, withAges, withOverview, withSamples, type Overview } from './overview.js';
import { useLink, useSubscription } from './use-link.js';

class OverviewStore {
  overview = NO_OVERVIEW;
  readonly #source: string;
  readonly #listeners = new Set<() => void>();

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
      link.on('overview', (message) => message.source === this.#source && this.#set(withOverview(this.overview, message))),
      link.on('samples', (message) => message.source === this.#source && this.#set(withSamples(this.overview, message))),
      link.on('ages', (message) => message.source === this.#source && this.#set(withAges(this.overview, message))),
      // The server may be another one, whose numbers begin at 0.
      link.on('hello', () => this.#set(NO_OVERVIEW)),
    ];
    return () => ends.forEach((end) => end());
  }

  #set(overview: Overview): void {
    this.overview = overview;
    for (const listener of [...this.#listeners]) listener();
  }
}

const OverviewContext = createContext<OverviewStore | undefined>(undefined);

/** Give it the source's name as `key`: another source is another overview. */
export function OverviewProvider({ source, children }: { source: Source; children: ReactNode }) {
  const link = useLink();
  const [store] = useState(() => new OverviewStore(source.name));
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

export function useAges(): Overview['ages'] {
  return useOverview(({ ages }) => ages);
}
