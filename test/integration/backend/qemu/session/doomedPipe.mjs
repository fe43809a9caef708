// A process that is made to be killed: it begins a session through a pipe, and kills itself with the session open.
import { pathToFileURL } from 'node:url';

const { built, pipe, key, place } = JSON.parse(process.argv[2]);
const load = (file) => import(pathToFileURL(`${built}/${file}`).href);
const { OwnedHost, PipePort } = await load('test/helpers/pipePort.js');
const { QueryServer } = await load('lib/backend/qemu/live/queryServer.js');
const { VmHandle } = await load('lib/backend/qemu/vmHandle.js');
const { loadKernel } = await load('lib/kernel/load.js');
const client = await PipePort.connect(pipe, new OwnedHost(key, place));
const connection = { socket: client.name, client, server: new QueryServer(client), sources: new Set() };
await new VmHandle(connection, await loadKernel({ kernel: 'script' })).begin();
process.kill(process.pid, 'SIGKILL');
