/**
 * A model of one QEMU disk with dirty bitmaps, small enough to reason about: content is one number per block, a bitmap is
 * a set of blocks. It follows what QEMU does, not what our chain wishes: a write marks every recording bitmap, a resize
 * truncates all of them, growth brings clean bits, an action list is carried out in order.
 */
import type { BitmapAction } from '../../lib/core/chainPlan.js';
import type { ChangePlan } from '../../lib/core/changeQuery.js';
import type { BitmapRef, DiskState } from '../../lib/core/diskSource.js';
import { parseSegmentName } from '../../lib/core/segmentName.js';

export const BLOCK = 65_536;

export interface ModelBitmap {
  name: string;
  recording: boolean;
  inconsistent: boolean;
  blocks: Set<number>;
  /** On a layer that was let go of: whether its bits are still to be merged into the top. */
  merges?: boolean;
}

export interface ModelLayer {
  blocks: number;
  bitmaps: ModelBitmap[];
  /** Block → content; absent = not allocated here. */
  content: Map<number, number>;
}

/** Of all models together: no two writes put the same content, also on copies of one disk. */
let writes = 0;

function epochsOf(layers: readonly ModelLayer[]): string[] {
  return layers.flatMap(({ bitmaps }) => bitmaps.flatMap(({ name }) => parseSegmentName(name)?.epoch ?? []));
}

export class ModelDisk {
  /** Top first. */
  layers: ModelLayer[];
  /** Layers that a pull has let go of and nobody removed yet, as nodes of QEMU that nothing leads to. */
  left: ModelLayer[] = [];

  constructor(blocks: number) {
    this.layers = [{ blocks, bitmaps: [], content: new Map() }];
  }

  get top(): ModelLayer {
    return this.layers[0]!;
  }

  write(block: number): void {
    if (block >= this.top.blocks) return;
    writes += 1;
    this.top.content.set(block, writes);
    for (const bitmap of this.top.bitmaps) if (bitmap.recording) bitmap.blocks.add(block);
  }

  /** The same files once more, which go on by themselves. */
  copy(): ModelDisk {
    const twin = new ModelDisk(0);
    twin.layers = structuredClone(this.layers);
    twin.left = structuredClone(this.left);
    return twin;
  }

  resize(blocks: number): void {
    this.top.blocks = blocks;
    for (const block of [...this.top.content.keys()]) if (block >= blocks) this.top.content.delete(block);
    for (const bitmap of this.top.bitmaps)
      for (const b of [...bitmap.blocks]) if (b >= blocks) bitmap.blocks.delete(b);
  }

  /** An external snapshot by somebody who does not know of bitmaps. */
  overlay(): void {
    this.layers.unshift({ blocks: this.top.blocks, bitmaps: [], content: new Map() });
  }

  /** The top layer committed into the one below, whose recording bitmaps see the writes. */
  commit(): void {
    const [over, base] = this.layers;
    if (over === undefined || base === undefined) return;
    this.layers.shift();
    if (base.blocks !== over.blocks) this.resize(over.blocks);
    for (const [block, content] of over.content) {
      base.content.set(block, content);
      for (const bitmap of base.bitmaps) if (bitmap.recording) bitmap.blocks.add(block);
    }
  }

  /** What a guest reads, block by block. */
  contents(): number[] {
    return Array.from({ length: this.top.blocks }, (_, block) => {
      for (const layer of this.layers) {
        if (block >= layer.blocks) return 0;
        const content = layer.content.get(block);
        if (content !== undefined) return content;
      }
      return 0;
    });
  }

  apply(actions: readonly BitmapAction[]): void {
    const { bitmaps, blocks } = this.top;
    const get = (name: string): ModelBitmap => {
      const found = bitmaps.find((bitmap) => bitmap.name === name);
      if (found === undefined) throw new Error(`model: no bitmap ${name}`);
      return found;
    };
    for (const action of actions) {
      switch (action.kind) {
        case 'add':
          if (bitmaps.some((bitmap) => bitmap.name === action.name))
            throw new Error(`model: ${action.name} exists`);
          bitmaps.unshift({
            name: action.name,
            recording: !action.disabled,
            inconsistent: false,
            blocks: new Set(),
          });
          break;
        case 'disable':
          get(action.name).recording = false;
          break;
        case 'merge':
          for (const source of [
            ...action.sources.map(get),
            ...(action.below ?? []).map((ref) => this.bitmap(ref)),
          ])
            for (const block of source.blocks) if (block < blocks) get(action.target).blocks.add(block);
          break;
        case 'remove':
          bitmaps.splice(bitmaps.indexOf(get(action.name)), 1);
          break;
      }
    }
  }

  bitmap({ layer, name }: BitmapRef): ModelBitmap {
    const found = this.layers[layer]?.bitmaps.find((bitmap) => bitmap.name === name);
    if (found === undefined) throw new Error(`model: no bitmap ${name} on layer ${layer}`);
    return found;
  }

  state(): DiskState {
    const left = new Set(epochsOf(this.left));
    const held = { reason: 'BUSY', message: 'a layer that was let go of has points of this disk' } as const;
    return {
      disk: 'model',
      sizeBytes: this.top.blocks * BLOCK,
      live: false,
      layers: this.layers.map((layer, index) => ({
        label: `layer${index}`,
        sizeBytes: layer.blocks * BLOCK,
        format: 'qcow2',
        ...(epochsOf([layer]).some((epoch) => left.has(epoch)) && { problem: held }),
        bitmaps: layer.bitmaps.map(({ name, recording, inconsistent }) => ({
          name,
          recording,
          inconsistent,
          granularityBytes: BLOCK,
          persistent: true,
          busy: false,
        })),
      })),
    };
  }

  /** Carries out a plan the way a backend does; blocks, not bytes. */
  answer(plan: ChangePlan): Set<number> {
    const end = plan.sizeBytes / BLOCK;
    const changed = new Set<number>();
    for (const ref of plan.bitmaps)
      for (const block of this.bitmap(ref).blocks) if (block < end) changed.add(block);
    for (const layer of this.layers.slice(0, plan.overlayLayers)) {
      for (const block of layer.content.keys()) if (block < end) changed.add(block);
    }
    for (let block = plan.grownFromBytes / BLOCK; block < end; block += 1) changed.add(block);
    return changed;
  }
}
