/** docs/differences.md, P14. */
import { expect, test } from 'vitest';
import { connectVm } from '../../../lib/host/vm.js';
import { qemuImg } from '../../helpers/qemuTools.js';
import { StorageDaemon } from '../../helpers/storageDaemon.js';
import {
  beginBackup,
  codeOf,
  handleOf,
  open,
  path,
  prl,
  ref,
  startVm,
  useLibrary,
} from '../parallels/support.js';

useLibrary();

/** m_Uuid of a disk. */
function uuidOf(disk: number): string {
  const info = ref<prl.PRL_DISK_PARAMETERS>();
  expect(prl.PrlDisk_GetDiskInfo(disk, info, ref(4096))).toBe(0);
  return info.value!.m_Uuid;
}

/** Two drives on these images, and m_Uuid of each in a backup that keeps its point. */
async function backUp(first: string, second: string): Promise<string[]> {
  await using daemon = await StorageDaemon.start({
    disks: [
      { node: 'drive0', file: path(first) },
      { node: 'drive1', file: path(second) },
    ],
  });
  await daemon.exportWritable('drive0', 'drive1');
  const nbdSocket = daemon.nbdPath;
  prl.configureLocalServer([
    { name: 'two', qmpSocket: daemon.process.file('qmp.sock'), scratchFolder: path('.'), nbdSocket },
  ]);
  const server = ref<number>();
  expect(prl.PrlSrv_Create(server)).toBe(0);
  expect(await codeOf(prl.PrlSrv_LoginLocal(Number(server.value), '', 0, 0))).toBe(0);
  const backup = await beginBackup(await handleOf(prl.PrlSrv_GetVmConfig(Number(server.value), 'two')));
  const uuids: string[] = [];
  for (const index of [0, 1]) {
    const disk = ref<number>();
    expect(await prl.PrlVmBackup_GetDisk(backup, index, disk)).toBe(0);
    uuids.push(uuidOf(Number(disk.value)));
  }
  expect(await codeOf(prl.PrlVmBackup_Commit(backup))).toBe(0);
  await codeOf(prl.PrlSrv_Logoff(Number(server.value)));
  await daemon.process.control.execute('quit');
  await daemon.process.ended;
  return uuids;
}

test('P14: m_Uuid goes with the disk, not with its place', async () => {
  for (const name of ['a', 'b']) await qemuImg('create', '-q', '-f', 'qcow2', path(name), '1M');
  const [zero, one] = await backUp('a', 'b');
  expect(zero).toMatch(/^\{[0-9a-f-]{36}\}$/);
  expect(one).not.toBe(zero);
  expect(await backUp('b', 'a')).toEqual([one, zero]);
  // The same of the files; of a disk without a history it is the null UUID.
  expect([uuidOf(await open(path('a'))), uuidOf(await open(path('b')))].sort()).toEqual([zero, one].sort());
  const { daemon } = await startVm();
  await using _ = daemon;
  await using vm = await connectVm(daemon.process.file('qmp.sock'), { nbdSocket: daemon.nbdPath });
  expect((await vm.disks())[0]!.disk).toBe('d');
  await qemuImg('create', '-q', '-f', 'qcow2', path('fresh'), '1M');
  expect(uuidOf(await open(path('fresh')))).toMatch(/^\{[0-]+\}$/);
});
