/** The TypeScript that documents and docstrings print is held against the types: a call that no longer exists is found here. */
import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { makeTemporaryFolder } from '../helpers/temporaryFolder.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** What a document lets its reader bring along. */
const GIVEN = `
declare const pit: string, uuid: string, previousUuid: string;
declare function copy(offset: number, length: number): void;
declare const TIMEOUT: number, buffer: Buffer;
declare function save(data: Buffer): void;
declare function fail(code: number): never;
`;

/** What the examples of a subpath begin from, told by the names that they use. */
const AT_HAND: Record<string, Record<string, string>> = {
  parallels: Object.fromEntries(
    ['server', 'vm', 'disk', 'backup', 'job', 'result', 'event', 'map', 'list', 'policy', 'buffer'].map(
      (name) => [name, name === 'buffer' ? 'Buffer' : 'PRL_HANDLE'],
    ),
  ),
  vixdisklib: {
    connection: 'VixDiskLibConnection',
    params: 'VixDiskLibConnectParams',
    handle: 'VixDiskLibHandle',
    createParams: 'VixDiskLibCreateParams',
    list: 'VixDiskLibBlockList | null',
    info: 'Ref<VixDiskLibInfo | undefined>',
  },
};

interface Snippet {
  where: string;
  code: string;
  /** Of an example in a docstring, the subpath that it is of. */
  subpath: string | null;
}

/** The snippets of a text; in a docstring, each line behind a star. */
function snippetsIn(file: string, text: string, subpath: string | null): Snippet[] {
  const found = subpath === null ? /^```ts\n(.*?)^```$/gms : /^ *\* ```ts\n(.*?)^ *\* ```$/gms;
  return [...text.matchAll(found)].map((match) => {
    const line = text.slice(0, match.index).split('\n').length;
    const code = (match[1] ?? '').replaceAll(subpath === null ? /$^/g : /^ *\* ?/gm, '');
    return { where: `${file.replaceAll(/\W/g, '_')}_${line}`, code, subpath };
  });
}

/** What is not in one of them is the package's own, or of all facades. */
const SUBPATHS = ['backup', 'testing', 'otel', 'facade/parallels', 'facade/vsphere', 'facade/vixdisklib'];

async function snippets(): Promise<Snippet[]> {
  const docs = (await readdir(join(root, 'docs'))).filter((name) => name.endsWith('.md'));
  const sources = await readdir(join(root, 'lib'), { recursive: true });
  const files = [
    ...['README.md', ...docs.map((name) => `docs/${name}`)].map((file) => ({ file, subpath: null })),
    ...sources
      .filter((file) => file.endsWith('.ts'))
      .map((file) => {
        const room = SUBPATHS.find((one) => file.startsWith(`${one}/`)) ?? '';
        const ofAll = room === '' && file.startsWith('facade/');
        return { file: `lib/${file}`, subpath: ofAll ? 'parallels' : room.replace('facade/', '') };
      }),
  ];
  const found = files.map(async ({ file, subpath }) =>
    snippetsIn(file, await readFile(join(root, file), 'utf8'), subpath),
  );
  return (await Promise.all(found)).flat();
}

/** The names that each subpath exports, as the report of the public declarations has them. */
async function exported(): Promise<Map<string, string[]>> {
  const report = await readFile(join(root, 'docs/api-report.txt'), 'utf8');
  const [, ...sections] = report.split(/^=== qemu-cbt/m);
  return new Map(
    sections.map((section) => {
      const names = section.matchAll(/^(?:abstract )?(?:function|class|interface|type|const) (\w+)/gm);
      return [
        /^(?:\/(\w+))?/.exec(section)?.[1] ?? '',
        [...new Set([...names].map(([, name]) => String(name)))],
      ];
    }),
  );
}

/** A snippet as a module of its own; names that it uses without importing them come from its subpath, or are at hand. */
function moduleOf({ code, subpath }: Snippet, names: Map<string, string[]>): string {
  if (subpath === null && /^import /m.test(code)) return `${code}${GIVEN}`;
  const from = subpath ?? 'parallels';
  const given =
    subpath === null
      ? `${GIVEN}declare const vm: number;\n`
      : Object.entries(AT_HAND[from] ?? {})
          .filter(([name]) => !new RegExp(`(const|using) ${name}\\b`).test(code))
          .map(([name, type]) => `declare const ${name}: ${type};\n`)
          .join('');
  const imported = new Set(
    [...code.matchAll(/^import (?:type )?\{(.*?)\}/gms)].flatMap((match) => match[1]?.match(/\w+/g) ?? []),
  );
  const used = (names.get(from) ?? []).filter(
    (name) => !imported.has(name) && new RegExp(`\\b${name}\\b`).test(code + given),
  );
  return `import { ${used.join(', ')} } from 'qemu-cbt${from === '' ? '' : `/${from}`}';\n${code}${given}`;
}

test('every snippet of the documents and every example of a docstring fits the types', async () => {
  const folder = await makeTemporaryFolder();
  try {
    const all = await snippets();
    expect(all.filter(({ subpath }) => subpath === null).length).toBeGreaterThanOrEqual(5);
    expect(all.filter(({ subpath }) => subpath !== null).length).toBeGreaterThanOrEqual(120);
    const names = await exported();
    await mkdir(join(folder.path, 'src'));
    await writeFile(join(folder.path, 'package.json'), '{"type":"module"}');
    for (const one of all) await writeFile(join(folder.path, 'src', `${one.where}.ts`), moduleOf(one, names));
    const paths = {
      'qemu-cbt': [join(root, 'lib/index.ts')],
      'qemu-cbt/backup': [join(root, 'lib/backup/index.ts')],
      'qemu-cbt/testing': [join(root, 'lib/testing/index.ts')],
      'qemu-cbt/otel': [join(root, 'lib/otel/index.ts')],
      '@opentelemetry/api': [join(root, 'node_modules/@opentelemetry/api/build/src/index.d.ts')],
      'qemu-cbt/*': [join(root, 'lib/facade/*/index.ts')],
    };
    const typeRoots = [join(root, 'node_modules/@types')];
    const compilerOptions = {
      paths,
      typeRoots,
      noUnusedLocals: false,
      verbatimModuleSyntax: false,
      isolatedModules: false,
    };
    const config = { extends: join(root, 'tsconfig.json'), compilerOptions, include: ['src'] };
    await writeFile(join(folder.path, 'tsconfig.json'), JSON.stringify(config));
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    const { stdout } = await promisify(execFile)(process.execPath, [tsc, '-p', folder.path]).catch(
      (error: { stdout: string }) => error,
    );
    expect(stdout.replaceAll(relative(process.cwd(), folder.path), '')).toBe('');
  } finally {
    await folder.remove();
  }
}, 60_000);
