/**
 * Frees a text of {@link VixDiskLib_GetErrorText}. JavaScript does; NULL is fine.
 */
export function VixDiskLib_FreeErrorText(_errText: string | null | undefined): void {}
