/** Numbers, times and sizes as people read them. Each has one form everywhere, and none is longer than its column. */

const WHOLE = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

/** `5 964`: thin spaces between thousands. */
export function countText(count: number): string {
  return WHOLE.format(count).replaceAll(',', '\u2009');
}

/** `412`, `8.1`, `0.3`: three digits at most before a unit would be due. */
export function rateText(perSecond: number): string {
  if (perSecond >= 10_000) return `${countText(Math.round(perSecond / 1_000))}k`;
  if (perSecond >= 100 || perSecond === 0) return countText(Math.round(perSecond));
  return perSecond.toFixed(1);
}

const SIZES = ['B', 'kB', 'MB', 'GB', 'TB'];

/** `212 B`, `8.1 kB`, `64 MB`; 1 kB is 1 000 bytes. */
export function bytesText(bytes: number): string {
  let size = bytes;
  let unit = 0;
  while (size >= 999.5 && unit < SIZES.length - 1) {
    size /= 1_000;
    unit += 1;
  }
  const digits = unit > 0 && size < 9.95 ? 1 : 0;
  return `${size.toFixed(digits)}\u00a0${SIZES[unit]}`;
}

/** `4 ms`, `0.9 s`, `41 s`, `3:12` (minutes), `3:12:44` (hours), `2 d 3 h`. */
export function durationText(ms: number): string {
  if (ms < 0) return `\u2212${durationText(-ms)}`;
  if (ms < 100) return `${Math.round(ms)}\u00a0ms`;
  if (ms < 9_950) return `${(ms / 1_000).toFixed(1)}\u00a0s`;
  const seconds = Math.floor(ms / 1_000);
  if (seconds < 60) return `${seconds}\u00a0s`;
  const two = (part: number) => String(part).padStart(2, '0');
  const [hours, minutes] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60];
  if (hours >= 48) return `${Math.floor(hours / 24)}\u00a0d ${hours % 24}\u00a0h`;
  if (hours > 0) return `${hours}:${two(minutes)}:${two(seconds % 60)}`;
  return `${minutes}:${two(seconds % 60)}`;
}

/** Seconds since a session's start, to the millisecond: `0.180`, `12.404`. */
export function secondsText(ms: number): string {
  return (ms / 1_000).toFixed(3);
}
