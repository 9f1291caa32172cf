import assert from "node:assert/strict";
import { readArguments } from "../../src/config/arguments.ts";
import { findMisfits } from "../../src/config/misfits.ts";
import { UsageError } from "../../src/config/usage.ts";

const REGISTRY = ["--registry-url=registry.example"];
const LAYOUTS = ["--layout-dir=/layouts"];

/** What is said of arguments and variables at the start. */
function warningsOf(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): readonly string[] {
  const read = readArguments({ args, env: (name) => env[name], version: "1.2.3" });
  assert(typeof read !== "string");
  return findMisfits(read);
}

Deno.test("findMisfits() says nothing where each setting has what it needs", () => {
  const registry = [...REGISTRY, "--registry-username=u"];
  for (
    const args of [
      REGISTRY,
      LAYOUTS,
      [...registry, "--registry-password=p", "--registry-ca-cert-path=/ca", "--track-for=1h"],
      [...registry, "--registry-password-file=/p", "--registry-timeout=1s"],
      ["--registry-url=http://registry.example", "--registry-insecure"],
      [
        ...[...LAYOUTS, "--mqtt-url=mqtt://broker", "--mqtt-username=u", "--mqtt-password-file=/p"],
        ...["--mqtt-topic=t", "--mqtt-protocol=3.1.1", "--mqtt-ca-cert-path=/ca"],
        ...["--mqtt-client-cert-path=/c", "--mqtt-client-key-path=/k", "--public-url=https://a"],
        "--homeassistant-discovery-prefix=homeassistant",
      ],
    ]
  ) {
    assert.deepEqual(warningsOf(args), [], args.join(" "));
  }
});

for (
  const [name, args, complaint] of [
    [
      "Home Assistant without a broker",
      [...REGISTRY, "--homeassistant-discovery-prefix=homeassistant"],
      "--homeassistant-discovery-prefix says nothing without a broker, want --mqtt-url as well",
    ],
    [
      "an address of ours without a broker",
      [...REGISTRY, "--public-url=https://ota.example"],
      "--public-url says nothing without a broker, want --mqtt-url as well",
    ],
    [
      "a protocol without a broker",
      [...REGISTRY, "--mqtt-protocol=3.1.1"],
      "--mqtt-protocol says nothing without a broker, want --mqtt-url as well",
    ],
    [
      "a registry's user with a folder",
      [...LAYOUTS, "--registry-username=u", "--registry-password=p"],
      "--registry-username says nothing about --layout-dir, which asks no registry",
    ],
    [
      "http with a folder",
      [...LAYOUTS, "--registry-insecure"],
      "--registry-insecure says nothing about --layout-dir, which asks no registry",
    ],
    [
      "a registry's authority with http",
      ["--registry-url=http://registry.example", "--registry-ca-cert-path=/ca"],
      "--registry-ca-cert-path says nothing about a registry that is asked by http",
    ],
    [
      "a registry's authority with http by a flag",
      [...REGISTRY, "--registry-insecure", "--registry-ca-cert-path=/ca"],
      "--registry-ca-cert-path says nothing about a registry that is asked by http",
    ],
    [
      "devices that are tracked for nothing",
      [...REGISTRY, "--refresh-interval=0", "--track-for=1h"],
      "--track-for says nothing with --refresh-interval 0, which checks nothing in the background",
    ],
  ] as const
) {
  Deno.test(`findMisfits() refuses ${name}`, () => {
    const isMeant = (error: unknown): boolean =>
      error instanceof UsageError && error.message === complaint;
    assert.throws(() => warningsOf(args), isMeant);
  });
}

Deno.test("findMisfits() warns of what the Rust OtaFlux passes over", () => {
  const mqtt = ["username=u", "password=p", "topic=t", "ca-cert-path=/a"];
  const pair = ["client-cert-path=/c", "client-key-path=/k"];
  assert.deepEqual(
    warningsOf([...REGISTRY, ...[...mqtt, ...pair].map((flag) => `--mqtt-${flag}`)]),
    [...mqtt, ...pair].map((flag) =>
      `--mqtt-${flag.split("=")[0]} says nothing without a broker, want --mqtt-url as well`
    ),
  );
});

Deno.test("findMisfits() warns of a user of the registry without a password, and the other way round", () => {
  const ofUser = "has no password, want --registry-password-file as well";
  const ofPassword = "belongs to no user, want --registry-username as well";
  for (
    const [args, env, warnings] of [
      [["--registry-username=u"], {}, [`--registry-username ${ofUser}`]],
      [[], { REGISTRY_USERNAME: "u" }, [`REGISTRY_USERNAME ${ofUser}`]],
      // As whoever has neither calls the Rust OtaFlux, which wants both.
      [["--registry-username=", "--registry-password="], {}, []],
      [["--registry-username=u", "--registry-password="], {}, [`--registry-username ${ofUser}`]],
      [["--registry-password=p"], {}, [`--registry-password ${ofPassword}`]],
      [[], { REGISTRY_PASSWORD_FILE: "/p" }, [`REGISTRY_PASSWORD_FILE ${ofPassword}`]],
    ] as const
  ) {
    assert.deepEqual(warningsOf([...REGISTRY, ...args], env), warnings);
  }
});

Deno.test("findMisfits() warns of a variable where it refuses a flag", () => {
  const env = {
    REGISTRY_USERNAME: "u",
    REGISTRY_PASSWORD: "p",
    REGISTRY_INSECURE: "false",
    REGISTRY_TIMEOUT: "30s",
    HOMEASSISTANT_DISCOVERY_PREFIX: "homeassistant",
  };
  assert.deepEqual(warningsOf(LAYOUTS, env), [
    "HOMEASSISTANT_DISCOVERY_PREFIX says nothing without a broker, want --mqtt-url as well",
    "REGISTRY_USERNAME says nothing about --layout-dir, which asks no registry",
    "REGISTRY_PASSWORD says nothing about --layout-dir, which asks no registry",
  ]);
});
