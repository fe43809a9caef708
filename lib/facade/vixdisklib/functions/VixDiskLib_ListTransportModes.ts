/**
 * The transport modes there are, separated by colons.
 * @returns The modes, with `:` between.
 * @example
 * ```ts
 * const modes = VixDiskLib_ListTransportModes().split(':');
 * ```
 */
export function VixDiskLib_ListTransportModes(): string {
  return 'file:nbd';
}
