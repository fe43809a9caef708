import { describe, expect, test } from 'vitest';
import { Looks } from '../../../../../lib/facade/vixdisklib/objects/looks.js';

/** Something that is done when it is told to be. */
function gate() {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('Looks', () => {
  test('a read counts only after a look that began when it had arrived', async () => {
    const checks: ReturnType<typeof gate>[] = [];
    const looks = new Looks(() => {
      checks.push(gate());
      return checks.at(-1)!.opened;
    });
    const done: string[] = [];
    void looks.after(async () => 'first').then((name) => done.push(name));
    await settle();
    expect(checks).toHaveLength(1);
    // Arrives while that look is on its way, which may have begun before it was read.
    void looks.after(async () => 'second').then((name) => done.push(name));
    await settle();
    checks[0]!.open();
    await settle();
    expect(done).toEqual(['first']);
    expect(checks).toHaveLength(2);
    checks[1]!.open();
    await settle();
    expect(done).toEqual(['first', 'second']);
  });

  test('reads on their way share a look; one that never arrives holds nobody up', async () => {
    let checks = 0;
    const looks = new Looks(async () => {
      checks += 1;
    });
    const last = gate();
    const reads = Array.from({ length: 4 }, (_, i) =>
      looks.after(async () => {
        await (i < 2 ? undefined : last.opened);
      }),
    );
    await Promise.all(reads.slice(0, 2));
    expect(checks).toBe(1);
    const one = looks.after(async () => undefined);
    await one;
    expect(checks).toBe(2);
    last.open();
    await Promise.all(reads);
    expect(checks).toBeLessThanOrEqual(4);
  });

  test('what a look finds wrong is told to every read that shares it, and to no other', async () => {
    let broken = true;
    const looks = new Looks(async () => {
      if (broken) throw new Error('broken');
    });
    const reads = [looks.after(async () => 1), looks.after(async () => 2)];
    const outcomes = await Promise.allSettled(reads);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    await expect(looks.after(() => Promise.reject(new Error('unread')))).rejects.toThrow('unread');
    broken = false;
    expect(await looks.after(async () => 3)).toBe(3);
  });
});
