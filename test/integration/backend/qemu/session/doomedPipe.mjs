// A process that is made to be killed: it begins a session through a pipe, and kills itself with the session open.
import { QueryServer } from '../../../../../lib/backend/qemu/live/queryServer.js';
import { VmHandle } from '../../../../../lib/backend/qemu/vmHandle.js';
import { loadKernel } from '../../../../../lib/kernel/load.js';
import { OwnedHost, PipePort } from '../../../../helpers/pipePort.js';

const { pipe, key, place } = JSON.parse(process.argv[2]);
const client = await PipePort.connect(pipe, new OwnedHost(key, place));
const connection = { socket: client.name, client, server: new QueryServer(client), sources: new Set() };
await new VmHandle(connection, await loadKernel({ kernel: 'script' })).begin();
process.kill(process.pid, 'SIGKILL');
