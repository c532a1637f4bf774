import type { ServiceConfig } from '../../domain/config.ts';
import { run } from '../process/run.ts';

/** Which version of a component is installed, also while it is stopped. */

interface Installed {
  readonly service: ServiceConfig;
  /** Prints the version. */
  readonly version?: readonly string[] | undefined;
}

/** From the configured command, the package of a systemd unit, or the tag of an image. Undefined where none tells. */
export async function installedVersion({ service, version }: Installed): Promise<string | undefined> {
  for (const command of version ? [version] : versionCommands(service)) {
    // A package manager that is not there, or does not know the package, has no answer.
    const answer = await run(command, { timeoutMs: ASK_TIMEOUT_MS }).catch(() => undefined);
    const found = /\d+(?:\.\d+)+[^\s,;]*/.exec(answer?.stdout ?? '')?.[0];
    if (found !== undefined) return found;
  }
  return undefined;
}

const ASK_TIMEOUT_MS = 5_000;

function versionCommands(service: ServiceConfig): string[][] {
  if ('systemd' in service) {
    const name = service.systemd.replace(/\.service$/, '').replace(/@.*$/, '');
    return [
      ['dpkg-query', '--show', '--showformat=${Version}', name],
      ['rpm', '--query', '--queryformat=%{VERSION}', name],
    ];
  }
  if ('kubernetes' in service) {
    const { context, namespace, workload } = service.kubernetes;
    const at = [...(context === undefined ? [] : [`--context=${context}`]), `--namespace=${namespace}`];
    const path = '--output=jsonpath={.spec.template.spec.containers[*].image}';
    return [['kubectl', ...at, 'get', workload, path]];
  }
  return [];
}
