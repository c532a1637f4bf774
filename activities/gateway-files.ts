import { readdir } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { readJson } from '../adapters/files/read-json.ts';
import { toListing, type ApiListing } from '../adapters/tyk/dashboard.ts';
import type { GatewayConfig } from '../domain/config.ts';

/** What the files of a Gateway without a Dashboard define (`app_path`, `policies.policy_path` or one record file). */

interface GatewayConf {
  readonly app_path?: string;
  readonly policies?: {
    readonly policy_source?: string;
    readonly policy_path?: string;
    readonly policy_record_name?: string;
  };
}

export interface FileDefinitions {
  /** All of them active: `active` is a word of the Dashboard's, a Gateway loads every file that it finds. */
  readonly apis: readonly ApiListing[];
  readonly policies: readonly string[];
}

export async function definedInFiles(gateway: GatewayConfig): Promise<FileDefinitions> {
  const conf = (await readJson(join(gateway.root, gateway.config))) as GatewayConf;
  const apiFiles = await jsonFiles(absolute(gateway.root, conf.app_path ?? 'apps'));
  // Beside each OAS definition lies its `-oas.json` document, which is no definition of its own.
  const definitions = await Promise.all(
    apiFiles.filter((file) => !/-(oas|mcp)\.json$/.test(file)).map(readJson),
  );
  return {
    apis: definitions.map((definition) => ({ ...toListing(definition), active: true })),
    policies: await policyIds(gateway, conf),
  };
}

async function policyIds(gateway: GatewayConfig, { policies = {} }: GatewayConf): Promise<string[]> {
  if (policies.policy_source !== 'file') return [];
  if (policies.policy_path) {
    const files = await jsonFiles(absolute(gateway.root, policies.policy_path));
    const found = await Promise.all(files.map(readJson));
    return found
      .map((policy, index) => String(policy['id'] || files[index]!.replace(/^.*\/|\.json$/g, '')))
      .sort();
  }
  if (!policies.policy_record_name) return [];
  return Object.keys(await readJson(absolute(gateway.root, policies.policy_record_name))).sort();
}

async function jsonFiles(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  return names.filter((name) => name.endsWith('.json')).map((name) => join(folder, name));
}

function absolute(root: string, path: string): string {
  return isAbsolute(path) ? path : join(root, path);
}
