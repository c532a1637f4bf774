import { configDigest } from '../../adapters/config/digest.ts';
import { newestUsable, readManifest } from '../../adapters/backup/repository.ts';
import { keptRunbook, runbookFolder } from '../../adapters/runbook/write.ts';
import { doubtful, fine, type Finding } from '../../domain/doctor.ts';
import type { Host } from './host.ts';

/** The exported runbook beside the sets: what is left on the night on which Temporal is gone as well. */
export async function checkRunbook(host: Host): Promise<Finding[]> {
  const { deployment, deploymentName: name, where } = host;
  const { backup } = deployment;
  const runbook = await keptRunbook(backup, name);
  const folder = runbookFolder(backup, name);
  if (!runbook)
    return [
      doubtful(
        'runbook',
        where,
        `there is no exported runbook in ${folder} that is whole and signed by a trusted key`,
      ),
    ];
  const found: Finding[] = [];
  if (runbook.configDigest !== configDigest(deployment))
    found.push(
      doubtful('runbook', where, `that of ${runbook.writtenAt} was written for another configuration`),
    );
  const set = await newestUsable(backup, name);
  const { manifest } = set === undefined ? {} : await readManifest(backup, name, set);
  if (manifest && manifest.createdAt > runbook.writtenAt)
    found.push(
      doubtful(
        'runbook',
        where,
        `that of ${runbook.writtenAt} is older than the set ${manifest.set}: its backup did not export it`,
      ),
    );
  if (found.length > 0) return found;
  const without = Object.keys(deployment.sites).filter((site) => !(`recover-${site}.sh` in runbook.files));
  const scripts = without.length > 0 ? `; no script for ${without.join(', ')}, only the page` : '';
  return [fine('runbook', where, `exported at ${runbook.writtenAt}, for this configuration${scripts}`)];
}
