/** docs/differences.md, P25. */
import { expect, test } from 'vitest';
import { codeOf, prl, ref, textOf, useLibrary } from '../parallels/support.js';

useLibrary();

test('P25: brief and formatted texts of an event are the same', async () => {
  const job = prl.PrlSrv_Logoff(77);
  await codeOf(job);
  const event = ref<number>();
  expect(prl.PrlJob_GetError(job, event)).toBe(0);
  const say = (brief: number, formatted: number) =>
    textOf((buffer, length) =>
      prl.PrlEvent_GetErrString(Number(event.value), brief, formatted, buffer, length),
    );
  expect(new Set([await say(0, 0), await say(1, 0), await say(0, 1)]).size).toBe(1);
});
