/**
 * A kernel that finds nothing in any file, for tests of everything a source checks before and around the reading. The lock
 * it reports is the test's to set, at any moment of the reading.
 */
import type { BitmapKernel } from '../../lib/core/bitmapKernel.js';
import { checkWindow, type RangePage, type Window } from '../../lib/core/rangePage.js';
import { tinyKernel } from './tinyKernel.js';

export interface BlindKernel extends BitmapKernel {
  /** What `lockState` answers from now on. */
  writer: boolean;
  /** Called before each scan and lock question, with its name. */
  onAsk: (what: string) => void | Promise<void>;
}

export function blindKernel(): BlindKernel {
  const nothing = async (what: string, window: Window): Promise<RangePage> => {
    checkWindow(window);
    await kernel.onAsk(what);
    return { ranges: new Float64Array(0), startBytes: window.startBytes, nextBytes: window.endBytes };
  };
  const kernel: BlindKernel = {
    ...tinyKernel,
    writer: false,
    onAsk: () => {},
    lockState: async () => {
      await kernel.onAsk('lockState');
      return { writer: kernel.writer, writersForbidden: false };
    },
    scanBitmaps: (_segments, _granularityBytes, window) => nothing('scanBitmaps', window),
    scanClusters: (_tables, _wanted, window) => nothing('scanClusters', window),
    scanFileData: (_fd, window) => nothing('scanFileData', window),
    countBitmaps: async () => 0,
  };
  return kernel;
}
