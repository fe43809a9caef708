/**
 * The promises of `WayToQemu` that records, shared connections and holds stand on: one identity for all names of a VM, a connection that
 * leads back to where it came from, and a refusal that tells nobody there from nobody who answers.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { QmpPort } from '../../lib/backend/qemu/qmp/qmpPort.js';
import { isNobodyThere, type WayToQemu } from '../../lib/backend/qemu/wayToQemu.js';
import { wayTo } from '../../lib/host/ways.js';
import type { QemuProcess } from '../helpers/qemuProcess.js';
import { refusalOf } from '../helpers/refusal.js';

export interface WaySubject extends AsyncDisposable {
  qemu: QemuProcess;
  /** The VM's addresses, all of them. */
  addresses: readonly string[];
  /** Of another VM, at which nobody is. */
  off: string;
  /** Where it cannot be known whether somebody is there, in as many ways as there are. */
  unknown: readonly string[];
  /** One guest's agent, as records name it. */
  agent: { name: string; freeze(): void; isFrozen(): boolean };
  /** From now on every answer takes so long, where it can be brought to that. */
  slow?(answerMs: number): void;
}

const SHORT_MS = 80;

export function wayToQemuContract(maker: string, make: () => Promise<WaySubject>): void {
  describe(`a way to QEMU, ${maker}`, () => {
    let subject: WaySubject;
    const open: QmpPort[] = [];
    beforeAll(async () => {
      subject = await make();
    });
    afterEach(async () => {
      subject.qemu.child.kill('SIGCONT');
      subject.slow?.(0);
      for (const port of open.splice(0)) await port.close();
    });
    afterAll(() => subject?.[Symbol.asyncDispose]());

    const first = (): Promise<WayToQemu> => wayTo(subject.addresses[0]!);
    const connect = async (way: WayToQemu): Promise<QmpPort> => {
      const port = await way.connect();
      open.push(port);
      return port;
    };

    test('has one identity by whatever name, which is nobody else’s, whether somebody is there or not', async () => {
      const ways = await Promise.all(subject.addresses.map(wayTo));
      expect(ways.map(({ address }) => address)).toEqual(subject.addresses);
      const identities = await Promise.all(ways.map((way) => way.identity()));
      expect(new Set(identities).size).toBe(1);
      const off = await wayTo(subject.off);
      expect(await off.identity()).toBe(await (await wayTo(subject.off)).identity());
      expect(await off.identity()).not.toBe(identities[0]);
    });

    test('its port’s address leads there again, and its record is known', async () => {
      for (const address of subject.addresses) {
        const port = await connect(await wayTo(address));
        expect(port.open).toBe(true);
        const { host } = port;
        const again = await wayTo(host.address);
        expect(await again.identity()).toBe(await (await first()).identity());
        expect(await host.isOf({ key: host.key, vm: host.address })).toBe(true);
        await port.close();
        const later = await connect(again);
        expect(later.host).toMatchObject({ key: host.key, address: host.address });
        expect(await later.host.isOf({ key: host.key, vm: host.address })).toBe(true);
        await later.close();
      }
    });

    test('says that nobody is there, where that is known', async () => {
      const error = await refusalOf((await wayTo(subject.off)).connect());
      expect(isNobodyThere(error), error.message).toBe(true);
      for (const address of subject.unknown) {
        const silence = await refusalOf((await wayTo(address)).connect({ timeoutMs: SHORT_MS }));
        expect(isNobodyThere(silence), silence.message).toBe(false);
      }
    });

    test('one who is silent is there: it ends in time, and nothing of it is in the way later', async () => {
      const way = await first();
      subject.qemu.child.kill('SIGSTOP');
      const started = performance.now();
      const late = await refusalOf(way.connect({ timeoutMs: SHORT_MS }));
      expect(late).toMatchObject({ code: 'ERR_CBT_TIMEOUT' });
      expect(isNobodyThere(late)).toBe(false);
      const aborted = await refusalOf(way.connect({ signal: AbortSignal.timeout(SHORT_MS) }));
      expect(aborted).toMatchObject({ code: 'ERR_CBT_ABORTED' });
      expect(performance.now() - started).toBeLessThan(5000);
      expect(await refusalOf(way.connect({ signal: AbortSignal.abort() }))).toMatchObject({
        code: 'ERR_CBT_ABORTED',
      });
      subject.qemu.child.kill('SIGCONT');
      expect((await connect(way)).open).toBe(true);
    });

    test('the time that it is given is for all of it', async () => {
      if (subject.slow === undefined) return;
      subject.slow(SHORT_MS / 2);
      const timeoutMs = 2 * SHORT_MS;
      const late = await refusalOf((await first()).connect({ timeoutMs }));
      expect(late).toMatchObject({ code: 'ERR_CBT_TIMEOUT', details: { timeoutMs } });
    });

    test('thaws a guest that was left frozen, also where QEMU’s monitor is silent', async () => {
      const { agent } = subject;
      const way = await first();
      subject.qemu.child.kill('SIGSTOP');
      expect(await way.thawLeft(agent.name)).toBe(false);
      agent.freeze();
      expect(await way.thawLeft(agent.name)).toBe(true);
      expect(agent.isFrozen()).toBe(false);
      agent.freeze();
      expect(await refusalOf(way.thawLeft(agent.name, AbortSignal.abort()))).toMatchObject({
        code: 'ERR_CBT_ABORTED',
      });
      expect(agent.isFrozen()).toBe(true);
      expect(await way.thawLeft(agent.name)).toBe(true);
    });
  });
}
