/** Succeeds at once: snapshots leave no layer behind that would have to be consolidated. */
export async function ConsolidateVMDisks_Task(): Promise<void> {
  // Nothing is there to be done.
}
