/**
 * From arguments and environment to values. A flag wins over its variable, which wins over the
 * default.
 *
 * @module
 */

import { Argument, Command, CommanderError, type Help, Option } from "commander";
import { COMMANDS } from "./commands.ts";
import { completions, isShell, SHELLS } from "./completions.ts";
import type { Origins, ReadSettings } from "./misfits.ts";
import {
  flagOf,
  type Setting,
  type SettingKey,
  SETTINGS,
  type SettingValues,
  variableOf,
} from "./settings.ts";
import { invalid, oneLine, UsageError } from "./usage.ts";
import * as kinds from "./values.ts";
import type { ValueKind } from "./values.ts";

/** What {@linkcode readArguments} is made from. */
export interface ArgumentsInput {
  /** The arguments after the program's name. */
  readonly args: readonly string[];
  /** Reads a variable of the environment. An empty one counts as none. */
  readonly env: (name: string) => string | undefined;
  /** What `--version` says. */
  readonly version: string;
}

/** What is to be done: the service is what is run without a command. */
export type Call =
  | { readonly command: "serve" }
  | { readonly command: "healthcheck" }
  | {
    readonly command: "check";
    /** The device that is looked at. */
    readonly device: string;
  };

/** What was asked for. */
export interface Arguments extends ReadSettings {
  /** What is to be done; each command takes the flags of the service. */
  readonly call: Call;
}

/**
 * Reads the command and all settings.
 *
 * @param input Arguments and environment.
 * @returns They; or, where help, version or completions were asked for, the text to print.
 * @throws {UsageError} For the first thing that is wrong.
 */
export function readArguments(input: ArgumentsInput): Arguments | string {
  const given = readCall(input);
  if (typeof given === "string") return given;
  const { call, flags } = given;
  return { call, values: readValues(flags, input.env), origins: originsOf(flags, input.env) };
}

/** The flags that were given, as they were written. */
type GivenFlags = Readonly<Partial<Record<SettingKey, string | true | readonly string[]>>>;

/** A command and its flags. */
interface GivenCall {
  readonly call: Call;
  readonly flags: GivenFlags;
}

function readCall({ args, version }: ArgumentsInput): GivenCall | string {
  let printed = "";
  let complaint = "";
  let given: GivenCall = { call: { command: "serve" }, flags: {} };
  const program = createProgram(version).configureOutput({
    writeOut: (text) => printed += text,
    writeErr: (text) => complaint += text,
    // By itself it would look into the environment, which is none of its business.
    getOutHasColors: () => false,
    getErrHasColors: () => false,
  });
  program.action((flags: GivenFlags) => {
    given = { call: { command: "serve" }, flags };
  });
  addSettings(program.command("healthcheck").description(COMMANDS.healthcheck))
    .action((flags: GivenFlags) => {
      given = { call: { command: "healthcheck" }, flags: { ...program.opts(), ...flags } };
    });
  addSettings(program.command("check").description(COMMANDS.check).argument("<device>"))
    .action((device: string, flags: GivenFlags) => {
      given = { call: { command: "check", device }, flags: { ...program.opts(), ...flags } };
    });
  program.command("completions").description(COMMANDS.completions)
    .addArgument(new Argument("<shell>").choices(SHELLS))
    .action((shell: string) => {
      if (isShell(shell)) printed = completions(shell);
    });
  try {
    program.parse(args, { from: "user" });
    return printed === "" ? given : printed;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return printed;
    throw new UsageError(complaintOf(complaint || error.message));
  }
}

function createProgram(version: string): Command {
  const program = new Command("otaflux")
    .description("Serves devices the newest firmware that an OCI registry holds for them.")
    .usage("(--registry-url <url> | --layout-dir <path>) [flags]")
    .version(`otaflux ${version}`, "--version", "print the version and end")
    .helpOption("--help", "print this help and end")
    .helpCommand(false)
    .configureHelp({ formatItem })
    .allowExcessArguments(false)
    .exitOverride();
  return addSettings(program);
}

function addSettings(command: Command): Command {
  for (const [key, setting] of settings()) command.addOption(createOption(key, setting));
  return command;
}

/** Columns of a terminal, and of a flag in it. */
const HELP_WIDTH = 80;
const FLAG_WIDTH = 32;

/** A longer flag has a line of its own: as wide as the longest, no room would be left beside it. */
function formatItem(flag: string, _width: number, description: string, help: Help): string {
  const margin = FLAG_WIDTH + 4;
  const lines = help.boxWrap(description, HELP_WIDTH - margin).split("\n");
  if (flag.length > FLAG_WIDTH) lines.unshift("");
  return lines.map((line, at) => `${at === 0 ? `  ${flag}` : ""}`.padEnd(margin) + line)
    .join("\n").replaceAll(/ +$/gm, "");
}

/** What a flag of these kinds takes, its placeholder says. */
const SELF_EXPLANATORY: readonly ValueKind<unknown>[] = [kinds.text, kinds.path, kinds.boolean];

function createOption(key: SettingKey, setting: Setting): Option {
  const flag = flagOf(key);
  const takes = SELF_EXPLANATORY.includes(setting.kind) ? "" : `; takes ${setting.kind.takes}`;
  const fallback = setting.default === undefined ? "" : `; default ${setting.default}`;
  const option = new Option(
    setting.value === undefined ? flag : `${flag} <${setting.value}>`,
    `${setting.help}${takes}${fallback} [${variableOf(key)}]`,
  );
  // It would take a name that begins like this for the opposite of another flag.
  option.negate = false;
  return setting.isList === true ? option.argParser(collect) : option;
}

function collect(value: string, values: readonly string[] = []): readonly string[] {
  return [...values, value];
}

/** Settings that say the same in two ways. */
const RIVALS: Partial<Record<SettingKey, SettingKey>> = {
  registryUrl: "layoutDir",
  layoutDir: "registryUrl",
  registryPassword: "registryPasswordFile",
  registryPasswordFile: "registryPassword",
  cosignCertificateIdentity: "cosignCertificateIdentityRegexp",
  cosignCertificateIdentityRegexp: "cosignCertificateIdentity",
  mqttPassword: "mqttPasswordFile",
  mqttPasswordFile: "mqttPassword",
};

function originsOf(flags: GivenFlags, env: ArgumentsInput["env"]): Origins {
  const origins = new Map<SettingKey, "flag" | "variable">();
  for (const [key] of settings()) {
    if (flags[key] !== undefined) origins.set(key, "flag");
    else if (env(variableOf(key))) origins.set(key, "variable");
  }
  return origins;
}

function readValues(given: GivenFlags, env: ArgumentsInput["env"]): SettingValues {
  const values = settings().map(([key, setting]) => {
    const flag = given[key];
    const rival = RIVALS[key];
    // A flag wins over a variable, also over that of its rival.
    const variable = rival && given[rival] !== undefined ? undefined : env(variableOf(key));
    if (setting.isList === true) {
      const name = flag === undefined ? variableOf(key) : flagOf(key);
      return [key, asList(flag ?? variable).map((item) => readValue(name, item, setting))];
    }
    if (flag !== undefined) return [key, readValue(flagOf(key), String(flag), setting)];
    if (variable) return [key, readValue(variableOf(key), variable, setting)];
    return [key, setting.default === undefined ? undefined : setting.kind.parse(setting.default)];
  });
  return Object.fromEntries(values);
}

function asList(given: string | true | readonly string[] | undefined): readonly string[] {
  return Array.isArray(given)
    ? given
    : String(given || "").split(",").filter((item) => item !== "");
}

function readValue(name: string, value: string, { kind, isSecret }: Setting): unknown {
  try {
    return kind.parse(value);
  } catch {
    throw invalid(name, isSecret ? "(hidden)" : value, kind.takes);
  }
}

function settings(): [SettingKey, Setting][] {
  return Object.entries(SETTINGS) as [SettingKey, Setting][];
}

/**
 * Commander repeats a mistyped flag and words too many as they are: what follows a flag's "=" may be
 * a secret, and so may be the rest of one that has spaces but no quotes.
 */
function complaintOf(message: string): string {
  const sentence = oneLine(message).replace(/^error: /, "")
    .replace(/=[^]*'/, "=…'")
    // So may be what looks like a flag, and is an address whose beginning is missing.
    .replace(/^(unknown option ')[^]*@[^]*'/, "$1…'")
    .replace(/^unknown option '[^']*'$/, "$&, want one of those that --help lists")
    .replace(/^missing required argument '(.*)'$/, (all, name) => `${all}${exampleOf(name)}`)
    .replace(
      /^(too many arguments)\..*/,
      `$1, want flags, or one of the commands ${Object.keys(COMMANDS).join(", ")}; ` +
        "and quotes around spaces",
    );
  return sentence.charAt(0).toUpperCase() + sentence.slice(1);
}

/** What a command looks like with the word that is missing. */
function exampleOf(argument: string): string {
  if (argument === "device") return ", want a device's id: otaflux check esp32-c3";
  return `, want one of ${SHELLS.join(", ")}: otaflux completions ${SHELLS[0]}`;
}
