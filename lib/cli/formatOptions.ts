/** The options that say what images are, the same for every command that opens one. */
import { Option } from 'commander';

/** Formats that are read without a QEMU that runs. */
const FORMATS = ['qcow2', 'raw', 'parallels'];

export interface FormatFlags {
  format?: 'qcow2' | 'raw' | 'parallels';
  trust?: boolean;
}

export function formatOption(formats: readonly string[] = FORMATS): Option {
  return new Option(
    '--format <format>',
    'what the images are (default: told from their bytes; then no file that they name is opened)',
  ).choices(formats);
}

export const TRUST = [
  '--trust',
  'believe the bytes: no guest could write a header into these images; what they name is opened',
] as const;
