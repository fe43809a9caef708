/** Work on many things, of which so many are under way at once: one that is slow makes no other wait but by its place. */

const AT_ONCE = 16;

/** What came of each, in their order. The first failure is thrown at once; nothing is begun after it, and what is under way ends by itself. */
export async function ofEach<T, R>(
  things: readonly T[],
  work: (thing: T) => Promise<R>,
  atOnce = AT_ONCE,
): Promise<R[]> {
  const results: R[] = new Array(things.length);
  const rest = things.entries();
  let failed = false;
  const worker = async (): Promise<void> => {
    for (const [at, thing] of rest) {
      if (failed) return;
      results[at] = await work(thing).catch((error: unknown) => {
        failed = true;
        throw error;
      });
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, things.length) }, worker));
  return results;
}
