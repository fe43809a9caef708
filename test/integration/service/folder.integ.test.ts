/** A VM's files over HTTPS, as libvirt, nbdkit and virt-v2v ask for them: what the guest had at the snapshot, byte for byte. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import type { IncomingHttpHeaders } from 'node:http';
import { request } from 'node:https';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { MIB, startVm } from '../../conformance/vsphere/support.js';
import { qemuImg } from '../../helpers/qemuTools.js';
import { PASSWORD, serve } from '../../helpers/vim/service.js';

const run = promisify(execFile);
const AT = '?dcPath=ha-datacenter&dsName=local';

interface Got {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

function asker(port: number, user = 'backup', password = PASSWORD) {
  const auth = user === '' ? undefined : `${user}:${password}`;
  return (
    path: string,
    { method = 'GET', headers = {} }: { method?: string; headers?: Record<string, string> } = {},
  ): Promise<Got> =>
    new Promise((resolve, reject) => {
      const options = {
        host: '127.0.0.1',
        port,
        path,
        method,
        headers,
        auth,
        rejectUnauthorized: false,
        agent: false,
      };
      const asked = request(options, (response) => {
        response.toArray().then(
          (pieces) =>
            resolve({
              status: response.statusCode!,
              headers: response.headers,
              body: Buffer.concat(pieces),
            }),
          reject,
        );
      });
      asked.on('error', reject);
      asked.end();
    });
}

const sum = (data: Buffer): string => createHash('sha256').update(data).digest('hex');

describe('the files of a VM that runs', () => {
  test('are there while there is a snapshot, and hold what the guest had then', async () => {
    const { service: facade, vm, daemon } = await startVm({ sizeBytes: 16 * MIB });
    await daemon.guestIo('d', `write -P 7 ${MIB} 3M`, `write -P 9 ${9 * MIB} 64k`);
    const { port } = await serve(facade);
    const get = asker(port);
    const flat = `/folder/web/d-flat.vmdk${AT}`;
    expect((await get(flat)).status).toBe(403);
    const taken = await vm.CreateSnapshot_Task('a', '', false, false).wait();
    await daemon.guestIo('d', `write -P 1 ${2 * MIB} 4M`);

    const expected = Buffer.alloc(16 * MIB);
    expected.fill(7, MIB, 4 * MIB);
    expected.fill(9, 9 * MIB, 9 * MIB + 65_536);
    const head = await get(flat, { method: 'HEAD' });
    expect([head.status, head.headers['content-length'], head.body.length]).toEqual([
      200,
      String(16 * MIB),
      0,
    ]);
    const whole = await get(flat);
    expect([whole.status, sum(whole.body)]).toEqual([200, sum(expected)]);
    const part = await get(flat, { headers: { Range: `bytes=${3 * MIB}-${3 * MIB + 65_536}` } });
    expect([part.status, part.headers['content-range']]).toEqual([
      206,
      `bytes ${3 * MIB}-${3 * MIB + 65_536}/${16 * MIB}`,
    ]);
    expect(part.body.equals(expected.subarray(3 * MIB, 3 * MIB + 65_537))).toBe(true);
    const past = await get(flat, { headers: { Range: `bytes=${16 * MIB}-` } });
    expect([past.status, past.headers['content-range']]).toEqual([416, `bytes */${16 * MIB}`]);
    // Many at once, over-escaped as some clients write it.
    const pieces = await Promise.all(
      Array.from({ length: 16 }, (_, i) =>
        get(`/folder/web%2Fd%2Dflat.vmdk?dcPath=/ha-datacenter&dsName=local`, {
          headers: { Range: `bytes=${i * MIB}-${(i + 1) * MIB - 1}` },
        }),
      ),
    );
    expect(sum(Buffer.concat(pieces.map(({ body }) => body)))).toBe(sum(expected));

    // Removing it does not wait for whoever has its content open.
    await taken.RemoveSnapshot_Task(false).wait();
    expect((await get(flat)).status).toBe(403);
  }, 60_000);

  test('are those who may see them, and no others', async () => {
    const { service: facade } = await startVm({ sizeBytes: MIB });
    const { port } = await serve(facade);
    const [nobody, wrong, reader, get] = [
      asker(port, ''),
      asker(port, 'backup', 'x'),
      asker(port, 'reader'),
      asker(port),
    ];
    expect((await nobody(`/folder/web/web.vmx${AT}`)).headers['www-authenticate']).toBe(
      'Basic realm="qemu-cbt"',
    );
    expect((await wrong(`/folder/web/web.vmx${AT}`)).status).toBe(401);
    expect((await reader(`/folder/web/d-flat.vmdk${AT}`)).status).toBe(403);
    const vmx = await reader(`/folder/web/web.vmx${AT}`);
    expect([vmx.status, vmx.headers['set-cookie']?.[0]]).toEqual([
      200,
      expect.stringContaining('vmware_soap_session'),
    ]);
    expect(vmx.body.toString()).toContain('scsi0:0.fileName = "d.vmdk"\n');
    expect((await get(`/folder/web/d.vmdk${AT}`)).body.toString()).toContain(
      `RW ${MIB / 512} VMFS "d-flat.vmdk"`,
    );
    expect((await get(`/folder/web${AT}`)).body.toString()).toContain('<a href="d-flat.vmdk">');
    expect((await get(`/folder/web/web.vmx${AT}`, { method: 'PUT' })).status).toBe(403);
    for (const path of [
      '/folder/web/../../etc/passwd',
      '/folder//etc/passwd',
      '/folder/web/%2e%2e/x',
      '/folder/web/%00',
      '/folder/%',
      '/folder/other/d.vmdk',
      '/folder/web/none',
    ])
      expect([path, (await get(`${path}${AT}`)).status]).toEqual([path, 404]);
    expect((await get('/folder/web/web.vmx?dcPath=ha-datacenter&dsName=other')).status).toBe(404);
  }, 60_000);
});

test('libvirt describes the VM, and nbdkit and nbdcopy read the disk', async () => {
  const { service: facade, vm, daemon, folder } = await startVm({ sizeBytes: 16 * MIB });
  await daemon.guestIo('d', `write -P 7 ${MIB} 3M`);
  const { port } = await serve(facade);
  const auth = join(folder, 'auth.conf');
  await writeFile(
    auth,
    `[credentials-x]\nusername=backup\npassword=${PASSWORD}\n[auth-esx-127.0.0.1]\ncredentials=x\n`,
  );
  const env = { ...process.env, LIBVIRT_AUTH_FILE: auth };
  const { stdout: xml } = await run(
    'virsh',
    ['-c', `esx://backup@127.0.0.1:${port}/?no_verify=1`, 'dumpxml', 'web'],
    { env },
  );
  expect(xml).toContain("<source file='[local] web/d.vmdk'/>");
  expect(xml).toContain(`<uuid>${vm.config.uuid}</uuid>`);
  await vm.CreateSnapshot_Task('a', '', false, false).wait();
  await writeFile(join(folder, 'password'), PASSWORD, { mode: 0o600 });
  const copy = join(folder, 'copy.raw');
  await run('nbdkit', [
    '-r',
    '-U',
    '-',
    'curl',
    `url=https://127.0.0.1:${port}/folder/web/d-flat.vmdk${AT}`,
    'sslverify=false',
    'user=backup',
    `password=+${join(folder, 'password')}`,
    '--run',
    `nbdcopy "$uri" ${copy}`,
  ]);
  const expected = Buffer.alloc(16 * MIB);
  expected.fill(7, MIB, 4 * MIB);
  expect(sum(await readFile(copy))).toBe(sum(expected));
  await qemuImg('compare', '-f', 'raw', '-F', 'qcow2', '-U', copy, join(folder, 'd.qcow2'));
}, 60_000);
