/** Layouts that were found are kept: in the page, and in its storage for the next visit. The same chart and choice are laid out once. */
import { useEffect, useMemo, useState } from 'react';
import type { Chart } from '../../../src/inspect/drawing/chart.js';
import { elkEngine } from './elk-engine.js';
import type { LayoutChoice } from './layout-plan.js';
import { layOutForScreen, type ScreenLayout } from './screen-layout.js';

/** Of how layouts are made: one that another version of this page has kept is not taken. */
const VERSION = 5;
const PREFIX = 'wirechart-layout-';
const STORED_MAX = 60;

const kept = new Map<string, Promise<ScreenLayout>>();

export type LayoutState =
  | { readonly is: 'waiting' }
  | { readonly is: 'ready'; readonly layout: ScreenLayout }
  | { readonly is: 'failed'; readonly why: string };

const WAITING: LayoutState = { is: 'waiting' };

/** @returns `waiting` for the first layout of a chart; while another one of it is looked for, the one before */
export function useLayout(chart: Chart, choice: LayoutChoice | undefined): LayoutState {
  // By what it says: a server that was reached again sends its charts again.
  const hash = useMemo(() => hashOf(JSON.stringify(chart)), [chart]);
  const key = choice && `${PREFIX}${VERSION}-${hash}-${hashOf(JSON.stringify(choice))}`;
  const [found, setFound] = useState<{ hash: string; state: LayoutState }>();
  useEffect(() => {
    if (key === undefined || !choice) return undefined;
    let isWanted = true;
    const set = (state: LayoutState) => isWanted && setFound({ hash, state });
    layoutOf(key, chart, choice).then(
      (layout) => set({ is: 'ready', layout }),
      (error: unknown) => set({ is: 'failed', why: error instanceof Error ? error.message : String(error) }),
    );
    return () => {
      isWanted = false;
    };
    // The chart and the choice are what the key says.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [key]);
  return found?.hash === hash ? found.state : WAITING;
}

function layoutOf(key: string, chart: Chart, choice: LayoutChoice): Promise<ScreenLayout> {
  let layout = kept.get(key);
  if (!layout) {
    layout =
      read(key) ??
      layOutForScreen(elkEngine, chart, choice).then((made) => {
        write(key, made);
        return made;
      });
    kept.set(key, layout);
    // Whoever asks again tries again.
    layout.catch(() => kept.delete(key));
  }
  return layout;
}

function read(key: string): Promise<ScreenLayout> | undefined {
  try {
    const text = localStorage.getItem(key);
    return text === null ? undefined : Promise.resolve(JSON.parse(text) as ScreenLayout);
  } catch {
    return undefined; // No storage, or not ours: it is laid out anew.
  }
}

function write(key: string, layout: ScreenLayout): void {
  try {
    const ours = Object.keys(localStorage).filter((name) => name.startsWith(PREFIX));
    if (ours.length >= STORED_MAX) for (const name of ours) localStorage.removeItem(name);
    localStorage.setItem(key, JSON.stringify(layout));
  } catch {
    // No storage, or it is full: the layout is kept in the page.
  }
}

/** Two sums of 32 bits with different factors (FNV-1a and another prime): a chart that has another one's hash is not to be expected. */
function hashOf(text: string): string {
  let [a, b] = [0x811c9dc5, 0x1b873593];
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    a = Math.imul(a ^ code, 0x01000193);
    b = Math.imul(b ^ code, 0x5bd1e995) ^ (b >>> 15);
  }
  return (a >>> 0).toString(36) + (b >>> 0).toString(36);
}
