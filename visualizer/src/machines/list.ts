/** Which charts there are, and whose. Sources of one protocol share theirs. */
import type { Chart } from '../../../src/inspect/drawing/chart.js';
import type { Source } from '../../../src/inspect/visualizer/messages.js';

export interface Machine {
  readonly key: string;
  /** Its id. */
  readonly name: string;
  readonly chart: Chart;
  /** What runs it: `protocol of chat`, `server socket`. */
  readonly uses: readonly string[];
}

export function listMachines(sources: readonly Source[], charts: Readonly<Record<string, Chart>>): readonly Machine[] {
  const uses = new Map<string, Map<string, string[]>>();
  const note = (key: string | null, role: string, source: string) => {
    if (key === null) return;
    const roles = uses.get(key) ?? new Map<string, string[]>();
    uses.set(key, roles.set(role, [...(roles.get(role) ?? []), source]));
  };
  // Protocols first: they are what differs.
  for (const { name, charts: of } of sources) note(of.protocol, 'protocol', name);
  for (const { name, charts: of } of sources)
    for (const [shared, key] of Object.entries(of.shared)) note(key, `shared ${shared}`, name);
  for (const { name, kind, charts: of } of sources) {
    note(of.session, 'transport', name);
    note(of.owner, kind === 'server' ? 'server socket' : 'client', name);
    note(of.sweeper, 'sweeper', name);
  }
  for (const key of Object.keys(charts)) if (!uses.has(key)) uses.set(key, new Map());
  return [...uses].flatMap(([key, roles]) => {
    const chart = charts[key];
    const texts = [...roles].map(([role, names]) => `${role} of ${namesText(names, sources)}`);
    return chart ? [{ key, name: chart.id, chart, uses: texts }] : [];
  });
}

/** One chart of many servers is told once. */
function namesText(names: readonly string[], sources: readonly Source[]): string {
  const isEach = (of: readonly Source[]) => of.length > 2 && of.every(({ name }) => names.includes(name));
  if (isEach(sources)) return 'all';
  const servers = sources.filter(({ kind }) => kind === 'server');
  if (isEach(servers) && names.length === servers.length) return 'all servers';
  return names.join(', ');
}
