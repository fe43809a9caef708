/** The programs that documents and docstrings print, each as a module of its own: to be compiled, and to be run. */
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

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

export interface Snippet {
  /** File, and line in it. */
  where: string;
  /** The file; of the second one in it with `#2`, and so on. */
  name: string;
  code: string;
  language: 'ts' | 'js';
  /** Of an example in a docstring, the subpath that it is of. */
  subpath: string | null;
}

/** The snippets of a text; in a docstring, each line behind a star. */
function snippetsIn(file: string, text: string, subpath: string | null): Snippet[] {
  const found = subpath === null ? /^```(ts|js)\n(.*?)^```$/gms : /^ *\* ```(ts)\n(.*?)^ *\* ```$/gms;
  return [...text.matchAll(found)].map((match, at) => {
    const line = text.slice(0, match.index).split('\n').length;
    const code = (match[2] ?? '').replaceAll(subpath === null ? /$^/g : /^ *\* ?/gm, '');
    const name = at === 0 ? file : `${file}#${at + 1}`;
    return { where: `${file}:${line}`, name, code, language: match[1] === 'js' ? 'js' : 'ts', subpath };
  });
}

/** What is not in one of them is the package's own, or of all facades. */
const SUBPATHS = ['backup', 'testing', 'otel', 'facade/parallels', 'facade/vsphere', 'facade/vixdisklib'];

export async function findSnippets(): Promise<Snippet[]> {
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

/** The names at hand that a snippet uses and does not make. */
export function atHand({ code, subpath }: Snippet): string[] {
  const from = subpath ?? (/^import /m.test(code) ? '' : 'parallels');
  const isUsed = (name: string): boolean =>
    new RegExp(`\\b${name}\\b`).test(code) && !new RegExp(`(const |using |, )${name} = `).test(code);
  return Object.keys(AT_HAND[from] ?? {}).filter(isUsed);
}

/** A snippet as a module of its own; names that it uses without importing them come from its subpath, or are at hand. */
function moduleOf(snippet: Snippet, names: Map<string, string[]>): string {
  const { code, language, subpath } = snippet;
  if (language === 'js') return code;
  if (subpath === null && /^import /m.test(code)) return `${code}${GIVEN}`;
  const from = subpath ?? 'parallels';
  const given =
    subpath === null
      ? `${GIVEN}declare const vm: number;\n`
      : atHand(snippet)
          .map((name) => `declare const ${name}: ${AT_HAND[from]?.[name]};\n`)
          .join('');
  const imported = new Set(
    [...code.matchAll(/^import (?:type )?\{(.*?)\}/gms)].flatMap((match) => match[1]?.match(/\w+/g) ?? []),
  );
  const used = (names.get(from) ?? []).filter(
    (name) => !imported.has(name) && new RegExp(`\\b${name}\\b`).test(code + given),
  );
  return `import { ${used.join(', ')} } from 'qemu-cbt${from === '' ? '' : `/${from}`}';\n${code}${given}`;
}

/** What an SDK's call answered is there to be looked at when the snippet has run. */
function told(code: string): string {
  const [, name] = /^const (code|\w*ing|job|login) = (?:await )?(?:Prl|VixDiskLib_)/m.exec(code) ?? [];
  return name === undefined ? '' : `\nexport { ${name} as answer };\n`;
}

/** The name of a snippet's module. */
export function moduleName({ where }: Snippet): string {
  return where.replaceAll(/\W/g, '_');
}

/** Writes them as modules into `src` of the folder, beside the package as its users have it, with what compiles them strictly into `out`. */
export async function writeModules(folder: string, snippets: readonly Snippet[]): Promise<void> {
  const names = await exported();
  await mkdir(join(folder, 'src'));
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  for (const one of snippets)
    await writeFile(
      join(folder, 'src', `${moduleName(one)}.${one.language}`),
      `${moduleOf(one, names)}${told(one.code)}`,
    );
  const modules = join(folder, 'node_modules');
  await mkdir(join(modules, '@opentelemetry'), { recursive: true });
  await symlink(root, join(modules, 'qemu-cbt'));
  await symlink(join(root, 'node_modules/@opentelemetry/api'), join(modules, '@opentelemetry/api'));
  const compilerOptions = {
    typeRoots: [join(root, 'node_modules/@types')],
    noEmit: false,
    rootDir: 'src',
    outDir: 'out',
    noUnusedLocals: false,
    verbatimModuleSyntax: false,
    isolatedModules: false,
    allowJs: true,
  };
  const config = { extends: join(root, 'tsconfig.json'), compilerOptions, include: ['src'] };
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(config));
}
