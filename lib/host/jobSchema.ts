/** What a host file says of jobs: which VMs are backed up where, what is kept, and who is told. Part of `hostSchema.ts`. */
import { normalize } from 'node:path';
import { z } from 'zod';

/** The parts that every entry of a host file is made of. */
interface Parts {
  text: (expected: string, shape?: RegExp) => z.ZodString;
  absolute: (what: string) => z.ZodString;
  yesOrNo: (description: string) => z.ZodBoolean;
  vmName: z.ZodString;
  known: <Shape extends z.ZodRawShape>(what: string, shape: Shape) => z.ZodObject<Shape, z.core.$strict>;
}

const A_RUN = 'the number or the point in time of a run';
const count = z
  .number('a whole number of at least 1')
  .int('a whole number of at least 1')
  .min(1, 'a whole number of at least 1');

/** The schema of the list of jobs; no two have one name, or one file of figures. */
export function jobsSchema({ text, absolute, yesOrNo, vmName, known }: Parts) {
  const hook = z
    .array(text('a word of a command'), 'a program and its arguments')
    .min(1, 'a program and its arguments')
    .refine(
      ([program]) => program?.startsWith('/') ?? false,
      'a program by its absolute path, and its arguments',
    )
    .optional();
  const keep = known('last, hourly, daily, weekly, monthly, yearly, protect', {
    last: count.optional(),
    hourly: count.optional(),
    daily: count.optional(),
    weekly: count.optional(),
    monthly: count.optional(),
    yearly: count.optional(),
    protect: z
      .record(
        // Domains may be called by their addresses.
        text('the name of a VM'),
        z
          .array(z.union([count, text('a run')], A_RUN), 'a list of runs')
          .min(1, 'at least one run; leave it out for none'),
        'runs by the name of their VM',
      )
      .optional()
      .describe('Runs that stay whatever the rules say, of each VM: their numbers or points in time.'),
  }).refine(
    ({ protect: _, ...rules }) => Object.keys(rules).length > 0,
    'at least one rule beside protect: last, hourly, daily, weekly, monthly, yearly',
  );
  const job = known('a job: name, and to', {
    name: text(
      'a name of letters, digits, dots, dashes and underscores',
      /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
    ).describe('What qemu-cbt run calls it.'),
    vms: z
      .array(vmName, 'a list of names of VMs')
      .min(1, 'at least one VM; leave it out for all of this file')
      .refine((names) => new Set(names).size === names.length, 'each VM once')
      .optional()
      .describe('Names of VMs of this file; all of them unless given.'),
    libvirt: text('a libvirt URI, such as qemu:///system', /^[a-z0-9+]+:\/\//)
      .optional()
      .describe('Every domain of this libvirt, instead of VMs by name.'),
    to: absolute('a folder').describe('Each VM is backed up into a folder of its name below this one.'),
    keep: keep
      .optional()
      .describe(
        'By these rules each folder is pruned where its backup went well and verify found nothing; without, nothing is forgotten.',
      ),
    verify: z
      .enum(['manifest', 'data'], 'manifest or data')
      .optional()
      .describe('Check each folder afterwards, as qemu-cbt verify --depth does.'),
    quiesce: yesOrNo('Freeze the guests’ file systems for the instant.').optional(),
    strict: yesOrNo('Exit code 6 where a disk had to be full because its chain was lost.').optional(),
    rate: text('bytes a second, with K, M or G if you like', /^\d{1,12}[KMG]?$/i)
      .optional()
      .describe('Read at most so many bytes a second.'),
    before: hook.describe('Runs first, before the folder is made; where it fails, no VM is backed up.'),
    after: hook.describe('Runs when all went well.'),
    failed: hook.describe('Runs when something did not.'),
    hookLimit: text(
      'a time such as 30s, 10m or 2h, of at most 99h',
      /^([1-9]\d{0,3}s|[1-9]\d{0,2}m|[1-9]\d?h)$/,
    )
      .optional()
      .describe('A hook that has not ended by then is killed; 1h unless given.'),
    metrics: absolute('a file for the textfile collector')
      .optional()
      .describe(
        'File of figures for node_exporter’s textfile collector, of this job alone; its name ends in .prom.',
      ),
  }).refine(({ vms, libvirt }) => vms === undefined || libvirt === undefined, {
    path: ['libvirt'],
    error: 'either this or vms, and not both',
  });
  return z.array(job, 'a list of jobs').superRefine((jobs, context) => {
    const names = new Set<string>();
    const files = new Set<string>();
    for (const [index, { name, metrics }] of jobs.entries()) {
      const told = metrics === undefined ? undefined : normalize(metrics);
      if (names.has(name))
        context.addIssue({ code: 'custom', path: [index, 'name'], message: 'one that no job above it has' });
      if (told !== undefined && files.has(told))
        context.addIssue({
          code: 'custom',
          path: [index, 'metrics'],
          message: 'a file that no job above it has',
        });
      names.add(name);
      if (told !== undefined) files.add(told);
    }
  });
}
