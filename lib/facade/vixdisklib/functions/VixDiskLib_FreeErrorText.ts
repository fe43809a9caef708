/**
 * Frees a text of {@link VixDiskLib_GetErrorText}. JavaScript does; NULL is fine.
 * @param _errText Of {@link VixDiskLib_GetErrorText}.
 * @returns Nothing: there is nothing to free.
 * @example
 * ```ts
 * VixDiskLib_FreeErrorText(VixDiskLib_GetErrorText(VIX_E_FAIL, null));
 * ```
 */
export function VixDiskLib_FreeErrorText(_errText: string | null | undefined): void {}
