import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { ApiDefinition, ApiListEntry, OasDocument } from '../tyk/api-definition.ts';
import type { Policy } from '../tyk/policy.ts';
import { log, reasonOf } from './log.ts';

const OAS_SUFFIX = '-oas.json';

/** Every `*.json` of the folder as an API; an OpenAPI document lies beside it in `*-oas.json`. */
export async function readApis(folder: string): Promise<readonly ApiListEntry[]> {
  const entries: ApiListEntry[] = [];
  for (const file of await jsonFiles(folder)) {
    if (file.endsWith(OAS_SUFFIX)) continue;
    const definition = await readJson<ApiDefinition>(file);
    if (!definition) continue;
    const document = definition.is_oas ? `${file.slice(0, -'.json'.length)}${OAS_SUFFIX}` : undefined;
    const oas = document === undefined ? undefined : await readJson<OasDocument>(document);
    entries.push({ api_definition: definition, oas: oas ?? null });
  }
  return entries;
}

/** Every `*.json` of the folder as a policy, known by its `id`. */
export async function readPolicies(folder: string): Promise<readonly Policy[]> {
  const policies = await Promise.all((await jsonFiles(folder)).map((file) => readJson<Policy>(file)));
  return policies.filter((policy) => policy !== undefined);
}

async function jsonFiles(folder: string): Promise<string[]> {
  if (folder === '') return [];
  const names = await readdir(folder).catch((error: unknown) => {
    log('error', `cannot list ${folder}: ${reasonOf(error)}`);
    return [];
  });
  const json = names.filter((name) => name.endsWith('.json')).sort();
  return json.map((name) => path.join(folder, name));
}

async function readJson<T>(file: string): Promise<T | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as T;
  } catch (error) {
    log('error', `cannot load ${file}: ${reasonOf(error)}`);
    return undefined;
  }
}
