import { parseArgs } from 'node:util';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { workerQueue } from '../../domain/messages.ts';
import { registerSearchAttributes } from '../../worker/search-attributes.ts';
import { workflowWorker } from '../../worker/workflow-worker.ts';
import { simulatedActivities } from './activities.ts';

/**
 * One process: the product's workflows as the product serves them, and simulated activities on the queue of every
 * worker of the fleet. What a real worker loads is loaded, so that its memory counts.
 */
const { values } = parseArgs({
  options: {
    address: { type: 'string', default: '' },
    workers: { type: 'string', default: '' },
    log: { type: 'string', default: '' },
    'whole-ms': { type: 'string', default: '' },
  },
});

Runtime.install({ logger: new DefaultLogger('ERROR'), shutdownSignals: ['SIGTERM'] });
await import('../../worker/wire.ts');
const connection = await NativeConnection.connect({ address: values.address });
await registerSearchAttributes(connection, 'default');
const activities = simulatedActivities(values.log, Number(values['whole-ms']));
const workers = await Promise.all([
  workflowWorker(false).then((own) => Worker.create({ connection, ...own })),
  ...values.workers.split(',').map((name) =>
    Worker.create({
      connection,
      taskQueue: workerQueue(name),
      activities,
      maxHeartbeatThrottleInterval: '1s',
      maxConcurrentActivityTaskPolls: 2,
    }),
  ),
]);
process.stdout.write('ready\n');
await Promise.all(workers.map((worker) => worker.run()));
