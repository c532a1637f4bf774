import { Command, CommanderError } from 'commander';
import { registerAck } from './ack.ts';
import { registerApprovals } from './approve.ts';
import { fileArgument } from './arguments.ts';
import { registerBackup } from './backup.ts';
import { registerBeacon } from './beacon.ts';
import { registerCodecServer } from './codec-server.ts';
import { registerCompletion } from './completion.ts';
import { registerConfig } from './config.ts';
import { registerDecisions } from './decide.ts';
import { registerDoctor } from './doctor.ts';
import { exitUsage, exitWithError } from './exit.ts';
import { registerEvidence } from './evidence.ts';
import { registerDrill } from './drill.ts';
import { registerExport } from './export.ts';
import { registerFailover } from './failover.ts';
import { registerFindings } from './findings.ts';
import { registerImportRun } from './import-run.ts';
import { registerFleet } from './fleet.ts';
import { registerHandbook } from './handbook.ts';
import { registerHistory } from './history.ts';
import { registerInit } from './init.ts';
import { registerKeys } from './keys.ts';
import { registerLab } from './lab.ts';
import { registerLesson } from './lesson.ts';
import { registerLogs } from './logs.ts';
import { registerMonitor } from './monitor.ts';
import { registerPlan } from './plan.ts';
import { registerRecover } from './recover.ts';
import { registerReport } from './report.ts';
import { registerReview } from './review.ts';
import { registerSchedule } from './schedule.ts';
import { registerStatus } from './status.ts';
import { registerUnfence } from './unfence.ts';
import { VERSION } from './version.ts';
import { registerWorker } from './worker.ts';

/** The program: one file a command. stdout is the result, stderr is progress, exit codes are those of exit.ts. */

export function buildProgram(): Command {
  const program = new Command('tyk-dr')
    .description(
      'Disaster recovery for self-managed Tyk: recover, prove it, and say how long it took and what was lost.',
    )
    .version(VERSION)
    .option(
      '--config <file>',
      'the configuration; default TYK_DR_CONFIG, then ./tyk-dr.yaml',
      fileArgument('--config'),
    )
    .showHelpAfterError('(tyk-dr --help shows every command)')
    .exitOverride();
  const config = (): string | undefined => program.opts<{ config?: string }>().config;
  registerRecover(program, config);
  registerFailover(program, config);
  registerFleet(program, config);
  registerDrill(program, config);
  registerPlan(program, config);
  registerStatus(program, config);
  registerMonitor(program, config);
  registerHistory(program, config);
  registerLogs(program, config);
  registerDecisions(program, config);
  registerAck(program, config);
  registerApprovals(program, config);
  registerUnfence(program, config);
  registerReport(program, config);
  registerEvidence(program, config);
  registerFindings(program, config);
  registerLesson(program, config);
  registerReview(program, config);
  registerHandbook(program, config);
  registerBackup(program, config);
  registerExport(program, config);
  registerImportRun(program, config);
  registerDoctor(program, config);
  registerSchedule(program, config);
  registerConfig(program, config);
  registerInit(program);
  registerKeys(program, config);
  registerWorker(program, config);
  registerBeacon(program, config);
  registerCodecServer(program, config);
  registerLab(program);
  registerCompletion(program);
  return program;
}

export async function main(argv: readonly string[]): Promise<void> {
  // In `tyk-dr recover ... | head` the reader has read enough; the exit code is still worth waiting for.
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
  try {
    await buildProgram().parseAsync(argv);
  } catch (error) {
    if (!(error instanceof CommanderError)) exitWithError(error);
    else if (error.exitCode !== 0) exitUsage();
  }
}
