/** Passwords: what is kept of one, and whether one is right. At most two are worked on at a time, each in 32 MiB. */
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';

const base64 = (bytes: number) =>
  z.string().refine((text) => Buffer.from(text, 'base64').length === bytes, `${bytes} bytes in base64`);

/** What is kept of a password. */
export const hashSchema = z.strictObject({
  n: z
    .number()
    .int()
    .min(2 ** 14)
    .max(2 ** 17),
  r: z.literal(8),
  p: z.literal(1),
  salt: base64(16),
  hash: base64(32),
});
export type PasswordHash = z.infer<typeof hashSchema>;

const COST = { n: 2 ** 15, r: 8, p: 1 } as const;
const MEMORY = 256 << 20;
const AT_ONCE = 2;

/** Never the hash of anything: unknown names take as long as known ones. */
export const NOBODY: PasswordHash = {
  ...COST,
  salt: Buffer.alloc(16).toString('base64'),
  hash: Buffer.alloc(32).toString('base64'),
};

const waiting: (() => void)[] = [];
let running = 0;

async function derive(password: string, { n, r, p, salt }: Omit<PasswordHash, 'hash'>): Promise<Buffer> {
  if (running >= AT_ONCE) await new Promise<void>((resolve) => void waiting.push(resolve));
  running += 1;
  try {
    return await new Promise<Buffer>((resolve, reject) => {
      scrypt(
        password.normalize('NFC'),
        Buffer.from(salt, 'base64'),
        32,
        { N: n, r, p, maxmem: MEMORY },
        (error, key) => (error === null ? resolve(key) : reject(error)),
      );
    });
  } finally {
    running -= 1;
    waiting.shift()?.();
  }
}

/** What to keep of a new password. */
export async function hashPassword(password: string): Promise<PasswordHash> {
  const salt = randomBytes(16).toString('base64');
  return { ...COST, salt, hash: (await derive(password, { ...COST, salt })).toString('base64') };
}

/** Whether it is this password; takes as long for a wrong one. */
export async function isPassword(password: string, kept: PasswordHash): Promise<boolean> {
  const made = await derive(password, kept);
  return timingSafeEqual(made, Buffer.from(kept.hash, 'base64')) && kept !== NOBODY;
}
