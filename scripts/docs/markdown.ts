/** The few pieces of Markdown that the generated pages are made of. */

/** A whole page, with the note that keeps people from editing it. */
export function page(title: string, introduction: string, sections: readonly string[]): string {
  const note = '<!-- Written by `npm run docs` from the code. Edits here are lost. -->';
  return `${[note, `# ${title}`, introduction, ...sections].join('\n\n')}\n`;
}

export function section(title: string, ...parts: readonly string[]): string {
  return [`## ${title}`, ...parts].join('\n\n');
}

export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(escapeCell).join(' | ')} |`;
  return [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n');
}

export const code = (text: string): string => `\`${text}\``;

const escapeCell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
