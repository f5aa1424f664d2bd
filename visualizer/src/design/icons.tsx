/** Small drawings in the colour of the text beside them. They never stand for a word alone: whoever uses one names the control. */
const PATHS = {
  overview: 'M3 3h5v7H3zM12 3h5v4h-5zM12 10h5v7h-5zM3 13h5v4H3z',
  sessions: 'M3 5h14M3 10h14M3 15h14M7 3v14',
  wall: 'M3 3h3v3H3zM8.5 3h3v3h-3zM14 3h3v3h-3zM3 8.5h3v3H3zM8.5 8.5h3v3h-3zM14 8.5h3v3h-3zM3 14h3v3H3zM8.5 14h3v3h-3z',
  recordings: 'M10 3a7 7 0 1 0 7 7M10 6v4l3 2M13.5 3.5h3.5V7',
  machines: 'M3 4h6v4H3zM11 12h6v4h-6zM9 6h5v6M6 8v6h5',
  log: 'M5 3h10v14H5zM8 7h4M8 10h4M8 13h2',
  pause: 'M7 4v12M13 4v12',
  play: 'M6 4l10 6-10 6z',
  light:
    'M10 6.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7zM10 2v2M10 16v2M2 10h2M16 10h2M4.3 4.3l1.4 1.4M14.3 14.3l1.4 1.4M15.7 4.3l-1.4 1.4M5.7 14.3l-1.4 1.4',
  dark: 'M16 12.2A6.5 6.5 0 0 1 7.8 4a6.5 6.5 0 1 0 8.2 8.2z',
  system: 'M3 4h14v9H3zM7 17h6M10 13v4',
  help: 'M7.5 7.5a2.5 2.5 0 1 1 3.6 2.3c-.8.4-1.1.9-1.1 1.7M10 14.4v.2',
  open: 'M7 4h9v9M16 4l-9 9M12 16H4V8',
  save: 'M10 3v9M6.5 8.5L10 12l3.5-3.5M4 16h12',
  print: 'M6 7V3h8v4M6 14H3V7h14v7h-3M6 11h8v6H6z',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg className="icon" width={size} height={size} viewBox="0 0 20 20" aria-hidden="true" focusable="false">
      <path
        d={PATHS[name]}
        fill="none"
        stroke="currentColor"
        strokeWidth="1.5"
        strokeLinejoin="round"
        strokeLinecap="round"
      />
    </svg>
  );
}
