import { escape, row, table } from './html-parts.ts';
import { STYLE } from './html-style.ts';

/** One text, two forms: a page of HTML and Markdown, from the same sections, so that neither says more. Pure. */

export interface Section {
  readonly title: string;
  readonly text?: readonly string[];
  readonly list?: readonly string[];
  readonly table?: { readonly head: readonly string[]; readonly rows: readonly (readonly string[])[] };
  /** A picture for the page; Markdown has the figures of the table instead. */
  readonly svg?: string;
}

export interface Document {
  readonly title: string;
  readonly lead: readonly string[];
  readonly sections: readonly Section[];
  readonly foot: string;
}

export function htmlOf({ title, lead, sections, foot }: Document): string {
  const paragraphs = (texts: readonly string[]): string =>
    texts.map((each) => `<p>${escape(each)}</p>`).join('\n');
  const body = sections.map(({ title: heading, text = [], list = [], table: cells, svg = '' }) =>
    [
      `<section><h2>${escape(heading)}</h2>`,
      paragraphs(text),
      svg,
      list.length > 0 ? `<ul>${list.map((each) => `<li>${escape(each)}</li>`).join('')}</ul>` : '',
      cells && cells.rows.length > 0
        ? table(
            cells.head,
            cells.rows.map((each) => row(each)),
          )
        : '',
      '</section>',
    ]
      .filter(Boolean)
      .join('\n'),
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<header><h1>${escape(title)}</h1>
${paragraphs(lead)}</header>
${body.join('\n')}
<footer>${escape(foot)}</footer>
</main>
</body>
</html>
`;
}

export function markdownOf({ title, lead, sections, foot }: Document): string {
  return [
    `# ${plain(title)}`,
    ...lead.map(plain),
    ...sections.flatMap(({ title: heading, text = [], list = [], table: cells }) => [
      `## ${plain(heading)}`,
      ...text.map(plain),
      ...(list.length > 0 ? [list.map((each) => `- ${plain(each)}`).join('\n')] : []),
      ...(cells && cells.rows.length > 0
        ? [[line(cells.head), line(cells.head.map(() => '---')), ...cells.rows.map(line)].join('\n')]
        : []),
    ]),
    `_${plain(foot)}_`,
    '',
  ].join('\n\n');
}

/** What people and tools wrote stays text: no markup of theirs, no line of theirs. */
const plain = (text: string): string =>
  text
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/([\\`*_[\]|])/g, '\\$1')
    .replaceAll('<', '&lt;');
const line = (cells: readonly string[]): string =>
  `| ${cells.map((cell) => (cell === '---' ? cell : plain(cell))).join(' | ')} |`;
