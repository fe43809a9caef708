/** Names of what a question makes in QEMU: they fit, they say whose they are, and nothing else is taken for one. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { isAsking, makeQueryId, ownQueryTag, parseQueryId } from '../../../lib/backend/qemu/live/queryIds.js';
import { isOwnName, MAX_ID_LENGTH } from '../../../lib/backend/qemu/ownNames.js';
import { parseId } from '../../../lib/backend/qemu/session/ids.js';
import { eventually } from '../../helpers/eventually.js';

test('a name fits, is ours, and leads back to this process', async () => {
  const tag = await ownQueryTag();
  for (const index of [0, 1, 999_999, 1_000_000]) {
    const id = makeQueryId(tag, index);
    expect(id.length).toBeLessThanOrEqual(MAX_ID_LENGTH);
    expect(isOwnName(id)).toBe(true);
    // Never a session's part.
    expect(parseId(id)).toBeNull();
    expect(parseQueryId(id)).toMatchObject({ tag, pid: process.pid });
  }
  expect(await isAsking(parseQueryId(makeQueryId(tag, 1))!)).toBe(true);
});

test('the largest process number and start fit as well', () => {
  const id = makeQueryId('3fffffffffffffff', 999_999);
  expect(id.length).toBeLessThanOrEqual(MAX_ID_LENGTH);
  expect(parseQueryId(id)).toMatchObject({ pid: 0x3fffff, startTicks: 0xffffffffff });
});

test('a process that ended does not ask, nor does a later one with its number', async () => {
  const child = spawn('sleep', ['60']);
  await once(child, 'spawn');
  const stat = await readFile(`/proc/${child.pid}/stat`, 'utf8');
  const startTicks = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
  const asked = { tag: '', pid: child.pid!, startTicks };
  expect(await isAsking(asked)).toBe(true);
  expect(await isAsking({ ...asked, startTicks: startTicks + 1 })).toBe(false);
  child.kill('SIGKILL');
  await once(child, 'close');
  expect(await isAsking(asked)).toBe(false);
});

test('a process that ended does not ask although its parent has not heard of it', async () => {
  const parent = spawn('sh', ['-c', 'true & echo $!; exec sleep 60'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const [said] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(said.toString());
    const fields = await eventually(async () => {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
      const all = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      expect(all[0]).toBe('Z');
      return all;
    });
    expect(await isAsking({ tag: '', pid, startTicks: Number(fields[19]) })).toBe(false);
  } finally {
    parent.kill('SIGKILL');
    await once(parent, 'close');
  }
});

test.each([
  'cbtx',
  'cbtx-',
  'cbtx-00000100000000010',
  'cbtx-0000010000000001-',
  'cbtx-0000010000000001-1234567',
  'cbtx-000001000000000g-1',
  'CBTX-0000010000000001-1',
  'xcbtx-0000010000000001-1',
  'cbtx-0000010000000001-1\n',
])('%j is no name of a question', (id) => expect(parseQueryId(id)).toBeNull());
