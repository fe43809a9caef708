// The service as a client meets it, over TLS: what a login takes, and what it takes to tell name and power state of a thousand VMs that are off. The
// peer of a login is a request without one on a connection that is new as well; of the VMs, their names alone.
import { execFile } from 'node:child_process';
import { copyFile, mkdir, rm } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { connect } from 'qemu-cbt/vsphere';
import { makeCertificate } from '../dist/service/http/certificate.js';
import { hashPassword } from '../dist/service/users/password.js';
import { VimServer } from '../dist/service/vim/vimServer.js';
import { VimService } from '../dist/service/vim/vimService.js';
import { timed } from './measure.mjs';

const exec = promisify(execFile);
const VMS = 1000;
const PASSWORD = 'correct horse';
const LOGIN_MS = 30;
const MANY_MS = 200;

export async function serveCases(work, only = '') {
  if (!'serve'.includes(only)) return [];
  const folder = join(work, 'serve');
  await mkdir(folder);
  const server = await serve(await makeVms(folder), folder);
  try {
    return [await loginCase(server.port), await manyCase(server.port)];
  } finally {
    await server.service.stop();
    await server.close(0);
    await rm(folder, { recursive: true, force: true });
  }
}

async function makeVms(folder) {
  const path = (at) => join(folder, `${at}.qcow2`);
  await exec('qemu-img', ['create', '-q', '-f', 'qcow2', path(0), '64M']);
  const vms = [];
  for (let at = 0; at < VMS; at += 1) {
    if (at > 0) await copyFile(path(0), path(at));
    vms.push({ name: `vm${at}`, qmpSocket: join(folder, `${at}.qmp`), images: { vda: path(at) } });
  }
  return vms;
}

/** The service on any free port. */
async function serve(vms, folder) {
  const users = [{ name: 'root', role: 'admin', password: await hashPassword(PASSWORD) }];
  const facade = connect({ vms, stateFolder: join(folder, 'state') });
  const service = new VimService(facade, { users: () => Promise.resolve(users) });
  const certificate = makeCertificate(['127.0.0.1']);
  return VimServer.listen(service, { host: '127.0.0.1', port: 0, certificate });
}

function envelope(method, type, value, inner) {
  return `<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><e:Body><${method} xmlns="urn:vim25"><_this type="${type}">${value}</_this>${inner}</${method}></e:Body></e:Envelope>`;
}

/** Status, cookie and length, when the last byte is there. */
function send(port, options, body) {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options }, (response) => {
      let bytes = 0;
      response.on('data', (piece) => {
        bytes += piece.length;
      });
      response.once('end', () =>
        resolve({ status: response.statusCode, cookie: response.headers['set-cookie']?.[0], bytes }),
      );
    });
    asked.once('error', reject);
    asked.end(body);
  });
}

const post = (port, agent, body, cookie = '') =>
  send(
    port,
    { path: '/sdk', method: 'POST', agent, headers: { 'Content-Type': 'text/xml', Cookie: cookie } },
    body,
  );

const LOGIN = envelope(
  'Login',
  'SessionManager',
  'ha-sessionmgr',
  `<userName>root</userName><password>${PASSWORD}</password>`,
);

async function loginCase(port) {
  const ours = await timed(() => post(port, false, LOGIN), { consume: requireDone });
  const peer = await timed(() => send(port, { path: '/sdk/vimServiceVersions.xml', agent: false }), {
    consume: requireDone,
  });
  return {
    case: 'serve: login on a new connection',
    ours,
    peer,
    note: 'the same without a login',
    wanted: `<= ${LOGIN_MS} ms`,
    holds: ours.median <= LOGIN_MS,
  };
}

async function manyCase(port) {
  const agent = new Agent({ keepAlive: true });
  const { cookie } = await post(port, agent, LOGIN);
  const walk =
    '<objectSet><obj type="Folder">ha-folder-vm</obj><skip>1</skip><selectSet xsi:type="TraversalSpec"><type>Folder</type><path>childEntity</path></selectSet></objectSet>';
  const ask = (paths) => {
    const wanted = paths.map((path) => `<pathSet>${path}</pathSet>`).join('');
    const spec = `<specSet><propSet><type>VirtualMachine</type>${wanted}</propSet>${walk}</specSet><options/>`;
    return post(
      port,
      agent,
      envelope('RetrievePropertiesEx', 'PropertyCollector', 'ha-property-collector', spec),
      cookie,
    );
  };
  const ours = await timed(() => ask(['name', 'runtime.powerState']), { consume: requireDone });
  const peer = await timed(() => ask(['name']), { consume: requireDone });
  agent.destroy();
  return {
    case: 'serve: name and power state of 1,000 VMs that are off',
    ours,
    peer,
    note: 'their names alone',
    wanted: `<= ${MANY_MS} ms`,
    holds: ours.median <= MANY_MS,
  };
}

function requireDone({ status }) {
  if (status !== 200) throw new Error(`the service answered ${status}`);
}
