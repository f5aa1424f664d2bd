/**
 * How wide a text can become, in px, without a browser to ask.
 *
 * Who opens a drawing has other fonts than who made it, so the question is not how wide a text is but how wide it may be: of each
 * character the widest among the fonts that the drawing may fall back to. Boxes are some 10 % too wide for most readers; in
 * exchange no text leaves its box.
 */

/** What a drawing asks for. None of these, nor what `system-ui` is on a usual desktop, is wider than DejaVu Sans. */
export const FONT_FAMILY =
  "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Noto Sans', 'Liberation Sans', Arial, sans-serif";

/** From U+0020 to U+007E, in thousandths of the font size: DejaVu Sans 2.37, or Liberation Sans (the widths of Arial) where it is wider. */
// prettier-ignore
const REGULAR = [
  318, 401, 460, 838, 637, 951, 780, 275, 391, 391, 500, 838, 318, 361, 318, 337, 637, 637, 637, 637, 637, 637, 637, 637,
  637, 637, 337, 337, 838, 838, 838, 557, 1016, 685, 687, 723, 771, 667, 611, 778, 752, 295, 500, 667, 558, 863, 749, 788,
  667, 788, 723, 667, 611, 732, 685, 989, 686, 667, 686, 391, 337, 391, 838, 557, 500, 613, 635, 550, 635, 616, 353, 635,
  634, 278, 278, 580, 278, 975, 634, 612, 635, 635, 412, 521, 393, 634, 592, 818, 592, 592, 525, 637, 337, 637, 838,
];
/** The same of their bold faces. */
// prettier-ignore
const BOLD = [
  349, 457, 521, 838, 696, 1002, 873, 307, 458, 458, 523, 838, 380, 416, 380, 366, 696, 696, 696, 696, 696, 696, 696, 696,
  696, 696, 400, 400, 838, 838, 838, 611, 1000, 774, 763, 734, 831, 684, 684, 821, 837, 373, 557, 775, 638, 996, 837, 851,
  733, 851, 771, 721, 683, 813, 774, 1104, 771, 725, 726, 458, 366, 458, 838, 557, 500, 675, 716, 593, 716, 679, 436, 716,
  712, 343, 343, 666, 343, 1042, 712, 688, 716, 716, 494, 596, 479, 712, 652, 924, 646, 652, 583, 712, 366, 712, 838,
];
/** Other letters are as wide as the widest of those; an ideograph is a square, an emoji more than one. */
const OTHER = 1_110;
const EMOJI = 1_400;
const NARROW: Readonly<Record<string, number>> = { '·': 380 };

export interface TextStyle {
  /** Font size, in px. */
  readonly size: number;
  readonly bold?: boolean;
}

/** @returns the width that `text` does not exceed, in whole px */
export function textWidth(text: string, { size, bold = false }: TextStyle): number {
  const table = bold ? BOLD : REGULAR;
  let thousandths = 0;
  for (const character of text) {
    const code = character.codePointAt(0)!;
    thousandths += table[code - 0x20] ?? NARROW[character] ?? (code > 0xffff ? EMOJI : OTHER);
  }
  return Math.ceil((thousandths * size) / 1_000);
}
