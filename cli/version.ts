import { readFileSync } from 'node:fs';
import type { Build } from '../domain/build.ts';

/** From package.json: beside the sources, or one folder up from the build. */
export const VERSION = readVersion();

/** What this process runs. Read once, at its start: a build made later is not what runs. */
export const BUILD: Build = { version: VERSION, ...readDigests() };

function readVersion(): string {
  for (const path of ['../package.json', '../../package.json']) {
    const { name, version } = readJson<{ name: string; version: string }>(path);
    if (name === 'tyk-dr' && version !== undefined) return version;
  }
  return 'unknown';
}

/** Written by scripts/bundle-workflows.ts beside the compiled code. */
function readDigests(): Omit<Build, 'version'> {
  const { code = 'source', workflows = 'source' } = readJson<Omit<Build, 'version'>>('../build.json');
  return { code, workflows };
}

/** Nothing where there is no such file. */
function readJson<T>(path: string): Partial<T> {
  try {
    return JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')) as Partial<T>;
  } catch {
    return {};
  }
}
