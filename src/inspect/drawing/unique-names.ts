/** Ids for a language that allows fewer characters than XState does: two states never share one. */

/** @param nameOf what an id is in that language, if no other is called so. @returns by id; later ones get a number behind it */
export function uniqueNames(ids: readonly string[], nameOf: (id: string) => string): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  const taken = new Set<string>();
  for (const id of ids) {
    const wanted = nameOf(id);
    let name = wanted;
    for (let count = 2; taken.has(name); count += 1) name = `${wanted}_${count}`;
    taken.add(name);
    names.set(id, name);
  }
  return names;
}
