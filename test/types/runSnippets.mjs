// Runs the modules of a plan (snippetWorld.ts), one after another, each with what it begins from; tells how each one ended as JSON.
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import * as prl from 'qemu-cbt/parallels';
import * as vix from 'qemu-cbt/vixdisklib';

const { folder, objects, points, nbd, snippets } = JSON.parse(await readFile(process.argv[2], 'utf8'));
const at = (name) => join(folder, name);

/** What the SDK says of a code, with the newest reason for it. */
function reasonOf(code) {
  const text = Buffer.alloc(2048);
  prl.PrlApi_GetResultDescription(code, prl.PRL_FALSE, prl.PRL_FALSE, text, prl.ref(text.length));
  return text.toString('utf8', 0, text.indexOf(0));
}

/** What documents let their reader bring along. */
Object.assign(globalThis, {
  pit: points.previousUuid,
  ...points,
  TIMEOUT: 30_000,
  copy() {},
  save() {},
  fail(code) {
    throw new Error(reasonOf(code));
  },
  signedFetch: (url, init) =>
    fetch(url.replace(/^https:\/\/[^/]+\//, objects), {
      ...init,
      headers: { ...init.headers, authorization: 'signed' },
    }),
});

const worked = (code, what) => {
  if (code !== 0) throw new Error(`${what}: ${code}`);
};

/** What the job gave. */
async function resultOf(job) {
  await prl.PrlJob_Wait(job, 30_000);
  const [code, result, handle] = [prl.ref(), prl.ref(), prl.ref()];
  prl.PrlJob_GetRetCode(job, code);
  worked(code.value, 'the job');
  prl.PrlJob_GetResult(job, result);
  prl.PrlResult_GetParam(result.value, handle);
  return { result: result.value, handle: handle.value };
}

const out = async (work) => {
  const box = prl.ref();
  worked(await work(box), 'what it begins from');
  return box.value;
};
const once = (make) => {
  let made;
  return () => (made ??= make());
};

/** The objects that examples of `qemu-cbt/parallels` begin from, made where they are wanted. */
function ofParallels() {
  const server = once(async () => {
    const made = await out((box) => prl.PrlSrv_Create(box));
    await resultOf(prl.PrlSrv_LoginLocal(made));
    return made;
  });
  const vm = once(async () => (await resultOf(prl.PrlSrv_GetVmConfig(await server(), 'web'))).handle);
  const disk = once(() =>
    out((box) =>
      prl.PrlDisk_OpenDisk_Local(
        box,
        `nbd+unix:///disk?socket=${nbd}`,
        prl.PRL_DISK_READ | prl.PRL_DISK_WRITE,
      ),
    ),
  );
  const policy = once(() => out((box) => prl.PrlDiskOpenPolicy_CreateOffset(box, 512)));
  // One that has an error and a result: of a login that was refused, and of a list.
  const failed = once(() => prl.PrlSrv_GetVmConfig(0, 'web'));
  const done = once(async () => prl.PrlSrv_GetVmList(await server()));
  return {
    server,
    vm,
    disk,
    policy,
    backup: async () => (await resultOf(prl.PrlVm_BeginBackup(await vm(), prl.PBMBF_CREATE_MAP))).handle,
    map: async () => {
      const opened = await disk();
      return out((box) => prl.PrlDisk_GetChangesMap_Local(opened, null, null, box));
    },
    job: async (code) => {
      const job = await (/GetError/.test(code) ? failed() : done());
      await prl.PrlJob_Wait(job, 30_000);
      return job;
    },
    result: async () => (await resultOf(await done())).result,
    event: async () => {
      await prl.PrlJob_Wait(failed(), 30_000);
      return out((box) => prl.PrlJob_GetError(failed(), box));
    },
    list: async (code) => {
      const ofHandles = /Hndl/.test(code);
      const list = await out((box) =>
        ofHandles ? prl.PrlApi_CreateHandlesList(box) : prl.PrlApi_CreateStringsList(box),
      );
      if (ofHandles) prl.PrlHndlList_AddItem(list, await policy());
      else prl.PrlStrList_AddItem(list, 'first');
      return list;
    },
    buffer: async () => Buffer.alloc(65_536),
  };
}

/** The same for `qemu-cbt/vixdisklib`; its connection and handle serve until an example ends them. */
function ofVixDiskLib() {
  const params = once(() => ({ ...vix.VixDiskLib_AllocateConnectParams() }));
  const connection = once(() => out((box) => vix.VixDiskLib_Connect(params(), box)));
  const handle = once(async () => {
    const connected = await connection();
    return out((box) => vix.VixDiskLib_Open(connected, at('kept.qcow2'), 0, box));
  });
  return {
    params: async () => params(),
    connection,
    handle,
    createParams: async () => ({
      diskType: vix.VIXDISKLIB_DISK_MONOLITHIC_SPARSE,
      adapterType: vix.VIXDISKLIB_ADAPTER_SCSI_LSILOGIC,
      hwVersion: vix.VIXDISKLIB_HWVERSION_CURRENT,
      capacity: 8192,
    }),
    list: async () => {
      const opened = await handle();
      return out((box) =>
        vix.VixDiskLib_QueryAllocatedBlocks(opened, 0, 2048, vix.VIXDISKLIB_MIN_CHUNK_SIZE, box),
      );
    },
    info: async () => {
      const box = vix.ref();
      worked(vix.VixDiskLib_GetInfo(await handle(), box), 'GetInfo');
      return box;
    },
  };
}

let given = ofVixDiskLib();
vix.VixDiskLib_InitEx(8, 0, null);

/** A number of the SDK by its name. */
const nameOf = (constants, prefix, code) =>
  Object.keys(constants).find((name) => name.startsWith(prefix) && constants[name] === code) ?? String(code);

/** What a call answered, or the job that it began ended with; `ok` where all is well. */
async function judge(subpath, answer) {
  if (typeof answer !== 'number') return 'ok';
  if (subpath === 'vixdisklib') return answer === 0 ? 'ok' : nameOf(vix, 'VIX_E_', answer);
  const type = prl.ref();
  prl.PrlHandle_GetType(answer, type);
  const code = prl.ref(answer);
  if (type.value === prl.PHT_JOB) {
    await prl.PrlJob_Wait(answer, 30_000);
    prl.PrlJob_GetRetCode(answer, code);
  }
  return code.value === 0 ? 'ok' : nameOf(prl, 'PRL_ERR_', code.value);
}

async function fresh(code) {
  for (const name of ['vm', 'backup', 'restored']) {
    if (!code.includes(`/${name}/`)) continue;
    await rm(at(name), { recursive: true });
    await cp(at(`pristine/${name}`), at(name), { recursive: true });
  }
}

async function run({ module, code, subpath, atHand }) {
  await fresh(code);
  prl.configureLocalServer(undefined);
  prl.configureDisks({ trust: false });
  const isParallels = subpath === 'parallels';
  if (isParallels) prl.PrlApi_Init(prl.VIRTUOZZO_API_VER);
  const made = isParallels ? ofParallels() : given;
  try {
    for (const name of atHand) globalThis[name] = await made[name](code);
    const text = await readFile(module, 'utf8');
    await writeFile(module, text.replaceAll(/(['`])\/(?=[a-z])/g, `$1${folder}/`));
    const { answer } = await import(pathToFileURL(module).href);
    return await judge(subpath, answer);
  } catch (error) {
    return `${error?.code ?? error?.name}: ${String(error?.message).replaceAll(folder, '')}`;
  } finally {
    for (const name of atHand) delete globalThis[name];
    if (isParallels) while ((await prl.PrlApi_Deinit()) === 0);
    if (/VixDiskLib_(Close|Disconnect|Exit)\b/.test(code)) {
      // What it ended is made anew for the next one.
      vix.VixDiskLib_Exit();
      vix.VixDiskLib_InitEx(8, 0, null);
      given = ofVixDiskLib();
    }
  }
}

process.chdir(at('vm'));
// What they print is for their reader.
for (const way of ['log', 'warn', 'error']) console[way] = () => undefined;
const ended = {};
for (const one of snippets) ended[one.name] = await run(one);
vix.VixDiskLib_Exit();
process.stdout.write(`\n${JSON.stringify(ended)}\n`, () => process.exit(0));
