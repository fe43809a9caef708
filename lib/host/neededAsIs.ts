/**
 * Who needs an image to stay as it is although no QEMU has it open: an overlay that stands on it, and a libvirt domain whose saved RAM
 * goes on with it. What is written to the image tears the disk that they are.
 */
import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseDomainXml } from '../backend/libvirt/domainXml.js';
import type { Libvirt } from '../backend/libvirt/libvirt.js';
import { CbtError, throwIfAborted } from '../core/errors.js';
import { isMissing, onFile } from '../linux/fileFault.js';
import { fileIdentity } from '../linux/fileIdentity.js';
import { realPathAsText } from '../linux/textPath.js';
import { imageBelow } from './waitingOverlay.js';

export interface NeededOptions {
  /** URIs of libvirts whose domains are asked. */
  libvirts?: readonly string[] | undefined;
  /** Whether overlays above count for nothing, and what cannot be known. Saved RAM always counts. */
  force?: boolean | undefined;
  signal?: AbortSignal | undefined;
}

/** More files than this beside an image are not looked at: whether one stands on it is not known then. */
const MAX_FILES = 4096;
/** As QEMU's own limit for chains. */
const MAX_LAYERS = 200;

/**
 * Throws `BUSY` where a qcow2 file beside one of the images stands on it, where a domain has one below the top layer of a disk, or would
 * go on with one from saved RAM; also where that cannot be known.
 */
export async function requireNotNeeded(images: readonly string[], options: NeededOptions): Promise<void> {
  const { libvirts = [], force = false, signal } = options;
  const wanted = new Map<string, string>();
  for (const image of images) {
    const identity = await fileIdentity(image);
    if (identity !== null) wanted.set(identity, image);
  }
  if (!force) for (const image of images) await requireNothingAbove(image, wanted, signal);
  for (const uri of libvirts) await requireNoDomain(uri, wanted, { force, signal });
}

/** Overlays in another folder, and above devices, are found only as disks of domains. */
async function requireNothingAbove(
  image: string,
  wanted: ReadonlyMap<string, string>,
  signal: AbortSignal | undefined,
): Promise<void> {
  if ((await fileIdentity(image))?.startsWith('device ')) return;
  const folder = dirname(await realPathAsText(image));
  const files = (await onFile(folder, 'reading', () => readdir(folder, { withFileTypes: true }))).filter(
    (entry) => entry.isFile(),
  );
  if (files.length > MAX_FILES)
    throw needed(
      image,
      `whether an overlay stands on it is not known: ${folder} has ${files.length} files, past ${MAX_FILES}`,
    );
  for (const { name } of files) {
    throwIfAborted(signal);
    const overlay = join(folder, name);
    const below = await imageBelow(overlay).catch((error: unknown) => {
      throw notKnown(image, `whether ${overlay} stands on it`, error);
    });
    const one = below === null ? undefined : wanted.get((await fileIdentity(below)) ?? '');
    if (one !== undefined)
      throw needed(one, `${overlay} stands on it, and would be torn; it is the newest state of the disk`);
  }
}

async function requireNoDomain(
  uri: string,
  wanted: ReadonlyMap<string, string>,
  { force, signal }: { force: boolean; signal: AbortSignal | undefined },
): Promise<void> {
  const { parseLibvirtUri } = await import('../backend/libvirt/libvirtUri.js');
  const { Libvirt } = await import('../backend/libvirt/libvirt.js');
  const libvirt = await Libvirt.connect(parseLibvirtUri(uri), { signal }).catch((error: unknown) => {
    throwIfAborted(signal);
    if (error instanceof CbtError && force) return null;
    // One that is down has the saved RAM all the same.
    const [image = ''] = wanted.values();
    throw notKnown(image, 'whether a domain needs it', error);
  });
  if (libvirt === null) return;
  try {
    for (const domain of await libvirt.domains({ signal })) await ask(libvirt, domain, wanted, force, signal);
  } finally {
    await libvirt.close();
  }
}

async function ask(
  libvirt: Libvirt,
  domain: Awaited<ReturnType<Libvirt['domains']>>[number],
  wanted: ReadonlyMap<string, string>,
  force: boolean,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { name } = domain;
  const { disks } = parseDomainXml(name, await libvirt.xml(domain, { signal, inactive: true }));
  let saved: boolean | null = null;
  for (const { target, file, format } of disks) {
    if (file === null) continue;
    const found = await layerOf(file, format, wanted, force);
    if (found === null) continue;
    saved ??= await libvirt.hasManagedSave(domain, { signal });
    if (saved)
      throw needed(
        found.image,
        `the RAM of libvirt domain ${name} was saved and goes on with it: start the domain and shut it down, or give its RAM up (virsh managedsave-remove ${name})`,
        false,
      );
    if (found.depth > 0 && !force)
      throw needed(found.image, `${file}, disk ${target} of libvirt domain ${name}, stands on it`);
  }
}

/** Where a disk’s stack has one of the images. */
async function layerOf(
  top: string,
  format: string | null,
  wanted: ReadonlyMap<string, string>,
  force: boolean,
): Promise<{ image: string; depth: number } | null> {
  let file: string | null = top;
  for (let depth = 0; file !== null && depth < MAX_LAYERS; depth += 1) {
    const image = wanted.get((await fileIdentity(file)) ?? '');
    if (image !== undefined) return { image, depth };
    // The guest writes the bytes of a raw disk: they name nothing.
    if (format !== 'qcow2') return null;
    file = await realPathAsText(file)
      .then(imageBelow)
      .catch((error: unknown) => {
        // A disk whose file is not there stands on nothing.
        if (isMissing(error) || (error instanceof CbtError && force)) return null;
        throw error;
      });
  }
  return null;
}

/** Anything but a coded error is thrown as it is. */
function notKnown(image: string, what: string, error: unknown): unknown {
  return error instanceof CbtError ? needed(image, `${what} is not known: ${error.message}`) : error;
}

function needed(image: string, why: string, forcible = true): CbtError {
  return new CbtError(
    'ERR_CBT_BACKEND_UNAVAILABLE',
    `${image} was not written to: ${why}${forcible ? '; --force writes to it all the same' : ''}`,
    { reason: 'BUSY', disk: image, details: { path: image } },
  );
}
