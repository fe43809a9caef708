/** Versions of the SDK: major in the upper 16 bits, minor in the lower; level N is N.0, but level 1 is 0.1. */

/**
 * A version in the SDK's form.
 * @param major From 0 to 65535.
 * @param minor From 0 to 65535.
 * @returns The two in one number.
 * @example
 * ```ts
 * const level = TO_VIRTUOZZO_API_VER(7, 0);
 * ```
 */
export const TO_VIRTUOZZO_API_VER = (major: number, minor: number): number =>
  (((major & 0xffff) << 16) | (minor & 0xffff)) >>> 0;
/**
 * Major and minor of a version.
 * @param version As `VIRTUOZZO_API_VER`.
 * @returns The two numbers.
 * @example
 * ```ts
 * const [major, minor] = FROM_VIRTUOZZO_API_VER(VIRTUOZZO_API_VER);
 * ```
 */
export const FROM_VIRTUOZZO_API_VER = (version: number): [major: number, minor: number] => [
  version >>> 16,
  version & 0xffff,
];

/** API level 1. */
export const VIRTUOZZO_API_VER_1 = 0x1;
/** API level 2. */
export const VIRTUOZZO_API_VER_2 = 0x20000;
/** API level 3. */
export const VIRTUOZZO_API_VER_3 = 0x30000;
/** API level 4. */
export const VIRTUOZZO_API_VER_4 = 0x40000;
/** API level 5. */
export const VIRTUOZZO_API_VER_5 = 0x50000;
/** API level 6. */
export const VIRTUOZZO_API_VER_6 = 0x60000;
/** API level 7. */
export const VIRTUOZZO_API_VER_7 = 0x70000;
/** The level that is spoken. */
export const VIRTUOZZO_API_VER = VIRTUOZZO_API_VER_7;
/** Major version of the library, as text. */
export const VIRTUOZZO_SDK_LIB_MAJ = '7';
