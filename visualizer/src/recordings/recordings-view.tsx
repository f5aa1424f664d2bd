/** Recordings that the server has, and a place to drop one that somebody sent. */
import { useRef, useState, type DragEvent } from 'react';
import type { RecordingFile } from '../../../src/inspect/visualizer/messages.js';
import { go, hrefOf } from '../app/route.js';
import { useMessages, useSubscription } from '../connection/use-link.js';
import { bytesText } from '../design/text.js';
import { openFile } from './opened-files.js';
import './recordings.css';

const WHEN = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'medium', hourCycle: 'h23' });

export function RecordingsView() {
  const [files, setFiles] = useState<readonly RecordingFile[]>();
  const [isOver, setOver] = useState(false);
  const [problem, setProblem] = useState('');
  const input = useRef<HTMLInputElement>(null);
  useSubscription({ type: 'subscribe', topic: 'recordings' });
  useMessages('recordings', (message) => setFiles(message.files));
  const open = (file: File | undefined) => {
    if (!file) return;
    openFile(file).then(
      (name) => go(hrefOf(['recordings', name], { from: 'file' })),
      (error: Error) => setProblem(error.message),
    );
  };
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    open(event.dataTransfer.files[0]);
  };
  return (
    <div
      className={`view recordings ${isOver ? 'is-over' : ''}`}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={({ currentTarget, relatedTarget }) => {
        if (!currentTarget.contains(relatedTarget as Node | null)) setOver(false);
      }}
      onDrop={drop}
    >
      <header className="recordings-header">
        <h1>Recordings</h1>
        <p className="muted">
          Each is one session: step by step, as often as you like. A file can be dropped anywhere here.
        </p>
        <p className="is-bad" role="alert">
          {problem}
        </p>
        <input
          ref={input}
          type="file"
          accept=".jsonl"
          hidden
          aria-label="A recording"
          onChange={({ target }) => open(target.files?.[0])}
        />
        <button onClick={() => input.current?.click()}>Open a file…</button>
      </header>
      <div className="panel recordings-panel">
        <Files files={files} />
      </div>
      {isOver && (
        <div className="recordings-drop" aria-hidden="true">
          Drop the recording: it stays in this page
        </div>
      )}
    </div>
  );
}

function Files({ files }: { files: readonly RecordingFile[] | undefined }) {
  if (!files) return <div className="nothing">Asking…</div>;
  if (files.length === 0) {
    return (
      <div className="nothing">
        <p>There is no recording yet.</p>
        <p>
          Record a session by the button in its view, or start the server with <code>--record recordings</code>: then
          each session that ends in an error is kept.
        </p>
      </div>
    );
  }
  return (
    <table className="rows">
      <caption className="visually-hidden">Recordings, the newest first</caption>
      <thead>
        <tr>
          <th scope="col">name</th>
          <th scope="col">protocol</th>
          <th scope="col">session</th>
          <th scope="col">reason</th>
          <th scope="col" className="number">
            size
          </th>
          <th scope="col" className="number">
            when
          </th>
        </tr>
      </thead>
      <tbody>
        {[...files]
          .sort((a, b) => b.wallMs - a.wallMs)
          .map(({ name, protocol, session, reason, bytes, wallMs, isLive }) => (
            <tr key={name}>
              <td className="recordings-name">
                <a href={hrefOf(['recordings', name])} title={name}>
                  {name}
                </a>
              </td>
              <td>{protocol}</td>
              <td className="recordings-session" title={session}>
                {session}
              </td>
              <td>
                {isLive && <span className="badge bad">● recording</span>} <span className="muted">{reason}</span>
              </td>
              <td className="number">{bytesText(bytes)}</td>
              <td className="number muted">
                <time dateTime={new Date(wallMs).toISOString()}>{WHEN.format(wallMs)}</time>
              </td>
            </tr>
          ))}
      </tbody>
    </table>
  );
}
