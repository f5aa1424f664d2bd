/** Light or dark: the system's choice, unless the person made one, which the browser keeps. */
import { useSyncExternalStore } from 'react';

export type Theme = 'system' | 'light' | 'dark';

const KEY = 'wirechart.theme';
const THEMES: readonly Theme[] = ['system', 'light', 'dark'];
const systemIsDark = matchMedia('(prefers-color-scheme: dark)');
const listeners = new Set<() => void>();

let theme = stored();
apply();
systemIsDark.addEventListener('change', tell);

export function useTheme(): Theme {
  return useSyncExternalStore(subscribe, () => theme);
}

/** For what is drawn on a canvas, which no style sheet reaches: draw it anew when this changes. */
export function useIsDark(): boolean {
  return useSyncExternalStore(subscribe, () => (theme === 'system' ? systemIsDark.matches : theme === 'dark'));
}

export function chooseTheme(choice: Theme): void {
  theme = choice;
  try {
    localStorage.setItem(KEY, choice);
  } catch {
    // A browser that keeps nothing for this page: the choice holds until it is loaded again.
  }
  apply();
  tell();
}

export function nextTheme(): void {
  chooseTheme(THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]!);
}

/**
 * A token's value, as canvases and files need it: of a colour, the one that is seen now.
 * @param token such as `--series-1`
 * @param element where it is read
 */
export function tokenValue(token: string, element: Element = document.documentElement): string {
  const value = getComputedStyle(element).getPropertyValue(token).trim();
  if (!CSS.supports('color', value)) return value;
  // Only a property that is of a colour resolves light-dark().
  const probe = document.createElement('span');
  probe.style.color = value;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

function stored(): Theme {
  try {
    const text = localStorage.getItem(KEY);
    return THEMES.find((one) => one === text) ?? 'system';
  } catch {
    return 'system';
  }
}

function apply(): void {
  if (theme === 'system') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = theme;
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function tell(): void {
  for (const listener of [...listeners]) listener();
}
