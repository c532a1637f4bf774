import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { JsonObject } from '../domain/tyk-conf.ts';

/** The configuration file of a component, as its program reads it. */

export interface ConfFile {
  readonly root: string;
  readonly config: string;
}

export async function readConf({ root, config }: ConfFile): Promise<JsonObject> {
  return JSON.parse(await readFile(join(root, config), 'utf8')) as JsonObject;
}

export function certificateSecret(conf: JsonObject): unknown {
  return ((conf['security'] ?? {}) as JsonObject)['private_certificate_encoding_secret'];
}
