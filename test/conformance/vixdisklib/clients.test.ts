/** One process serves many: what one client does, ends or is told is nobody else's. */
import { describe, expect, test } from 'vitest';
import { startVm } from '../vsphere/support.js';
import { makeImage, path, QCOW2, READ_ONLY, ref, SECTOR, useLibrary, vix } from './support.js';

useLibrary();

interface Client {
  client: vix.Library;
  log: string[];
  connection: vix.VixDiskLibConnection;
  disk: vix.VixDiskLibHandle;
  run: <T>(work: () => T) => T;
}

/** A client with a datastore of his own and a disk of it open; what he logs. */
async function newClient(store: string, image: string): Promise<Client> {
  const library = new vix.Library({ datastores: { [store]: path('.') } });
  const log: string[] = [];
  const run = <T>(work: () => T): T => vix.runWithLibrary(library, work);
  return run(async () => {
    expect(vix.VixDiskLib_InitEx(8, 0, (line) => log.push(line))).toBe(vix.VIX_OK);
    const connection = ref<vix.VixDiskLibConnection>();
    expect(await vix.VixDiskLib_ConnectEx(null, false, null, null, connection)).toBe(vix.VIX_OK);
    const disk = ref<vix.VixDiskLibHandle>();
    expect(await vix.VixDiskLib_Open(connection.value!, `[${store}] ${image}`, READ_ONLY, disk)).toBe(
      vix.VIX_OK,
    );
    return { client: library, log, connection: connection.value!, disk: disk.value!, run };
  });
}

async function twoClients(): Promise<[Client, Client]> {
  await makeImage('a.qcow2', 1 << 20, ['write -P 1 0 1M']);
  await makeImage('b.qcow2', 1 << 20, ['write -P 2 0 1M']);
  return Promise.all([newClient('first', 'a.qcow2'), newClient('second', 'b.qcow2')]);
}

/** What stands in the first sector, and the call's code. */
async function readByte({ disk, run }: Client): Promise<[number, number | undefined]> {
  const buffer = Buffer.alloc(SECTOR);
  return [await run(() => vix.VixDiskLib_Read(disk, 0, 1, buffer)), buffer[0]];
}

describe('two clients of one process', () => {
  test('one leaves, and the other goes on: disks, connections, what is on its way', async () => {
    const [one, other] = await twoClients();
    const flying = Buffer.alloc(1 << 20);
    const outcome = new Promise<number>((resolve) => {
      other.run(() =>
        vix.VixDiskLib_ReadAsync(other.disk, 0, 2048, flying, (_, result) => resolve(result), null),
      );
    });
    one.run(() => vix.VixDiskLib_Exit());
    await one.client.close();
    expect(await outcome).toBe(vix.VIX_OK);
    expect(flying.every((byte) => byte === 2)).toBe(true);
    expect(await readByte(other)).toEqual([vix.VIX_OK, 2]);
    expect(await readByte(one)).toEqual([vix.VIX_E_INVALID_HANDLE, 0]);
    await other.run(async () => {
      const connection = ref<vix.VixDiskLibConnection>();
      expect(await vix.VixDiskLib_ConnectEx(null, true, null, null, connection)).toBe(vix.VIX_OK);
      expect(await vix.VixDiskLib_Open(connection.value!, '[second] a.qcow2', READ_ONLY, ref())).toBe(
        vix.VIX_OK,
      );
    });
    // Nobody has the images any more who could not be told to let go of them.
    await other.client.close();
    expect(await makeImage('a.qcow2', 1 << 20, ['write 0 64k'])).toBe(path('a.qcow2'));
  });

  test("a connection and a disk of one are none for the other, and for the process's own library", async () => {
    const [one, other] = await twoClients();
    await using _one = one.client;
    await using _other = other.client;
    const buffer = Buffer.alloc(SECTOR);
    for (const run of [other.run, <T>(work: () => T): T => work()]) {
      expect(await run(() => vix.VixDiskLib_Read(one.disk, 0, 1, buffer))).toBe(vix.VIX_E_INVALID_HANDLE);
      expect(await run(() => vix.VixDiskLib_Close(one.disk))).toBe(vix.VIX_E_INVALID_HANDLE);
      expect(await run(() => vix.VixDiskLib_Disconnect(one.connection))).toBe(
        vix.VIX_E_DISK_INVALID_CONNECTION,
      );
      expect(await run(() => vix.VixDiskLib_Open(one.connection, path('a.qcow2'), 0, ref()))).toBe(
        vix.VIX_E_DISK_INVALID_CONNECTION,
      );
    }
    expect(await readByte(one)).toEqual([vix.VIX_OK, 1]);
  });

  test('settings, logs and last reasons are each its own', async () => {
    const [one, other] = await twoClients();
    await using _one = one.client;
    await using _other = other.client;
    const open = (client: Client, name: string): Promise<number> =>
      client.run(() => vix.VixDiskLib_Open(client.connection, name, READ_ONLY, ref()));
    expect(await open(other, '[first] a.qcow2')).toBe(vix.VIX_E_FILE_NAME_INVALID);
    expect(await open(one, '[first] none.qcow2')).toBe(vix.VIX_E_FILE_NOT_FOUND);
    expect(one.log.at(-1)).toContain('none.qcow2');
    expect(other.log.at(-1)).toContain('[first]');
    expect(other.log.join()).not.toContain('none.qcow2');
    const told = (client: Client): string =>
      client.run(() => vix.VixDiskLib_GetErrorText(vix.VIX_E_FILE_NOT_FOUND));
    expect(told(one)).toContain('none.qcow2');
    expect(told(other)).toBe('No such file, or no such disk');
    expect(vix.VixDiskLib_GetErrorText(vix.VIX_E_FILE_NOT_FOUND)).toBe('No such file, or no such disk');
  });

  test('callbacks run for the client whose call they belong to', async () => {
    const [one, other] = await twoClients();
    await using _one = one.client;
    await using _other = other.client;
    const look = ({ disk, connection, run }: Client): Promise<number> =>
      new Promise((resolve) => {
        // His own connection is one inside.
        const inside = () => resolve(vix.VixDiskLib_Open(connection, path('a.qcow2'), READ_ONLY, ref()));
        run(() => vix.VixDiskLib_ReadAsync(disk, 0, 2048, Buffer.alloc(1 << 20), inside, null));
      });
    // Many at a time: later ones wait in line.
    const rounds = Array.from({ length: 6 }, () => [one, other]).flat();
    expect(new Set(await Promise.all(rounds.map(look)))).toEqual(new Set([vix.VIX_OK]));
    const transports: (string | null)[] = [];
    const cloned = await other.run(() =>
      vix.VixDiskLib_Clone(
        other.connection,
        '[second] c.qcow2',
        other.connection,
        '[second] b.qcow2',
        QCOW2,
        () => {
          transports.push(vix.VixDiskLib_GetTransportMode(other.disk));
          return true;
        },
      ),
    );
    expect([cloned, transports]).toEqual([vix.VIX_OK, ['file', 'file']]);
  });

  test('a VM that one holds is held against the other, whatever it calls itself, until the one lets go or leaves', async () => {
    const { service } = await startVm();
    const [one, other] = [new vix.Library({ service }), new vix.Library({ service })];
    await using _other = other;
    const params = { vmxSpec: 'web' };
    const ask = (client: vix.Library, call: typeof vix.VixDiskLib_PrepareForAccess): Promise<number> =>
      vix.runWithLibrary(client, () => call(params, 'backup'));
    for (const client of [one, other]) vix.runWithLibrary(client, () => vix.VixDiskLib_InitEx(8, 0, null));
    expect(await ask(one, vix.VixDiskLib_PrepareForAccess)).toBe(vix.VIX_OK);
    expect(await ask(other, vix.VixDiskLib_PrepareForAccess)).toBe(vix.VIX_E_OBJECT_IS_BUSY);
    expect(await ask(other, vix.VixDiskLib_EndAccess)).toBe(vix.VIX_E_NOT_FOUND);
    vix.runWithLibrary(other, () => vix.VixDiskLib_Exit());
    expect(vix.runWithLibrary(other, () => vix.VixDiskLib_InitEx(8, 0, null))).toBe(vix.VIX_OK);
    expect(await ask(other, vix.VixDiskLib_PrepareForAccess)).toBe(vix.VIX_E_OBJECT_IS_BUSY);
    await one.close();
    expect(await ask(other, vix.VixDiskLib_PrepareForAccess)).toBe(vix.VIX_OK);
    expect(await ask(other, vix.VixDiskLib_EndAccess)).toBe(vix.VIX_OK);
  });

  test('what connects while its library is closed is closed, and said', async () => {
    const [one, other] = await twoClients();
    await using _other = other.client;
    const connecting = one.run(() => vix.VixDiskLib_ConnectEx(null, true, null, null, ref()));
    await one.client.close();
    expect([vix.VIX_OK, vix.VIX_E_DISK_NOINIT]).toContain(await connecting);
    expect(await one.run(() => vix.VixDiskLib_ConnectEx(null, true, null, null, ref()))).toBe(
      vix.VIX_E_DISK_NOINIT,
    );
    one.run(() => expect(vix.VixDiskLib_InitEx(8, 0, null)).toBe(vix.VIX_OK));
    expect(await one.run(() => vix.VixDiskLib_ConnectEx(null, true, null, null, ref()))).toBe(
      vix.VIX_E_DISK_NOINIT,
    );
  });
});
