/** Finding the programs that we run ourselves. */
import { accessSync, constants, statSync } from 'node:fs';
import path from 'node:path';
import { CbtError } from '../core/errors.js';

export interface Program {
  /** Name looked up in PATH. */
  name: string;
  /** Environment variable that names another build. */
  variable: string;
  /** Where distributions put it. */
  packages: string;
}

/** Absolute path of the program. Throws ERR_CBT_UNSUPPORTED naming the package that has it. */
export function findProgram(program: Program): string {
  const chosen = process.env[program.variable];
  const found = chosen === undefined || chosen === '' ? lookUp(program.name) : lookUp(chosen);
  if (found !== null) return found;
  const where = chosen === undefined || chosen === '' ? 'in PATH' : `at ${chosen} (${program.variable})`;
  throw new CbtError(
    'ERR_CBT_UNSUPPORTED',
    `${program.name} was not found ${where}; install ${program.packages}, or name the program in ${program.variable}`,
    { details: { program: program.name } },
  );
}

function lookUp(name: string): string | null {
  if (name.includes('/')) return isExecutable(path.resolve(name)) ? path.resolve(name) : null;
  const folders = (process.env['PATH'] ?? '').split(':').filter((folder) => folder.startsWith('/'));
  return folders.map((folder) => path.join(folder, name)).find(isExecutable) ?? null;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
