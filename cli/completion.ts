import type { Command } from 'commander';
import { choice } from './arguments.ts';

/** `tyk-dr completion`: what a shell must read to complete commands, options and names. */

const SHELLS = ['bash', 'zsh', 'fish'] as const;

export function registerCompletion(program: Command): void {
  program
    .command('completion')
    .description('Print what a shell reads to complete commands, options, deployments, sites, runs and sets')
    .argument('<shell>', SHELLS.join(', '), choice('SHELL', SHELLS))
    .addHelpText(
      'after',
      `
To have it in every new shell:
  bash  tyk-dr completion bash > ~/.local/share/bash-completion/completions/tyk-dr
  zsh   tyk-dr completion zsh > "\${fpath[1]}/_tyk-dr"
  fish  tyk-dr completion fish > ~/.config/fish/completions/tyk-dr.fish`,
    )
    .action((shell: (typeof SHELLS)[number]) => {
      process.stdout.write(`${SCRIPTS[shell]}\n`);
    });
}

/** Each asks the program itself, and falls back to files where it has nothing to offer. */
const SCRIPTS: Readonly<Record<(typeof SHELLS)[number], string>> = {
  bash: `# tyk-dr: completion for bash
_tyk_dr() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    COMPREPLY+=("\${line%%$'\\t'*}")
  done < <("\${COMP_WORDS[0]}" __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _tyk_dr tyk-dr`,
  zsh: `#compdef tyk-dr
# tyk-dr: completion for zsh
_tyk_dr() {
  local line
  local -a offers
  while IFS= read -r line; do
    offers+=("\${line%%$'\\t'*}:\${line#*$'\\t'}")
  done < <("\${words[1]}" __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)
  if (( \${#offers} )); then
    _describe 'tyk-dr' offers
  else
    _files
  fi
}
if [ "\${funcstack[1]}" = "_tyk-dr" ]; then
  _tyk_dr "$@"
else
  compdef _tyk_dr tyk-dr
fi`,
  fish: `# tyk-dr: completion for fish
function __tyk_dr_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l offers ($words[1] __complete $words[2..-1] 2>/dev/null)
    if set -q offers[1]
        printf '%s\\n' $offers
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c tyk-dr -f -a '(__tyk_dr_complete)'`,
};
