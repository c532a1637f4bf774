import {
  CancellationScope,
  condition,
  defineUpdate,
  log,
  setHandler,
  startChild,
  type ChildWorkflowHandle,
  type Workflow,
} from '@temporalio/workflow';
import {
  ACKNOWLEDGE,
  ACKNOWLEDGED_SIGNAL,
  NOTICE_SIGNAL,
  OVER_SIGNAL,
  tellId,
  type AcknowledgeArgs,
} from '../domain/tell.ts';
import type { RecoverPlan } from '../domain/plan.ts';
import { noticesOf } from '../domain/run-notices.ts';
import type { RunRecord } from '../domain/run.ts';
import { now } from './run-state.ts';
import type { StepContext } from './step-context.ts';
import { ACKNOWLEDGE_DESCRIPTION, acknowledgedText, refuseNobody } from './tell.ts';

/**
 * Tells people of a run without a hand in its story: it watches the record, and hands what is new to the workflow
 * `tell`, which sends it. The story never waits for it but at the very end, for that handing over.
 */
export async function withTelling<T>(context: StepContext, story: () => Promise<T>): Promise<T> {
  const { record, input } = context;
  setHandler(
    defineUpdate<string, [AcknowledgeArgs]>(ACKNOWLEDGE),
    ({ actor }) => {
      (record.acknowledgements ??= []).push({ actor, at: now() });
      return acknowledgedText(actor);
    },
    { description: ACKNOWLEDGE_DESCRIPTION, validator: refuseNobody },
  );
  if (!input.plan.notifies) return story();
  const end = { over: false };
  // Whoever cancels the run does not mean that nobody shall hear of it.
  const watching = CancellationScope.nonCancellable(() => watchRecord(record, input.plan, end));
  watching.catch(() => undefined);
  try {
    return await story();
  } finally {
    end.over = true;
    await CancellationScope.nonCancellable(() => watching).catch((error: unknown) =>
      log.warn('people are not told to the end', { error: String(error) }),
    );
  }
}

async function watchRecord(record: RunRecord, plan: RecoverPlan, end: { over: boolean }): Promise<void> {
  const told = new Set<string>();
  let heard = 0;
  const news = () => noticesOf(record, end.over).filter(({ id }) => !told.has(id));
  const acknowledged = () => record.acknowledgements?.slice(heard) ?? [];
  const teller = await startTeller(record, plan);
  for (;;) {
    for (const { actor } of acknowledged()) {
      heard += 1;
      await teller.signal(ACKNOWLEDGED_SIGNAL, actor);
    }
    for (const each of news()) {
      told.add(each.id);
      await teller.signal(NOTICE_SIGNAL, each);
    }
    if (end.over && news().length === 0) break;
    await condition(() => end.over || news().length > 0 || acknowledged().length > 0);
  }
  await teller.signal(OVER_SIGNAL);
}

function startTeller(record: RunRecord, plan: RecoverPlan): Promise<ChildWorkflowHandle<Workflow>> {
  const { lead, target, gateways, others, source } = plan.workers;
  return startChild('tell', {
    workflowId: tellId(record.deployment, record.run),
    args: [{ workers: [...new Set([...lead, ...target, ...gateways, ...others, ...source])] }],
    parentClosePolicy: 'ABANDON',
    cancellationType: 'ABANDON',
    staticSummary: `Tell people of ${record.run}`,
  });
}
