/**
 * Makes a program of QEMU's keep the memory of one request for the next. glibc gives large pieces back to the kernel as
 * soon as they are freed, so that a server would get and clear fresh pages for every write of 1 MiB: a third of all the
 * kernel's work in a backup (measured on 7.2). What is kept is bounded by the requests that were in flight at one time.
 */

/** glibc's own names; 32 MiB is the longest request of NBD servers, and the most that the allocator takes from its heap. */
const SETTINGS = {
  MALLOC_MMAP_THRESHOLD_: 32 << 20,
  MALLOC_TRIM_THRESHOLD_: 1 << 30,
  MALLOC_TOP_PAD_: 32 << 20,
} as const;

/** The command line with a shell in front that sets what the user has not set. */
export function keepingMemory(command: readonly string[]): string[] {
  const exports = Object.entries(SETTINGS).map(([name, bytes]) => `export ${name}="\${${name}:-${bytes}}"`);
  return ['/bin/sh', '-c', `${exports.join('; ')}; exec "$@"`, 'sh', ...command];
}
