/** Recordings that were dropped on the page: they stay in it, and are gone when it is loaded again. */
const texts = new Map<string, string>();

/** As large as anybody can look at; the server's own limit is the same. */
export const FILE_BYTES_MAX = 64 * 1024 * 1024;

/** @returns the name by which it is found again */
export async function openFile(file: File): Promise<string> {
  if (file.size > FILE_BYTES_MAX) throw new Error(`${file.name} is larger than 64 MB`);
  texts.set(file.name, await file.text());
  return file.name;
}

export function openedText(name: string): string | undefined {
  return texts.get(name);
}
