import assert from "node:assert/strict";
import { Metrics } from "../../src/metrics/metrics.ts";
import { CannotStart } from "../../src/wiring/cannot_start.ts";
import { listenForDevices, listenForOperators } from "../../src/wiring/listeners.ts";
import { createSource, createVerifier } from "../../src/wiring/source.ts";
import { createStore } from "../../src/wiring/storage.ts";
import { configIn, type World } from "../helpers/config.ts";
import { withFolder } from "../helpers/disk.ts";

const REGISTRY = "--registry-url=https://registry.example";

/** What is wrong with what was begun, and whose matter that is. */
async function complaint(begun: Promise<unknown>): Promise<readonly [string, boolean]> {
  const error = await begun.then(() => undefined, (error: unknown) => error);
  assert(error instanceof CannotStart, `${error}`);
  assert.match(error.message, /^[^\n]+$/);
  return [error.message, error.isUsage];
}

Deno.test("createVerifier() calls a key that is none wrong usage", async () => {
  const world: World = { files: { "/key.pub": "no key" } };
  const config = configIn(world, [REGISTRY, "--cosign-pub-key-path=/key.pub"]);
  const source = createSource(config, { version: "1.2.3" });
  const [message, isUsage] = await complaint(createVerifier(config, source));
  assert.match(message, /"\/key\.pub"/);
  assert(isUsage);
});

Deno.test("createStore() calls a folder that cannot be made no wrong usage, and names the flag", () =>
  withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/file`, "");
    const config = configIn({}, [REGISTRY, `--cache-dir=${folder}/file`]);
    const [message, isUsage] = await complaint(createStore(config, { evicted: () => {} }));
    assert.match(message, /; see --cache-dir$/);
    assert(!isUsage);
  }));

Deno.test("listeners name the address that is taken, and the flags", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const address = `127.0.0.1:${taken.addr.port}`;
  const flags = [`--listen-addr=${address}`, `--metrics-listen-addr=${address}`];
  const config = configIn({}, [REGISTRY, ...flags]);
  const handler = (): Response => new Response();
  const service = { forDevices: handler, metrics: new Metrics() };
  const listen = [
    (): Promise<unknown> => listenForDevices(config, service),
    async (): Promise<unknown> => await listenForOperators(config, handler),
  ];
  for (const begin of listen) {
    const [message, isUsage] = await complaint(begin());
    assert(message.startsWith(`Cannot listen on ${address}: `), message);
    assert.match(message, /see --listen-addr and --metrics-listen-addr$/);
    assert(!isUsage);
  }
});

Deno.test("listenForDevices() calls a certificate that is not there wrong usage", async () => {
  const tls = ["--tls-cert-path=/nothing/tls.pem", "--tls-key-path=/nothing/tls.pem"];
  const config = configIn({}, [REGISTRY, "--listen-addr=127.0.0.1:0", ...tls]);
  const service = { forDevices: (): Response => new Response(), metrics: new Metrics() };
  const [message, isUsage] = await complaint(listenForDevices(config, service));
  assert.match(message, /^--tls-cert-path and --tls-key-path: Cannot read "\/nothing\/tls.pem"/);
  assert(isUsage);
});
