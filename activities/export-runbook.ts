import { join } from 'node:path';
import { CopyLedger } from '../adapters/backup/copy-ledger.ts';
import { digestsOf, listingOf, sendFiles } from '../adapters/backup/send.ts';
import { hashKind } from '../adapters/rclone/rclone.ts';
import { openRemote, remoteText } from '../adapters/rclone/remote.ts';
import { runbookFolder, writeRunbook } from '../adapters/runbook/write.ts';
import type { Deployment } from '../domain/config.ts';
import type { CopyConfig } from '../domain/config-copies.ts';
import { DrError } from '../domain/errors.ts';
import { RUNBOOK_FOLDER, type ExportedRunbook } from '../domain/exported.ts';
import type { CommitResult } from '../domain/backup.ts';
import { guardedBackup, type BackupCall, type Deps } from './guard.ts';

/** Keeps the exported runbook fresh beside the sets, and at their copies. */

/** Puts the runbook together; given by the composition root, as it is made of runbooks and reports. */
export type RenderRunbook = (
  name: string,
  deployment: Deployment,
  facts: { readonly writtenAt: string; readonly configDigest: string },
) => Promise<ExportedRunbook>;

export function createExportActivities(deps: Deps, render: RenderRunbook) {
  return {
    'export-runbook': guardedBackup(deps, (call) => exportRunbook(call, deps, render)),
  };
}

/** A set is sound without it: what goes wrong is a warning. */
async function exportRunbook(call: BackupCall, deps: Deps, render: RenderRunbook): Promise<CommitResult> {
  const { deployment, input } = call;
  const { backup } = deployment;
  const facts = { writtenAt: new Date().toISOString(), configDigest: deps.digest(input.deployment) };
  try {
    const runbook = await render(input.deployment, deployment, facts);
    const folder = runbookFolder(backup, input.deployment);
    const names = await writeRunbook(
      folder,
      runbook,
      { deployment: input.deployment, ...facts },
      await call.secret(backup.signingKey),
    );
    const failed = await sendToCopies(call, folder, names);
    const byHand = Object.keys(runbook.byHand);
    return {
      summary: [
        `${Object.keys(runbook.files).join(', ')} beside the sets`,
        ...(byHand.length > 0 ? [`no script for ${byHand.join(', ')}`] : []),
        ...(backup.copies.length > failed.length
          ? [`at ${backup.copies.length - failed.length} copies`]
          : []),
      ].join('; '),
      ...(failed.length > 0
        ? { warning: `the exported runbook is not at every copy: ${failed.join('; ')}` }
        : {}),
    };
  } catch (error) {
    call.signal.throwIfAborted();
    const reason = error instanceof Error ? error.message : String(error);
    return { summary: 'not exported', warning: `the runbook was not exported: ${reason}` };
  }
}

/** @returns what went wrong, by copy. */
async function sendToCopies(call: BackupCall, folder: string, names: readonly string[]): Promise<string[]> {
  const settled = await Promise.allSettled(
    call.deployment.backup.copies.map((copy) => send(call, copy, folder, names)),
  );
  call.signal.throwIfAborted();
  return settled.flatMap((each, index) => {
    if (each.status === 'fulfilled') return [];
    if (!(each.reason instanceof DrError)) throw each.reason;
    return [`${call.deployment.backup.copies[index]!.name}: ${each.reason.message}`];
  });
}

async function send(
  { deployment, input, signal, secret }: BackupCall,
  copy: CopyConfig,
  from: string,
  names: readonly string[],
): Promise<void> {
  const remote = await openRemote(copy, secret);
  const ledgerFile = join(
    deployment.backup.repository,
    input.deployment,
    'copies',
    `${copy.name}-runbook.json`,
  );
  const ledger = await CopyLedger.open(ledgerFile, remoteText(copy));
  const files = await Promise.all(
    names.map(async (path) => {
      const found = (await digestsOf(join(from, path), ['sha256'], signal))!;
      return { path, sha256: found.digests[0]!, bytes: found.bytes };
    }),
  );
  const kind = await hashKind(remote, { signal });
  const sender = { remote, kind, ledger, set: RUNBOOK_FOLDER, signal };
  const folder = `${input.deployment}/${RUNBOOK_FOLDER}`;
  const there = await listingOf(remote, folder, signal);
  await sendFiles(sender, { from, folder, there, files });
}
