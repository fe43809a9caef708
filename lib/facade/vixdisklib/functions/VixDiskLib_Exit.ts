import { library } from '../library.js';

/**
 * Ends the use of the library. Connections that are open stay the caller's to close.
 * @returns Nothing; it cannot fail.
 * @example
 * ```ts
 * VixDiskLib_Exit();
 * ```
 */
export function VixDiskLib_Exit(): void {
  library().deinitialise();
}
