/** The parameters of a function or method, as its one declaration in a source file writes them. */

export interface DeclaredParameter {
  /** Without the underscore of one that is not looked at. */
  name: string;
  /** Its type as written; of one with a value only, the value's. */
  type: string;
  /** May be left out, or be null or undefined. */
  optional: boolean;
}

export interface Declared {
  parameters: DeclaredParameter[];
  /** Its result as written, without the promise. */
  returns: string;
}

/** Parts between commas that are in no brackets. */
function split(list: string): string[] {
  const parts: string[] = [''];
  let depth = 0;
  for (const character of list) {
    if ('<({['.includes(character)) depth += 1;
    if ('>)}]'.includes(character)) depth -= 1;
    if (character === ',' && depth === 0) parts.push('');
    else parts[parts.length - 1] += character;
  }
  return parts.filter((part) => part.trim() !== '');
}

function parameterOf(text: string): DeclaredParameter {
  const [, name, mark, type, value] = /^\s*_?(\w+)(\??)(?:: ([^=]+?))?(?: = (.+?))?\s*$/.exec(text) ?? [];
  if (name === undefined || (type === undefined && value === undefined))
    throw new Error(`not understood: ${text}`);
  const written = type ?? typeof JSON.parse(String(value));
  const optional = mark === '?' || value !== undefined || /\b(null|undefined)\b/.test(written);
  return { name, type: written, optional };
}

/** `start` comes right before the name: `function ` or the indentation of a method. Null where there is no such declaration. */
export function declaredParameters(source: string, start: string, name: string): Declared | null {
  const found = new RegExp(`${start}${name}\\(([^]*?)\\): (.+) \\{(?:\\n|\\}\\n)`).exec(source);
  if (found === null) return null;
  const [, list = '', returns = ''] = found;
  return {
    parameters: split(list).map(parameterOf),
    returns: returns.replace(/^(?:Promise|Task)<(.*)>$/, '$1'),
  };
}
