import assert from "node:assert/strict";
import { describeError, type ErrorCode, isServiceError } from "../../src/errors.ts";
import { RegistryClient } from "../../src/registry/client.ts";
import { createTransport, type TransportOptions } from "../../src/registry/transport.ts";
import { orasArtifact } from "../helpers/artifacts.ts";
import { FakeRegistry } from "../helpers/fake_registry.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { freePort } from "../helpers/free_port.ts";
import {
  basicAuthorization,
  type BearerAuth,
  type RegistryAuth,
} from "../helpers/registry/auth.ts";
import {
  cut,
  garbage,
  hang,
  headers,
  status,
  tooManyRequests,
} from "../helpers/registry/faults.ts";

const CREDENTIALS = { username: "robot$säge", password: "s3cret:ü" };
const WRONG = { username: "robot", password: "wr0ng" };
const BEARER: BearerAuth = { mode: "bearer", credentials: CREDENTIALS };

function clientOf(
  registry: FakeRegistry,
  options: Partial<TransportOptions> = {},
): RegistryClient {
  const url = new URL(registry.origin);
  const fetch = createTransport({
    registry: url,
    credentials: CREDENTIALS,
    userAgent: "test",
    idleMs: 5000,
    sleep: () => Promise.resolve(),
    ...options,
  });
  return new RegistryClient({ url, repositoryPrefix: "", fetch });
}

Deno.test("createTransport() repeats requests for tokens as it repeats others", async () => {
  await using registry = new FakeRegistry({ auth: BEARER });
  registry.push("led", "1.0.0", orasArtifact(firmwareBytes(1000)));
  registry.fault({ match: { kind: "token" }, times: 1, respond: tooManyRequests(2) });
  registry.fault({ match: { kind: "tags" }, times: 1, respond: tooManyRequests(3) });
  const pauses: number[] = [];
  const client = clientOf(registry, {
    sleep: (ms) => {
      pauses.push(ms);
      return Promise.resolve();
    },
  });
  assert.deepEqual(await client.listTags("led"), ["1.0.0"]);
  assert.deepEqual(pauses, [2000, 3000]);
});

Deno.test("createTransport() does not repeat a request that timed out", async () => {
  await using registry = new FakeRegistry();
  registry.fault({ match: {}, respond: hang() });
  const client = clientOf(registry, { idleMs: 50 });
  await assert.rejects(client.listTags("led"), { code: "source-timeout" });
  assert.equal(registry.requests.length, 1);
});

interface Failure {
  readonly auth?: RegistryAuth;
  readonly break?: (registry: FakeRegistry) => void;
  readonly options?: Partial<TransportOptions>;
  readonly code: ErrorCode;
  /** The most requests that it may take. */
  readonly requests: number;
}

const FAILURES: Readonly<Record<string, Failure>> = {
  "wrong credentials for Basic": {
    auth: { mode: "basic", ...CREDENTIALS },
    options: { credentials: WRONG },
    code: "source-refused",
    requests: 2,
  },
  "no credentials for Basic": {
    auth: { mode: "basic", ...CREDENTIALS },
    options: { credentials: undefined },
    code: "source-refused",
    requests: 1,
  },
  "wrong credentials for a token": {
    options: { credentials: WRONG },
    code: "source-refused",
    requests: 2,
  },
  "no credentials for a token": {
    options: { credentials: undefined },
    code: "source-refused",
    requests: 2,
  },
  "a token that is refused": {
    break: (registry): void => {
      registry.fault({
        match: { kind: "token" },
        respond: () => Response.json({ token: "tellt4le" }),
      });
    },
    code: "source-refused",
    requests: 3,
  },
  "a token that is refused, Harbor's way": {
    auth: { ...BEARER, harborHabit: true },
    break: (registry): void => {
      registry.fault({
        match: { kind: "token" },
        respond: () => Response.json({ token: "tellt4le" }),
      });
    },
    code: "source-refused",
    requests: 3,
  },
  "a token server that fails": {
    break: (registry): void => {
      registry.fault({ match: { kind: "token" }, respond: status(500) });
    },
    code: "source-unavailable",
    requests: 4,
  },
  "a token server that is not there": {
    auth: { ...BEARER, realm: `http://127.0.0.1:${freePort()}/token` },
    code: "source-unavailable",
    requests: 1,
  },
  "a token server that does not answer": {
    break: (registry): void => {
      registry.fault({ match: { kind: "token" }, respond: hang() });
    },
    options: { idleMs: 50 },
    code: "source-timeout",
    requests: 2,
  },
  "a token server that does not make sense": {
    break: (registry): void => {
      registry.fault({ match: { kind: "token" }, respond: garbage() });
    },
    code: "source-invalid",
    requests: 2,
  },
  "a token server that hangs up": {
    break: (registry): void => {
      registry.fault({ match: { kind: "token" }, respond: cut() });
    },
    code: "source-unavailable",
    // An answer that breaks off is asked for again, three times in all.
    requests: 4,
  },
  "a token server with a secret in its address": {
    auth: { ...BEARER, realm: "https://me:s3cret@auth.example/token" },
    code: "source-invalid",
    requests: 1,
  },
  "a registry that fails behind the door": {
    break: (registry): void => {
      registry.fault({ match: { kind: "tags" }, respond: status(500) });
    },
    code: "source-unavailable",
    requests: 5,
  },
  "a registry that links elsewhere": {
    break: (registry): void => {
      const link = "<https://elsewhere.example/v2/led/tags/list>; rel=next";
      registry.fault({ match: { kind: "tags" }, respond: headers({ link }) });
    },
    code: "source-invalid",
    requests: 3,
  },
};

Deno.test("createTransport() fails soon and tells no secrets", async (t) => {
  for (const [name, failure] of Object.entries(FAILURES)) {
    await t.step(name, async () => {
      await using registry = new FakeRegistry({ auth: failure.auth ?? BEARER });
      registry.push("led", "1.0.0", orasArtifact(firmwareBytes(1000)));
      failure.break?.(registry);
      await assert.rejects(clientOf(registry, failure.options).listTags("led"), (error) => {
        const text = describeError(error);
        assert.ok(isServiceError(error, failure.code), text);
        const secrets = [CREDENTIALS, WRONG].flatMap(
          (known) => [known.password, known.username, basicAuthorization(known).slice(6)],
        );
        const tokens = registry.tokens.map(({ token }) => token);
        for (const secret of [...secrets, ...tokens, "s3cret", "tellt4le"]) {
          assert.ok(!text.includes(secret) && !error.stack?.includes(secret), text);
        }
        return true;
      });
      assert.ok(registry.requests.length <= failure.requests);
    });
  }
});
