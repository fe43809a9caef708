/** Work on one file in turns: this process's own come one after the other, before any of them asks the kernel for a lock. */

/** The last in line, by file. */
const lines = new Map<string, Promise<unknown>>();

/** Runs the work when all that came before on this file is over, however it ended. */
export async function inTurn<T>(file: string, work: () => Promise<T>): Promise<T> {
  const before = lines.get(file) ?? Promise.resolve();
  const turn = before.then(work, work);
  lines.set(file, turn);
  try {
    return await turn;
  } finally {
    if (lines.get(file) === turn) lines.delete(file);
  }
}
