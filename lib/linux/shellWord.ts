/** A text as one word of a shell: for commands that a person is told to type, with names in them that somebody else may have given. */
export function shellWord(text: string): string {
  return /^[\w./@%+=:,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
