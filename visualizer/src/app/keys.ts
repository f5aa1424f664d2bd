/** Shortcuts of one key, or of `g` and one more. They are off while the person types, and while a dialog is open. */
import { useEffect, useRef } from 'react';

/** By key: `?`, `p`, or `g o` for one after the other. */
export type Shortcuts = Readonly<Record<string, () => void>>;

/** Between the two keys. */
const SECOND_KEY_MS = 1_500;

export function useShortcuts(shortcuts: Shortcuts): void {
  const latest = useRef(shortcuts);
  useEffect(() => {
    latest.current = shortcuts;
  });
  useEffect(() => {
    let first: { readonly key: string; readonly at: number } | undefined;
    const onKey = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || isTyping(event.target)) return;
      const isSecond = first !== undefined && event.timeStamp - first.at < SECOND_KEY_MS;
      const key = isSecond ? `${first!.key} ${event.key}` : event.key;
      first = event.key === 'g' && !isSecond ? { key: 'g', at: event.timeStamp } : undefined;
      const action = latest.current[key];
      if (!action) return;
      event.preventDefault();
      action();
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, []);
}

function isTyping(target: EventTarget | null): boolean {
  if (document.querySelector('dialog[open]')) return true;
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || target.matches('input:not([type="checkbox"]), textarea, select');
}
