import { describe, expect, test } from 'vitest';
import { connect } from '../../../lib/facade/vsphere/index.js';
import { faultOf } from './support.js';

describe('FindByDnsName', () => {
  test('finds nothing: guests are not asked for their names', async () => {
    const { searchIndex } = connect({ vms: [{ name: 'web', qmpSocket: '/run/web.qmp' }] }).content;
    expect(await searchIndex.FindByDnsName(null, 'web', true)).toBeNull();
    expect(await faultOf(searchIndex.FindByDnsName(null, 5 as never, true))).toMatchObject({
      invalidProperty: 'dnsName',
    });
  });
});
