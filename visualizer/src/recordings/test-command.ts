/** @param file name of a recording, as a word of a POSIX shell @returns what prints a test that plays it */
export function testCommand(file: string): string {
  // What begins with a hyphen would be an option.
  const path = file.startsWith('-') ? `./${file}` : file;
  const word = /[^\w.,/-]/.test(path) ? `'${path.replaceAll("'", `'\\''`)}'` : path;
  return `npx wirechart replay ${word} --as-test`;
}
