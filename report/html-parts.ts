/** The few pieces of HTML that reports are made of. Every text goes through `escape`. */

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

export function escape(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character]!);
}

export function row(cells: readonly string[], tone = ''): string {
  return `<tr${tone === '' ? '' : ` class="${tone}"`}>${cells.map((cell) => `<td>${escape(cell)}</td>`).join('')}</tr>`;
}

export function table(headings: readonly string[], rows: readonly string[]): string {
  const head = headings.some((heading) => heading !== '')
    ? `<thead><tr>${headings.map((heading) => `<th>${escape(heading)}</th>`).join('')}</tr></thead>`
    : '';
  return `<div class="scroll"><table>${head}<tbody>${rows.join('')}</tbody></table></div>`;
}
