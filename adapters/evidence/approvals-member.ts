import type { RunRecord } from '../../domain/run.ts';
import { SIGNATURE_NAMESPACE } from '../../domain/approvals.ts';

/** Approvals as files that `ssh-keygen -Y verify` takes: what was signed, the signature, who may sign. */

/** @param clean without secrets; @param record as it was: what differs between the two cannot be shown */
export function approvalMembers(
  clean: RunRecord,
  record: RunRecord,
  absent: string[],
): Record<string, string> {
  const approvals = clean.approvals ?? [];
  if (approvals.length === 0) return {};
  const texts: Record<string, string> = {
    'approvals/approvals.json': `${JSON.stringify(approvals, undefined, 2)}\n`,
    'approvals/README.txt': HOW,
  };
  approvals.forEach(({ signed, actor, step }, index) => {
    const name = `approvals/${index + 1}-${step}`;
    if (!signed) return absent.push(`${name}.txt: ${actor} has typed a name and signed nothing`);
    if (signed.text !== record.approvals![index]!.signed!.text)
      return absent.push(`${name}.txt: the text that was signed holds a secret`);
    texts[`${name}.txt`] = signed.text;
    texts[`${name}.txt.sig`] = signed.signature.endsWith('\n') ? signed.signature : `${signed.signature}\n`;
    return undefined;
  });
  return texts;
}

const HOW = `Each approval that was signed: N-STEP.txt is the text, N-STEP.txt.sig the signature in OpenSSH's format.
With the approvers' public keys in a file "allowed" (a line each: NAME ssh-ed25519 AAAA...):

  ssh-keygen -Y verify -f allowed -I NAME -n ${SIGNATURE_NAMESPACE} -s N-STEP.txt.sig < N-STEP.txt

The keys that counted stand in config.json under approvers.
`;
