import assert from "node:assert/strict";
import type { Config } from "../../src/config/config.ts";
import { UsageError } from "../../src/config/usage.ts";
import { configIn } from "../helpers/config.ts";

/** These files are read where they are used, so that there are none here. */
function read(args: readonly string[], env: Readonly<Record<string, string>> = {}): Config {
  return configIn({ env }, ["--registry-url", "registry.example", ...args]);
}

Deno.test("resolveEdge() joins the files of certificate and key, from flags and variables", () => {
  const tls = { certPath: "/c", keyPath: "/k" };
  assert.deepEqual(read(["--tls-cert-path=/c", "--tls-key-path=/k"]).edge.tls, tls);
  assert.deepEqual(read([], { TLS_CERT_PATH: "/c", TLS_KEY_PATH: "/k" }).edge.tls, tls);
  assert.deepEqual(read(["--tls-cert-path=/c"], { TLS_KEY_PATH: "/k" }).edge.tls, tls);
});

for (
  const [args, env, message] of [
    [["--tls-cert-path=/c"], {}, "--tls-cert-path is of no use alone, want --tls-key-path as well"],
    [["--tls-key-path=/k"], {}, "--tls-key-path is of no use alone, want --tls-cert-path as well"],
    [
      [],
      { TLS_KEY_PATH: "/k" },
      "--tls-key-path is of no use alone, want --tls-cert-path as well",
    ],
  ] as const
) {
  Deno.test(`resolveEdge() refuses one file of two: ${args} ${Object.keys(env)}`, () => {
    assert.throws(() => read(args, env), new UsageError(message));
  });
}
