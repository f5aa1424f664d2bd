/** The link, for views: a context, and hooks on what it is told. */
import { createContext, useContext, useEffect, useRef, useSyncExternalStore, type ReactNode } from 'react';
import type { ServerMessage, Source } from '../../../src/inspect/visualizer/messages.js';
import type { Hello, Link, LinkStatus, MessageOf, Subscribe } from './link.js';

const LinkContext = createContext<Link | undefined>(undefined);

export function LinkProvider({ link, children }: { link: Link; children: ReactNode }) {
  return <LinkContext.Provider value={link}>{children}</LinkContext.Provider>;
}

export function useLink(): Link {
  const link = useContext(LinkContext);
  if (!link) throw new Error('there is no link above this component');
  return link;
}

export function useLinkStatus(): LinkStatus {
  const link = useLink();
  return useSyncExternalStore(link.onChange, () => link.status);
}

/** What the server said of itself; `undefined` until it did. */
export function useHello(): Hello | undefined {
  const link = useLink();
  return useSyncExternalStore(link.onChange, () => link.hello);
}

export function useIsPaused(): boolean {
  const link = useLink();
  return useSyncExternalStore(link.onChange, () => link.isPaused);
}

/** Subscribed as long as the component is there, and anew when the message says something else. */
export function useSubscription(message: Subscribe | undefined): void {
  const link = useLink();
  const text = message && JSON.stringify(message);
  useEffect(() => (text === undefined ? undefined : link.subscribe(JSON.parse(text) as Subscribe)), [link, text]);
}

/** Calls the latest `listener` for each message of the type. */
export function useMessages<T extends ServerMessage['type']>(type: T, listener: (message: MessageOf<T>) => void): void {
  const link = useLink();
  const latest = useRef(listener);
  useEffect(() => {
    latest.current = listener;
  });
  useEffect(() => link.on(type, (message) => latest.current(message)), [link, type]);
}

export function sourceNamed(hello: Hello | undefined, name: string): Source | undefined {
  return hello?.sources.find((source) => source.name === name);
}
