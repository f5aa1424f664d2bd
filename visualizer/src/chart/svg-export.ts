/** What is seen of a drawing as a file of its own: styles and colours are written into it as they are now. */
import { tokenValue } from '../design/theme.js';
import type { Size } from './layout-plan.js';

/** @returns the text of an SVG file, the whole chart in it at its own size */
export function exportedSvg(svg: SVGSVGElement, content: SVGGElement, { width, height }: Size): string {
  const rules = [...document.styleSheets]
    .flatMap((sheet) => [...sheet.cssRules])
    .filter((rule) => rule instanceof CSSStyleRule);
  const texts = rules.filter(({ selectorText }) => selectorText.includes('.statechart')).map(({ cssText }) => cssText);
  const names = new Set([...texts.join().matchAll(/var\((--[\w-]+)/g)].map(([, name]) => name!));
  const values = [...names].map((name) => `${name}:${tokenValue(name, svg)}`).filter((text) => !text.endsWith(':'));

  const drawing = content.cloneNode(true) as SVGGElement;
  drawing.removeAttribute('transform');
  for (const one of drawing.querySelectorAll('[tabindex]')) one.removeAttribute('tabindex');
  for (const one of drawing.querySelectorAll('.statechart-hit, .statechart-fold, .statechart-note:not(.is-taken)'))
    one.remove();
  const label = svg.getAttribute('aria-label') ?? '';
  // As text: the page's security policy forbids a style element, also in a document that nobody sees.
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" class="${svg.getAttribute('class')}" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escaped(label)}">`,
    `<style>${escaped([`svg{${values.join(';')}}`, ...texts].join('\n'))}</style>`,
    '<rect class="statechart-ground" width="100%" height="100%"/>',
    new XMLSerializer().serializeToString(drawing).replace(' xmlns="http://www.w3.org/2000/svg"', ''),
    '</svg>',
    '',
  ].join('\n');
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
