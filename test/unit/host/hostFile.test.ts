import { execFileSync } from 'node:child_process';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { findHostFile, HostFileError, parseHostFile, readHostFile } from '../../../lib/host/hostFile.js';
import { hostJsonSchema } from '../../../lib/host/hostSchema.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

const EXAMPLE = new URL('../../../docs/host.example.yaml', import.meta.url);

/** Line, column and message of each problem. */
function problemsOf(text: string): string[] {
  try {
    parseHostFile('h.yaml', text);
  } catch (error) {
    if (!(error instanceof HostFileError)) throw error;
    expect(error.code).toBe('ERR_CBT_INVALID_ARGUMENT');
    return error.problems.map(({ line, column, message }) => `${line}:${column} ${message}`);
  }
  throw new Error('it was taken');
}

describe('what a host file says', () => {
  test('the example of the documentation is one, and has every key that there is', async () => {
    const text = await readFile(EXAMPLE, 'utf8');
    const says = parseHostFile('host.example.yaml', text);
    expect(says.vms?.map(({ name }) => name)).toEqual(['web', 'db', 'mail']);
    const keys = [...JSON.stringify(hostJsonSchema()).matchAll(/"(\w+)":\{"(?:description|type|\$)/g)]
      .map(([, key = '']) => key)
      .filter(
        (key) => !['items', 'additionalProperties', 'propertyNames', 'clientAuthority', 'csi'].includes(key),
      );
    expect(keys.length).toBeGreaterThan(15);
    for (const key of keys) expect(text).toContain(`${key}:`);
  });

  test('an empty file, or one of comments alone, says nothing', () => {
    expect(parseHostFile('h.yaml', '')).toEqual({});
    expect(parseHostFile('h.yaml', '# nothing yet\n')).toEqual({});
  });

  test('JSON is YAML', () => {
    const says = { vms: [{ name: 'web', qmpSocket: '/run/web.qmp', disks: ['drive0'] }] };
    expect(parseHostFile('h.json', JSON.stringify(says, null, 2))).toEqual(says);
  });

  test.each([
    ['a value of another kind', 'vms: 3', '1:6 vms is 3, expected a list of VMs'],
    [
      'a relative path',
      'vms:\n  - name: web\n    qmpSocket: web.qmp',
      '3:16 vms[0].qmpSocket is "web.qmp", expected the absolute path of a QMP socket',
    ],
    [
      'a missing key',
      'vms:\n  - name: web',
      '2:5 vms[0].qmpSocket is missing, expected either this or libvirt, and not both',
    ],
    [
      'an unknown key, where it stands',
      'vms:\n  - name: web\n    qmpp: /x\n    qmpSocket: /x',
      '3:5 vms[0].qmpp is not known, expected one of: name, uuid, qmpSocket, libvirt, images, agentSocket, disks, nbdSocket, scratchFolder, allowUnwatchedScratch, keepPoints',
    ],
    [
      'a key that names nothing',
      'datastores:\n  "a/b": {folder: /x}',
      '2:3 datastores["a/b"] is a key, expected a name without / and #',
    ],
    [
      'a name that looks like a number',
      'vms: [{name: 12, qmpSocket: /x}]',
      /^1:14 vms\[0\]\.name is 12, expected a name/,
    ],
    [
      'a name that a path could be',
      'vms: [{name: a/b, qmpSocket: /x}]',
      /^1:14 vms\[0\]\.name is "a\/b", expected/,
    ],
    [
      'a name that is an id',
      'vms: [{name: vm-7, qmpSocket: /x}]',
      /^1:14 vms\[0\]\.name is "vm-7", expected/,
    ],
    [
      'two VMs of one name',
      'vms: [{name: a, qmpSocket: /x}, {name: a, qmpSocket: /y}]',
      /^1:40 vms\[1\].name is "a", expected one/,
    ],
    [
      'one VM under two names',
      'vms: [{name: a, qmpSocket: /x}, {name: b, qmpSocket: /x}]',
      /^1:54 vms\[1\].qmpSocket is "\/x", expected/,
    ],
    [
      'one UUID in two spellings',
      'vms:\n- {name: a, qmpSocket: /x, uuid: 5F0C4A3E9A0B4A579F3E1D2C3B4A5968}\n- {name: b, qmpSocket: /y, uuid: "{5f0c4a3e-9a0b-4a57-9f3e-1d2c3b4a5968}"}',
      /^3:34 vms\[1\]\.uuid is /,
    ],
    ['a key that stands twice', 'vms: []\nvms: []', '2:1 the key "vms" stands twice'],
    [
      'a key that is no text',
      'datastores: {1: {folder: /x}}',
      '1:14 a key is text; what looks like a number stands in quotes',
    ],
    ['the prototype', 'vms: [{name: a, qmpSocket: /x, images: {__proto__: /y}}]', /^1:41 a key is text/],
    ['a tag', 'vms: !!binary aaaa', '1:15 the tag tag:yaml.org,2002:binary is not taken'],
    ['a second document', 'vms: []\n---\nvms: []', /^2:1 /],
    ['a control character', 'vms: []\n# \u0007', '2:3 the character U+0007 is not taken'],
    ['text that runs backwards', 'vms: []\n# \u202e', '2:3 the character U+202E is not taken'],
    [
      'a control character in disguise',
      'vms: [{name: "a\\u0007", qmpSocket: /x}]',
      /^1:14 vms\[0\]\.name is "a\\u0007", expected/,
    ],
    [
      'an address without a port',
      'wires: {vim: {address: host}}',
      /^1:24 wires\.vim\.address is "host", expected/,
    ],
  ])('refuses %s', (_, text, expected) => {
    const [first] = problemsOf(text);
    if (typeof expected === 'string') expect(first).toBe(expected);
    else expect(first).toMatch(expected);
  });

  test('tells everything that is wrong, each with its place', () => {
    const problems = problemsOf('vms:\n  - name: 1\n    qmpSocket: x\nwire: {}\n');
    expect(problems.map((one) => one.split(' ')[0])).toEqual(['2:11', '3:16', '4:1']);
    expect(() => parseHostFile('h.yaml', 'vms:\n  - name: 1\n    qmpSocket: x')).toThrow(
      /^h\.yaml:2:11: .*\nh\.yaml:3:16: /,
    );
  });

  test('lines that stand for gigabytes are refused before they do', () => {
    const bomb = Array.from({ length: 30 }, (_, n) => `a${n}: &a${n} [${`*a${n - 1}, `.repeat(9)}]`).join(
      '\n',
    );
    expect(problemsOf(bomb.replaceAll('*a-1', 'lol'))[0]).toBe('1:9 the anchor &a0 is not taken');
  });

  test.each(['[', '- ', '{a: ', '? ', '- - ? '])(
    'a hundred thousand times %j is refused, and soon',
    (open) => {
      const started = performance.now();
      expect(problemsOf(open.repeat(100_000)).at(-1)).toContain('nested too deeply');
      expect(performance.now() - started).toBeLessThan(5000);
    },
  );

  test('what it says of itself in an error has an end', () => {
    const wrong = Array.from({ length: 500 }, (_, n) => `${'k'.repeat(100)}${n}: ${'v'.repeat(3000)}`).join(
      '\n',
    );
    expect(() => parseHostFile('h.yaml', wrong)).toThrow(/and 492 more$/);
    try {
      parseHostFile('h.yaml', wrong);
    } catch (error) {
      expect((error as Error).message.length).toBeLessThan(4000);
    }
  });
});

describe('which file', () => {
  let folder: TemporaryFolder;
  beforeEach(async () => {
    folder = await makeTemporaryFolder();
  });
  afterEach(() => folder.remove());

  test('the one given goes before that of the environment', async () => {
    const [given, other] = ['given.yaml', 'other.yaml'].map((name) => join(folder.path, name)) as [
      string,
      string,
    ];
    await writeFile(given, 'vms: [{name: given, qmpSocket: /x}]');
    await writeFile(other, 'vms: [{name: other, qmpSocket: /x}]');
    const env = { QEMU_CBT_HOST: other };
    expect((await findHostFile(given, env))?.says.vms?.[0]?.name).toBe('given');
    expect((await findHostFile(undefined, env))?.says.vms?.[0]?.name).toBe('other');
  });

  test('one that is named and not there is an error, also a link that leads nowhere', async () => {
    const path = join(folder.path, 'none.yaml');
    await expect(findHostFile(path, {})).rejects.toMatchObject({
      code: 'ERR_CBT_BACKEND_UNAVAILABLE',
      details: { path, errno: 'ENOENT' },
    });
    await symlink('/nowhere', path);
    await expect(findHostFile(undefined, { QEMU_CBT_HOST: path })).rejects.toMatchObject({
      details: { errno: 'ENOENT' },
    });
  });

  test('a link to a file is followed', async () => {
    await writeFile(join(folder.path, 'real.yaml'), 'vms: []');
    await symlink('real.yaml', join(folder.path, 'link.yaml'));
    expect((await readHostFile(join(folder.path, 'link.yaml'))).says).toEqual({ vms: [] });
  });

  test.each([
    ['a FIFO', async (path: string) => void execFileSync('mkfifo', [path])],
    ['a folder', (path: string) => mkdir(path)],
    ['a device', (path: string) => symlink('/dev/zero', path)],
  ])('%s is refused at once', async (what, make) => {
    const path = join(folder.path, 'host.yaml');
    await make(path);
    await expect(readHostFile(path)).rejects.toThrow(`${path}:1:1: it is ${what}, expected a regular file`);
  });

  test('one that is too large, or no UTF-8, is refused', async () => {
    const path = join(folder.path, 'host.yaml');
    await writeFile(path, '#'.repeat((1 << 20) + 1));
    await expect(readHostFile(path)).rejects.toThrow('more than 1048576 bytes');
    await writeFile(path, Buffer.from([0x23, 0xff]));
    await expect(readHostFile(path)).rejects.toThrow('no UTF-8');
  });
});
