/** What a guest's agent may say through libvirt: its text comes from inside the guest, so that it may be anything. */
import { expect, test } from 'vitest';
import type { FoundDomain } from '../../../../lib/backend/libvirt/findDomain.js';
import { thawLeftDomain, whileDomainFrozen } from '../../../../lib/backend/libvirt/guestFreeze.js';

/** A domain whose agent says this of its state. */
function domainThatSays(said: string | null): { found: FoundDomain; calls: string[] } {
  const calls: string[] = [];
  const libvirt = {
    open: true,
    agentCommand: async () => said,
    freeze: async () => calls.push('freeze'),
    thaw: async () => calls.push('thaw'),
  };
  const found = { libvirt, domain: { id: 1 }, address: 'libvirt:test:///default#web' };
  return { found: found as unknown as FoundDomain, calls };
}

const ODD = [null, '', '{', '{"return":', '[]', '{"return":5}', '{"return":"\u001b[2J"}', '{"error":{}}'];

test.each(ODD)('a state of %j freezes nothing, and the error says what came', async (said) => {
  const { found, calls } = domainThatSays(said);
  await expect(whileDomainFrozen(found, async () => 0)).rejects.toMatchObject({
    code: 'ERR_CBT_BACKEND_UNAVAILABLE',
    message: expect.stringContaining(`answered ${JSON.stringify(said)} to guest-fsfreeze-status`),
  });
  expect(calls).toEqual([]);
});

test('one that is frozen is somebody else’s', async () => {
  const { found, calls } = domainThatSays('{"return":"frozen"}');
  await expect(whileDomainFrozen(found, async () => 0)).rejects.toMatchObject({ reason: 'BUSY' });
  expect(calls).toEqual([]);
});

test.each(ODD)('a guest that we may have left frozen is thawed where its state is %j', async (said) => {
  const { found, calls } = domainThatSays(said);
  expect(await thawLeftDomain(found)).toBe(true);
  expect(calls).toEqual(['thaw']);
});
