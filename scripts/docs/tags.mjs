/**
 * TypeDoc’s plugin for what it does not ask for itself: words for every parameter of every public call, what the call answers or throws,
 * an example for every function and every class that has calls, and words for every member of a type.
 */
import { ReflectionKind as Kind } from 'typedoc';

/** Calls that a reader never writes by name. */
const isNamed = ({ name }) => !name.startsWith('[');

/** What lacks words at a call. */
function lackingAt(signature, needsExample) {
  const tags = (signature.comment?.blockTags ?? []).map(({ tag }) => tag);
  const parameters = (signature.parameters ?? []).filter(({ comment }) => !comment?.hasVisibleComponent());
  const lacking = parameters.map(({ name }) => `@param ${name}`);
  const isNew = signature.kindOf(Kind.ConstructorSignature);
  if (!isNew && !tags.includes('@throws') && !tags.includes('@returns')) lacking.push('@throws or @returns');
  if (needsExample && !tags.includes('@example')) lacking.push('@example');
  return lacking;
}

/** Properties without words; what a class has from another, or has otherwise than it, has them there. */
function untold(reflection) {
  const properties = reflection.kindOf(Kind.ClassOrInterface) ? (reflection.children ?? []) : [];
  return properties.filter(
    (one) =>
      one.kindOf(Kind.Property) &&
      one.inheritedFrom === undefined &&
      one.overwrites === undefined &&
      isNamed(one) &&
      !one.comment?.hasVisibleComponent() &&
      !one.signatures?.some(({ comment }) => comment?.hasVisibleComponent()),
  );
}

function lackingIn(reflection) {
  const found = [];
  const look = (one, needsExample) => {
    // Of overloads, the first one stands for all.
    const [signature] = one.signatures ?? [];
    if (signature === undefined || one.inheritedFrom !== undefined || !isNamed(one)) return;
    const lacking = lackingAt(signature, needsExample);
    if (lacking.length > 0) found.push([one, lacking]);
  };
  if (reflection.kindOf(Kind.Function)) look(reflection, true);
  if (!reflection.kindOf(Kind.ClassOrInterface)) return found;
  for (const child of reflection.children ?? [])
    if (child.kindOf(Kind.Method | Kind.Constructor)) look(child, false);
  const hasExample = reflection.comment?.blockTags.some(({ tag }) => tag === '@example');
  const hasCalls = reflection.children?.some(
    (one) => one.kindOf(Kind.Method) && !one.inheritedFrom && isNamed(one),
  );
  if (reflection.kindOf(Kind.Class) && hasCalls && !hasExample) found.push([reflection, ['@example']]);
  return found;
}

export function load(app) {
  app.on('validateProject', (project) => {
    for (const module of project.children ?? [])
      for (const reflection of module.children ?? []) {
        for (const [one, lacking] of lackingIn(reflection))
          app.logger.warn(`${one.getFullName()} lacks ${lacking.join(', ')}`);
        for (const one of untold(reflection)) app.logger.warn(`${one.getFullName()} has no words`);
      }
  });
}
