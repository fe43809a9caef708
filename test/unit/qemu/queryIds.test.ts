/** Names of what a question makes in QEMU: they fit, they say whose they are, and nothing else is taken for one. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { Readable, Writable } from 'node:stream';
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
  // The child ends only when its parent is a program that waits for nobody.
  const script = 'head -c 1 <&3 >/dev/null & echo $!; exec sleep 600';
  const parent = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'inherit', 'pipe'] });
  const closed = once(parent, 'close');
  try {
    const [said] = (await once(parent.stdout as Readable, 'data')) as [Buffer];
    const pid = Number(said.toString());
    await eventually(async () => expect(await readFile(`/proc/${parent.pid}/comm`, 'utf8')).toBe('sleep\n'));
    const startTicks = Number((await fieldsOf(pid))[19]);
    expect(await isAsking({ tag: '', pid, startTicks })).toBe(true);
    (parent.stdio[3] as Writable).write('.');
    await eventually(async () => expect((await fieldsOf(pid))[0]).toBe('Z'));
    expect(await isAsking({ tag: '', pid, startTicks })).toBe(false);
  } finally {
    parent.kill('SIGKILL');
    await closed;
  }
});

/** Of /proc/<pid>/stat, from the state on. */
async function fieldsOf(pid: number): Promise<string[]> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

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
