/** Closes everything, whatever fails; the first failure is thrown. */
export async function closeAll(...things: readonly { close(): Promise<void> }[]): Promise<void> {
  const outcomes = await Promise.allSettled(things.map((thing) => thing.close()));
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
}
