import { describe, expect, test } from 'vitest';
import { Job } from '../../../lib/facade/parallels/objects/job.js';
import { codeOf, prl, ref, textOf, useLibrary } from './support.js';

useLibrary();

describe('PrlResult_GetParamAsString', () => {
  test('gives a text, and says where the first parameter is none', async () => {
    const job = Job.start({ operation: prl.PJOC_UNKNOWN }, async () => ['a text']);
    await codeOf(job);
    const result = ref<number>();
    prl.PrlJob_GetResult(job, result);
    expect(
      await textOf((text, length) => prl.PrlResult_GetParamAsString(Number(result.value), text, length)),
    ).toBe('a text');
    expect(prl.PrlResult_GetParam(Number(result.value), ref<number>())).toBe(prl.PRL_ERR_NO_DATA);
    const empty = Job.start({ operation: prl.PJOC_UNKNOWN }, async () => []);
    await codeOf(empty);
    prl.PrlJob_GetResult(empty, result);
    expect(prl.PrlResult_GetParamAsString(Number(result.value), null, ref(0))).toBe(prl.PRL_ERR_INVALID_ARG);
  });
});
