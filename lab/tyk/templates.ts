import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * The texts of a Gateway's own refusals. A real one does not start without an `error*` file in its `template_path`;
 * a program alone, as TYK_GATEWAY_BIN names it, comes without.
 */
export async function writeErrorTemplates(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'error.json'), '{\n    "error": "{{.Message}}"\n}');
  await writeFile(
    join(folder, 'error.xml'),
    '<?xml version = "1.0" encoding = "UTF-8"?>\n<error>{{.Message}}</error>',
  );
}
