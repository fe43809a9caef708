/**
 * What the SDK's functions give and take as numbers, by kind: a handle does not compile where a result is looked at, as a C compiler
 * would say too. A plain number fits each.
 */
declare const kind: unique symbol;

/** A handle: of an object until it is freed. */
export type PRL_HANDLE = number & { readonly [kind]?: 'PRL_HANDLE' };

/** What a call came to: success is 0 or above, failure below 0. */
export type PRL_RESULT = number & { readonly [kind]?: 'PRL_RESULT' };
