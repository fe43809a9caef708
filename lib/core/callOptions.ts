/** What every call takes. Ended by either, what it had begun is undone. */
export interface CallOptions {
  /** Fires: the call ends with `ERR_CBT_ABORTED`. */
  signal?: AbortSignal | undefined;
  /** Milliseconds for the call as a whole, after which it ends with `ERR_CBT_TIMEOUT`; each wait inside has a limit of its own besides. */
  timeoutMs?: number | undefined;
}
