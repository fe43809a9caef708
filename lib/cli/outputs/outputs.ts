/**
 * What each command prints with `--json`: the one table that docs/output.schema.json is made from, and that every output of the tests is
 * held against. No command loads it.
 */
import { z } from 'zod';
import * as disks from './diskOutputs.js';
import * as folders from './folderOutputs.js';

export const OUTPUTS: Readonly<Record<string, z.ZodType>> = {
  pits: disks.pitsOutput,
  changes: disks.changesOutput,
  ...Object.fromEntries(
    ['enable', 'begin', 'commit', 'rollback', 'forget', 'reset', 'disable'].map((name) => [
      name,
      disks.trackingOutput,
    ]),
  ),
  doctor: disks.doctorOutput,
  vms: disks.vmsOutput,
  host: disks.hostOutput,
  user: disks.userOutput,
  serve: disks.serveOutput,
  backup: folders.backupOutput,
  estimate: folders.estimateOutput,
  verify: folders.verifyOutput,
  prune: folders.pruneOutput,
  copy: folders.copyOutput,
  restore: folders.restoreOutput,
  'serve-nbd': folders.serveNbdOutput,
  mount: folders.mountOutput,
  'boot-test': folders.bootTestOutput,
  report: folders.reportOutput,
  run: folders.runOutput,
};

/** One schema with a definition a command. */
export function outputJsonSchema(): object {
  const { properties, $defs } = z.toJSONSchema(z.strictObject(OUTPUTS));
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'What the commands of qemu-cbt print with --json, by their names; `list` has list.schema.json',
    $defs: { ...properties, ...$defs },
  };
}
