/** The public declarations of docs/api-report.txt, taken apart: functions with their parameters, members of classes and interfaces. */

/** Parts between separators that are in no brackets. */
function split(text, separator) {
  const parts = [''];
  let depth = 0;
  for (const character of text.replaceAll('=>', '⇒')) {
    if ('<({['.includes(character)) depth += 1;
    if ('>)}]'.includes(character)) depth -= 1;
    if (character === separator && depth === 0) parts.push('');
    else parts[parts.length - 1] += character;
  }
  return parts.map((part) => part.replaceAll('⇒', '=>').trim()).filter((part) => part !== '');
}

/** The text up to the bracket that closes the first one, and what comes after it. */
function closed(text) {
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] === '(') depth += 1;
    if (text[at] === ')') depth -= 1;
    if (text[at] === ')' && depth === 0) return [text.slice(1, at), text.slice(at + 1)];
  }
  throw new Error(`not closed: ${text}`);
}

/** `(name: Type, …): Result`, or the same with a name that is not looked at (`_name`). */
function signatureOf(text) {
  const [list, rest] = closed(text);
  const parameters = split(list, ',').map((parameter) => {
    const [, dots, name, mark, type] = /^(\.\.\.)?_?(\w+|\{[^}]*\})(\??): ([\s\S]*)$/.exec(parameter) ?? [];
    if (name === undefined) throw new Error(`not understood: ${parameter}`);
    const optional = mark === '?' || dots !== undefined || /\b(null|undefined)\b/.test(type);
    return { name, type, optional };
  });
  return { parameters, returns: rest.replace(/^: /, '').replace(/^Promise<(.*)>$/, '$1') };
}

/** Members of the body of a class, an interface or a type of an object. */
export function membersOf(body) {
  return split(body, ';').flatMap((text) => {
    const plain = text.replace(/^((static|readonly|abstract|get|set) )+/, '');
    if (/^(static|set) /.test(text) || plain.startsWith('constructor') || plain.startsWith('[')) return [];
    const [, name, mark, rest] = /^(\w+)(\??)([\s\S]*)$/.exec(plain) ?? [];
    if (rest?.startsWith('(') && !text.startsWith('get ')) return [{ name, call: signatureOf(rest) }];
    const type = rest?.replace(/^(\(\))?: /, '');
    return name === undefined ? [] : [{ name, optional: mark === '?' || /\bundefined$/.test(type), type }];
  });
}

function declarationOf(text) {
  const [, kind, name, rest] = /^(?:abstract )?(function|class|interface|type|const) (\w+)([\s\S]*)$/.exec(
    text,
  );
  if (kind === 'function')
    return { kind, name, call: signatureOf(rest.slice(rest.indexOf('(')).replace(/;$/, '')) };
  if (kind === 'const') return { kind, name, value: rest.replace(/^(: | = )/, '').replace(/;$/, '') };
  if (kind === 'type') return { kind, name, text: rest };
  const open = / \{$/m.exec(rest).index;
  const [, base = null] = / extends (\w+)/.exec(rest.slice(0, open).replace(/^<.*?>/, '')) ?? [];
  return { kind, name, base, members: membersOf(rest.slice(open + 2, rest.lastIndexOf('}'))) };
}

/** By subpath (`vsphere`; the package itself is ``), then by name. */
export function readReport(text) {
  const sections = text.split(/^=== qemu-cbt(?:\/(\w+))? ===$/m).slice(1);
  const report = new Map();
  for (let at = 0; at < sections.length; at += 2) {
    const texts = sections[at + 1]
      .trim()
      .split(/\n(?=(?:abstract )?(?:function|class|interface|type|const) )/);
    const found = texts.map(declarationOf);
    report.set(sections[at] ?? '', new Map(found.map((one) => [one.name, one])));
  }
  return report;
}
