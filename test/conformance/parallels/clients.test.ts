/** One process serves many: what one client does, ends or is told is nobody else's. */
import { describe, expect, test } from 'vitest';
import { runtime } from '../../../lib/facade/parallels/runtime.js';
import {
  beginBackup,
  bitsOf,
  codeOf,
  handleOf,
  makeImage,
  mapOf,
  open,
  path,
  prl,
  ref,
  startVm,
  useLibrary,
} from './support.js';

useLibrary();

class Client {
  readonly runtime = new prl.Runtime();

  constructor() {
    this.run(() => expect(prl.PrlApi_Init(prl.VIRTUOZZO_API_VER)).toBe(prl.PRL_ERR_SUCCESS));
  }

  run<T>(work: () => T): T {
    return prl.runWithRuntime(this.runtime, work);
  }
}

describe('two clients of one process', () => {
  test('one ends, and what the other has open stays', async () => {
    const { file, pits } = await makeImage();
    const [one, other] = [new Client(), new Client()];
    const [, disk] = await Promise.all([one.run(() => open(file)), other.run(() => open(file))]);
    const map = await other.run(() => mapOf(disk, pits[0]!));
    expect(await one.run(() => prl.PrlApi_Deinit())).toBe(prl.PRL_ERR_SUCCESS);
    expect(one.runtime.table.size).toBe(0);
    expect(other.run(() => bitsOf(map))).toEqual([0, 10]);
    expect(await other.run(() => prl.PrlDisk_Read(disk, Buffer.alloc(512), 512, 0))).toBe(0);
    // The process's own was never ended either.
    expect(prl.PrlSrv_Create(ref())).toBe(prl.PRL_ERR_SUCCESS);
    expect(one.run(() => prl.PrlSrv_Create(ref()))).toBe(prl.PRL_ERR_API_WASNT_INITIALIZED);
    await other.runtime.close();
    expect(await other.run(() => prl.PrlHandle_Free(disk))).toBe(prl.PRL_ERR_API_WASNT_INITIALIZED);
  });

  test('a handle of one is none of the other', async () => {
    const { file } = await makeImage();
    const [one, other] = [new Client(), new Client()];
    await using _one = one.runtime;
    await using _other = other.runtime;
    const handles = await one.run(() => Promise.all([open(file), open(file), open(file)]));
    const theirs = await other.run(() => Promise.all([open(file), open(file), open(file)]));
    expect(new Set([...handles, ...theirs]).size).toBe(6);
    for (const run of [other.run.bind(other), <T>(work: () => T): T => work()])
      for (const handle of handles) {
        expect(run(() => prl.PrlHandle_AddRef(handle))).toBe(prl.PRL_ERR_INVALID_ARG);
        expect(await run(() => prl.PrlHandle_Free(handle))).toBe(prl.PRL_ERR_INVALID_ARG);
        expect(await run(() => prl.PrlDisk_Free(handle))).toBe(prl.PRL_ERR_INVALID_ARG);
      }
    for (const handle of handles) expect(await one.run(() => prl.PrlHandle_Free(handle))).toBe(0);
  });

  test('VMs, trust and last reasons are each its own', async () => {
    const [one, other] = [new Client(), new Client()];
    await using _one = one.runtime;
    await using _other = other.runtime;
    const login = async (name: string): Promise<string[]> => {
      prl.configureLocalServer([{ name, qmpSocket: path(`${name}.qmp`) }]);
      const server = ref<number>();
      prl.PrlSrv_Create(server);
      expect(await codeOf(prl.PrlSrv_LoginLocal(Number(server.value)))).toBe(0);
      expect(await codeOf(prl.PrlSrv_GetVmConfig(Number(server.value), `not ${name}`))).toBe(
        prl.PRL_ERR_VM_UUID_NOT_FOUND,
      );
      // Long after the call that began the job.
      const { vms } = runtime();
      return typeof vms === 'object' ? vms.map((vm) => vm.name) : [];
    };
    const logins = [one.run(() => login('web')), other.run(() => login('db'))];
    expect(await Promise.all(logins)).toEqual([['web'], ['db']]);
    const reasons = [one, other].map((client) =>
      client.run(() => runtime().lastReasonOf(prl.PRL_ERR_VM_UUID_NOT_FOUND)),
    );
    expect(reasons).toEqual([expect.stringContaining('not web'), expect.stringContaining('not db')]);
    expect(runtime().lastReasonOf(prl.PRL_ERR_VM_UUID_NOT_FOUND)).toBe('');
    one.run(() => prl.configureDisks({ trust: true }));
    expect([one.runtime.trust, other.runtime.trust, runtime().trust]).toEqual([true, false, false]);
  });

  test("one's end rolls back his backup alone; what was opened meanwhile is closed", async () => {
    const { daemon } = await startVm();
    await using _daemon = daemon;
    const { vms } = runtime();
    const [one, other] = [new Client(), new Client()];
    await using _other = other.runtime;
    const begin = async (): Promise<number> => {
      runtime().vms = vms;
      const server = ref<number>();
      prl.PrlSrv_Create(server);
      expect(await codeOf(prl.PrlSrv_LoginLocal(Number(server.value)))).toBe(0);
      return beginBackup(await handleOf(prl.PrlSrv_GetVmConfig(Number(server.value), 'web')));
    };
    await one.run(begin);
    const { file } = await makeImage();
    const disk = await other.run(() => open(file));
    const late = ref<number>();
    const opening = one.run(() => prl.PrlDisk_OpenDisk_Local(late, file, prl.PRL_DISK_READ, 0));
    expect(await one.run(() => prl.PrlApi_Deinit())).toBe(prl.PRL_ERR_SUCCESS);
    expect(await opening).toBe(prl.PRL_ERR_API_WASNT_INITIALIZED);
    expect([late.value, one.runtime.table.size]).toEqual([undefined, 0]);
    expect(await other.run(() => prl.PrlDisk_Read(disk, Buffer.alloc(512), 512, 0))).toBe(0);
    // Nobody's session is in the way of the next.
    const backup = await other.run(begin);
    expect(await other.run(() => codeOf(prl.PrlVmBackup_Commit(backup)))).toBe(0);
  });
});
