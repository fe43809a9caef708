/** `toEqual` looks at buffers as at objects with a key for each byte: half a second for a mebibyte. Here bytes are compared as bytes. */
import { expect } from 'vitest';

expect.addEqualityTesters([
  (one: unknown, other: unknown): boolean | undefined =>
    Buffer.isBuffer(one) && Buffer.isBuffer(other) ? one.equals(other) : undefined,
]);
