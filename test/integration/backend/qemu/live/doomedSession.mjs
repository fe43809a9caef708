// A process that is made to be killed: it begins a session, asks what changed, and commits; right before the n-th command
// to QEMU, or with the session open, it kills itself.
import net from 'node:net';
import { connectVm } from '../../../../../lib/host/vm.js';

const { socket, nbdSocket, scratch, from, commands, mode, dieOpen } = JSON.parse(process.argv[2]);
let left = commands;
const real = net.Socket.prototype.write;
net.Socket.prototype.write = function write(...args) {
  if (String(args[0]).includes('"execute"')) {
    left -= 1;
    if (left <= 0) process.kill(process.pid, 'SIGKILL');
  }
  return real.apply(this, args);
};
const vm = await connectVm(socket, { nbdSocket });
const session = await vm.begin({ mode, nbdSocket, scratch: { folder: scratch } });
if (dieOpen) process.kill(process.pid, 'SIGKILL');
const disk = await session.openDisk((await vm.disks())[0].disk);
await (await disk.changes({ from })).ranges();
await session.commit();
await vm.close();
process.stdout.write(session.pit);
