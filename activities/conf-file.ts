import { join } from 'node:path';
import { readJson } from '../adapters/files/read-json.ts';
import type { JsonObject } from '../domain/tyk-conf.ts';

/** The configuration file of a component, as its program reads it. */

export interface ConfFile {
  readonly root: string;
  readonly config: string;
}

export async function readConf({ root, config }: ConfFile): Promise<JsonObject> {
  return readJson(join(root, config));
}

export function certificateSecret(conf: JsonObject): unknown {
  return ((conf['security'] ?? {}) as JsonObject)['private_certificate_encoding_secret'];
}
