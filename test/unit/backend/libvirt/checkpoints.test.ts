/** Checkpoints that change while they are listed. */
import { expect, test } from 'vitest';
import { listCheckpoints } from '../../../../lib/backend/libvirt/checkpoints.js';
import type { DomainRef, Libvirt } from '../../../../lib/backend/libvirt/libvirt.js';
import { LibvirtError, VIR_ERR } from '../../../../lib/backend/libvirt/rpc/libvirtError.js';

const failing = (virErr: number): Libvirt =>
  ({
    checkpoints: async () => ['gone', 'kept'],
    checkpointXml: async (_: unknown, name: string) => {
      if (name === 'kept') return '<domaincheckpoint><name>kept</name></domaincheckpoint>';
      throw new LibvirtError('virDomainCheckpointGetXMLDesc', virErr, 'no');
    },
  }) as unknown as Libvirt;

test('one that is deleted meanwhile is none', async () => {
  expect(await listCheckpoints(failing(VIR_ERR.NO_DOMAIN_CHECKPOINT), {} as DomainRef)).toMatchObject([
    { name: 'kept' },
  ]);
});

test('one that may not be read is no reason to forget it', async () => {
  await expect(listCheckpoints(failing(VIR_ERR.ACCESS_DENIED), {} as DomainRef)).rejects.toMatchObject({
    virErr: VIR_ERR.ACCESS_DENIED,
  });
});
