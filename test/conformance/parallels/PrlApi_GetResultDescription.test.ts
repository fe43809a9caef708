import { describe, expect, test } from 'vitest';
import { makeImage, open, prl, ref, textOf, useLibrary } from './support.js';

useLibrary();

describe('PrlApi_GetResultDescription', () => {
  const describeResult = (result: number, brief: number): Promise<string> =>
    textOf((buffer, length) => prl.PrlApi_GetResultDescription(result, brief, 0, buffer, length));

  test('tells what a code means and, not brief, why it was answered last', async () => {
    const { file } = await makeImage();
    const disk = await open(file);
    const unknown = '{00000000-1111-4222-8333-444444444444}';
    expect(await prl.PrlDisk_GetChangesMap_Local(disk, unknown, null, ref<number>())).toBe(
      prl.PRL_ERR_NO_DATA,
    );
    expect(await describeResult(prl.PRL_ERR_NO_DATA, 1)).toMatch(/make a full backup\.$/);
    const long = await describeResult(prl.PRL_ERR_NO_DATA, 0);
    expect(long).toContain('PRL_ERR_NO_DATA');
    expect(long).toContain('00000000-1111-4222-8333-444444444444 is not on this disk');
    expect(long).toContain('[UNKNOWN_PIT]');
    expect(await describeResult(0x80011234 | 0, 1)).toBe('0x80011234');
    expect(await describeResult(prl.PRL_ERR_DISK_UNALIGNED, 1)).toBe('PRL_ERR_DISK_UNALIGNED');
  });
  test('copies by the rule of every text: needed size, truncation, overrun', () => {
    const length = ref(0);
    expect(prl.PrlApi_GetResultDescription(0, 1, 0, null, length)).toBe(0);
    const whole = Buffer.alloc(length.value, 0xff);
    const short = Buffer.alloc(4, 0xff);
    const given = ref(4);
    expect(prl.PrlApi_GetResultDescription(0, 1, 0, short, given)).toBe(prl.PRL_ERR_BUFFER_OVERRUN);
    expect(given.value).toBe(length.value);
    expect(prl.PrlApi_GetResultDescription(0, 1, 0, whole, length)).toBe(0);
    expect(short.toString()).toBe(whole.subarray(0, 4).toString());
    expect(whole.at(-1)).toBe(0);
  });
});
