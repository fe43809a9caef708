// What is fuzzed: every parser of bytes that come from outside. A target takes bytes and must end in an answer inside its
// own rules or in a coded refusal; whatever else it throws is a finding.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { soap } from './soapTarget.mjs';

const dist = new URL('../../dist/', import.meta.url);
const load = (path) => import(new URL(path, dist).href);
const { CbtError } = await load('core/errors.js');
const { checkRanges } = await load('core/rangePage.js');
const { imageNode } = await load('backend/image/imageNode.js');
const { openImage } = await load('backend/image/imageSource.js');
const { createScriptKernel } = await load('kernel/scriptKernel.js');
const { LineDecoder, parseMessage } = await load('backend/qemu/qmp/lineCodec.js');
const { FrameDecoder } = await load('backend/libvirt/rpc/frames.js');
const { XdrReader } = await load('backend/libvirt/rpc/xdr.js');
const { readError } = await load('backend/libvirt/rpc/libvirtError.js');
const messages = await load('backend/libvirt/rpc/messages.js');
const { checkpointOf, parseDomainXml } = await load('backend/libvirt/domainXml.js');
const { newDomainXml } = await load('backend/libvirt/newDomain.js');
const { parseDomainName } = await load('backend/libvirt/domainName.js');
const { parseLibvirtUri } = await load('backend/libvirt/libvirtUri.js');
const { parsePoint } = await load('core/point.js');
const { formatChangeId, parseChangeId } = await load('core/changeId.js');
const { formatSegmentName, parseSegmentName } = await load('core/segmentName.js');
const { formatManifest, parseManifest } = await load('backup/manifest.js');
const { BackupFolder } = await load('backup/folder.js');
const { MARK_NAME, readMark } = await load('backup/mark.js');
const { PENDING_NAME, readPending } = await load('backup/pending.js');
const { LEASE_NAME, readLease } = await load('backend/qemu/own/lease.js');
const { overlayRecordName, readOverlayRecord } = await load('backend/qemu/session/overlayRecord.js');
const { parseHostFile } = await load('host/hostFile.js');
const { parseRecord } = await load('host/vmRecord.js');

const kernel = {
  ...createScriptKernel(),
  lockState: async () => ({ writer: false, writersForbidden: false }),
};

/** Coded refusals are answers, except those that say that we, or the question, were wrong. */
async function answerOrRefusal(work) {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof CbtError) || error.code === 'ERR_CBT_INTERNAL') throw error;
    assert(error.message.length < 4000, 'a message has an end');
    JSON.stringify(error);
  }
}

/** Asks an image everything there is to ask; the file stays as it was. */
async function askImage(path, format) {
  const source = await openImage(path, { kernel, ...(format && { format }) });
  try {
    const { layers, sizeBytes } = await source.state();
    const read = (pager) => async () => {
      const { ranges } = await (await pager()).page({ startBytes: 0, endBytes: sizeBytes, maxRanges: 1000 });
      checkRanges('ranges', ranges);
      assert(ranges.length === 0 || ranges.at(-2) + ranges.at(-1) <= sizeBytes, 'ranges lie inside the disk');
    };
    for (const [layer, { bitmaps }] of layers.entries()) {
      for (const { name, granularityBytes } of bitmaps.slice(0, 8))
        await answerOrRefusal(read(() => source.bitmapRanges([{ layer, name }], granularityBytes)));
    }
    await answerOrRefusal(read(() => source.allocatedRanges()));
    await answerOrRefusal(read(() => source.allocatedRanges(1)));
  } finally {
    await source.close();
  }
}

async function askBytes(path, bytes, format) {
  writeFileSync(path, bytes);
  await answerOrRefusal(() => askImage(path, format));
  assert(readFileSync(path).equals(bytes), 'the file was changed');
}

/** What QEMU would be told: of a guess the file itself and no other; else paths of files, each with a driver we know. */
async function askNode(path, format) {
  await answerOrRefusal(async () => {
    const { backing = null, 'data-file': data, file } = await imageNode(path);
    assert.deepEqual([backing, data, file.filename], [null, undefined, path]);
  });
  await answerOrRefusal(async () => {
    for (let node = await imageNode(path, { format }); node; node = node.backing) {
      assert(['qcow2', 'raw', 'parallels', 'vmdk'].includes(node.driver), node.driver);
      for (const { driver, filename } of [node.file, node['data-file'] ?? node.file]) {
        assert(['file', 'host_device'].includes(driver), driver);
        assert(filename.startsWith('/') && !filename.includes('\0'), filename);
      }
    }
  });
}

/** The extension of a Parallels image is sealed with an MD5: without a good seal nothing behind it is ever parsed. */
function sealed(bytes) {
  const clusterBytes = bytes.length < 64 ? 0 : bytes.readUInt32LE(28) * 512;
  const at = bytes.length < 64 ? 0 : Number(bytes.readBigUInt64LE(56)) * 512;
  if (clusterBytes === 0 || at < 64 || at + clusterBytes > bytes.length) return bytes;
  const copy = Buffer.from(bytes);
  createHash('md5')
    .update(copy.subarray(at + 24, at + clusterBytes))
    .digest()
    .copy(copy, at + 8);
  return copy;
}

const text = (...pieces) => pieces.map((piece) => Buffer.from(piece));
const json = (...pieces) =>
  text(
    ...pieces,
    '{',
    '}',
    '[',
    ']',
    '"',
    ',',
    ':',
    'null',
    '-1',
    '1e999',
    '9007199254740993',
    '\\ud800',
    '\0',
  );
const be = (...words) => words.map((word) => Buffer.from(word, 'hex'));

export const targets = {
  qcow2: {
    placed: true,
    dictionary: be(
      '514649fb',
      '23852875',
      'e2792aca',
      '6803f857',
      '44415441',
      '0537be77',
      '0000000000000018',
    ),
    run: async (bytes, folder) => {
      await askBytes(join(folder, 'disk.qcow2'), bytes, 'qcow2');
      await askNode(join(folder, 'disk.qcow2'), 'qcow2');
    },
  },
  parallels: {
    placed: true,
    dictionary: [
      ...text('WithoutFreeSpace', 'WithouFreSpacExt'),
      ...be('746f6e59', '64a1c5e7', '20385fae252cb34a'),
    ],
    run: async (bytes, folder) => {
      await askBytes(join(folder, 'a.hds'), bytes, 'parallels');
      await askBytes(join(folder, 'a.hds'), sealed(bytes), 'parallels');
    },
  },
  vmdk: {
    dictionary: text(
      '# Disk DescriptorFile',
      'KDMV',
      'RW 2048 FLAT "',
      '" 0\n',
      'parentFileNameHint="',
      '"\n',
      'part',
      '../',
      '/etc/passwd',
      'nbd:',
      'json:{',
      'd.vmdk',
      '\0',
    ),
    prepare: (folder) => writeFileSync(join(folder, 'part'), Buffer.alloc(4096)),
    run: async (bytes, folder) => {
      writeFileSync(join(folder, 'd.vmdk'), bytes);
      await askNode(join(folder, 'd.vmdk'), 'vmdk');
    },
  },
  descriptor: {
    dictionary: text(
      '<',
      '>',
      '&',
      '&#0;',
      ']]>',
      '<![CDATA[',
      '<!--',
      '../',
      '/',
      '\0',
      '9'.repeat(30),
      '{',
      'Plain',
      'Compressed',
      '<Storage>',
      '</Image>',
      '<Shot>',
      'top.hds',
      '\u{1f4be}',
    ),
    prepare: (folder, corpus) => {
      mkdirSync(join(folder, 'd.hdd'), { recursive: true });
      for (const name of ['root.hds', 'top.hds'])
        writeFileSync(join(folder, 'd.hdd', name), readFileSync(join(corpus, '../parallels/small.hds')));
    },
    run: async (bytes, folder) => {
      writeFileSync(join(folder, 'd.hdd/DiskDescriptor.xml'), bytes);
      await answerOrRefusal(() => askImage(join(folder, 'd.hdd')));
    },
  },
  qmpLines: {
    dictionary: text(
      '{',
      '}',
      '[',
      '"',
      '\\u0000',
      '\\ud800',
      '\r\n',
      '\n',
      ':',
      '1e999',
      '9007199254740993',
      '"return"',
      '"__proto__"',
    ),
    run: async (bytes) => {
      const lines = [...new LineDecoder(1 << 16).push(Buffer.concat([bytes, Buffer.from('\n')]))];
      // However the bytes are cut on their way, the lines are the same.
      const slow = new LineDecoder(1 << 16);
      const cut = [];
      for (let at = 0; at <= bytes.length; at += 7)
        cut.push(...slow.push(Buffer.concat([bytes, Buffer.from('\n')]).subarray(at, at + 7)));
      assert.deepEqual(cut, lines);
      for (const line of lines) await answerOrRefusal(async () => void parseMessage(line));
    },
  },
  libvirt: {
    dictionary: [
      ...text(
        '<domain>',
        '<disk>',
        '<target dev="vda"/>',
        '+64055:+64055',
        'libvirt:',
        '#',
        'qemu:///system?socket=/',
        '&#0;',
      ),
      ...['20008086', '20008087', '6b656570', '00000001', 'ffffffff', '7fffffff', '0000001c', '02000004'].map(
        (hex) => Buffer.from(hex, 'hex'),
      ),
    ],
    run: async (bytes) => {
      await answerOrRefusal(async () => {
        const frames = [...new FrameDecoder().push(bytes)];
        const slow = new FrameDecoder();
        const cut = [];
        for (let at = 0; at < bytes.length; at += 7) cut.push(...slow.push(bytes.subarray(at, at + 7)));
        assert.deepEqual(cut, frames);
      });
      const reader = (from) => new XdrReader(bytes.subarray(from), 'a message');
      for (const read of Object.values(messages).filter(
        (one) => typeof one === 'function' && one.name.startsWith('read'),
      ))
        for (const from of [0, 28]) await answerOrRefusal(async () => void read(reader(from)));
      await answerOrRefusal(async () => void readError('a call', reader(28)));
      const words = bytes.toString('utf8');
      await answerOrRefusal(async () => {
        const { disks } = parseDomainXml('web', words);
        for (const { target, file } of disks)
          assert(
            target !== '' && (file === null || file.startsWith('/')),
            'a disk has a name, and a path or none',
          );
      });
      await answerOrRefusal(async () => void checkpointOf('theirs', words));
      await answerOrRefusal(async () => {
        const files = [{ disk: 'vda', image: null, file: '/new/vda' }];
        const { xml } = newDomainXml(words, { name: 'again', files, format: 'qcow2' });
        for (const { file, device } of parseDomainXml('again', xml).disks)
          assert(file === (['disk', 'lun'].includes(device) ? '/new/vda' : null));
      });
      await answerOrRefusal(async () => void parseDomainName(words));
      await answerOrRefusal(async () => {
        for (const socket of parseLibvirtUri(words, {}).sockets)
          assert(socket.startsWith('/') && socket.length < 120);
      });
    },
  },
  points: {
    dictionary: text(
      '*',
      '/',
      '-',
      '{',
      '}',
      'cbt1.',
      '.',
      '1',
      '18446744073709551616',
      '9007199254740993',
      'ab ',
      '\u0130',
    ),
    run: async (bytes) => {
      const name = bytes.toString('utf8');
      await answerOrRefusal(async () => void parsePoint('point', name));
      const changeId = parseChangeId(name);
      if (changeId !== null) {
        const pit = `${changeId.check.toString(16).padStart(8, '0')}-0000-4000-8000-000000000000`;
        assert.deepEqual(parseChangeId(formatChangeId({ ...changeId, pit })), changeId);
      }
      const segment = parseSegmentName(name);
      if (segment !== null) assert.equal(formatSegmentName(segment), name);
    },
  },
  manifest: {
    dictionary: json('"file":"../up.qcow2"', '"run":2', '"__proto__":{}', '"sizeBytes":512', '"base":null'),
    prepare: (folder) => mkdirSync(join(folder, 'backups'), { recursive: true }),
    run: async (bytes, folder) => {
      const content = bytes.toString('utf8');
      await answerOrRefusal(async () => {
        const manifest = parseManifest(content, 'run-000002.json', 2);
        assert.deepEqual(parseManifest(formatManifest(manifest), 'run-000002.json', 2), manifest);
        for (const { file, sums } of manifest.disks)
          for (const name of [file, sums.file])
            assert(!/[/\0]/.test(name), `${name} leads out of the folder`);
      });
      // A folder with two runs of which one says this: whatever is asked of it, no other file is looked at.
      const backups = join(folder, 'backups');
      for (const run of ['000001', '000002']) writeFileSync(join(backups, `run-${run}.json`), bytes);
      await answerOrRefusal(async () => {
        const read = await BackupFolder.read(backups);
        for (const run of read.runs)
          for (const disk of run.disks) await answerOrRefusal(async () => void read.chain(run, disk));
      });
    },
  },
  records: {
    dictionary: json('"version":1', '"owner":null', '"taken":true', '"overlays":[]', '"disks":[{}]'),
    prepare: (folder) => mkdirSync(join(folder, 'records'), { recursive: true }),
    run: async (bytes, folder) => {
      const records = join(folder, 'records');
      const names = [MARK_NAME, PENDING_NAME, LEASE_NAME, overlayRecordName(0)];
      for (const name of names) writeFileSync(join(records, name), bytes);
      await answerOrRefusal(() => readMark(records));
      await answerOrRefusal(() => readPending(records));
      await answerOrRefusal(() => readLease(records));
      await answerOrRefusal(() => readOverlayRecord(records, 0));
      await answerOrRefusal(async () => parseRecord('vm.json', bytes.toString()));
      for (const name of names)
        assert(readFileSync(join(records, name)).equals(bytes), `${name} was changed`);
    },
  },
  soap,
  hostFile: {
    dictionary: json(
      'vms:\n  - name: a\n    qmpSocket: /x\n',
      'images: {vda: /x}\n',
      '&a ',
      '*a',
      '!!str ',
      '? ',
      '- ',
      '<<: ',
      '"\\x00"',
      '---\n',
      '|\n ',
      'wires: {vim: {address: "[::1]:1"}}\n',
    ),
    run: (bytes) =>
      answerOrRefusal(() => {
        const says = parseHostFile('host.yaml', bytes.toString('utf8'));
        const text = JSON.stringify(says);
        // What was taken says the same when it is written and read again.
        assert.equal(JSON.stringify(parseHostFile('host.json', text)), text);
      }),
  },
};
