/** Addresses of the views of one source. */
import type { Source } from '../../../src/inspect/visualizer/messages.js';
import { useHello } from '../connection/use-link.js';

/** What `source` in an address has to be: nothing where there is one source alone. */
export function useSourceInAddress(source: Source | undefined): string | undefined {
  const hello = useHello();
  return (hello?.sources.length ?? 0) > 1 ? source?.name : undefined;
}
