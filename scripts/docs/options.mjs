// Options that a caller cannot leave undefined. Programs that are compiled with exactOptionalPropertyTypes may pass `undefined` only
// where a type says so, and most of what is passed on is `T | undefined`: every option takes it, as "not told".
import ts from 'typescript';

/** The properties, as `Type.name`, that may be left out of what a call takes and may not be undefined there. */
export function strictOptions(checker, exported) {
  const seen = new Set();
  const found = new Set();

  function look(type) {
    if (seen.has(type)) return;
    seen.add(type);
    if (type.isUnionOrIntersection()) return type.types.forEach(look);
    if (!isOfOurs(type)) return;
    for (const property of checker.getPropertiesOfType(type)) {
      const declared = property.valueDeclaration;
      // As it is written: what is read of it has `undefined` for being left out too.
      if (isOption(declared) && !takesUndefined(checker.getTypeFromTypeNode(declared.type)))
        found.add(`${nameOf(property)}.${property.name}`);
      look(checker.getTypeOfSymbol(property));
    }
  }

  /** What a program writes as an object of its own: no class of ours, no function, nothing of Node's. */
  function isOfOurs(type) {
    const declared = type.symbol?.declarations?.[0];
    return (
      declared !== undefined &&
      !declared.getSourceFile().fileName.includes('node_modules') &&
      (ts.isInterfaceDeclaration(declared) || ts.isTypeLiteralNode(declared)) &&
      type.getCallSignatures().length === 0
    );
  }

  const signaturesOf = (symbol) => {
    const of = checker.getTypeOfSymbol(symbol);
    const instance = symbol.flags & ts.SymbolFlags.Class ? checker.getDeclaredTypeOfSymbol(symbol) : null;
    const interfaces =
      symbol.flags & ts.SymbolFlags.Interface ? checker.getDeclaredTypeOfSymbol(symbol) : null;
    const methods = [instance, interfaces].flatMap((type) =>
      type === null ? [] : checker.getPropertiesOfType(type).map((one) => checker.getTypeOfSymbol(one)),
    );
    return [of, ...methods].flatMap((type) => [
      ...type.getCallSignatures(),
      ...(type === of ? type.getConstructSignatures() : []),
    ]);
  };

  for (const symbol of exported)
    for (const { parameters } of signaturesOf(symbol))
      for (const parameter of parameters) look(checker.getTypeOfSymbol(parameter));
  return [...found].sort();
}

/** Not a method that may be missing, and not what tells ids apart. */
const isOption = (declared) =>
  declared !== undefined &&
  ts.isPropertySignature(declared) &&
  ts.isIdentifier(declared.name) &&
  declared.questionToken !== undefined;

const takesUndefined = (type) =>
  (type.flags & (ts.TypeFlags.Undefined | ts.TypeFlags.Unknown | ts.TypeFlags.Any)) !== 0 ||
  (type.isUnion() && type.types.some(takesUndefined));

function nameOf(property) {
  const { parent } = property.declarations[0];
  return parent.name?.text ?? parent.parent?.name?.text ?? '';
}
