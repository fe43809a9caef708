/**
 * The bytes of one layer by itself, from its file; while a merge is under way, from the two files that it is being made of,
 * the upper one over the lower. Nothing but the files given is ever opened.
 */
import { CbtError } from '../core/errors.js';
import type { HeldRun, PlainImage } from '../host/plainImage.js';
import { onFile } from './fileFault.js';
import { type ExpectedHeader, openLayerFile } from './layerHeader.js';

/** A stretch that the layer holds: what is not held is what the layer below has. */
export interface HeldSpan {
  offset: number;
  length: number;
  /** It is marked to read as zeros; else its bytes may be zeros all the same. */
  zero: boolean;
}

/** A file of a layer, and what its header must say. */
export interface LayerFile {
  path: string;
  expected: ExpectedHeader;
}

export class LayerData implements AsyncDisposable {
  /** For messages: the file of the layer's name. */
  readonly path: string;
  /** The lowest first. */
  readonly #images: readonly PlainImage[];

  private constructor(path: string, images: readonly PlainImage[]) {
    this.path = path;
    this.#images = images;
  }

  /** The lowest file first; headers are checked. */
  static async open(files: readonly LayerFile[]): Promise<LayerData> {
    const images: PlainImage[] = [];
    try {
      for (const { path, expected } of files) images.push(await openLayerFile(path, expected));
      const top = images.at(-1);
      if (top === undefined) throw new CbtError('ERR_CBT_INTERNAL', 'a layer without a file');
      return new LayerData(top.path, images);
    } catch (error) {
      for (const image of images) await image.close();
      throw error;
    }
  }

  /** Fills `into` with what the layer has from `offset` on, and zeros where it has nothing. */
  async read(into: Buffer, offset: number, signal?: AbortSignal): Promise<void> {
    into.fill(0);
    await this.overlay(into, offset, signal);
  }

  /** The same, but what the layer has not is left as it is. */
  async overlay(into: Buffer, offset: number, signal?: AbortSignal): Promise<void> {
    await onFile(this.path, 'reading', async () => {
      for (const image of this.#images) await image.overlay(into, offset, signal);
    });
  }

  /** What it holds of [start, end), in order and apart; spans that touch may be one or two. */
  async *held(start: number, end: number): AsyncGenerator<HeldSpan, void, undefined> {
    const sources = this.#images.map((image) => image.held(start, end));
    let all: AsyncGenerator<HeldSpan> | null = null;
    for (const source of sources) all = all === null ? spans(source) : union(all, spans(source));
    if (all === null) return;
    try {
      yield* all;
    } catch (error) {
      await onFile(this.path, 'reading', () => Promise.reject(error));
    }
  }

  async close(): Promise<void> {
    for (const image of this.#images) await image.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

async function* spans(runs: AsyncGenerator<HeldRun>): AsyncGenerator<HeldSpan, void, undefined> {
  for await (const { offset, length, host } of runs) yield { offset, length, zero: host === null };
}

/** What either has; of what both have, only zeros over zeros are called zeros. */
async function* union(
  below: AsyncGenerator<HeldSpan>,
  above: AsyncGenerator<HeldSpan>,
): AsyncGenerator<HeldSpan, void, undefined> {
  const sides = [below, above] as const;
  const heads: (HeldSpan | null)[] = [];
  const advance = async (side: 0 | 1): Promise<void> => {
    const next = await sides[side].next();
    heads[side] = next.done ? null : { ...next.value };
  };
  await advance(0);
  await advance(1);
  for (;;) {
    const [a, b] = heads;
    if (!a && !b) return;
    const first = !b || (a && a.offset <= b.offset) ? (a as HeldSpan) : b;
    const side = first === a ? 0 : 1;
    const other = side === 0 ? b : a;
    const end = first.offset + first.length;
    if (!other || other.offset >= end) {
      yield first;
      await advance(side);
      continue;
    }
    if (other.offset > first.offset) {
      yield { ...first, length: other.offset - first.offset };
      cut(first, other.offset);
      continue;
    }
    const until = Math.min(end, other.offset + other.length);
    yield { offset: first.offset, length: until - first.offset, zero: first.zero && other.zero };
    for (const [i, head] of [a, b].entries()) {
      if (!head) continue;
      cut(head, until);
      if (head.length <= 0) await advance(i === 0 ? 0 : 1);
    }
  }
}

function cut(span: HeldSpan, from: number): void {
  span.length -= from - span.offset;
  span.offset = from;
}
