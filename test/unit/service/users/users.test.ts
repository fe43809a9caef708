/** Who may log in: passwords, the file of users, and what slows guessing down. */
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { Guessing } from '../../../../lib/service/users/guessing.js';
import { hashPassword, isPassword, NOBODY } from '../../../../lib/service/users/password.js';
import { mayAs, maySee, readUsers, type User, writeUsers } from '../../../../lib/service/users/usersFile.js';
import { Verified } from '../../../../lib/service/users/verified.js';
import { makeTemporaryFolder } from '../../../helpers/temporaryFolder.js';

test('a password is told from any other, and its hash from any other of the same', async () => {
  const kept = await hashPassword('Käse & Brot');
  const [right, wrong, empty, nobody] = await Promise.all([
    isPassword('Käse & Brot'.normalize('NFD'), kept),
    isPassword('Käse & Bro', kept),
    isPassword('', kept),
    isPassword('', NOBODY),
  ]);
  expect([right, wrong, empty, nobody]).toEqual([true, false, false, false]);
  expect((await hashPassword('Käse & Brot')).hash).not.toBe(kept.hash);
});

test('a password that was right is told at once for a while, until it or its user is another one', async () => {
  let now = 0;
  const verified = new Verified(() => now);
  const user: User = { name: 'a', role: 'read', password: await hashPassword('right') };
  const isQuick = async (password: string, who: User | undefined): Promise<[boolean, boolean]> => {
    const before = process.cpuUsage();
    const isRight = await verified.check(password, who);
    return [isRight, process.cpuUsage(before).user < 20_000];
  };
  expect(await isQuick('right', user)).toEqual([true, false]);
  expect(await isQuick('right', user)).toEqual([true, true]);
  // Whoever guesses is not told faster, and what he tries is never remembered.
  expect(await isQuick('wrong', user)).toEqual([false, false]);
  expect(await isQuick('wrong', user)).toEqual([false, false]);
  expect(await isQuick('right', { ...user, name: 'b' })).toEqual([true, false]);
  expect(await isQuick('right', undefined)).toEqual([false, false]);
  const changed = { ...user, password: await hashPassword('other') };
  expect(await isQuick('right', changed)).toEqual([false, false]);
  // What it was checked against is gone: the first one is looked at in full again.
  expect(await isQuick('right', user)).toEqual([true, false]);
  expect(await isQuick('right', user)).toEqual([true, true]);
  now += 16 * 60_000;
  expect(await isQuick('right', user)).toEqual([true, false]);
});

test('nothing is kept of a password longer than it is told by, nor of who is gone or has another', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
  onTestFinished(() => void vi.useRealTimers());
  const verified = new Verified();
  const password = await hashPassword('right');
  const [a, b]: User[] = ['a', 'b'].map((name) => ({ name, role: 'read', password }));
  for (const one of [a!, b!]) await verified.check('right', one);
  expect(verified.size).toBe(2);
  verified.keepOnly([a!]);
  expect(verified.size).toBe(1);
  await verified.check('right', b!);
  verified.keepOnly([a!, { ...b!, password: await hashPassword('other') }]);
  expect(verified.size).toBe(1);
  vi.advanceTimersByTime(14 * 60_000);
  expect(verified.size).toBe(1);
  vi.advanceTimersByTime(2 * 60_000);
  expect([verified.size, vi.getTimerCount()]).toEqual([0, 0]);
});

test('roles hold each other, and VMs are all or those named', () => {
  expect(mayAs({ role: 'backup' }, 'read') && mayAs({ role: 'backup' }, 'backup')).toBe(true);
  expect(mayAs({ role: 'read' }, 'backup') || mayAs({ role: 'backup' }, 'admin')).toBe(false);
  expect([maySee({}, 'web'), maySee({ vms: ['web'] }, 'web'), maySee({ vms: [] }, 'web')]).toEqual([
    true,
    true,
    false,
  ]);
});

describe('the file of users', () => {
  const make = async (): Promise<{ path: string; user: User }> => {
    const folder = await makeTemporaryFolder();
    onTestFinished(() => folder.remove());
    const password = { ...NOBODY };
    return { path: join(folder.path, 'users.json'), user: { name: 'a', role: 'read', password } };
  };

  test('is written for its owner alone, and read again', async () => {
    const { path, user } = await make();
    expect(await readUsers(path)).toBeNull();
    await writeUsers(path, [user, { ...user, name: 'b', vms: ['web'] }]);
    expect((await readUsers(path))?.map(({ name }) => name)).toEqual(['a', 'b']);
    await chmod(path, 0o640);
    await expect(readUsers(path)).rejects.toThrow('its mode is 640, expected 600');
  });

  test.each([
    ['no JSON', (text: string) => text.slice(1), 'no JSON'],
    ['another role', (text: string) => text.replace('"read"', '"root"'), 'users.0.role'],
    ['a name with a slash', (text: string) => text.replace('"a"', '"a/b"'), 'users.0.name'],
    [
      'a salt that is too short',
      (text: string) => text.replace(/"salt": "[^"]*"/, '"salt": "AAAA"'),
      '16 bytes',
    ],
    [
      'two of one name',
      (text: string) =>
        text.replace(
          /(\{\s+"name"[\s\S]*\})(\s+\])/,
          (_, one: string, end: string) => `${one},${one.replace('"a"', '"A"')}${end}`,
        ),
      'two users are named a',
    ],
  ])('is refused with %s', async (_what, change, why) => {
    const { path, user } = await make();
    await writeUsers(path, [user]);
    await writeFile(path, change(await readFile(path, 'utf8')));
    await expect(readUsers(path)).rejects.toThrow(why);
  });

  test('takes no name that could not be read again', async () => {
    const { path, user } = await make();
    await expect(writeUsers(path, [{ ...user, name: 'a b' }])).rejects.toThrow('no name of a user');
  });
});

test('guessing waits longer and longer, by name and by address, and never for ever', () => {
  let now = 0;
  const guessing = new Guessing(() => now);
  const fail = (name: string, address = '1.1.1.1'): void => guessing.failed(name, address);
  for (let i = 0; i < 4; i += 1) fail('root');
  expect(guessing.isOpen('ROOT', '2.2.2.2')).toBe(true);
  fail('root');
  expect([guessing.isOpen('Root', '2.2.2.2'), guessing.isOpen('other', '1.1.1.1')]).toEqual([false, true]);
  now += 1000;
  expect(guessing.isOpen('root', '2.2.2.2')).toBe(true);
  for (let i = 0; i < 50; i += 1) fail('root');
  now += 59_000;
  expect(guessing.isOpen('root', '2.2.2.2') || guessing.isOpen('other', '1.1.1.1')).toBe(false);
  now += 1000;
  expect(guessing.isOpen('root', '2.2.2.2') && guessing.isOpen('other', '1.1.1.1')).toBe(true);
  guessing.succeeded('root', '1.1.1.1');
  fail('root');
  expect(guessing.isOpen('root', '1.1.1.1')).toBe(true);
});
