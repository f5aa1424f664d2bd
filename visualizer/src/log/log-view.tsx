/** Who asked for what, and what became of it: all viewers' commands, the refused ones too. */
import { useState } from 'react';
import type { CommandKind, LogEntry } from '../../../src/inspect/visualizer/messages.js';
import { hrefOf } from '../app/route.js';
import { useHello, useMessages, useSubscription } from '../connection/use-link.js';
import { countText } from '../design/text.js';
import './log.css';

/** As many as the server keeps. */
const ENTRIES_MAX = 500;

const COMMANDS: Readonly<Record<CommandKind, string>> = {
  close: 'close gracefully',
  reset: 'reset',
  send: 'send event',
  record: 'record',
  stopRecording: 'stop recording',
};

const OUTCOMES: Readonly<Record<LogEntry['outcome'], string>> = { done: 'good', refused: 'warn', failed: 'bad' };

export function LogView() {
  const hello = useHello()!;
  const entries = useLogEntries();
  return (
    <section className="log panel" aria-labelledby="log-title">
      <header>
        <h1 id="log-title">Log of commands</h1>
        <span className="muted">
          {hello.control ? 'Commands are carried out.' : 'Commands are refused: this is read only.'}
        </span>
      </header>
      {entries === undefined ? (
        <p className="nothing">Loading…</p>
      ) : entries.length === 0 ? (
        <NoEntries control={hello.control} />
      ) : (
        <div className="log-scroll" tabIndex={0} role="region" aria-label="Commands, the newest first">
          <table className="rows">
            <thead>
              <tr>
                <th scope="col">Time</th>
                <th scope="col">Who</th>
                <th scope="col">Command</th>
                <th scope="col">Target</th>
                <th scope="col">Result</th>
              </tr>
            </thead>
            <tbody>
              {entries.map((entry) => (
                <Entry key={entry.n} entry={entry} isOurs={entry.viewer === hello.viewer} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function Entry({ entry, isOurs }: { entry: LogEntry; isOurs: boolean }) {
  return (
    <tr>
      <td className="mono" title={new Date(entry.wallMs).toISOString()}>
        {timeText(entry.wallMs)}
      </td>
      <td>
        {entry.viewer === 0 ? 'another viewer' : `page ${entry.viewer}`}
        {isOurs && <span className="muted"> (this one)</span>}
      </td>
      <td>
        {COMMANDS[entry.what] ?? entry.what}
        {entry.event !== null && <code className="log-event">{entry.event}</code>}
      </td>
      <td>
        <span className="muted">{entry.source}</span> <Targets entry={entry} />
      </td>
      <td>
        <span className={`badge ${OUTCOMES[entry.outcome]}`}>{entry.outcome}</span>{' '}
        <span className="log-text">{entry.text}</span>
      </td>
    </tr>
  );
}

function Targets({ entry }: { entry: LogEntry }) {
  const others = entry.count - entry.ids.length;
  return (
    <>
      {entry.ids.map((id, index) => (
        <span key={id}>
          {index > 0 && ', '}
          <a className="mono log-target" href={hrefOf(['sessions', id], { source: entry.source })} title={id}>
            {id}
          </a>
        </span>
      ))}
      {others > 0 && <span className="muted"> and {countText(others)} more</span>}
    </>
  );
}

function NoEntries({ control }: { control: boolean }) {
  return (
    <div className="nothing">
      <p>Nobody has asked for anything yet.</p>
      <p>
        Here is each close, reset, event and recording that was asked for from a page: when, by whom, for which session,
        and what became of it.
      </p>
      {control ? (
        <p>Control is on: commands of every page are carried out.</p>
      ) : (
        <p>
          Control is off: the server refuses every command. Start it with <code>--allow-control</code> to change that.
        </p>
      )}
    </div>
  );
}

/** Newest first; `undefined` until the server told. */
function useLogEntries(): readonly LogEntry[] | undefined {
  const [entries, setEntries] = useState<readonly LogEntry[] | undefined>(undefined);
  useSubscription({ type: 'subscribe', topic: 'log' });
  useMessages('log', ({ entries: told }) => setEntries((before) => merged(before ?? [], told)));
  // Another server numbers its entries anew.
  useMessages('hello', () => setEntries(undefined));
  return entries;
}

function merged(before: readonly LogEntry[], told: readonly LogEntry[]): readonly LogEntry[] {
  const byNumber = new Map([...before, ...told].map((entry) => [entry.n, entry]));
  return [...byNumber.values()].sort((a, b) => b.n - a.n).slice(0, ENTRIES_MAX);
}

const TIME = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const DAY = new Intl.DateTimeFormat('en-CA', { year: 'numeric', month: '2-digit', day: '2-digit' });

function timeText(wallMs: number): string {
  const isToday = DAY.format(wallMs) === DAY.format(Date.now());
  return isToday ? TIME.format(wallMs) : `${DAY.format(wallMs)} ${TIME.format(wallMs)}`;
}
