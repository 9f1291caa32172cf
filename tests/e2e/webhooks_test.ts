import assert from "node:assert/strict";
import { imageIndex, orasArtifact } from "../helpers/artifacts.ts";
import { debianTool } from "../helpers/debian.ts";
import { filesOf, withFolder } from "../helpers/disk.ts";
import { cannotMount, mountSmallDisk } from "../helpers/small_disk.ts";
import { DockerRegistry } from "../helpers/docker_registry.ts";
import { FakeRegistry } from "../helpers/fake_registry.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { freeze } from "../helpers/freeze.ts";
import { harborCloudEvent, harborEvent } from "../helpers/harbor.ts";
import { Otaflux } from "../helpers/otaflux.ts";
import { RawConnection } from "../helpers/raw_http.ts";
import * as faults from "../helpers/registry/faults.ts";
import { type SkopeoPush, skopeoPush } from "../helpers/skopeo.ts";

const docker = await debianTool("docker-registry");
const skopeo = await debianTool("skopeo");

const ONE = orasArtifact(firmwareBytes(100_000, 1));
const TWO = orasArtifact(firmwareBytes(110_000, 2));
const SECRET = "open sesame";

/** Nothing is found by itself in a test's time. */
const NEVER = ["--refresh-interval", "1h", "--unknown-for", "1h"];

function serve(registry: { readonly origin: string }, ...args: string[]): Promise<Otaflux> {
  return Otaflux.start({
    args: ["--registry-url", registry.origin, "--repository-prefix", "factory", ...NEVER, ...args],
  });
}

async function serveWithSecret(
  registry: { readonly origin: string },
  { folder, args = [] }: { readonly folder: string; readonly args?: readonly string[] },
): Promise<Otaflux> {
  const file = `${folder}/secret`;
  await Deno.writeTextFile(file, `${SECRET}\n`);
  return await serve(registry, "--webhook-secret-file", file, ...args);
}

/** The version that a device is told of; or the status, where that is no version. */
async function ask(otaflux: Otaflux, device = "pump"): Promise<string> {
  const response = await fetch(`${otaflux.origin}/version?device=${device}`);
  const text = await response.text();
  return response.ok ? text.split("\n")[0] ?? "" : `${response.status}`;
}

/** Sends a webhook as Harbor does, and gives the status of the answer. */
async function send(
  otaflux: Otaflux,
  body: unknown,
  { source = "harbor", authorization = "" } = {},
): Promise<number> {
  const response = await fetch(`${otaflux.origin}/webhooks/${source}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...(authorization && { authorization }) },
    body: JSON.stringify(body),
  });
  await response.body?.cancel();
  return response.status;
}

/**
 * Delivers bodies that have all come before the first is read, however busy the machine is: the
 * service is frozen meanwhile.
 */
async function sendAtOnce(otaflux: Otaflux, bodies: readonly unknown[]): Promise<number[]> {
  await freeze({ pid: otaflux.pid, kill: (signal) => otaflux.signal(signal) });
  const answers: (() => Promise<number>)[] = [];
  for (const body of bodies) {
    const connection = await RawConnection.open(otaflux.port);
    const text = JSON.stringify(body);
    const head = `POST /webhooks/harbor HTTP/1.1\r\nHost: x\r\nContent-Length: ${text.length}`;
    await connection.send(`${head}\r\n\r\n${text}`);
    answers.push(async () => {
      using _ = connection;
      return (await connection.answer({ hasBody: true })).status;
    });
  }
  otaflux.signal("SIGCONT");
  return await Promise.all(answers.map((answer) => answer()));
}

/** The series of webhooks. */
async function counted(otaflux: Otaflux): Promise<readonly string[]> {
  const lines = (await otaflux.metrics()).split("\n");
  return lines.filter((line) => line.startsWith("webhooks_total{")).toSorted();
}

function countOf(otaflux: Otaflux, message: string): number {
  return otaflux.records.filter((record) => record.message === message).length;
}

const DONE = "Event is carried out";

/** Waits for what happens in another process without a record of its own. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!await condition()) await new Promise((resolve) => setTimeout(resolve, 10));
}

interface Sent {
  readonly body: { readonly events: readonly { readonly action: string }[] };
  readonly status: number;
}

/** Hands on to a service that is not there yet what a registry sends, and notes the answers. */
class Relay implements AsyncDisposable {
  readonly sent: Sent[] = [];
  readonly #target = Promise.withResolvers<Otaflux>();
  readonly #server = Deno.serve(
    {
      hostname: "127.0.0.1",
      port: 0,
      onListen: () => {},
      // The service ends before the registry does, which then goes on trying.
      onError: () => new Response(null, { status: 502 }),
    },
    async (request) => {
      const { origin } = await this.#target.promise;
      const body = await request.text();
      const { method, headers } = request;
      const answer = await fetch(`${origin}/webhooks/distribution`, { method, headers, body });
      this.sent.push({ body: JSON.parse(body), status: answer.status });
      return answer;
    },
  );

  get origin(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  to(otaflux: Otaflux): void {
    this.#target.resolve(otaflux);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

/** A registry that tells the service of all that happens, and the service. */
function withNotifications(
  name: string,
  test: (
    world: {
      readonly registry: DockerRegistry;
      /** Pushes as people do. */
      readonly push: (push: SkopeoPush) => Promise<void>;
      readonly otaflux: Otaflux;
      readonly relay: Relay;
    },
  ) => Promise<void>,
): void {
  Deno.test({
    name: `docker-registry: ${name}`,
    ignore: "skip" in docker || "skip" in skopeo,
    fn: () =>
      withFolder(async (folder) => {
        if ("skip" in docker || "skip" in skopeo) return;
        await using relay = new Relay();
        await using registry = await DockerRegistry.start(docker, {
          auth: false,
          notifications: [{
            name: "otaflux",
            url: relay.origin,
            headers: { Authorization: [`Bearer ${SECRET}`] },
            timeout: "5s",
            threshold: 1,
            backoff: "100ms",
          }],
        });
        await registry.push("factory/pump", "1.0.0", ONE);
        await using otaflux = await serveWithSecret(registry, {
          folder,
          args: ["--cache-dir", `${folder}/cache`],
        });
        relay.to(otaflux);
        await otaflux.logged(DONE);
        assert.equal(await ask(otaflux), "1.0.0");
        const push = (push: SkopeoPush): Promise<void> => skopeoPush(skopeo, registry, push);
        await test({ registry, push, otaflux, relay });
      }),
  });
}

withNotifications(
  "a push by skopeo is served at once, and our own requests cause no more",
  async ({ registry, push, otaflux, relay }) => {
    await push({ repository: "factory/pump", tag: "1.1.0", artifact: TWO });
    await until(async () => await ask(otaflux) === "1.1.0");
    // Whatever our pulls caused stands before this in the registry's line.
    await registry.push("factory/last", "1.0.0", ONE);
    await otaflux.logged(DONE, { device: "last" });
    assert(relay.sent.some(({ body }) => body.events.some(({ action }) => action === "pull")));
    assert.deepEqual(new Set(relay.sent.map(({ status }) => status)), new Set([200]));
    assert.equal(countOf(otaflux, "Webhook is accepted"), 3);
    assert(countOf(otaflux, DONE) <= 3);
  },
);

withNotifications(
  "an index with its children, and a signature, are served at once, and a deletion is followed",
  async ({ registry, push, otaflux }) => {
    const index = imageIndex([TWO], { attestation: true });
    await push({ repository: "factory/garden/pump", tag: "2.0.0", artifact: index });
    await otaflux.logged(DONE, { device: "garden/pump" });
    await until(async () => await ask(otaflux, "garden/pump") === "2.0.0");

    await registry.push("factory/pump", "3.0.0", TWO);
    await until(async () => await ask(otaflux) === "3.0.0");
    const before = countOf(otaflux, "Webhook is accepted");
    await registry.push("factory/pump", `${TWO.digest.replace(":", "-")}.sig`, ONE);
    await registry.deleteManifest("factory/pump", TWO.digest);
    await until(async () => await ask(otaflux) === "1.0.0");
    assert(countOf(otaflux, "Webhook is accepted") > before + 1);
  },
);

Deno.test({
  name: "docker-registry: a registry that does not know the secret is heard by nobody",
  ignore: "skip" in docker,
  fn: () =>
    withFolder(async (folder) => {
      if ("skip" in docker) return;
      await using relay = new Relay();
      await using registry = await DockerRegistry.start(docker, {
        auth: false,
        notifications: [{ name: "otaflux", url: relay.origin, timeout: "5s", backoff: "100ms" }],
      });
      await using otaflux = await serveWithSecret(registry, { folder });
      relay.to(otaflux);
      await registry.push("factory/pump", "1.0.0", ONE);
      await otaflux.logged("Webhook is refused", { source: "distribution", status: 401 });
      assert.equal(countOf(otaflux, "Webhook is accepted"), 0);
    }),
});

function withFakeRegistry(name: string, test: (registry: FakeRegistry) => Promise<void>): void {
  Deno.test(name, async () => {
    await using registry = new FakeRegistry();
    registry.push("factory/pump", "1.0.0", ONE);
    await test(registry);
  });
}

const PUSH = harborEvent({ repository: "factory/pump", tag: "1.1.0" });

for (
  const [what, body] of [
    ["an event of Harbor", PUSH],
    ["a CloudEvent of Harbor", harborCloudEvent({ repository: "factory/pump", tag: "1.1.0" })],
    ["a deletion", harborEvent({ repository: "factory/pump", type: "DELETE_ARTIFACT" })],
  ] as const
) {
  withFakeRegistry(
    `${what} has the device checked at once, past its interval`,
    async (registry) => {
      await using otaflux = await serve(registry);
      assert.equal(await ask(otaflux), "1.0.0");
      registry.push("factory/pump", "1.1.0", TWO);
      assert.equal(await ask(otaflux), "1.0.0");
      assert.equal(await send(otaflux, body), 200);
      await otaflux.logged(DONE, { device: "pump" });
      assert.equal(await ask(otaflux), "1.1.0");
    },
  );
}

withFakeRegistry(
  "a device that was unknown a moment ago is served after its first push",
  async (registry) => {
    await using otaflux = await serve(registry);
    assert.equal(await ask(otaflux, "new"), "404");
    registry.push("factory/new", "1.0.0", ONE);
    assert.equal(await ask(otaflux, "new"), "404");
    assert.equal(await send(otaflux, harborEvent({ repository: "factory/new" })), 200);
    await otaflux.logged(DONE, { device: "new" });
    assert.equal(await ask(otaflux, "new"), "1.0.0");
  },
);

withFakeRegistry("a device that is deleted as a whole is gone at once", async (registry) => {
  await using otaflux = await serve(registry);
  assert.equal(await ask(otaflux), "1.0.0");
  registry.deleteRepository("factory/pump");
  const body = harborEvent({ repository: "factory/pump", type: "DELETE_ARTIFACT" });
  assert.equal(await send(otaflux, body), 200);
  await otaflux.logged("Event ends without a firmware", { device: "pump" });
  assert.equal(await ask(otaflux), "404");
});

withFakeRegistry("twenty events of a device at once are one check", async (registry) => {
  await withFolder(async (folder) => {
    await using otaflux = await serve(registry, "--cache-dir", folder);
    // The first request of all is slow to start.
    await send(otaflux, harborEvent({ repository: "office/pump" }));
    const statuses = await sendAtOnce(
      otaflux,
      Array.from(
        { length: 20 },
        (_, occurAt) => harborEvent({ repository: "factory/pump", occurAt }),
      ),
    );
    assert.deepEqual(statuses, Array(20).fill(200));
    await otaflux.logged(DONE);
    // Further checks would have begun before this device's.
    registry.push("factory/last", "1.0.0", TWO);
    await send(otaflux, harborEvent({ repository: "factory/last" }));
    await otaflux.logged(DONE, { device: "last" });
    assert.equal(registry.count({ kind: "tags", repository: "factory/pump" }), 1);
    assert.deepEqual(await counted(otaflux), [
      `webhooks_total{source="harbor",result="accepted"} 21`,
      `webhooks_total{source="harbor",result="ignored"} 1`,
    ]);
  });
});

withFakeRegistry(
  "killed between the answer and the check, the next start carries it out",
  async (registry) => {
    await withFolder(async (folder) => {
      {
        await using otaflux = await serve(registry, "--cache-dir", folder);
        assert.equal(await ask(otaflux), "1.0.0");
        registry.push("factory/pump", "1.1.0", TWO);
        const gate = registry.gate({ kind: "tags" });
        assert.equal(await send(otaflux, PUSH), 200);
        await gate.arrived();
        otaflux.signal("SIGKILL");
        await otaflux.ended();
        gate.open();
      }
      await using otaflux = await serve(registry, "--cache-dir", folder);
      await otaflux.logged(DONE, { device: "pump" });
      assert.equal(await ask(otaflux), "1.1.0");
      // The same bytes again, as Harbor sends them where our answer was lost.
      registry.forgetRequests();
      assert.equal(await send(otaflux, PUSH), 200);
      await send(otaflux, harborEvent({ repository: "factory/last" }));
      await otaflux.logged("Event ends without a firmware", { device: "last" });
      assert.equal(registry.count({ repository: "factory/pump" }), 0);
      assert.equal(countOf(otaflux, DONE), 1);
      assert((await counted(otaflux)).includes(
        `webhooks_total{source="harbor",result="repeated"} 1`,
      ));
    });
  },
);

withFakeRegistry(
  "killed right behind the answer, the next start carries it out, each of ten times",
  async (registry) => {
    await withFolder(async (folder) => {
      for (let time = 0; time < 10; time++) {
        await using otaflux = await serve(registry, "--cache-dir", folder);
        if (time > 0) await otaflux.logged(DONE, { device: "pump" });
        const status = await send(
          otaflux,
          harborEvent({ repository: "factory/pump", occurAt: time }),
        );
        otaflux.signal("SIGKILL");
        assert.equal(status, 200);
        await otaflux.ended();
      }
      await using otaflux = await serve(registry, "--cache-dir", folder);
      await otaflux.logged("Events of an earlier process are carried out", { devices: 1 });
      await otaflux.logged(DONE, { device: "pump" });
      await until(async () => !(await filesOf(folder)).some((path) => path.includes("/pending/")));
    });
  },
);

withFakeRegistry(
  "what is accepted while the registry fails is carried out once it is back",
  async (registry) => {
    await using otaflux = await serve(registry);
    assert.equal(await ask(otaflux), "1.0.0");
    registry.push("factory/pump", "1.1.0", TWO);
    {
      using _fault = registry.fault({ match: {}, respond: faults.status(500) });
      assert.equal(await send(otaflux, PUSH), 200);
      await otaflux.logged("Event cannot be carried out yet", { device: "pump" });
      assert.equal(await ask(otaflux), "1.0.0");
    }
    await otaflux.logged(DONE, { device: "pump" });
    assert.equal(await ask(otaflux), "1.1.0");
  },
);

withFakeRegistry(
  "whoever does not know the secret gets 401, and nothing reaches the registry",
  async (registry) => {
    await withFolder(async (folder) => {
      await using otaflux = await serveWithSecret(registry, { folder });
      for (const authorization of ["", "Bearer sesame", "open sesam", SECRET.toUpperCase()]) {
        assert.equal(await send(otaflux, PUSH, { authorization }), 401);
      }
      for (const source of ["distribution", "zot", "quay/x", "dockerhub", "github", "gitea"]) {
        assert.equal(await send(otaflux, PUSH, { source }), 401);
      }
      // Had one been accepted, it would have come before this one.
      const last = harborEvent({ repository: "factory/last" });
      assert.equal(await send(otaflux, last, { authorization: SECRET }), 200);
      await otaflux.logged("Event ends without a firmware", { device: "last" });
      assert.equal(registry.count({ repository: "factory/pump" }), 0);
      assert.doesNotMatch(JSON.stringify(otaflux.records), /sesam/i);
    });
  },
);

withFakeRegistry(
  "without a secret there is a warning at the start, and with one there is none",
  async (registry) => {
    const warning = "Webhooks are open to everybody, see --webhook-secret-file";
    await withFolder(async (folder) => {
      await using open = await serve(registry);
      await using closed = await serveWithSecret(registry, { folder });
      await open.logged(warning);
      // Had it warned, too, the warning would stand before this.
      await send(closed, PUSH);
      await closed.logged("Webhook is refused");
      assert.equal(countOf(closed, warning), 0);
    });
  },
);

async function timed(work: () => Promise<unknown>): Promise<number> {
  const beganMs = performance.now();
  await work();
  return performance.now() - beganMs;
}

/** As events are kept before they are acknowledged. */
async function writeDurably(path: string): Promise<void> {
  using file = await Deno.open(path, { write: true, createNew: true });
  await file.write(new Uint8Array(1000));
  await file.sync();
}

function medianOf(times: readonly number[]): number {
  return times.toSorted((a, b) => a - b)[times.length / 2] ?? Infinity;
}

withFakeRegistry(
  "the answer does not wait for the registry, nor for events before it",
  async (registry) => {
    await withFolder(async (folder) => {
      await using otaflux = await serve(registry, "--cache-dir", folder);
      const gate = registry.gate({});
      await send(otaflux, PUSH);
      await gate.arrived();
      const times = { answer: [] as number[], health: [] as number[], disk: [] as number[] };
      for (let occurAt = 0; occurAt < 40; occurAt++) {
        const event = harborEvent({ repository: `factory/device-${occurAt}`, occurAt });
        times.answer.push(
          await timed(async () => assert.equal(await send(otaflux, event), 200)),
        );
        times.health.push(
          await timed(async () => (await fetch(`${otaflux.origin}/health`)).body?.cancel()),
        );
        times.disk.push(await timed(() => writeDurably(`${folder}/beside-${occurAt}`)));
      }
      gate.open();
      const [answer, beside] = [
        medianOf(times.answer),
        medianOf(times.health) + medianOf(times.disk),
      ];
      assert(answer < 10 * beside, `${answer} ms, where request and disk take ${beside} ms`);
    });
  },
);

Deno.test("on a full disk nothing is acknowledged", { ignore: cannotMount }, async () => {
  await using registry = new FakeRegistry();
  registry.push("factory/pump", "1.0.0", ONE);
  await withFolder(async (folder) => {
    await using _disk = await mountSmallDisk(folder);
    await using otaflux = await serve(registry, "--cache-dir", folder);
    await assert.rejects(Deno.writeFile(`${folder}/filler`, firmwareBytes(2_000_000)));
    const response = await fetch(`${otaflux.origin}/webhooks/harbor`, {
      method: "POST",
      body: JSON.stringify(PUSH),
    });
    assert.equal(response.status, 503);
    assert.match(response.headers.get("retry-after") ?? "", /^[1-9]\d*$/);
    assert.equal(await response.text(), "Event cannot be stored\n\n");
    await Deno.remove(`${folder}/filler`);
    assert.equal(await send(otaflux, PUSH), 200);
    await otaflux.logged(DONE, { device: "pump" });
  });
});

withFakeRegistry(
  "what says that it is too large is refused before it comes, and devices go on",
  async (registry) => {
    await using otaflux = await serve(registry);
    using connection = await RawConnection.open(otaflux.port);
    await connection.send(
      "POST /webhooks/harbor HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000000\r\n\r\n",
    );
    const { status, body } = await connection.answer({ hasBody: true });
    assert.deepEqual([status, new TextDecoder().decode(body)], [
      413,
      "Body is larger than 1 MiB\n\n",
    ]);
    assert.equal(await ask(otaflux), "1.0.0");
  },
);
