/** The files of a `.hdd` folder as steps of a walk, as its descriptor stacks them: the top first. */
import { type DiskFiles, type DiskImage, findDiskFiles } from './parallels/diskFiles.js';
import { type Step, stepTo } from './walkStack.js';

export interface ListedSteps {
  listed: DiskFiles;
  steps: [Step, ...Step[]];
}

export async function listedSteps(folder: string, signal?: AbortSignal): Promise<ListedSteps> {
  const listed = await findDiskFiles(folder, signal);
  const step = ({ path, raw }: DiskImage): Step => stepTo({ path, format: raw ? 'raw' : 'parallels' });
  const [top, ...lower] = listed.images;
  return { listed, steps: [step(top), ...lower.map(step)] };
}
