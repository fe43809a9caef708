/**
 * What a plain server VM needs of a domain's XML. A backup is kept where others may write: its XML could name programs, files and devices
 * of this machine that libvirt, as root, would run or hand to a guest, and those of the old domain belong to it alone. So this is a list of
 * what stays; no rule in it lets a path of this machine through.
 */
import { CbtError } from '../../core/errors.js';
import type { XmlElement } from '../image/parallels/descriptorXml.js';

interface Rule {
  /** Attributes that stay where they match. */
  has?: Readonly<Record<string, RegExp>>;
  /** Attributes that make it of a kind that may stay: else all of it goes. One that is not there is ''. */
  is?: Readonly<Record<string, RegExp>>;
  /** Its text, where it may have one. */
  text?: RegExp;
  below?: Readonly<Record<string, Rule>>;
  /** What it is nothing without. */
  needs?: string;
  /** Everything in it stays: libvirt knows of no path, program or device of the host there. */
  whole?: true;
}

const SOME = /^/;
const WHOLE: Rule = { whole: true };
const TEXT: Rule = { text: SOME };

function having(...names: readonly string[]): NonNullable<Rule['has']> {
  return Object.fromEntries(names.map((name) => [name, SOME]));
}

const AMOUNT: Rule = { has: having('unit', 'slots', 'dumpCore'), text: /^\d+$/ };
const GUEST_SIDE = { address: WHOLE, boot: WHOLE, target: WHOLE, driver: WHOLE, model: WHOLE };

const DISK: Rule = {
  is: { device: /^(disk|lun|cdrom|floppy)?$/ },
  has: having('type', 'device', 'model'),
  below: {
    driver: {
      has: {
        ...having(
          'type',
          'cache',
          'io',
          'discard',
          'detect_zeroes',
          'error_policy',
          'rerror_policy',
          'queues',
        ),
        ...having('queue_size', 'iothread', 'ioeventfd', 'event_idx', 'iommu', 'ats', 'packed'),
        name: /^qemu$/,
      },
    },
    // Replaced by the restored files afterwards, or taken out.
    ...{ source: WHOLE, backingStore: WHOLE, mirror: WHOLE, encryption: WHOLE, auth: WHOLE },
    ...{ target: WHOLE, address: WHOLE, boot: WHOLE, serial: TEXT, wwn: TEXT, vendor: TEXT, product: TEXT },
    ...{ iotune: WHOLE, blockio: WHOLE, geometry: WHOLE, readonly: {} },
  },
};

const INTERFACE: Rule = {
  is: { type: /^(network|bridge|user)$/ },
  below: {
    source: { has: having('network', 'bridge', 'portgroup') },
    virtualport: { has: having('type') },
    ...{ mac: WHOLE, model: WHOLE, driver: WHOLE, link: WHOLE, mtu: WHOLE, boot: WHOLE, vlan: WHOLE },
    ...{ address: WHOLE, filterref: WHOLE, bandwidth: WHOLE },
  },
};

const GRAPHICS: Rule = {
  is: { type: /^(vnc|spice)$/ },
  // Its password is in no backup: what listened to the world behind one would now do so without.
  has: { autoport: /^yes$/, port: /^-1$/, listen: /^127\.0\.0\.1$/, ...having('keymap') },
  below: { listen: { is: { type: /^address$/, address: /^(127\.0\.0\.1)?$/ } } },
};

const DEVICES: Rule = {
  below: {
    disk: DISK,
    controller: WHOLE,
    interface: INTERFACE,
    serial: { is: { type: /^pty$/ }, below: GUEST_SIDE },
    console: { is: { type: /^pty$/ }, below: GUEST_SIDE },
    // libvirt draws the path of its socket.
    channel: {
      is: { type: /^(unix|spicevmc|pty)$/ },
      below: { target: { has: having('type', 'name') }, address: WHOLE },
    },
    redirdev: { is: { type: /^spicevmc$/ }, has: having('bus'), below: { address: WHOLE } },
    input: {
      is: { type: /^(tablet|mouse|keyboard)$/ },
      has: having('bus', 'model'),
      below: { address: WHOLE },
    },
    graphics: GRAPHICS,
    video: {
      below: {
        model: {
          is: { type: /^(?!vhostuser)/ },
          has: having('vram', 'vram64', 'ram', 'vgamem', 'heads', 'primary', 'blob'),
          below: { resolution: WHOLE },
        },
        address: WHOLE,
      },
    },
    sound: WHOLE,
    audio: { is: { type: /^(none|spice)$/ }, has: having('id') },
    memballoon: WHOLE,
    rng: {
      is: { model: SOME },
      needs: 'backend',
      below: {
        rate: WHOLE,
        backend: { is: { model: /^(random|builtin)$/ }, text: /^(\/dev\/u?random)?$/ },
        address: WHOLE,
        driver: WHOLE,
      },
    },
    tpm: {
      needs: 'backend',
      has: having('model'),
      below: { backend: { is: { type: /^emulator$/ }, has: having('version') }, address: WHOLE },
    },
    watchdog: WHOLE,
    panic: WHOLE,
    hub: WHOLE,
    iommu: WHOLE,
  },
};

const DOMAIN: Rule = {
  has: { type: SOME },
  below: {
    ...{ name: TEXT, uuid: TEXT, genid: TEXT, title: TEXT, description: TEXT },
    ...{ memory: AMOUNT, maxMemory: AMOUNT, currentMemory: AMOUNT, iothreads: TEXT, iothreadids: WHOLE },
    vcpu: { has: having('placement', 'current'), text: /^\d+$/ },
    vcpus: WHOLE,
    os: {
      has: having('firmware'),
      below: {
        type: { has: having('arch', 'machine'), text: /^hvm$/ },
        firmware: WHOLE,
        loader: { has: having('secure') },
        ...{ boot: WHOLE, bootmenu: WHOLE, bios: WHOLE },
      },
    },
    ...{ features: WHOLE, cpu: WHOLE, clock: WHOLE, pm: WHOLE },
    ...{ on_poweroff: TEXT, on_reboot: TEXT, on_crash: TEXT },
    devices: DEVICES,
  },
};

/** The domain with nothing else, and what is left out, by name. `ERR_CBT_UNSUPPORTED` for what is no virtual machine of QEMU's. */
export function plainDomain(root: XmlElement): { plain: XmlElement; left: string[] } {
  const kind = root.attributes['type'] ?? '';
  const os = root.children.find(({ name }) => name === 'os');
  const runs = os?.children.find(({ name }) => name === 'type')?.text ?? '';
  if (!/^(kvm|qemu)$/.test(kind) || runs !== 'hvm')
    throw new CbtError(
      'ERR_CBT_UNSUPPORTED',
      `the XML that the run kept is of a domain of type ${kind || 'none'} with <os><type> ${runs || 'none'}, expected kvm or qemu, and hvm; --trust takes it as it is`,
      { details: { type: kind, os: runs } },
    );
  const left = new Set<string>();
  const plain = kept(firmwareByName(root), DOMAIN, '', left);
  return { plain, left: [...left] };
}

function kept(element: XmlElement, rule: Rule, path: string, left: Set<string>): XmlElement {
  const { has = {}, is = {}, below = {}, text = /^$/ } = rule;
  const allowed = (name: string, value: string): boolean =>
    (Object.hasOwn(has, name) && (has[name]?.test(value) ?? false)) || Object.hasOwn(is, name);
  const attributes = Object.entries(element.attributes).filter(([name, value]) => {
    const stays = allowed(name, value);
    if (!stays && !name.startsWith('xmlns') && path !== '') left.add(inWords(path, name, value));
    return stays;
  });
  if (!text.test(element.text)) left.add(`the text of ${inWords(path)}`);
  return {
    name: element.name,
    attributes: Object.fromEntries(attributes),
    text: text.test(element.text) ? element.text : '',
    children: element.children.flatMap((child) => {
      const at = `${path}/${child.name}`;
      const its = Object.hasOwn(below, child.name) ? below[child.name] : undefined;
      if (its?.whole === true) return [child];
      const other = Object.entries(its?.is ?? {}).find(
        ([name, form]) => !form.test(child.attributes[name] ?? ''),
      );
      if (its !== undefined && other === undefined) {
        const stays = kept(child, its, at, left);
        return its.needs === undefined || stays.children.some(({ name }) => name === its.needs)
          ? [stays]
          : [];
      }
      const [name] = other ?? [];
      left.add(name === undefined ? inWords(at) : inWords(at, name, child.attributes[name] ?? ''));
      return [];
    }),
  };
}

function inWords(path: string, attribute?: string, value?: string): string {
  const name = path.replace(/^\/(devices\/)?/, '');
  return attribute === undefined ? `<${name}>` : `<${name} ${attribute}="${value}">`;
}

/** UEFI stays UEFI, of libvirt's choice: the loader is a file of the host that the guest runs, and may write. */
function firmwareByName(root: XmlElement): XmlElement {
  const isUefi = (os: XmlElement): boolean =>
    os.children.some(({ name, attributes }) => name === 'loader' && attributes['type'] === 'pflash');
  const children = root.children.map((one) =>
    one.name === 'os' && isUefi(one) ? { ...one, attributes: { ...one.attributes, firmware: 'efi' } } : one,
  );
  return { ...root, children };
}
