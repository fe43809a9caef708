/** A VM as the file of the local server tells it. */
import { z } from 'zod';
import { parseUuid } from '../../../core/pointInTime.js';

export const vmSchema = z.strictObject({
  name: z.string().min(1),
  /** The VM's `-uuid`, asked from QEMU unless given. */
  uuid: z
    .string()
    .refine((text) => parseUuid(text) !== null, {
      error: ({ input }) => `${JSON.stringify(input)} is no UUID`,
    })
    .optional(),
  /** QMP socket. */
  qmp: z.string().min(1),
  /** Socket of the guest agent; file systems are frozen through it. */
  agent: z.string().optional(),
  /** Path of the qcow2 image of each disk, by the name it has while the VM runs: with it a VM that is off can be backed up. */
  images: z.record(z.string().min(1), z.string().min(1)).optional(),
  /** Disks that backups take; all that can be tracked unless given. */
  disks: z.array(z.string().min(1)).optional(),
  /** Folder for what the guest overwrites during a backup. */
  scratch: z.string().optional(),
  /** Socket of an NBD server that the VM's QEMU runs already. */
  nbdSocket: z.string().optional(),
});

/** A VM of the configuration. */
export type VmEntry = z.infer<typeof vmSchema>;
