import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { VERSION } from '../../cli/version.ts';
import { WORKFLOW_QUEUE } from '../../domain/messages.ts';
import { startTemporal, withWorkers } from '../harness/temporal.ts';
import { STORIES } from './stories.ts';

/**
 * `npm run record`, once a release (with the name of a story: that one only): lets every story happen on a real
 * Temporal server and keeps its history under `histories/VERSION/`. Those of earlier releases stay: runs that began on
 * them must still end on today's code.
 */

const ROOT = join(import.meta.dirname, '../..');
const only = process.argv.slice(2);
const folder = join(import.meta.dirname, 'histories', VERSION);
await mkdir(folder, { recursive: true });
const environment = await startTemporal();
try {
  for (const { name, workflow, workflowId, args, activities, before, meanwhile, fails } of STORIES.filter(
    (story) => only.length === 0 || only.includes(story.name),
  )) {
    await withWorkers(environment, { primary: activities!, dr: activities! }, async () => {
      await before?.(environment.client);
      const handle = await environment.client.workflow.start(workflow, {
        ...{ workflowId, taskQueue: WORKFLOW_QUEUE, args: [...args] },
      });
      await meanwhile?.(handle);
      const failed = await handle.result().then(
        () => false,
        () => true,
      );
      if (failed !== (fails ?? false)) throw new Error(`${name} ${failed ? 'failed' : 'did not fail'}`);
      const history = historyToJSON(await handle.fetchHistory());
      // Without the host of whoever recorded it, and without the place where the project lies there.
      const text = history
        .replaceAll(/"identity": ?"[^"]*"/g, '"identity": "recorder"')
        .replaceAll(`file://${ROOT}/`, '')
        .replaceAll(`${ROOT}/`, '');
      await writeFile(join(folder, `${name}.json.gz`), gzipSync(text, { level: 9 }));
      process.stdout.write(`${name}: ${(JSON.parse(text) as { events: unknown[] }).events.length} events\n`);
    });
  }
} finally {
  await environment.teardown();
}
