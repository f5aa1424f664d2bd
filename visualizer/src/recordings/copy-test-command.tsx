/**
 * The command that makes a test of a recording. The test itself is not made here: that runs the protocol's own code, which nothing in the
 * process of a server that is looked at does.
 */
import { useId, useState } from 'react';
import { useDropdown } from '../design/use-dropdown.js';
import { testCommand } from './test-command.js';

export function CopyTestCommand({ file }: { file: string }) {
  const { root, isOpen, setOpen, closeOnEscape } = useDropdown();
  const [isCopied, setCopied] = useState(false);
  const id = useId();
  const command = testCommand(file);
  const copy = async () => {
    const isDone = await copied(command);
    setCopied(isDone);
    setOpen(true);
  };
  return (
    <div className="dropdown" ref={root} onKeyDown={closeOnEscape}>
      <button aria-expanded={isOpen} aria-controls={id} onClick={() => void copy()}>
        Copy test command
      </button>
      {isOpen && (
        <div className="dropdown-panel copied" id={id}>
          <p role="status">
            {isCopied
              ? 'Copied. It prints a test that plays this session.'
              : 'The browser does not let this page copy: copy it by hand.'}
          </p>
          <input
            className="mono"
            readOnly
            autoFocus={!isCopied}
            aria-label="Test command"
            value={command}
            onFocus={({ target }) => target.select()}
          />
          <p className="muted">
            Run it where the recording is. For a protocol of your own add <code>--module</code>.
          </p>
        </div>
      )}
    </div>
  );
}

/** @returns false where there is no clipboard, as in a page that came unencrypted from another machine, or it is refused */
async function copied(text: string): Promise<boolean> {
  const clipboard = navigator.clipboard as Clipboard | undefined;
  try {
    await clipboard?.writeText(text);
    return clipboard !== undefined;
  } catch {
    return false;
  }
}
