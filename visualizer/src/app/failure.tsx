/** A view that throws takes no other down: what it said is shown in its place, and the way on is another view. */
import { Component, type ReactNode } from 'react';

export class FailureBoundary extends Component<{ children: ReactNode }, { error: unknown }> {
  override state: { error: unknown } = { error: undefined };

  static getDerivedStateFromError(error: unknown): { error: unknown } {
    return { error };
  }

  override render(): ReactNode {
    const { error } = this.state;
    if (error === undefined) return this.props.children;
    return (
      <div className="nothing" role="alert">
        <h1>This view has failed</h1>
        <p className="mono">{error instanceof Error ? error.message : 'It does not say why.'}</p>
        <p>
          <button onClick={() => this.setState({ error: undefined })}>Try again</button>
        </p>
      </div>
    );
  }
}
