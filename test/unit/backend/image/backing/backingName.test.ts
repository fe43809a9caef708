/** Where a backing file is: QEMU's rules for names, and the refusal of every name that is not plainly a local file. */
import { describe, expect, it } from 'vitest';
import { resolveBackingFile } from '../../../../../lib/backend/image/backing/backingName.js';
import { refusal } from '../../../../helpers/refusal.js';

const TOP = '/disks/vm/top.qcow2';
const resolve = (name: string | Buffer, format?: string) =>
  resolveBackingFile(TOP, Buffer.from(name as string), format);
const json = (value: unknown): string => `json:${JSON.stringify(value)}`;

describe('a plain name', () => {
  it.each([
    ['base.qcow2', '/disks/vm/base.qcow2'],
    ['../pool/base', '/disks/vm/../pool/base'],
    ['/abs/base', '/abs/base'],
    ['./a:b.qcow2', '/disks/vm/./a:b.qcow2'],
    ['file:/abs/a:b', '/abs/a:b'],
    ['file:///abs/base', '///abs/base'],
    ['host_device:/dev/vg/base', '/dev/vg/base'],
    ['jsonfile', '/disks/vm/jsonfile'],
    ['naïve 磁盘', '/disks/vm/naïve 磁盘'],
  ])('%s is %s', (name, path) => {
    expect(resolve(name)).toEqual({ path, format: null });
    expect(resolve(name, 'raw')).toEqual({ path, format: 'raw' });
  });

  it('starts from where the overlay was named, not from the working directory', () => {
    expect(resolveBackingFile('top.qcow2', Buffer.from('base'), undefined).path).toBe('base');
    expect(resolveBackingFile('../x/top', Buffer.from('base'), undefined).path).toBe('../x/base');
    expect(resolveBackingFile('/top', Buffer.from('base'), undefined).path).toBe('/base');
  });

  it.each([
    'nbd://host/x',
    'nbd+unix:///?socket=/s',
    'rbd:pool/image',
    'https://host/x',
    'odd:name.qcow2',
    'fat:/dir',
  ])('refuses %s by its name', (name) => {
    const error = refusal(() => resolve(name));
    expect(error).toMatchObject({
      code: 'ERR_CBT_UNSUPPORTED',
      details: { field: 'backing file', value: JSON.stringify(name) },
    });
    expect(error.message).toContain(name);
  });

  it('refuses what QEMU would look up from its own working directory', () => {
    expect(refusal(() => resolve('file:base.qcow2'))).toMatchObject({
      code: 'ERR_CBT_UNSUPPORTED',
      details: { field: 'path of the backing file', value: '"base.qcow2"' },
    });
  });

  it('refuses bytes that are no text', () => {
    expect(refusal(() => resolve(Buffer.from('a\0b')))).toMatchObject({ code: 'ERR_CBT_CORRUPT_IMAGE' });
    expect(refusal(() => resolve(Buffer.from([0x2f, 0xc3])))).toMatchObject({
      code: 'ERR_CBT_UNSUPPORTED',
      details: { value: '2fc3' },
    });
  });
});

describe('a json: name', () => {
  it.each([
    [{ driver: 'qcow2', file: { driver: 'file', filename: '/b' } }, undefined, 'qcow2'],
    [{ driver: 'raw', file: { driver: 'host_device', filename: '/b' } }, undefined, 'raw'],
    [{ driver: 'qcow2', 'file.driver': 'file', 'file.filename': '/b' }, undefined, 'qcow2'],
    [{ driver: 'qcow2', file: { filename: '/b' } }, undefined, 'qcow2'],
    [{ file: { driver: 'file', filename: '/b' } }, undefined, null],
    [{ file: { driver: 'file', filename: '/b' } }, 'raw', 'raw'],
    // The overlay's own word on the format stands above the name's.
    [{ driver: 'qcow2', file: { driver: 'file', filename: '/b' } }, 'raw', 'raw'],
    [{ driver: 'file', filename: '/b' }, undefined, 'raw'],
    [{ filename: '/b' }, undefined, null],
    [
      {
        driver: 'qcow2',
        'read-only': true,
        cache: { direct: true },
        file: { driver: 'file', filename: '/b', aio: 'native' },
      },
      undefined,
      'qcow2',
    ],
  ])('%j with format %s is /b as %s', (value, given, format) => {
    expect(resolve(json(value), given)).toEqual({ path: '/b', format });
  });

  it.each([
    [{ driver: 'nbd', path: '/s' }, 'path'],
    [{ driver: 'qcow2', file: { driver: 'nbd', server: { type: 'unix', path: '/s' } } }, 'file.server.type'],
    [{ driver: 'raw', offset: 512, file: { driver: 'file', filename: '/b' } }, 'offset'],
    [{ driver: 'raw', size: 512, file: { driver: 'file', filename: '/b' } }, 'size'],
    [{ driver: 'qcow2', file: { driver: 'file', filename: '/b' }, backing: null }, 'backing'],
    [{ driver: 'qcow2', 'data-file': { filename: '/d' }, file: { filename: '/b' } }, 'data-file.filename'],
    [{ driver: 'qcow2', file: { driver: 'nbd', filename: '/b' } }, 'nbd'],
    [{ driver: 'qcow2', file: 'some-node' }, 'file'],
    [{ driver: 'qcow2', filename: '/b' }, 'local file'],
    [{ driver: 'qcow2' }, 'local file'],
    [{ driver: 7, filename: '/b' }, '7'],
    [{ file: { filename: ['/b'] } }, 'file.filename'],
    [{ file: { filename: '/b' }, 'file.filename': '/c' }, 'twice'],
    [[], 'JSON object'],
    [null, 'JSON object'],
    ['/b', 'JSON object'],
    [{}, 'local file'],
  ])('refuses %j, naming %s', (value, named) => {
    const error = refusal(() => resolve(json(value)));
    expect(error.code).toBe('ERR_CBT_UNSUPPORTED');
    expect(error.message).toContain(named);
  });

  it('refuses a bare file node below a format, as QEMU does', () => {
    expect(refusal(() => resolve(json({ driver: 'file', filename: '/b' }), 'raw')).code).toBe(
      'ERR_CBT_UNSUPPORTED',
    );
  });

  it('refuses what is no JSON, and relative paths', () => {
    expect(refusal(() => resolve('json:{')).message).toMatch(/valid JSON/);
    expect(refusal(() => resolve(json({ file: { filename: 'b' } }))).message).toMatch(/working directory/);
    expect(refusal(() => resolve(`json:${'{"a":'.repeat(150)}1${'}'.repeat(150)}`)).code).toBe(
      'ERR_CBT_UNSUPPORTED',
    );
  });

  it('takes no key from the prototype of an object', () => {
    expect(refusal(() => resolve('json:{"__proto__":{"filename":"/b"}}')).message).toContain(
      '__proto__.filename',
    );
  });
});
