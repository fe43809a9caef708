/**
 * What this QEMU can do, asked of itself: `query-qmp-schema` describes every command. Type names in it are numbers that
 * mean nothing and change with every build, so it is walked by member names from a command down:
 *
 *   command --arg-type--> object { members, variants by tag } --type--> array | alternate | enum | object | builtin
 */
import { z } from 'zod';
import { CbtError } from '../../../core/errors.js';
import type { WaitOptions } from '../../../linux/waiting.js';
import { qmp } from './commands.js';
import type { QmpPort } from './qmpPort.js';
import { describeIssues } from './schemas.js';

const schemaType = z.looseObject({
  name: z.string(),
  'meta-type': z.string(),
  'arg-type': z.string().optional(),
  'ret-type': z.string().optional(),
  'element-type': z.string().optional(),
  /** Of objects: named members. Of alternates: unnamed ones. Of newer enums: names without types. */
  members: z.array(z.looseObject({ name: z.string().optional(), type: z.string().optional() })).optional(),
  /** The member whose value chooses the variant. */
  tag: z.string().optional(),
  variants: z.array(z.looseObject({ case: z.string(), type: z.string() })).optional(),
  values: z.array(z.string()).optional(),
});
type SchemaType = z.infer<typeof schemaType>;

/** Arrays and alternates that stand between a member and what it holds; far deeper than any QEMU has. */
const MAX_DEPTH = 16;

export class QmpSchema {
  private readonly types = new Map<string, SchemaType>();

  constructor(entries: readonly unknown[]) {
    for (const entry of entries) {
      const checked = schemaType.safeParse(entry);
      if (!checked.success) {
        const what = describeIssues(checked.error);
        throw new CbtError(
          'ERR_CBT_BACKEND_PROTOCOL',
          `query-qmp-schema has an entry that is not understood: ${what}`,
        );
      }
      this.types.set(checked.data.name, checked.data);
    }
  }

  /** Whether the command is there. */
  hasCommand(command: string): boolean {
    return this.types.get(command)?.['meta-type'] === 'command';
  }

  /**
   * Whether an argument is there, told as a path of member names; a variant is chosen as `tag=case`. Arrays and
   * alternates are looked through.
   *
   *   hasArgument('blockdev-add', 'driver=copy-before-write', 'bitmap')
   */
  hasArgument(command: string, ...path: string[]): boolean {
    return this.walk(command, 'arg-type', path);
  }

  /** The same for what a command returns. */
  hasResult(command: string, ...path: string[]): boolean {
    return this.walk(command, 'ret-type', path);
  }

  private walk(command: string, side: 'arg-type' | 'ret-type', path: string[]): boolean {
    const root = this.types.get(command);
    if (root?.['meta-type'] !== 'command') return false;
    const start = root[side];
    let objects = start === undefined ? [] : this.objectsOf(start);
    for (const step of path) {
      const [name, chosen] = split(step);
      if (chosen !== undefined) {
        objects = objects.flatMap((object) => this.variant(object, name, chosen));
      } else {
        objects = objects.flatMap((object) => this.member(object, name));
      }
      if (objects.length === 0) return false;
    }
    return objects.length > 0;
  }

  /** What the variant adds; the members of the base stay reachable too. Empty when there is no such case. */
  private variant(object: SchemaType, tag: string, chosen: string): SchemaType[] {
    if (object.tag !== tag) return [];
    const found = object.variants?.find((variant) => variant.case === chosen);
    return found === undefined ? [] : [...this.objectsOf(found.type), { ...object, variants: [] }];
  }

  private member(object: SchemaType, name: string): SchemaType[] {
    const found = object.members?.find((member) => member.name === name);
    return found?.type === undefined ? [] : this.objectsOf(found.type);
  }

  /** The types a value may have, looking through arrays and alternates. */
  private objectsOf(name: string, depth = 0): SchemaType[] {
    const type = this.types.get(name);
    if (type === undefined || depth > MAX_DEPTH) return [];
    if (type['element-type'] !== undefined) return this.objectsOf(type['element-type'], depth + 1);
    if (type['meta-type'] !== 'alternate') return [type];
    return (type.members ?? []).flatMap((member) =>
      member.type === undefined ? [] : this.objectsOf(member.type, depth + 1),
    );
  }
}

function split(step: string): [string, string | undefined] {
  const at = step.indexOf('=');
  return at < 0 ? [step, undefined] : [step.slice(0, at), step.slice(at + 1)];
}

const schemas = new WeakMap<QmpPort, QmpSchema>();

/** The schema of this connection; asked once, for a QEMU never changes while it is connected. */
export async function schemaOf(client: QmpPort, options?: WaitOptions): Promise<QmpSchema> {
  const known = schemas.get(client);
  if (known !== undefined) return known;
  const schema = new QmpSchema(await qmp(client, 'query-qmp-schema', undefined, options));
  schemas.set(client, schema);
  return schema;
}
