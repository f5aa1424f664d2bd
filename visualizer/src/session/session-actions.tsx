/** What can be asked of a session, where the server allows it: each button says why it cannot be used. */
import { useEffect, useId, useRef, useState, type FormEvent } from 'react';
import type { CommandResult } from '../connection/link.js';
import { useHello, useLink } from '../connection/use-link.js';
import { hrefOf } from '../app/route.js';
import { useDropdown } from '../design/use-dropdown.js';

export const NO_CONTROL = 'Look only: the server was started without --allow-control';

/** @returns why nothing can be asked of sessions, or `undefined` */
export function useControlReason(): string | undefined {
  return useHello()?.control ? undefined : NO_CONTROL;
}

interface SessionActionsProps {
  readonly source: string;
  readonly id: string;
  readonly hasEnded: boolean;
  /** Somebody, here or in another page, has it recorded. */
  readonly isRecording: boolean;
  /** Event types that its protocol's chart would take now. */
  readonly can: readonly string[];
  /** Chosen on the chart; opens the editor with it. */
  readonly eventChosen: { readonly type: string } | undefined;
}

interface Answer extends CommandResult {
  readonly what: string;
}

export function SessionActions({ source, id, hasEnded, isRecording: isListed, can, eventChosen }: SessionActionsProps) {
  const link = useLink();
  const noControl = useControlReason();
  const [answer, setAnswer] = useState<Answer>();
  const [isResetOpen, setResetOpen] = useState(false);
  // The list of recordings comes a little later than the answer.
  const [told, setTold] = useState({ isListed, isRecording: isListed });
  const isRecording = told.isListed === isListed ? told.isRecording : isListed;
  const [recording, setRecordingName] = useState<string>();
  const why = noControl ?? (hasEnded ? 'It has ended' : undefined);
  const ask = async (what: string, command: Parameters<typeof link.command>[0]): Promise<CommandResult> => {
    const result = await link.command(command);
    setAnswer({ ...result, what });
    return result;
  };
  const record = async () => {
    if (!isRecording) {
      setRecordingName(undefined);
      const { outcome } = await ask('Record', { what: 'record', source, ids: [id] });
      if (outcome === 'done') setTold({ isListed, isRecording: true });
      return;
    }
    const result = await ask('Stop recording', { what: 'stopRecording', source, ids: [id] });
    if (result.outcome === 'done') setTold({ isListed, isRecording: false });
    setRecordingName(result.recording);
  };
  return (
    <div className="session-actions">
      <p className={`session-answer ${answer && answer.outcome !== 'done' ? 'is-bad' : ''}`} role="status">
        {answer && `${answer.what}: ${answer.text || answer.outcome}`}
        {recording !== undefined && (
          <>
            {' \u00b7 '}
            <a href={hrefOf(['recordings', recording])}>open the recording</a>
          </>
        )}
      </p>
      <button
        disabled={why !== undefined}
        title={why}
        onClick={() => void ask('Close', { what: 'close', source, ids: [id] })}
      >
        Close gracefully
      </button>
      <button className="danger" disabled={why !== undefined} title={why} onClick={() => setResetOpen(true)}>
        Reset…
      </button>
      <SendEvent
        key={eventChosen?.type}
        can={can}
        why={why}
        chosen={eventChosen}
        onSend={(event) => ask(`Send ${event.type}`, { what: 'send', source, ids: [id], event })}
      />
      <button
        aria-pressed={isRecording}
        className={isRecording ? 'session-recording' : ''}
        disabled={noControl !== undefined || hasEnded}
        title={noControl ?? (hasEnded ? 'It has ended' : undefined)}
        onClick={() => void record()}
      >
        {isRecording ? '■ Stop' : '● Record'}
      </button>
      {isResetOpen && (
        <ConfirmReset
          ids={[id]}
          onClose={() => setResetOpen(false)}
          onConfirm={(confirm) => void ask('Reset', { what: 'reset', source, ids: [id], confirm })}
        />
      )}
    </div>
  );
}

interface ConfirmResetProps {
  readonly ids: readonly string[];
  readonly onClose: () => void;
  readonly onConfirm: (confirm: string) => void;
}

/** A reset loses what is on its way, so whoever asks for one types the id, or how many there are. */
export function ConfirmReset({ ids, onClose, onConfirm }: ConfirmResetProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [typed, setTyped] = useState('');
  const label = useId();
  const [only] = ids;
  const expected = ids.length === 1 ? only! : `${ids.length}`;
  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (typed !== expected) return;
    onConfirm(typed);
    onClose();
  };
  return (
    <dialog className="session-dialog" ref={dialog} aria-labelledby={label} onClose={onClose}>
      <form onSubmit={submit}>
        <h2 id={label}>{ids.length === 1 ? `Reset session ${only}` : `Reset ${ids.length} sessions`}</h2>
        <p>
          An RST is sent at once: what is queued here is dropped, and what is on its way to the peer may be lost. It
          cannot be undone.
        </p>
        <label>
          <span>
            Type <code>{expected}</code>
            {ids.length > 1 && ', the number of sessions,'} to confirm
          </span>
          <input
            autoFocus
            value={typed}
            autoComplete="off"
            spellCheck={false}
            onChange={({ target }) => setTyped(target.value)}
          />
        </label>
        <footer>
          <button type="button" onClick={() => dialog.current?.close()}>
            Cancel
          </button>
          <button className="danger" disabled={typed !== expected}>
            Reset
          </button>
        </footer>
      </form>
    </dialog>
  );
}

interface SendEventProps {
  readonly can: readonly string[];
  readonly why: string | undefined;
  readonly chosen: { readonly type: string } | undefined;
  readonly onSend: (event: { readonly type: string }) => Promise<CommandResult>;
}

function SendEvent({ can, why, chosen, onSend }: SendEventProps) {
  const { root, isOpen, setOpen, closeOnEscape } = useDropdown(chosen !== undefined);
  const [type, setType] = useState(chosen?.type ?? '');
  const [text, setText] = useState('{}');
  const [answer, setAnswer] = useState<CommandResult>();
  const id = useId();
  const actual = type || (can[0] ?? '');
  const fields = parsedFields(text);
  const send = async (event: FormEvent) => {
    event.preventDefault();
    if (typeof fields === 'string' || actual === '') return;
    setAnswer(await onSend({ ...fields, type: actual }));
  };
  return (
    <div className="dropdown" ref={root} onKeyDown={closeOnEscape}>
      <button
        aria-expanded={isOpen}
        aria-controls={id}
        disabled={why !== undefined}
        title={why}
        onClick={() => setOpen(!isOpen)}
      >
        Send event ▾
      </button>
      {isOpen && why === undefined && (
        <form className="dropdown-panel send-panel" id={id} onSubmit={(event) => void send(event)}>
          {can.length === 0 && actual === '' ? (
            <p className="muted">Its chart takes no event of its own in this state.</p>
          ) : (
            <>
              <label>
                Event
                <select autoFocus value={actual} onChange={({ target }) => setType(target.value)}>
                  {(can.includes(actual) ? can : [actual, ...can]).map((one) => (
                    <option key={one} value={one}>
                      {can.includes(one) ? one : `${one} (not taken now)`}
                    </option>
                  ))}
                </select>
              </label>
              <label>
                Its other fields, as JSON
                <textarea
                  rows={4}
                  value={text}
                  spellCheck={false}
                  aria-invalid={typeof fields === 'string'}
                  onChange={({ target }) => setText(target.value)}
                />
              </label>
              <footer>
                <p
                  className={typeof fields === 'string' || (answer && answer.outcome !== 'done') ? 'is-bad' : 'muted'}
                  role="status"
                >
                  {typeof fields === 'string' ? fields : answer && (answer.text || answer.outcome)}
                </p>
                <button className="primary" disabled={typeof fields === 'string'}>
                  Send
                </button>
              </footer>
            </>
          )}
        </form>
      )}
    </div>
  );
}

/** @returns the fields, or why the text has none */
function parsedFields(text: string): Record<string, unknown> | string {
  try {
    const parsed: unknown = JSON.parse(text.trim() || '{}');
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed))
      return parsed as Record<string, unknown>;
    return 'It has to be an object: {"name": "value"}';
  } catch (error) {
    return (error as Error).message;
  }
}
