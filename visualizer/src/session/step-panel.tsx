/** The entry that is looked at, in full: its event, what the chart emitted, and the bytes that belong to it. */
import type { ReactNode } from 'react';
import { BytesView } from './bytes-view.js';
import { bytesOf, plainText, type PlainBytes } from './plain.js';
import { PlainTree } from './plain-tree.js';
import { eventText } from './rows.js';
import { entryAt, typeOf, type Story, type StoryEntry } from './story.js';

interface StepPanelProps {
  readonly story: Story;
  readonly number: number;
  /** How somebody would get to see bytes. */
  readonly payloadsHint: ReactNode;
}

export function StepPanel({ story, number, payloadsHint }: StepPanelProps) {
  const entry = entryAt(story.entries, number);
  if (!entry) {
    return (
      <section className="panel step" aria-label="Step">
        <div className="nothing">Choose a row to see its event and its bytes.</div>
      </section>
    );
  }
  const found = bytesOfEntry(story, entry);
  return (
    <section className="panel step" aria-label="Step">
      <header>
        <h2>{titleOf(entry)}</h2>
        <span className="muted step-number">entry {entry.number}</span>
      </header>
      <div className="step-parts">
        <div className="step-event">
          <PlainTree key={entry.number} value={subjectOf(entry)} label="What it says" />
          <Commands entry={entry} />
        </div>
        <div className="step-bytes">
          {found ? (
            <>
              <h3>
                {found.title} <span className="number">{found.bytes.length} B</span>
              </h3>
              {found.bytes.bytes ? (
                <BytesView bytes={found.bytes.bytes} />
              ) : (
                <p className="muted">{found.bytes.isMasked ? 'They are masked as secret.' : payloadsHint}</p>
              )}
            </>
          ) : (
            <p className="faint">No bytes belong to this row.</p>
          )}
        </div>
      </div>
    </section>
  );
}

function titleOf({ line, event, chart, message }: StoryEntry): string {
  if (event !== undefined) return `${chart === 'session' ? 'transport' : 'protocol'} \u00b7 ${eventText(event)}`;
  if (line.kind === 'encoded') return `sent \u00b7 ${message === undefined ? 'bytes' : typeOf(message)}`;
  if (line.kind === 'received') return 'received';
  return line.kind;
}

const OF_EVERY_LINE = new Set(['n', 'kind', 'atMs', 'of']);

function subjectOf({ line, message, event }: StoryEntry): unknown {
  if (event !== undefined) return line['event'];
  if (message !== undefined) return message;
  if (line.kind === 'end') return line['record'];
  return Object.fromEntries(Object.entries(line).filter(([key]) => !OF_EVERY_LINE.has(key)));
}

function Commands({ entry: { line } }: { entry: StoryEntry }) {
  const { commands, failure, origin } = line as { commands?: unknown; failure?: unknown; origin?: unknown };
  return (
    <dl className="step-facts">
      {typeof origin === 'string' && (
        <div>
          <dt>from</dt>
          <dd>{origin}</dd>
        </div>
      )}
      {failure !== undefined && (
        <div className="is-bad">
          <dt>threw</dt>
          <dd>{plainText(failure)}</dd>
        </div>
      )}
      {Array.isArray(commands) && commands.length > 0 && (
        <div>
          <dt>emitted</dt>
          <dd>
            {commands.map((command, index) => (
              <code key={index} title={plainText(command, 2_000)}>
                {plainText(command, 120)}
              </code>
            ))}
          </dd>
        </div>
      )}
    </dl>
  );
}

interface FoundBytes {
  readonly title: string;
  readonly bytes: PlainBytes;
}

function bytesOfEntry({ entries }: Story, entry: StoryEntry): FoundBytes | undefined {
  const own = bytesOf(entry.line['bytes']);
  if (own) return { title: entry.line.kind === 'encoded' ? 'Sent' : 'Received', bytes: own };
  const { chart, event, line, number } = entry;
  const before = (kind: string) => nearest(entries, number, -1, kind);
  if (chart === 'protocol' && line['origin'] === 'message') return named('Received before it', before('received'));
  if (chart === 'session' && event === 'READ') return named('Received', nearest(entries, number, 1, 'received'));
  if (chart === 'session' && event === 'SEND') return named('Sent', before('encoded'));
  return undefined;
}

function named(title: string, entry: StoryEntry | undefined): FoundBytes | undefined {
  const bytes = entry && bytesOf(entry.line['bytes']);
  return bytes && { title, bytes };
}

function nearest(entries: readonly StoryEntry[], number: number, step: 1 | -1, kind: string): StoryEntry | undefined {
  for (let at = number + step; ; at += step) {
    const entry = entryAt(entries, at);
    if (!entry || entry.line.kind === kind) return entry;
  }
}
