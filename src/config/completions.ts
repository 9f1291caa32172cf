/**
 * What a shell completes, as scripts that follow from the table of settings.
 *
 * @module
 */

import { COMMANDS } from "./commands.ts";
import { flagOf, type Setting, SETTINGS } from "./settings.ts";
import { path } from "./values.ts";

/** The shells that there are scripts for. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

/** One of {@linkcode SHELLS}. */
export type Shell = (typeof SHELLS)[number];

/**
 * Tells whether there is a script for a shell.
 *
 * @param name What somebody calls a shell.
 * @returns Whether it is one of {@linkcode SHELLS}.
 */
export function isShell(name: string): name is Shell {
  return SHELLS.some((shell) => shell === name);
}

/**
 * Writes a script that a shell reads to complete flags, commands, and values that can be listed.
 *
 * @param shell Which.
 * @returns The script.
 */
export function completions(shell: Shell): string {
  return { bash, zsh, fish }[shell]();
}

/** A flag as far as a shell needs to know it. */
interface Flag {
  readonly name: string;
  readonly help: string;
  /** What its value is called; undefined for a switch. */
  readonly value: string | undefined;
  /** All values; undefined where they cannot be listed. */
  readonly words: readonly string[] | undefined;
  readonly isPath: boolean;
  readonly isList: boolean;
}

function flags(): Flag[] {
  const settings = Object.entries<Setting>(SETTINGS).map(([key, setting]) => ({
    name: flagOf(key),
    help: setting.help,
    value: setting.value,
    words: setting.kind.words,
    isPath: setting.kind === path,
    isList: setting.isList === true,
  }));
  const own = { value: undefined, words: undefined, isPath: false, isList: false };
  return [
    ...settings,
    { ...own, name: "--version", help: "print the version and end" },
    { ...own, name: "--help", help: "print the help and end" },
  ];
}

function bash(): string {
  const listed = flags().flatMap(({ name, words }) =>
    words === undefined ? [] : [
      `    ${name}) mapfile -t COMPREPLY < <(compgen -W "${
        words.join(" ")
      }" -- "$word"); return ;;`,
    ]
  );
  const named = (isMeant: (flag: Flag) => boolean): string =>
    flags().filter(isMeant).map(({ name }) => name).join("|");
  const others = named(({ value, words, isPath }) =>
    value !== undefined && words === undefined && !isPath
  );
  const first = [...flags().map(({ name }) => name), ...Object.keys(COMMANDS)].join(" ");
  return `# Completions of otaflux for bash: source this file, or put it into a folder of completions.
_otaflux() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD - 1]}
  # bash parts --flag=value at the "=".
  if [[ $word == "=" ]]; then
    word=""
  elif [[ $before == "=" ]]; then
    before=\${COMP_WORDS[COMP_CWORD - 2]}
  fi
  case $before in
${listed.join("\n")}
    ${named(({ isPath }) => isPath)})
      compopt -o filenames
      mapfile -t COMPREPLY < <(compgen -f -- "$word")
      return
      ;;
    ${others}) return ;;
    completions) mapfile -t COMPREPLY < <(compgen -W "${SHELLS.join(" ")}" -- "$word"); return ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "${first}" -- "$word")
}
complete -F _otaflux otaflux
`;
}

function zsh(): string {
  const specs = flags().map(({ name, help, value, words, isPath, isList }) => {
    const action = isPath ? "_files" : words === undefined ? " " : `(${words.join(" ")})`;
    const argument = value === undefined ? "" : `:${value}:${action}`;
    // In zsh's words: a flag with "*" may come again, one with "=" takes "=" or a space.
    const flag = `${isList ? "*" : ""}${name}${value === undefined ? "" : "="}`;
    return `    ${quoted(`${flag}[${help.replaceAll(/[[\]\\:]/g, "\\$&")}]${argument}`)}`;
  });
  const commands = Object.entries(COMMANDS).map(([name, help]) => `${name}\\:"${help}"`).join(" ");
  return `#compdef otaflux
# Completions of otaflux for zsh: source this file, or put it into a folder of $fpath as _otaflux.
_otaflux() {
  local -a specs=(
${specs.join("\n")}
    ${quoted(`1:command:((${commands}))`)}
    ${quoted(`2:shell:(${SHELLS.join(" ")})`)}
  )
  _arguments $specs
}
if [[ $funcstack[1] == _otaflux ]]; then
  _otaflux "$@"
else
  compdef _otaflux otaflux
fi
`;
}

function fish(): string {
  const lines = flags().map(({ name, help, value, words, isPath }) => {
    const takes = value === undefined
      ? ""
      : isPath
      ? " -r -F"
      : words === undefined
      ? " -x"
      : ` -x -a ${quoted(words.join(" "))}`;
    return `complete -c otaflux -l ${name.slice(2)}${takes} -d ${quoted(help)}`;
  });
  const names = Object.keys(COMMANDS).join(" ");
  const commands = Object.entries(COMMANDS).map(([name, help]) =>
    `complete -c otaflux -n 'not __fish_seen_subcommand_from ${names}' -a ${name} -d ${
      quoted(help)
    }`
  );
  return [
    "# Completions of otaflux for fish: source this file, or put it into ~/.config/fish/completions.",
    "complete -c otaflux -f",
    ...lines,
    ...commands,
    `complete -c otaflux -n '__fish_seen_subcommand_from completions' -a '${SHELLS.join(" ")}'`,
    "",
  ].join("\n");
}

/** In single quotes: zsh and fish read all but the quote itself as it is, and fish the backslash. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
