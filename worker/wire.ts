import { createActivities, type Activities } from '../activities/index.ts';
import type { Deps } from '../activities/guard.ts';
import { configDigest } from '../adapters/config/digest.ts';
import { resolveSecret } from '../adapters/config/secrets.ts';
import type { Build } from '../domain/build.ts';
import type { Config } from '../domain/config.ts';
import { DrError } from '../domain/errors.ts';
import type { Secret } from '../domain/secret.ts';
import { historyByOwnDoor } from '../adapters/temporal/history.ts';
import { EVIDENCE_TEXTS } from '../report/evidence.ts';
import { renderPapers } from './render-papers.ts';
import { renderRunbook } from './render-runbook.ts';

/** Builds what the activities need, once. The only place where configuration, secrets and activities meet. */
export function wire(
  config: Config,
  worker: string,
  version: string,
  build: Build = { version, code: 'source', workflows: 'source' },
  leaving?: AbortSignal,
): { activities: Activities; deps: Deps } {
  const used = new Map<string, Secret>();
  const deps: Deps = {
    worker,
    build,
    deployment(name) {
      const found = config.deployments[name];
      if (!found) {
        throw new DrError('UNKNOWN_DEPLOYMENT', {
          deployment: name,
          known: Object.keys(config.deployments).join(', '),
        });
      }
      return found;
    },
    digest(name) {
      return configDigest(deps.deployment(name));
    },
    async secret(reference) {
      const secret = await resolveSecret(reference);
      used.set(secret.reveal(), secret);
      return secret;
    },
    usedSecrets: () => [...used.values()],
    ...(leaving && { leaving }),
  };
  const evidence = { render: EVIDENCE_TEXTS, history: (run: string) => historyByOwnDoor(config, run) };
  return {
    activities: createActivities(
      deps,
      build,
      renderRunbook(build.version),
      evidence,
      renderPapers(build.version),
    ),
    deps,
  };
}
