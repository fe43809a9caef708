/** Certificate, cookies and log lines. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { parseAddress } from '../../../lib/service/address.js';
import { makeCertificate, ownCertificate, thumbprint } from '../../../lib/service/http/certificate.js';
import { cookieOf } from '../../../lib/service/http/cookie.js';
import { Log } from '../../../lib/service/log.js';
import { givenSocket } from '../../../lib/service/systemd.js';
import { makeTemporaryFolder } from '../../helpers/temporaryFolder.js';

test('our certificate is one that others check: its names, its time, its signature, its key', () => {
  const { cert, key } = makeCertificate(['vm.example', '10.1.2.3', '::1'], new Date('2045-05-06T07:08:09Z'));
  const read = new X509Certificate(cert);
  expect(read.subjectAltName).toBe('DNS:vm.example, IP Address:10.1.2.3, IP Address:0:0:0:0:0:0:0:1');
  expect([read.subject, read.issuer]).toEqual(['CN=vm.example', 'CN=vm.example']);
  expect([read.validFrom, read.validTo]).toEqual(['May  5 07:08:09 2045 GMT', 'May  5 07:08:09 2055 GMT']);
  expect(read.verify(read.publicKey)).toBe(true);
  expect(read.checkPrivateKey(createPrivateKey(key))).toBe(true);
  expect([read.checkHost('vm.example'), read.checkIP('10.1.2.3'), read.checkHost('other')]).toEqual([
    'vm.example',
    '10.1.2.3',
    undefined,
  ]);
  expect(thumbprint(cert)).toBe(read.fingerprint);
  expect(thumbprint(cert, 'sha256')).toBe(read.fingerprint256);
});

test('it is made once, and kept for its owner alone', async () => {
  const folder = await makeTemporaryFolder();
  onTestFinished(() => folder.remove());
  const place = join(folder.path, 'service');
  const first = await ownCertificate(place);
  expect(await ownCertificate(place)).toEqual(first);
  expect((await stat(join(place, 'tls.pem'))).mode & 0o777).toBe(0o600);
});

test.each([
  ['vmware_soap_session="abc"; Path=/; HttpOnly; Secure', 'abc'],
  ['vmware_soap_session=abc', 'abc'],
  ['other=1; vmware_soap_session=abc', 'abc'],
  ['', null],
  ['vmware_soap_session=""', null],
  ['vmware_soap_session2=abc', null],
])('the cookie of %j is %j', (header, value) => {
  expect(cookieOf(header, 'vmware_soap_session')).toBe(value);
});

test('an address is a host and a port', () => {
  expect(parseAddress('vim', '127.0.0.1:8443')).toEqual({ host: '127.0.0.1', port: 8443 });
  expect(parseAddress('vim', '[::1]:443')).toEqual({ host: '::1', port: 443 });
  expect(() => parseAddress('vim', 'a:70000')).toThrow('wires.vim.address is a:70000');
  expect(() => parseAddress('vim', 'unix:/x')).toThrow(
    expect.objectContaining({ code: 'ERR_CBT_UNSUPPORTED' }),
  );
});

test('a line of the log is one line, whatever a client sent', () => {
  const lines: string[] = [];
  new Log((line) => void lines.push(line), { JOURNAL_STREAM: '8:1' }).warning('call', {
    user: 'a\nlevel=info "b"',
    ms: 1,
    fault: null,
  });
  expect(lines).toEqual(['<4>event=call user="a\\nlevel=info \\"b\\"" ms=1\n']);
  new Log((line) => void lines.push(line), {}).info('x');
  expect(lines[1]).toMatch(/^time=\S+ level=info event=x\n$/);
});

test('a socket of systemd is taken only by the process that it was opened for', () => {
  expect(givenSocket({ LISTEN_PID: '7', LISTEN_FDS: '1' }, 7)).toBe(3);
  expect(givenSocket({ LISTEN_PID: '7', LISTEN_FDS: '1' }, 8)).toBeNull();
  expect(givenSocket({}, 8)).toBeNull();
});
