import { mkdirSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { codeOf, path, prl, ref, textOf, useLibrary } from './support.js';

useLibrary();

describe('PrlSrv_LoginLocal', () => {
  const login = async (): Promise<number> => {
    const server = ref<number>();
    prl.PrlSrv_Create(server);
    return codeOf(prl.PrlSrv_LoginLocal(Number(server.value), '', 0, prl.PSL_HIGH_SECURITY));
  };
  test('reads the VMs from a file or a folder, and says what is wrong with it', async () => {
    const file = path('vms.json');
    prl.configureLocalServer(file);
    expect(await login()).toBe(prl.PRL_ERR_FILE_NOT_FOUND);
    writeFileSync(file, '{');
    expect(await login()).toBe(prl.PRL_ERR_INVALID_PARAM);
    writeFileSync(file, '{"vms":[{"name":"a"}]}');
    expect(await login()).toBe(prl.PRL_ERR_INVALID_PARAM);
    expect(
      await textOf((text, n) => prl.PrlApi_GetResultDescription(prl.PRL_ERR_INVALID_PARAM, 0, 0, text, n)),
    ).toContain('vms.0.qmp');
    writeFileSync(file, '{"vms":[{"name":"a","qmpSocket":"/run/a.qmp"}]}');
    expect(await login()).toBe(0);
    mkdirSync(path('sockets'));
    writeFileSync(path('sockets/web.qmp'), '');
    writeFileSync(path('sockets/readme'), '');
    prl.configureLocalServer(path('sockets'));
    await using server = new prl.LocalServer();
    await server.login();
    expect((await server.vms()).map(({ name }) => name)).toEqual(['web']);
  });
  test('needs to be told where the VMs are', async () => {
    expect(await login()).toBe(prl.PRL_ERR_FILE_NOT_FOUND);
  });
});
