/**
 * What a host file may say, by one schema: it checks the file, and its JSON Schema (docs/host.schema.json) is made from it. Each
 * part names what it takes in words that end "…, expected …". What no version serves yet is part of it, so that a file can say it;
 * whoever uses such an entry is told.
 */

import { z } from 'zod';
import { parseUuid } from '../core/pointInTime.js';
import { jobsSchema } from './jobSchema.js';
import { LEAST_POINTS, MOST_POINTS } from './keepPoints.js';

/** Control characters, halves of a character, and what turns the direction of text: none of it names anything. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
const PLAIN = /^[^\0-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\p{Cs}]+$/u;
const MOST_TEXT = 4096;
const MOST_VMS = 10_000;

/** `expected` follows "is …, expected". */
function text(expected: string, shape = PLAIN): z.ZodString {
  return z
    .string(expected)
    .max(MOST_TEXT, `${expected}, of at most ${MOST_TEXT} characters`)
    .regex(PLAIN, `${expected}, without control characters`)
    .regex(shape, expected);
}

/** An object that says which keys it knows when it meets another. */
function known<Shape extends z.ZodRawShape>(what: string, shape: Shape) {
  return z.strictObject(shape, {
    error: ({ code }) => (code === 'unrecognized_keys' ? Object.keys(shape).join(', ') : what),
  });
}

const absolute = (what: string) => text(`the absolute path of ${what}`, /^\//);
const yesOrNo = (description: string) => z.boolean('true or false').describe(description);
const diskName = text('the name of a disk');

/** Names that `--vm` and `<vm>#<disk>` can tell from paths, ids and addresses. */
const vmName = text(
  'a name without / and #, which is no number, no vm-<number> and does not begin with a dot, qmp:, libvirt: or rbd:',
  /^(?!\.|(qmp|libvirt|rbd):|(vm-)?[0-9]+$)[^/#]+$/,
);

const scratch = absolute('a folder that QEMU can write to').describe(
  'Folder for what the guest overwrites during a backup.',
);
const allowUnwatchedScratch = yesOrNo(
  'Take a scratch folder that may be too small for all that the guest can overwrite.',
);

const vmShape = {
  name: vmName.describe('How commands and clients call it.'),
  uuid: text('a UUID', /^\{?[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}\}?$/)
    .refine((value) => parseUuid(value) !== null, 'a UUID')
    .optional()
    .describe('Its -uuid; asked from QEMU unless given.'),
  qmpSocket: absolute('a QMP socket').optional().describe('QMP socket; either this or libvirt.'),
  libvirt: text('<uri>#<domain>, such as qemu:///system#web', /^[^#]+#[^#]+$/)
    .optional()
    .describe('The domain of a libvirt, <uri>#<domain>; either this or qmpSocket.'),
  images: z
    .record(diskName, absolute('a qcow2 image'), 'an image for each disk')
    .optional()
    .describe('The qcow2 image of each disk, by its name while the VM runs; for when it is off.'),
  agentSocket: absolute('the socket of a guest agent')
    .optional()
    .describe('Socket of the guest agent, through which file systems are frozen.'),
  disks: z
    .array(diskName, 'a list of names of disks')
    .min(1, 'at least one disk; leave it out for all that can be tracked')
    .optional()
    .describe('Disks that take part; all that can be tracked unless given.'),
  nbdSocket: absolute('the socket of an NBD server')
    .optional()
    .describe('Socket of an NBD server that this QEMU runs already.'),
  scratchFolder: scratch.optional(),
  allowUnwatchedScratch: allowUnwatchedScratch.optional(),
  keepPoints: z
    .number('a whole number')
    .int('a whole number')
    .min(LEAST_POINTS, `at least ${LEAST_POINTS}`)
    .max(MOST_POINTS, `at most ${MOST_POINTS}`)
    .optional()
    .describe(
      'How many points in time stay on each disk when a program of the SDKs ends a backup; older ones are forgotten, whoever took them. All of them unless given.',
    ),
};

function hasOneWay({
  qmpSocket,
  libvirt,
}: { [Way in 'qmpSocket' | 'libvirt']?: string | undefined }): boolean {
  return (qmpSocket === undefined) !== (libvirt === undefined);
}

const vm = known('a VM: name, and qmpSocket or libvirt', vmShape).refine(hasOneWay, {
  path: ['qmpSocket'],
  error: 'either this or libvirt, and not both',
});

/** One machine under two names would be backed up twice, and which one a name means would depend on their order. */
function requireDifferent(vms: z.infer<typeof vm>[], context: z.RefinementCtx): void {
  for (const key of ['name', 'uuid', 'qmpSocket', 'libvirt'] as const) {
    const seen = new Set<string>();
    for (const [index, entry] of vms.entries()) {
      const value = key === 'uuid' ? parseUuid(entry.uuid ?? '') : entry[key];
      if (value === undefined || value === null) continue;
      if (seen.has(value))
        context.addIssue({ code: 'custom', path: [index, key], message: 'one that no VM above it has' });
      seen.add(value);
    }
  }
}

const ADDRESS = /^(unix:\/.+|(\[[0-9a-fA-F:.]+\]|[^\s:/[\]]+):[0-9]{1,5})$/;

const tls = known('certificate and key', {
  certificate: absolute('a certificate chain (PEM)'),
  key: absolute('the private key of the certificate (PEM)'),
  clientAuthority: absolute('certificates (PEM) that those of clients must be signed by').optional(),
});

const wire = known('address, tls, users', {
  address: text('<host>:<port>, [<IPv6>]:<port> or unix:<path>', ADDRESS).describe('Where it listens.'),
  tls: tls.optional().describe('Paths of the TLS files.'),
  users: absolute('a file of users').optional().describe('Path of the file of users.'),
});

const datastore = known('folder or pool', {
  folder: absolute('a folder').optional(),
  pool: text('rbd:<pool> or rbd:<pool>/<namespace>', /^rbd:[^/#]+(\/[^/#]+)?$/)
    .optional()
    .describe('A pool of Ceph. Not served by this version.'),
}).refine(({ folder, pool }) => (folder === undefined) !== (pool === undefined), {
  path: ['folder'],
  error: 'either this or pool, and not both',
});

export const hostSchema = known('vms, libvirt, datastores, wires, jobs, defaults', {
  vms: z
    .array(vm, 'a list of VMs')
    .max(MOST_VMS, `at most ${MOST_VMS} VMs`)
    .superRefine(requireDifferent)
    .optional()
    .describe('The VMs of this machine, in the order in which they are listed.'),
  libvirt: z
    .array(text('a libvirt URI, such as qemu:///system', /^[a-z0-9+]+:\/\//), 'a list of libvirt URIs')
    .optional()
    .describe('Libvirts, each with all its domains.'),
  datastores: z
    .record(text('a name without / and #', /^[^/#]+$/), datastore, 'a folder or pool for each name')
    .optional()
    .describe('Places where disks are, by name.'),
  wires: known('vim, library, csi, metrics', {
    vim: wire
      .optional()
      .describe('The vSphere API over HTTPS; users are needed, tls is made where it is left out.'),
    library: wire.optional().describe('The socket of the C libraries. Not served by this version.'),
    csi: wire.optional().describe('Snapshot metadata of CSI. Not served by this version.'),
    metrics: wire.optional().describe('Figures for Prometheus (/metrics) and /healthz, without TLS.'),
  })
    .optional()
    .describe('What qemu-cbt serve offers, and where.'),
  jobs: jobsSchema({ text, absolute, yesOrNo, vmName, known }).optional().describe('What qemu-cbt run does.'),
  defaults: known('scratchFolder, allowUnwatchedScratch', {
    scratchFolder: scratch.optional(),
    allowUnwatchedScratch: allowUnwatchedScratch.optional(),
  })
    .optional()
    .describe('What holds for every VM that does not say it itself.'),
});

/** A host file, checked. */
export type HostDescription = z.infer<typeof hostSchema>;
/** A job of a host file. */
export type HostJob = NonNullable<HostDescription['jobs']>[number];

const asItIs = z.string().min(1);

/** VMs as a program passes them, or tells them in a file of its own: the same parts, with names and paths as they are. */
export const passedVmsSchema = z.strictObject({
  vms: z
    .array(
      z
        .strictObject({
          ...vmShape,
          name: asItIs,
          uuid: z
            .string()
            .refine((value) => parseUuid(value) !== null, {
              error: ({ input }) => `${JSON.stringify(input)} is no UUID`,
            })
            .optional(),
          qmpSocket: asItIs.optional(),
          agentSocket: z.string().optional(),
          disks: z.array(asItIs).optional(),
          images: z.record(z.string(), asItIs).optional(),
          scratchFolder: z.string().optional(),
          nbdSocket: z.string().optional(),
        })
        .refine(hasOneWay, { path: ['qmpSocket'], error: 'has to be there, or libvirt, and not both' }),
    )
    .superRefine((vms, context) => {
      const names = vms.map(({ name }) => name);
      const twice = names.find((name, index) => names.indexOf(name) !== index);
      if (twice !== undefined)
        context.addIssue({ code: 'custom', message: `two VMs are named ${JSON.stringify(twice)}` });
    }),
});

/** The schema for editors and other programs. What spans several values (unique names, one of two keys) only the check itself tells. */
export function hostJsonSchema(): object {
  const schema = z.toJSONSchema(hostSchema, { io: 'input' });
  return { ...schema, title: 'The host file of qemu-cbt' };
}
