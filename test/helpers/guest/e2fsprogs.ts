/** The programs of e2fsprogs, which lie where an ordinary user's PATH may not lead. */
import { run } from '../qemuProcess.js';

export function e2fsprogs(program: string, args: readonly string[]): Promise<string> {
  return run('env', [`PATH=${process.env['PATH']}:/usr/sbin:/sbin`, program, ...args]);
}
