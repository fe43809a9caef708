/** Methods of an object and of what it is made from, as `Kind.method`. */
export function methodsOf(kind: string, object: object): string[] {
  const found = new Set<string>();
  for (let at = object; at !== Object.prototype; at = Object.getPrototypeOf(at) as object)
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(at)))
      if (typeof value === 'function' && name !== 'constructor') found.add(`${kind}.${name}`);
  return [...found];
}
