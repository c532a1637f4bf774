import { CONTROLS } from '../../domain/control-map.ts';
import { PARTS } from '../../domain/control-parts.ts';
import { page, section, table } from './markdown.ts';

/** Which part of an evidence pack answers which requirement; what of it is there, each pack says itself. */
export function controlMapPage(): string {
  const rows = CONTROLS.map(({ source, clause, asks, parts, elsewhere }) => [
    `${source}, ${clause}`,
    asks,
    parts.map((id) => `${PARTS[id].what} (${PARTS[id].where})`).join('; '),
    elsewhere ?? '',
  ]);
  return page(
    'Control map',
    'Which part of an [evidence pack](../evidence.md) answers which requirement. Requirements are in our words, shortened; read the source. Each pack has this map with what it holds and what is missing, and why: `control-map.md`. Whether an answer is enough is for the auditor to say.',
    [section('Requirements', table(['requirement', 'asks that', 'answered by', 'not in a pack'], rows))],
  );
}
