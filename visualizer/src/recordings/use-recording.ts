/** The text of a recording, from the server or from a file that was dropped on the page, as a story. */
import { useEffect, useState } from 'react';
import { readStory, type Story } from '../session/story.js';
import { openedText } from './opened-files.js';

export type Loaded =
  | { readonly status: 'loading' }
  | { readonly status: 'failed'; readonly why: string }
  | { readonly status: 'read'; readonly story: Story; readonly text: string };

/** @param isFile it was dropped on the page; @param times how often it was asked for: another number loads it again */
export function useRecording(name: string, isFile: boolean, times: number): Loaded {
  const [loaded, setLoaded] = useState<Loaded>({ status: 'loading' });
  useEffect(() => {
    const stopped = new AbortController();
    const text = isFile ? fromPage(name) : fromServer(name, stopped.signal);
    text.then(
      (found) => {
        if (!stopped.signal.aborted) setLoaded(read(found));
      },
      (error: Error) => {
        if (!stopped.signal.aborted) setLoaded({ status: 'failed', why: error.message });
      },
    );
    return () => stopped.abort();
  }, [name, isFile, times]);
  return loaded;
}

function read(text: string): Loaded {
  try {
    return { status: 'read', story: readStory(text), text };
  } catch (error) {
    return { status: 'failed', why: (error as Error).message };
  }
}

async function fromPage(name: string): Promise<string> {
  const text = openedText(name);
  if (text === undefined)
    throw new Error(
      'it was dropped on the page before it was loaded again: drop it once more on the list of recordings',
    );
  return Promise.resolve(text);
}

async function fromServer(name: string, signal: AbortSignal): Promise<string> {
  const answer = await fetch(`/recordings/${encodeURIComponent(name)}`, {
    headers: { Accept: 'application/x-ndjson' },
    cache: 'no-store',
    signal,
  });
  if (answer.status === 404) throw new Error('there is no recording of this name any more');
  if (!answer.ok) throw new Error(await reasonOf(answer));
  return answer.text();
}

/** A sentence of the server's for people, if it has one. */
async function reasonOf(answer: Response): Promise<string> {
  const isText = answer.headers.get('content-type')?.startsWith('text/plain') ?? false;
  return isText ? (await answer.text()).trim().replace(/\.$/, '') : `the server answered ${answer.status}`;
}
