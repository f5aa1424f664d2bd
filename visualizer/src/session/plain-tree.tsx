/** A value as a tree, with what is different from another value marked. */
import { useState } from 'react';
import { keyText, partOf, plainText, samePlain, tagOf, isPlainObject } from './plain.js';

interface TreeProps {
  readonly value: unknown;
  /** What it is compared with; `undefined` compares with nothing. */
  readonly before?: { readonly value: unknown } | undefined;
  readonly label: string;
}

/** Parts of one value that are shown before the rest is asked for. */
const SHOWN = 100;

export function PlainTree({ value, before, label }: TreeProps) {
  const part = partOf(value);
  if (part.kind === 'leaf') return <p className="tree-leaf tree-note">{part.text}</p>;
  if (part.parts.length === 0) return <p className="tree-leaf tree-note">empty</p>;
  return (
    <ul className="tree" role="tree" aria-label={label}>
      <Parts parts={part.parts} before={before} depth={0} />
    </ul>
  );
}

interface PartsProps {
  readonly parts: readonly (readonly [name: string, value: unknown])[];
  readonly before: TreeProps['before'];
  readonly depth: number;
}

function Parts({ parts, before, depth }: PartsProps) {
  const [shown, setShown] = useState(SHOWN);
  const left = parts.length - shown;
  return (
    <>
      {parts.slice(0, shown).map(([name, value]) => (
        <Branch key={name} name={name} value={value} before={before && innerOf(before.value, name)} depth={depth} />
      ))}
      {before && depth === 0 && <Removed parts={parts} before={before.value} />}
      {left > 0 && (
        <li role="none">
          <button className="quiet" onClick={() => setShown(shown + SHOWN)}>
            {left} more
          </button>
        </li>
      )}
    </>
  );
}

/** As `{ value }`; without one where there was nothing. */
type Inner = { readonly value: unknown } | { readonly value?: never };

function innerOf(value: unknown, name: string): { readonly value: unknown } {
  const inner: Inner = { value: undefined };
  const part = partOf(value);
  if (part.kind === 'leaf') return inner as { readonly value: unknown };
  return { value: part.parts.find(([key]) => key === name)?.[1] };
}

interface BranchProps {
  readonly name: string;
  readonly value: unknown;
  readonly before: { readonly value: unknown } | undefined;
  readonly depth: number;
}

function Branch({ name, value, before, depth }: BranchProps) {
  const [choice, setChoice] = useState<boolean>();
  const part = partOf(value);
  const isChanged = before !== undefined && !samePlain(before.value, value);
  const isOpen = choice ?? (isChanged && depth < 3 && part.kind === 'branch' && part.parts.length <= 20);
  const className = isChanged ? 'tree-item is-changed' : 'tree-item';
  const indent = { paddingLeft: `${depth * 14 + 18}px` };
  const mark = isChanged && (
    <span className="tree-delta" title={`was ${plainText(before.value ?? { $undefined: true })}`}>
      Δ
    </span>
  );
  if (part.kind === 'leaf' || part.parts.length === 0) {
    return (
      <li role="treeitem" aria-selected={false} className={className} style={indent}>
        <span className="tree-name">{name}</span>
        <span
          className={`tree-${part.kind === 'leaf' ? part.type : 'note'}`}
          title={part.kind === 'leaf' ? part.text : ''}
        >
          {part.kind === 'leaf' ? part.text : part.summary}
        </span>
        {isChanged && partOf(before.value).kind === 'leaf' && (
          <span className="tree-was">was {plainText(before.value ?? { $undefined: true }, 40)}</span>
        )}
        {mark}
      </li>
    );
  }
  return (
    <>
      <li role="treeitem" aria-selected={false} aria-expanded={isOpen} className={className} style={indent}>
        <button
          className="tree-fold"
          aria-label={`${isOpen ? 'Fold' : 'Unfold'} ${name}`}
          onClick={() => setChoice(!isOpen)}
        >
          {isOpen ? '▾' : '▸'}
        </button>
        <span className="tree-name">{name}</span>
        <span className="tree-note">{isOpen ? part.summary : plainText(value, 80)}</span>
        {mark}
      </li>
      {isOpen && <Parts parts={part.parts} before={before} depth={depth + 1} />}
    </>
  );
}

/** Keys that there were, and are not any more. */
function Removed({ parts, before }: { parts: PartsProps['parts']; before: unknown }) {
  if (!isPlainObject(before) || tagOf(before)) return null;
  const names = new Set(parts.map(([name]) => name));
  return Object.entries(before)
    .filter(([key]) => !names.has(keyText(key)))
    .map(([key, value]) => (
      <li
        key={key}
        role="treeitem"
        aria-selected={false}
        className="tree-item is-changed"
        style={{ paddingLeft: '18px' }}
      >
        <span className="tree-name tree-removed">{keyText(key)}</span>
        <span className="tree-was">was {plainText(value, 40)}</span>
        <span className="tree-delta">Δ</span>
      </li>
    ));
}
