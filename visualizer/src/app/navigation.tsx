/** The rail at the left: every view, one click or two keys away. */
import { Icon } from '../design/icons.js';
import { hrefOf } from './route.js';
import type { ViewEntry } from './views.js';

export function Navigation({
  views,
  path,
  source,
}: {
  views: readonly ViewEntry[];
  path: string;
  source: string | undefined;
}) {
  return (
    <nav className="frame-rail" aria-label="Views">
      <ul>
        {views.map((view) => (
          <li key={view.path}>
            <a
              className="frame-rail-link"
              href={hrefOf([view.path].filter(Boolean), { source })}
              aria-current={view.path === path ? 'page' : undefined}
              aria-keyshortcuts={`g ${view.key}`}
              title={`${view.name} (g ${view.key})`}
            >
              <Icon name={view.icon} size={20} />
              <span>{view.name}</span>
            </a>
          </li>
        ))}
      </ul>
    </nav>
  );
}
