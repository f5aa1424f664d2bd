/** The views that the frame leads to, and the key after `g` of each. */
import type { IconName } from '../design/icons.js';

export interface ViewEntry {
  /** First part of its address; empty for the first view. */
  readonly path: string;
  readonly name: string;
  readonly key: string;
  readonly icon: IconName;
  /** It shows a server or client, and there is nothing in it for recordings alone. */
  readonly needsSource: boolean;
  readonly needsCharts?: boolean;
}

export const VIEWS: readonly ViewEntry[] = [
  { path: '', name: 'Overview', key: 'o', icon: 'overview', needsSource: true },
  { path: 'sessions', name: 'Sessions', key: 's', icon: 'sessions', needsSource: true },
  { path: 'wall', name: 'Wall', key: 'w', icon: 'wall', needsSource: true },
  { path: 'recordings', name: 'Recordings', key: 'r', icon: 'recordings', needsSource: false },
  { path: 'machines', name: 'Machines', key: 'm', icon: 'machines', needsSource: false, needsCharts: true },
  { path: 'log', name: 'Log', key: 'l', icon: 'log', needsSource: true },
];
