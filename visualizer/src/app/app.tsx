/** The frame around every view: which source, which view, how the link is. */
import { useHello, useLinkStatus } from '../connection/use-link.js';

export function App() {
  const hello = useHello();
  const status = useLinkStatus();
  return <main className="nothing">{hello ? hello.sources.map(({ name }) => name).join() : status}</main>;
}
