// Before every view: what a view says of its own elements is the last word.
import './design/tokens.css';
import './design/base.css';
import { createRoot } from 'react-dom/client';
import { App } from './app/app.js';
import { followLink } from './app/route.js';
import { Link } from './connection/link.js';
import { LinkProvider } from './connection/use-link.js';

document.addEventListener('click', followLink);
createRoot(document.getElementById('root')!).render(
  <LinkProvider link={new Link()}>
    <App />
  </LinkProvider>,
);
