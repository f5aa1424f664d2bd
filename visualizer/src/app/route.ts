/** Where the page is, all of it in its address, so that everything is a link and "back" goes back. */
import { useSyncExternalStore } from 'react';

export interface Route {
  /** `/sessions/12` as `['sessions', '12']`, decoded. */
  readonly path: readonly string[];
  readonly query: URLSearchParams;
}

let current = read();
const listeners = new Set<() => void>();

export function useRoute(): Route {
  return useSyncExternalStore(subscribe, () => current);
}

/** Goes to an address of the page. `replace`: "back" leaves this one out, as for a filter that is being typed. */
export function go(to: string, options: { readonly replace?: boolean } = {}): void {
  if (to === `${location.pathname}${location.search}`) return;
  history[options.replace ? 'replaceState' : 'pushState'](null, '', to);
  update();
}

/** `hrefOf(['sessions', id], { source })`; what is `undefined` or empty is left out of the query. */
export function hrefOf(path: readonly string[], query: Readonly<Record<string, string | undefined>> = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined && value !== '') search.set(name, value);
  const text = search.toString();
  return `/${path.map(encodeURIComponent).join('/')}${text && `?${text}`}`;
}

/** Follows a link inside of the page without loading it again; one for another window is left to the browser. */
export function followLink(event: MouseEvent): void {
  const link = (event.target as Element | null)?.closest('a');
  const isPlain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
  if (!link || !isPlain || link.origin !== location.origin || link.target || link.hasAttribute('download')) return;
  event.preventDefault();
  go(`${link.pathname}${link.search}`);
}

function read(): Route {
  const path = location.pathname.split('/').filter((part) => part !== '');
  return { path: path.map(decoded), query: new URLSearchParams(location.search) };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function update(): void {
  current = read();
  for (const listener of [...listeners]) listener();
}

addEventListener('popstate', update);
