// Both builds must give the same addon: builds with node-gyp the way a machine would that has no headers, no caches and no
// network, then loads what either build made into a Node of its own and asks it something.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const BUILDS = ['build/Release', 'build-gyp/build/Release'];
/** All that bitmap.node may ask of the machine it runs on. */
const LIBRARIES = /^(libc|libm|libstdc\+\+|libgcc_s|ld-linux[-\w]*|libpthread)\.so/;

const QUESTION = `
  const addon = require(process.argv[1]);
  const bytes = Uint8Array.of(0x65, 0x80, 0x01);
  const segments = [{ granularityBytes: 512, bits: { kind: 'memory', bytes } }];
  addon.scanBitmaps(segments, 512, 0, 1e6, Infinity, undefined).then(({ ranges, nextBytes }) =>
    console.log(JSON.stringify([addon.interface, addon.path, [...ranges], nextBytes])));
`;
const ANSWER = /^\[2,"(avx2|portable)",\[0,512,1024,512,2560,1024,7680,1024\],1000000\]$/;

/** The environment without what would lead a build to headers of this machine; any download meets a closed port. */
function bareEnvironment(home) {
  const kept = Object.entries(process.env).filter(([name]) => !/^npm_|proxy$/i.test(name));
  const nowhere = { http_proxy: 'http://127.0.0.1:9', https_proxy: 'http://127.0.0.1:9' };
  return { ...Object.fromEntries(kept), ...nowhere, HOME: home, npm_config_userconfig: join(home, '.npmrc') };
}

function buildBare() {
  const home = mkdtempSync(join(tmpdir(), 'cbt-home-'));
  try {
    const build = [join(root, 'scripts/build-native.mjs'), '--gyp'];
    // Whether it builds and what the addon needs is asked, not how fast it is: the compiler's own time is most of this check.
    const env = { ...bareEnvironment(home), CFLAGS: '-O0', CXXFLAGS: '-O0' };
    const options = { cwd: root, env, encoding: 'utf8' };
    const { status, stderr } = spawnSync(process.execPath, build, options);
    if (status !== 0) throw new Error(`node-gyp did not build:\n${stderr.slice(-4000)}`);
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

function check(addon) {
  const said = execFileSync(process.execPath, ['-e', QUESTION, addon], { encoding: 'utf8' }).trim();
  if (!ANSWER.test(said)) throw new Error(`${addon} answers ${said}`);
  const needed = execFileSync('readelf', ['-d', addon], { encoding: 'utf8' })
    .split('\n')
    .flatMap((line) => /\(NEEDED\).*\[(.*)\]/.exec(line)?.[1] ?? []);
  const foreign = needed.filter((library) => !LIBRARIES.test(library));
  if (foreign.length > 0) throw new Error(`${addon} needs ${foreign.join(', ')}`);
  console.log(`${addon}: ${said.slice(0, 24)}…, needs ${needed.join(' ')}`);
}

buildBare();
for (const folder of BUILDS) check(join(root, folder, 'bitmap.node'));
