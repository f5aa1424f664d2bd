/** Bytes as hex and as text. */

/** What is shown of them; the rest is in the recording. */
const SHOWN_BYTES = 4_096;
/** A line of sixteen is wider than the panel. */
const A_LINE = 8;

export function BytesView({ bytes }: { bytes: Uint8Array }) {
  const shown = bytes.subarray(0, SHOWN_BYTES);
  const lines: { offset: number; hex: string; text: string }[] = [];
  for (let offset = 0; offset < shown.length; offset += A_LINE) {
    const part = [...shown.subarray(offset, offset + A_LINE)];
    lines.push({
      offset,
      hex: part.map((byte, index) => `${index === 4 ? ' ' : ''}${byte.toString(16).padStart(2, '0')}`).join(' '),
      text: part.map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '·')).join(''),
    });
  }
  return (
    <table className="bytes mono">
      <caption className="visually-hidden">Bytes</caption>
      <tbody>
        {lines.map(({ offset, hex, text }) => (
          <tr key={offset}>
            <th scope="row">{offset.toString(16).padStart(4, '0')}</th>
            <td>{hex}</td>
            <td className="bytes-text">{text}</td>
          </tr>
        ))}
      </tbody>
      {bytes.length > SHOWN_BYTES && (
        <tfoot>
          <tr>
            <td colSpan={3}>
              the first {SHOWN_BYTES} of {bytes.length} bytes
            </td>
          </tr>
        </tfoot>
      )}
    </table>
  );
}
