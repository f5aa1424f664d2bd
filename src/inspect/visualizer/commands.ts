/** What a page may ask of sessions. It is checked here, whatever the page has asked the person. */
import { FeedError, type Feed } from '../feed.js';
import type { LogEntry, PageMessage } from './messages.js';
import type { Recordings } from './recordings.js';
import type { ShownSource } from './shown-source.js';
import { textOf } from './visualizer-error.js';

export type Command = Extract<PageMessage, { type: 'command' }>;

export interface Outcome {
  readonly outcome: LogEntry['outcome'];
  readonly text: string;
  /** Of `stopRecording`: its name. */
  readonly recording?: string;
}

export interface CommandParts {
  /** Commands are carried out. */
  readonly control: boolean;
  readonly recordings: Recordings;
  readonly wallMs: () => number;
}

export async function carryOut(
  command: Command,
  shown: ShownSource | undefined,
  parts: CommandParts,
): Promise<Outcome> {
  if (!parts.control) return refused('this visualizer only looks: it was started without control');
  if (!shown) return refused(`there is no ${command.source}`);
  try {
    switch (command.what) {
      case 'close':
        return endSessions(shown.feed, command.ids, 'graceful');
      case 'reset':
        return reset(shown.feed, command);
      case 'send':
        return send(shown.feed, command);
      case 'record':
        return record(shown, command, parts);
      case 'stopRecording':
        return await stopRecording(shown, command, parts);
    }
  } catch (error) {
    // Refused by the session or its chart, in words for people.
    return { outcome: 'failed', text: textOf(error) };
  }
}

function reset(feed: Feed, { ids, confirm }: Command): Outcome {
  const expected = ids.length === 1 ? ids[0]! : String(ids.length);
  if (confirm !== expected) {
    const what = ids.length === 1 ? 'the id of the session' : `how many there are, ${ids.length}`;
    return refused(`a reset has to be confirmed with ${what}`);
  }
  return endSessions(feed, ids, 'force');
}

function endSessions(feed: Feed, ids: readonly string[], option: 'graceful' | 'force'): Outcome {
  const failures: string[] = [];
  for (const id of ids) {
    try {
      feed.closeSession(id, option);
    } catch (error) {
      failures.push(textOf(error));
    }
  }
  const done = ids.length - failures.length;
  const what = option === 'force' ? 'reset' : 'asked to close';
  if (failures.length === 0) return { outcome: 'done', text: `${counted(done)} ${what}` };
  if (done === 0) return { outcome: 'failed', text: failures[0]! };
  return { outcome: 'done', text: `${done} of ${counted(ids.length)} ${what}; ${failures[0]!}` };
}

function send(feed: Feed, { ids, event }: Command): Outcome {
  if (ids.length !== 1) return refused('an event is sent to one session at a time');
  if (!event) return refused('there is no event');
  feed.sendEvent(ids[0]!, event);
  return { outcome: 'done', text: `${event.type} was sent` };
}

function record({ feed, name }: ShownSource, { ids }: Command, { recordings, wallMs }: CommandParts): Outcome {
  if (ids.length !== 1) return refused('one session is recorded at a time');
  const session = ids[0]!;
  if (recordings.isLive(name, session)) return refused('it is being recorded already');
  if (recordings.refusal !== undefined) return refused(recordings.refusal);
  const recorded = feed.session(session);
  const recording = feed.recordSession(session);
  const live = {
    source: name,
    protocol: feed.protocol,
    session,
    // Another one may have the same id by then.
    hasEnded: () => feed.session(session) !== recorded,
    text: () => recording.text(),
    stop: () => recording.stop(),
  };
  try {
    return { outcome: 'done', text: 'it is being recorded', recording: recordings.begin(live, wallMs()) };
  } catch (error) {
    recording.stop();
    throw error;
  }
}

async function stopRecording({ name }: ShownSource, { ids }: Command, { recordings }: CommandParts): Promise<Outcome> {
  if (ids.length !== 1) return refused('one recording is stopped at a time');
  const file = await recordings.finish(name, ids[0]!);
  if (file === undefined) throw new FeedError('SESSION_UNKNOWN', `session ${ids[0]!} is not being recorded`);
  return { outcome: 'done', text: `kept as ${file}`, recording: file };
}

function refused(text: string): Outcome {
  return { outcome: 'refused', text };
}

function counted(count: number): string {
  return count === 1 ? '1 session' : `${count} sessions`;
}
