/** The one command that brings what a machine lacks, in the words of its distribution. */
import { readFile } from 'node:fs/promises';

/** Names of a package in the two families that we know. */
export interface PackageNames {
  debian: string;
  fedora: string;
}

export type Installer = (packages: PackageNames) => string;

/** How packages are installed here; of an unknown distribution both ways are told. */
export async function installerOf(
  file = '/etc/os-release',
  root = process.geteuid?.() === 0,
): Promise<Installer> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const words = [...text.matchAll(/^(?:ID|ID_LIKE)="?([^"\n]*)"?$/gm)].flatMap(([, value = '']) =>
    value.split(' '),
  );
  const sudo = root ? '' : 'sudo ';
  const apt = ({ debian }: PackageNames): string => `${sudo}apt-get install ${debian}`;
  const dnf = ({ fedora }: PackageNames): string => `${sudo}dnf install ${fedora}`;
  if (words.some((word) => word === 'debian' || word === 'ubuntu')) return apt;
  if (words.some((word) => ['fedora', 'rhel', 'centos'].includes(word))) return dnf;
  return (packages) => `${apt(packages)} (Debian, Ubuntu), ${dnf(packages)} (Fedora, RHEL)`;
}
