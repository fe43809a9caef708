/** `qemu-cbt serve` as a process of its own, and what an operator and a client do to it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { qemuImg } from '../qemuTools.js';
import { makeTemporaryFolder } from '../temporaryFolder.js';
import { PASSWORD } from './service.js';
import { call } from './soapClient.js';

const COMMAND = fileURLToPath(new URL('../../../bin/qemu-cbt.js', import.meta.url));

export interface Ready {
  url: string;
  thumbprint: string;
  vms: number;
  metrics: string;
}

/** A folder with a host file that names the VM `web`, off, with an image of 8 MiB, and listens on free ports; nobody is a user yet. */
export async function makeHost(): Promise<{
  folder: string;
  host: string;
  env: NodeJS.ProcessEnv;
  /** `more`: lines behind the VMs and wires. */
  write(vms: string[], more?: string): Promise<void>;
}> {
  const temporary = await makeTemporaryFolder();
  onTestFinished(() => temporary.remove());
  const folder = temporary.path;
  const host = join(folder, 'host.yaml');
  const write = async (vms: string[], more = ''): Promise<void> => {
    const entries = vms.map(
      (name) =>
        `  - name: ${name}\n    qmpSocket: ${folder}/${name}.qmp\n    images: {vda: ${folder}/${name}.qcow2}\n`,
    );
    await writeFile(
      host,
      `vms:\n${entries.join('')}wires:\n  vim:\n    address: 127.0.0.1:0\n    users: ${folder}/users.json\n  metrics:\n    address: 127.0.0.1:0\n${more}`,
    );
  };
  await write(['web']);
  await qemuImg('create', '-q', '-f', 'qcow2', join(folder, 'web.qcow2'), '8M');
  const env = { ...process.env, QEMU_CBT_STATE: join(folder, 'state'), QEMU_CBT_HOST: host };
  return { folder, host, env, write };
}

/** One run of the command. */
export async function runCommand(
  env: NodeJS.ProcessEnv,
  args: string[],
  input = '',
): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [COMMAND, ...args], { env });
  child.stdin.end(input);
  const [stdout, stderr, [code]] = await Promise.all([
    child.stdout.toArray(),
    child.stderr.toArray(),
    once(child, 'exit'),
  ]);
  return {
    code: Number(code),
    stdout: Buffer.concat(stdout).toString(),
    stderr: Buffer.concat(stderr).toString(),
  };
}

/** A service and its log. */
export async function startServing(env: NodeJS.ProcessEnv): Promise<{
  child: ChildProcess;
  ready: Ready;
  logged(event: string): Promise<string>;
  ended: Promise<unknown[]>;
}> {
  const child = spawn(process.execPath, [COMMAND, 'serve', '--json'], { env });
  const ended = once(child, 'exit');
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const lines: string[] = [];
  const waiting: (() => void)[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => {
    lines.push(line);
    for (const wake of waiting.splice(0)) wake();
  });
  const logged = async (event: string): Promise<string> => {
    for (;;) {
      const at = lines.findIndex((line) => line.includes(`event=${event}`));
      if (at >= 0) return lines.splice(at, 1)[0]!;
      await new Promise<void>((wake) => void waiting.push(wake));
    }
  };
  const out = createInterface({ input: child.stdout });
  const [line] = await Promise.race([once(out, 'line'), ended.then(() => [`ended: ${lines.join('\n')}`])]);
  return { child, ready: JSON.parse(line as string) as Ready, logged, ended };
}

/** A request, and what came back. */
export function post(
  url: string,
  body: string,
  cookie = '',
): Promise<{ status: number; text: string; cookie: string }> {
  return new Promise((resolve, reject) => {
    const headers = { 'Content-Type': 'text/xml; charset=utf-8', ...(cookie !== '' && { Cookie: cookie }) };
    const asked = request(
      url,
      { method: 'POST', headers, rejectUnauthorized: false, agent: false },
      (response) => {
        response.toArray().then(
          (pieces) =>
            resolve({
              status: response.statusCode!,
              text: Buffer.concat(pieces).toString(),
              cookie: response.headers['set-cookie']?.[0] ?? '',
            }),
          reject,
        );
      },
    );
    asked.on('error', reject);
    asked.end(body);
  });
}

/** Logs `ops` in. */
export const login = (url: string) =>
  post(
    url,
    call(
      'Login',
      'SessionManager',
      'ha-sessionmgr',
      `<userName>ops</userName><password>${PASSWORD}</password>`,
    ),
  );
