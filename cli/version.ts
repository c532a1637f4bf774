import { readFileSync } from 'node:fs';

/** From package.json: beside the sources, or one folder up from the build. */
export const VERSION = readVersion();

function readVersion(): string {
  for (const path of ['../package.json', '../../package.json']) {
    try {
      const { name, version } = JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')) as {
        name: string;
        version: string;
      };
      if (name === 'tyk-dr') return version;
    } catch {
      // Not there: look one folder up.
    }
  }
  return 'unknown';
}
