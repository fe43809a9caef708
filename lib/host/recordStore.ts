/** Where a VM of the inventory is remembered. It is its owner's name for the VM that the record hangs on: a socket moves with a start. */
import { createHash } from 'node:crypto';
import { basename, join } from 'node:path';
import { LockedRecord } from './lockedRecord.js';
import { drawVmId } from './vmIds.js';
import { emptyRecord, parseRecord, type VmRecord } from './vmRecord.js';

const RECORD = /-[0-9a-f]{8}\.json$/;

/** What is remembered of a VM, in a file of its own. `begin` is locked while a session is begun. */
export class RecordStore extends LockedRecord<VmRecord, 'begin'> {
  /** `name`: of the VM in the inventory. */
  constructor(
    readonly folder: string,
    readonly name: string,
  ) {
    const plain = name.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, 64);
    const hash = createHash('sha256').update(name).digest('hex').slice(0, 8);
    super(join(folder, `${plain}-${hash}.json`), { empty: emptyRecord, parse: parseRecord });
  }

  /** The VM's number on this machine, the same in every process and for ever. `elsewhere`: the number that it has under another name. */
  async id(elsewhere: () => Promise<number | null> = async () => null): Promise<number> {
    const known = (await this.read()).id;
    if (known !== undefined) return known;
    let id = 0;
    await this.update(async (record) => {
      record.id ??= (await elsewhere()) ?? (await drawVmId(this.folder, idIn));
      id = record.id;
    });
    return id;
  }
}

/** The number of a VM in a file of the folder; 0 where it has none. */
function idIn(file: string, text: string): number {
  return RECORD.test(basename(file)) ? (parseRecord(file, text).id ?? 0) : 0;
}
