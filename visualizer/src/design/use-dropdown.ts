/** What is opened by a button and lies below it, until Escape, or a press anywhere else. */
import { useEffect, useRef, useState, type KeyboardEvent, type RefObject } from 'react';

interface Dropdown {
  /** Of the button and what it opens: `.dropdown`. */
  readonly root: RefObject<HTMLDivElement | null>;
  readonly isOpen: boolean;
  readonly setOpen: (isOpen: boolean) => void;
  readonly closeOnEscape: (event: KeyboardEvent) => void;
}

export function useDropdown(isOpenAtFirst = false): Dropdown {
  const [isOpen, setOpen] = useState(isOpenAtFirst);
  const root = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!isOpen) return undefined;
    const closeOutside = (event: PointerEvent) => {
      if (!root.current?.contains(event.target as Node)) setOpen(false);
    };
    document.addEventListener('pointerdown', closeOutside);
    return () => document.removeEventListener('pointerdown', closeOutside);
  }, [isOpen]);
  const closeOnEscape = (event: KeyboardEvent) => {
    if (event.key === 'Escape') setOpen(false);
  };
  return { root, isOpen, setOpen, closeOnEscape };
}
