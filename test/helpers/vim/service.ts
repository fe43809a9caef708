/** A service on a free port of this machine, for clients of the wire. */
import { onTestFinished } from 'vitest';
import type { ServiceInstance } from '../../../lib/facade/vsphere/index.js';
import { makeCertificate, thumbprint } from '../../../lib/service/http/certificate.js';
import { hashPassword } from '../../../lib/service/users/password.js';
import type { Role, User } from '../../../lib/service/users/usersFile.js';
import { VimServer } from '../../../lib/service/vim/vimServer.js';
import { type CallNote, VimService } from '../../../lib/service/vim/vimService.js';

export const PASSWORD = 'correct horse';
const certificate = makeCertificate(['localhost', '127.0.0.1']);
const password = hashPassword(PASSWORD);

export interface Served {
  server: VimServer;
  service: VimService;
  port: number;
  thumbprint: string;
  cert: string;
  notes: CallNote[];
}

export async function user(name: string, role: Role, vms?: string[]): Promise<User> {
  return { name, role, password: await password, ...(vms !== undefined && { vms }) };
}

/** Users `root` (admin), `backup` and `reader`, all with one password; gone when the test has ended. */
export async function serve(facade: ServiceInstance, more: User[] = []): Promise<Served> {
  const users = [
    await user('root', 'admin'),
    await user('backup', 'backup'),
    await user('reader', 'read'),
    ...more,
  ];
  const notes: CallNote[] = [];
  const service = new VimService(facade, {
    users: () => Promise.resolve(users),
    note: (note) => void notes.push(note),
  });
  const server = await VimServer.listen(service, { host: '127.0.0.1', port: 0, certificate });
  onTestFinished(async () => {
    await service.stop();
    await server.close(0);
  });
  return {
    server,
    service,
    port: server.port,
    thumbprint: thumbprint(certificate.cert),
    cert: certificate.cert,
    notes,
  };
}
