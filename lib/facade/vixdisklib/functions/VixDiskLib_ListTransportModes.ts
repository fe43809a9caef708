/**
 * The transport modes there are, separated by colons.
 */
export function VixDiskLib_ListTransportModes(): string {
  return 'file:nbd';
}
