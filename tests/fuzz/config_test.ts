/**
 * Flags and variables.
 */
import assert from "node:assert/strict";
import { readConfig } from "../../src/config/config.ts";
import { flagOf, type SettingKey, SETTINGS, variableOf } from "../../src/config/settings.ts";
import { UsageError } from "../../src/config/usage.ts";
import { damagedText, fuzz } from "../helpers/fuzz.ts";
import { below, oneOf } from "../helpers/mutations.ts";

const SECRET = "correct-horse-battery";
const KEYS = Object.keys(SETTINGS) as SettingKey[];
const VALUES = ["registry.example", "https://registry.example:5000/a", "mqtt://broker.example:1883"]
  .concat(["500ms", "24h", "64MiB", "0", "0.0.0.0:8080", "[::]:80", "a=b", "true", "json", "/path"])
  .concat(["^https://ci\\.example/.+$", "(a+)+$", "ota/devices", "https://page.example", "*"]);
/** Where a secret is taken, or might be put by mistake. */
const SECRETS = ["--registry-password", "--mqtt-password", "--registry-passwort", "--mqtt-url"];

fuzz("flags make a configuration, or one sentence that holds no secret", (random) => {
  const args: string[] = random() < 0.7 ? ["--registry-url", "registry.example"] : [];
  const env: Record<string, string> = {};
  for (let times = below(5, random); times > 0; times--) {
    const key = oneOf(KEYS, random);
    const value = damagedText(VALUES, random);
    if (random() < 0.3) env[variableOf(key)] = value;
    else if (random() < 0.5) args.push(`${damagedText([flagOf(key)], random)}=${value}`);
    else args.push(flagOf(key), ...(random() < 0.9 ? [value] : []));
  }
  if (random() < 0.5) {
    const flag = oneOf(SECRETS, random);
    const secret = flag === "--mqtt-url"
      ? damagedText(["mqtt://user:"], random).slice(0, 40) + `${SECRET}@broker.example`
      : SECRET;
    // Between all others, joined or apart.
    args.splice(
      below(args.length + 1, random),
      0,
      ...(random() < 0.5 ? [`${flag}=${secret}`] : [flag, secret]),
    );
  }
  try {
    readConfig({
      args,
      env: (name) => env[name],
      version: "1.2.3",
      readTextFile: () => "text",
      isDirectory: () => true,
      listDirectory: () => [],
    });
  } catch (error) {
    assert(error instanceof UsageError, `${error} for ${JSON.stringify([args, env])}`);
    assert.match(error.message, /^[^\r\n]+$/);
    assert(!error.message.includes(SECRET), `${error.message} for ${JSON.stringify(args)}`);
  }
});
