// Requests to the service: whatever is sent ends in an answer that is XML, or in a fault of the API that is none of ours, in memory that does not grow.
import assert from 'node:assert/strict';
import { join } from 'node:path';

const dist = new URL('../../dist/', import.meta.url);
const load = (path) => import(new URL(path, dist).href);
const { connect } = await load('facade/vsphere/index.js');
const { TYPES } = await load('facade/vsphere/schema/schema.js');
const { VimService } = await load('service/vim/vimService.js');
const { NOBODY } = await load('service/users/password.js');
const { readXml } = await load('service/vim/soap/element.js');

const user = { name: 'root', role: 'admin', password: NOBODY };
/** Waits end at once. */
const caller = { address: '127.0.0.1', userAgent: 'fuzz', signal: AbortSignal.abort() };
/** What the process may come to, the fuzzer's own part of it included. */
const MOST_BYTES = 1 << 30;
const LOOK_EVERY = 2000;

let service;
let cookie = '';
let count = 0;

function textOf(pieces) {
  let text = '';
  for (const piece of pieces) text += piece;
  return text;
}

async function ask(text, by) {
  const { status, pieces } = await service.answer(text, by, caller);
  const answer = textOf(pieces);
  const [body] = readXml(answer).children;
  assert.equal(body?.name, 'Body');
  if (status === 200) return;
  assert.equal(status, 500);
  const fault = body.children[0]?.children.find(({ name }) => name === 'detail')?.children[0];
  const type = fault?.xsiType ?? '';
  assert.equal(TYPES.get(type)?.kind, 'fault', answer);
  assert.notEqual(type, 'RuntimeFault', answer);
}

const text = (...pieces) => pieces.map((piece) => Buffer.from(piece));

export const soap = {
  dictionary: text(
    '<!DOCTYPE a [<!ENTITY b "c">]>',
    '&b;',
    '&#0;',
    '&#x110000;',
    '<![CDATA[',
    ']]>',
    '<?a b?>',
    '<!--',
    '-->',
    ' xsi:type="',
    ' xsi:nil="true"',
    ' xmlns:a="urn:vim25"',
    ' type="VirtualMachine"',
    '</',
    '/>',
    '"',
    'vm-1',
    'ha-property-collector',
    '<pathSet>config.hardware.device[2000].backing</pathSet>',
    '<selectSet xsi:type="TraversalSpec"><name>a</name><type>Folder</type><path>childEntity</path><selectSet><name>a</name></selectSet></selectSet>',
    '9223372036854775808',
    '\u{1f4be}',
    '\ufffe',
    '\0',
  ),
  prepare: (folder) => {
    const vms = ['web', 'a/b%'].map((name) => ({ name, qmpSocket: join(folder, 'nobody.qmp') }));
    service = new VimService(connect({ vms, stateFolder: join(folder, 'state') }), {
      users: () => Promise.resolve([user]),
    });
  },
  run: async (bytes) => {
    const request = bytes.toString('utf8');
    // A request may have ended the session.
    if (service.sessions.find(cookie) === null)
      cookie = service.sessions.begin(user, '127.0.0.1', 'fuzz').cookie;
    await ask(request, null);
    await ask(request, cookie);
    count += 1;
    if (count % LOOK_EVERY === 0) assert(process.memoryUsage().rss < MOST_BYTES, 'memory grows');
  },
};
