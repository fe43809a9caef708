/**
 * What we count on of a libvirt, asked of the real daemon and of the fake one alike (`libvirt.test.ts` has a line for each): one domain
 * runs, one is off.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { listCheckpoints } from '../../lib/backend/libvirt/checkpoints.js';
import { DomainWay } from '../../lib/backend/libvirt/domainWay.js';
import { parseDomainXml } from '../../lib/backend/libvirt/domainXml.js';
import { Libvirt, type MonitorEvent } from '../../lib/backend/libvirt/libvirt.js';
import { parseLibvirtUri } from '../../lib/backend/libvirt/libvirtUri.js';
import { isNobodyThere } from '../../lib/backend/qemu/wayToQemu.js';
import { eventually } from '../helpers/eventually.js';
import { refusalOf } from '../helpers/refusal.js';

export interface LibvirtSubject extends AsyncDisposable {
  uri: string;
  /** Ends the QEMU of the domain that runs, as its owner would. */
  destroy(domain: string): Promise<void>;
  /** Starts the domain that is off, and saves its RAM. */
  save(domain: string): Promise<void>;
}

export const RUNS = 'runs';
export const IS_OFF = 'is-off';

export function libvirtContract(maker: string, make: () => Promise<LibvirtSubject>): void {
  describe(`a libvirt, ${maker}`, () => {
    let subject: LibvirtSubject;
    let libvirt: Libvirt;
    beforeAll(async () => {
      subject = await make();
      libvirt = await Libvirt.connect(parseLibvirtUri(subject.uri));
    });
    afterAll(async () => {
      await libvirt?.close();
      await subject?.[Symbol.asyncDispose]();
    });

    const address = (domain: string): string => `libvirt:${subject.uri}#${domain}`;
    const json = async (domain: string, execute: string, args?: object): Promise<Record<string, unknown>> => {
      const command = JSON.stringify({ execute, ...(args && { arguments: args }) });
      return JSON.parse(await libvirt.monitorCommand(await libvirt.domain(domain), command));
    };

    test('lists its domains, and finds each by name and by UUID', async () => {
      const domains = await libvirt.domains();
      expect(domains.map(({ name }) => name).sort()).toEqual([IS_OFF, RUNS]);
      for (const domain of domains) {
        expect(await libvirt.domain(domain.name)).toEqual(domain);
        expect(await libvirt.domain(domain.uuid.toUpperCase())).toEqual(domain);
        expect(await libvirt.isActive(domain)).toBe(domain.name === RUNS);
        expect(domain.id >= 0).toBe(domain.name === RUNS);
      }
    });

    test('a domain that there is not is refused with those that there are', async () => {
      for (const name of ['nobody', '11111111-2222-4333-8444-555555555555'])
        expect(await refusalOf(libvirt.domain(name))).toMatchObject({
          code: 'ERR_CBT_INVALID_ARGUMENT',
          message: expect.stringMatching(/it has .*(runs|is-off).*(runs|is-off)/),
        });
    });

    test('tells the XML of each, whose disks have targets', async () => {
      for (const name of [RUNS, IS_OFF]) {
        const xml = await libvirt.xml(await libvirt.domain(name));
        const { disks } = parseDomainXml(name, xml);
        expect(disks).toMatchObject([{ target: 'vda', device: 'disk', type: 'file', format: 'qcow2' }]);
        expect(disks[0]!.alias).toBe(name === RUNS ? 'virtio-disk0' : null);
      }
    });

    test('passes a command on to QEMU, and its refusal back as an answer', async () => {
      expect(await json(RUNS, 'query-status')).toMatchObject({ return: { running: expect.any(Boolean) } });
      expect(await json(RUNS, 'no-such-command')).toMatchObject({ error: { class: 'CommandNotFound' } });
    });

    test('a command for a domain that is off is libvirt’s own refusal', async () => {
      expect(await refusalOf(json(IS_OFF, 'query-status'))).toMatchObject({
        code: 'ERR_CBT_BACKEND_UNAVAILABLE',
        virErr: 55,
      });
      expect(isNobodyThere(await refusalOf(new DomainWay(address(IS_OFF)).connect()))).toBe(true);
    });

    test('tells QEMU’s events to every client that listens, with their data', async () => {
      const domain = await libvirt.domain(RUNS);
      await using other = await Libvirt.connect(parseLibvirtUri(subject.uri));
      const heard: MonitorEvent[][] = [[], []];
      const stop = await libvirt.onMonitorEvents(domain, (event) => heard[0]!.push(event));
      await other.onMonitorEvents(domain, (event) => heard[1]!.push(event));
      const told = (of: MonitorEvent[]): string[] => of.map(({ event }) => event).filter((e) => e === 'STOP');
      await json(RUNS, 'cont');
      await json(RUNS, 'stop');
      for (const of of heard) await eventually(() => expect(told(of)).toHaveLength(1));
      expect(heard[0]!.find(({ event }) => event === 'STOP')).toMatchObject({
        domain: { uuid: domain.uuid },
      });
      await stop();
      await json(RUNS, 'cont');
      await json(RUNS, 'stop');
      await eventually(() => expect(told(heard[1]!)).toHaveLength(2));
      expect(told(heard[0]!)).toHaveLength(1);
      await json(RUNS, 'cont');
    });

    test('no job runs on a domain that nobody does anything to', async () => {
      expect((await libvirt.job(await libvirt.domain(RUNS))).type).toBe(0);
    });

    test('a domain has no checkpoints but those that somebody made', async () => {
      for (const name of [RUNS, IS_OFF])
        expect(await listCheckpoints(libvirt, await libvirt.domain(name))).toEqual([]);
    });

    test('the port to a domain is one run of it: with that it ends, and says so', async () => {
      const port = await new DomainWay(address(RUNS)).connect();
      expect(port.version?.qemu.major).toBeGreaterThanOrEqual(7);
      expect(port.host.key).toBe((await libvirt.domain(RUNS)).uuid);
      const names = await port.host.namesOfDevices(['virtio-disk0']);
      expect(names.get('virtio-disk0')).toBe('vda');
      const all = await Promise.all(Array.from({ length: 20 }, () => port.execute('query-status')));
      expect(all).toHaveLength(20);
      const events = port.events();
      await subject.destroy(RUNS);
      expect(await port.ended).toMatchObject({
        code: 'ERR_CBT_CONNECTION_LOST',
        details: { power: 'off' },
      });
      expect(port.open).toBe(false);
      expect(await refusalOf(port.execute('query-status'))).toMatchObject({ details: { power: 'off' } });
      expect(
        await refusalOf(async () => {
          for await (const _ of events);
        }),
      ).toMatchObject({ details: { power: 'off' } });
      await port.close();
    });

    test('tells whether the RAM of a domain was saved, for its next start to go on with', async () => {
      const domain = await libvirt.domain(IS_OFF);
      expect(await libvirt.hasManagedSave(domain)).toBe(false);
      await subject.save(IS_OFF);
      expect(await libvirt.hasManagedSave(domain)).toBe(true);
      expect(await libvirt.isActive(domain)).toBe(false);
    });
  });
}
