/** A libvirt domain that is off: its disks are the images that its XML names, in the formats that it says. */

import { type DomainDisk, parseDomainXml } from '../backend/libvirt/domainXml.js';
import { onDomain } from '../backend/libvirt/findDomain.js';
import { CbtError } from '../core/errors.js';
import type { OffDisk } from './offDisk.js';
import { OffVm } from './offVm.js';
import type { OpenDiskOptions } from './openFile.js';

export async function offDomain(
  address: string,
  { signal, kernel }: Pick<OpenDiskOptions, 'signal' | 'kernel'>,
  scratchPlaces: readonly string[] = [],
): Promise<OffVm> {
  return onDomain(address, { signal }, async ({ libvirt, domain }) => {
    const { name, uuid } = domain;
    const definition = await libvirt.xml(domain, { signal, inactive: true });
    const { disks } = parseDomainXml(name, definition);
    const known = disks.filter(({ device }) => device === 'disk' || device === 'lun');
    return new OffVm(
      { key: uuid, name, uuid, definition },
      known.map((disk) => offDisk(disk, kernel)),
      scratchPlaces,
    );
  });
}

function offDisk({ target, type, file, format }: DomainDisk, kernel: OpenDiskOptions['kernel']): OffDisk {
  // Without a word about it libvirt takes an image for a raw one, and never looks.
  const said = format ?? 'raw';
  if (file !== null && (said === 'qcow2' || said === 'raw'))
    return { disk: target, path: file, known: { format: said, kernel } };
  const what = file === null ? `it is of type ${type}` : `its format is ${said}`;
  const message = `${target} cannot be read while the domain is off: ${what}`;
  return {
    disk: target,
    path: file ?? '',
    known: { kernel },
    refusal: new CbtError('ERR_CBT_UNSUPPORTED', message, { disk: target }),
  };
}
