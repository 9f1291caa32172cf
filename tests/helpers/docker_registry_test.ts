import assert from "node:assert/strict";
import { dockerImage, imageIndex, orasArtifact } from "./artifacts.ts";
import { debianTool } from "./debian.ts";
import {
  DOCKER_REGISTRY_USER,
  DockerRegistry,
  type DockerRegistryOptions,
} from "./docker_registry.ts";
import { firmwareBytes } from "./firmware_bytes.ts";
import { digestOf } from "./manifest.ts";
import { basicAuthorization } from "./registry/auth.ts";

const REPOSITORY = "garden/pump";
const FIRMWARE = firmwareBytes(100_000);
const ARTIFACT = orasArtifact(FIRMWARE);

const tool = await debianTool("docker-registry");

function start(options?: DockerRegistryOptions): Promise<DockerRegistry> {
  assert(!("skip" in tool));
  return DockerRegistry.start(tool, options);
}

async function ask(registry: DockerRegistry, path: string): Promise<[number, Uint8Array]> {
  const response = await fetch(`${registry.origin}/v2/${path}`, {
    headers: {
      accept: `${ARTIFACT.mediaType}, application/vnd.oci.image.index.v1+json`,
      authorization: basicAuthorization(DOCKER_REGISTRY_USER),
    },
  });
  return [response.status, await response.bytes()];
}

function test(name: string, fn: (t: Deno.TestContext) => Promise<void>): void {
  Deno.test({ name, ignore: "skip" in tool, fn });
}

test("DockerRegistry takes what the builders make, and gives the same bytes", async () => {
  await using registry = await start();
  const image = await dockerImage({ "firmware.bin": FIRMWARE }, { mediaTypes: "docker" });
  const index = imageIndex([image, ARTIFACT], { attestation: true });
  await registry.push(REPOSITORY, "1.0.0", ARTIFACT);
  await registry.push(REPOSITORY, "2.0.0", index);
  await registry.push(REPOSITORY, undefined, orasArtifact(firmwareBytes(0)));
  assert.deepEqual(await ask(registry, `${REPOSITORY}/manifests/1.0.0`), [200, ARTIFACT.manifest]);
  assert.deepEqual(await ask(registry, `${REPOSITORY}/manifests/2.0.0`), [200, index.manifest]);
  assert.deepEqual(await ask(registry, `${REPOSITORY}/blobs/${digestOf(FIRMWARE)}`), [
    200,
    FIRMWARE,
  ]);
});

test("DockerRegistry wants credentials, unless it is told not to", async () => {
  for (const [auth, status] of [[true, 401], [false, 200]] as const) {
    await using registry = await start({ auth });
    const response = await fetch(`${registry.origin}/v2/`);
    await response.body?.cancel();
    assert.equal(response.status, status);
    await registry.push(REPOSITORY, "1.0.0", ARTIFACT);
  }
});

test("DockerRegistry.deleteManifest() takes the tags along", async () => {
  await using registry = await start();
  await registry.push(REPOSITORY, "1.0.0", ARTIFACT);
  await registry.deleteManifest(REPOSITORY, ARTIFACT.digest);
  assert.equal((await ask(registry, `${REPOSITORY}/manifests/1.0.0`))[0], 404);
  await assert.rejects(registry.deleteManifest(REPOSITORY, ARTIFACT.digest), /404/);
});

test("DockerRegistry starts again with the same port and storage", async () => {
  await using registry = await start();
  await registry.push(REPOSITORY, "1.0.0", ARTIFACT);
  const { origin } = registry;
  for (const end of ["stop", "kill"] as const) {
    await registry[end]();
    await assert.rejects(fetch(`${origin}/v2/`), TypeError);
    await registry.start();
    assert.equal(registry.origin, origin);
    assert.equal((await ask(registry, `${REPOSITORY}/manifests/1.0.0`))[0], 200);
  }
});

test("DockerRegistry answers nobody while it is paused, and can be ended then", async () => {
  await using registry = await start();
  await registry.pause();
  const answer = ask(registry, "");
  const first = await Promise.race([answer, settled()]);
  assert.equal(first, undefined);
  registry.resume();
  assert.equal((await answer)[0], 200);
  await registry.pause();
  await registry.stop();
});

/** As long as a registry on this machine takes for several answers. */
async function settled(): Promise<undefined> {
  await new Promise((resolve) => setTimeout(resolve, 100));
}

test("DockerRegistry tells its endpoints of a push", async () => {
  const told = Promise.withResolvers<{ authorization: string | null; body: string }>();
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const body = await request.text();
      if (body.includes(`"tag": "1.0.0"`)) {
        told.resolve({ authorization: request.headers.get("authorization"), body });
      }
      return new Response();
    },
  );
  await using registry = await start({
    notifications: [{
      name: "test",
      url: `http://127.0.0.1:${server.addr.port}/`,
      headers: { Authorization: ["Bearer secret"] },
    }],
  });
  await registry.push(REPOSITORY, "1.0.0", ARTIFACT);
  const { authorization, body } = await told.promise;
  assert.equal(authorization, "Bearer secret");
  assert.equal(JSON.parse(body).events[0].target.digest, ARTIFACT.digest);
});

test("DockerRegistry.start() says why the process ended", async () => {
  await assert.rejects(start({ http: { tls: { certificate: "/nowhere", key: "/nowhere" } } }), {
    message: /^Cannot start .*\n.*no such file/s,
  });
});
