/** The server's clock, as it goes on between two messages. */
import { useEffect, useState } from 'react';
import { useIsPaused, useLinkStatus } from '../connection/use-link.js';

/** After so long without a message nobody knows any more what time it is there. */
const AHEAD_MAX_MS = 2_000;

/** @param atMs the server's time, as it was told last; @returns about what it is now, anew each `everyMs` */
export function useNow(atMs: number, everyMs: number): number {
  const isPaused = useIsPaused();
  const isLive = useLinkStatus() === 'live' && !isPaused;
  const [now, setNow] = useState(atMs);
  useEffect(() => {
    if (!isLive) return undefined;
    const began = performance.now();
    const timer = setInterval(() => {
      setNow(atMs + Math.min(performance.now() - began, AHEAD_MAX_MS));
    }, everyMs);
    return () => clearInterval(timer);
  }, [atMs, everyMs, isLive]);
  const isOfAnotherClock = Math.abs(now - atMs) > AHEAD_MAX_MS;
  return isOfAnotherClock ? atMs : Math.max(now, atMs);
}
