import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { userInfo } from 'node:os';
import type { Command } from 'commander';
import { reviewFacts } from '../adapters/backup/review-facts.ts';
import { signatureProblem } from '../adapters/ssh/signature.ts';
import { fileError } from '../adapters/files/disk-error.ts';
import { writeDurably } from '../adapters/files/durable.ts';
import { DrError } from '../domain/errors.ts';
import { signOffText, type SignedBy } from '../domain/journal.ts';
import { quarterAt, quarterOf, type Quarter } from '../domain/quarter.ts';
import { htmlOf, markdownOf, type Document } from '../report/document.ts';
import { reviewDocument } from '../report/review.ts';
import { shapeOf } from '../runbooks/shape-of.ts';
import { actorArgument, fileArgument, nameArgument, parser, textArgument } from './arguments.ts';
import { openImprovement, say, type Improvement } from './journal.ts';
import { signatureOf } from './sign-text.ts';

/** `tyk-dr review`: the quarterly review as a page and as Markdown, and the sign-off of those who answer for it. */

interface ReviewOptions {
  readonly quarter?: Quarter;
  readonly out?: string;
  readonly json?: boolean;
}

interface SignOptions {
  readonly quarter?: Quarter;
  readonly role: string;
  readonly actor?: string;
  readonly key?: string;
}

export function registerReview(program: Command, config: () => string | undefined): void {
  const command = program.command('review').description('The quarterly review, and its sign-off');
  command
    .command('run', { isDefault: true })
    .description('Write the review of a quarter as HTML and Markdown')
    .argument('<deployment>', 'as named under deployments:', nameArgument('DEPLOYMENT'))
    .option('--quarter <quarter>', 'such as 2026-Q4; default the one that it is now', quarterArgument())
    .option('--out <dir>', 'where to; default reviews/ beside the backup sets', fileArgument('--out'))
    .option('--json', 'where it was written, as JSON')
    .action(async (name: string, { quarter = currentQuarter(), out, json }: ReviewOptions) => {
      const improvement = await openImprovement(config(), name);
      const folder = out === undefined ? reviewsFolder(improvement) : resolve(out);
      const files = await writeBoth(folder, quarter.name, await documentOf(improvement, quarter));
      process.stdout.write(
        json
          ? `${JSON.stringify({ version: 1, deployment: name, quarter: quarter.name, files })}\n`
          : `${files.join('\n')}\n`,
      );
    });
  command
    .command('sign')
    .description('Sign the review of a quarter as it is now; what was signed is kept')
    .argument('<deployment>', 'as named under deployments:', nameArgument('DEPLOYMENT'))
    .requiredOption('--role <role>', 'as what', textArgument('--role', 'a role, such as head of operations'))
    .option('--quarter <quarter>', 'such as 2026-Q4; default the one that it is now', quarterArgument())
    .option('--actor <name>', 'who signs; default the login name', actorArgument('--actor'))
    .option(
      '--key <file>',
      'the private key to sign with; default, for approvers with a key, what the agent holds, then ~/.ssh/id_ed25519',
      fileArgument('--key'),
    )
    .action(async (name: string, { quarter = currentQuarter(), role, actor, key }: SignOptions) => {
      const improvement = await openImprovement(config(), name);
      const text = markdownOf(await documentOf(improvement, quarter));
      const review = createHash('sha256').update(text).digest('hex');
      const { tier, objectives } = shapeOf(name, improvement.deployment);
      const signer = actor ?? userInfo().username;
      const signed = await signOff(improvement, { quarter: quarter.name, review, role, actor: signer }, key);
      await keep(reviewsFolder(improvement), `${quarter.name}-signed-${review.slice(0, 12)}.md`, text);
      const said = await say(
        improvement,
        {
          ...{ kind: 'signed', quarter: quarter.name, role, review, tier, objectives },
          ...(signed ? { signed } : {}),
        },
        signer,
      );
      process.stdout.write(
        `${quarter.name} of ${name}: signed by ${said.actor}, ${role}${signed ? ', with their SSH key' : ' (a name, not proven)'}; SHA-256 ${review}\n`,
      );
    });
}

function quarterArgument() {
  return parser('moment', (value) => {
    const quarter = quarterOf(value);
    if (quarter) return quarter;
    throw new DrError('BAD_ARGUMENT', {
      ...{ argument: '--quarter', value, expected: 'a quarter such as 2026-Q4' },
    });
  });
}

const currentQuarter = (): Quarter => quarterAt(new Date().toISOString());

/** By those whom the configuration knows by a key; of others a name is asserted. */
async function signOff(
  { name, deployment }: Improvement,
  of: { quarter: string; review: string; role: string; actor: string },
  keyFile: string | undefined,
): Promise<SignedBy | undefined> {
  const who = (deployment.approvers ?? []).find((each) => each.name === of.actor);
  if (who?.key === undefined) {
    if (keyFile === undefined) return undefined;
    throw new DrError('BAD_ARGUMENT', {
      ...{ argument: '--actor', value: of.actor },
      expected: `an approver of ${name} with a key: nobody else's signature could be verified`,
    });
  }
  const at = new Date().toISOString();
  const text = signOffText({ deployment: name, ...of, at });
  const signature = await signatureOf(text, who, of.actor, keyFile);
  const problem = await signatureProblem(text, signature, { name: who.name, key: who.key });
  if (problem !== undefined)
    throw new DrError('BAD_ARGUMENT', {
      ...{
        argument: '--key',
        value: keyFile ?? 'the usual one',
        expected: `the key of ${who.name}: ${problem}`,
      },
    });
  return { at, signature };
}

async function documentOf(improvement: Improvement, quarter: Quarter): Promise<Document> {
  const { name, deployment, records, findings, entries, standing } = improvement;
  const { tier, objectives } = shapeOf(name, deployment);
  const now = new Date().toISOString();
  return reviewDocument({
    name,
    tier,
    objectives,
    people: deployment,
    quarter,
    records,
    findings,
    entries,
    standing,
    now,
    ...(await reviewFacts(name, deployment, entries)),
  });
}

function reviewsFolder({ name, deployment }: Improvement): string {
  return join(deployment.backup.repository, name, 'reviews');
}

/** @returns the files. @throws DrError DISK_FAILED */
export async function writeBoth(folder: string, name: string, document: Document): Promise<string[]> {
  return [
    await keep(folder, `${name}.html`, htmlOf(document)),
    await keep(folder, `${name}.md`, markdownOf(document)),
  ];
}

async function keep(folder: string, name: string, text: string): Promise<string> {
  const file = join(folder, name);
  try {
    await mkdir(folder, { recursive: true });
    await writeDurably(file, text, 0o644);
  } catch (error) {
    throw fileError(file, error);
  }
  return file;
}
