import assert from "node:assert/strict";
import { join } from "node:path";
import { dockerImage, imageIndex, orasArtifact } from "../helpers/artifacts.ts";
import { debianTool } from "../helpers/debian.ts";
import { withFolder } from "../helpers/disk.ts";
import { DOCKER_REGISTRY_USER, DockerRegistry } from "../helpers/docker_registry.ts";
import { crc32Reference, firmwareBytes } from "../helpers/firmware_bytes.ts";
import { Otaflux } from "../helpers/otaflux.ts";
import { skopeoPush } from "../helpers/skopeo.ts";
import { SUBJECT_LACKS_ZSTD } from "../helpers/subject.ts";

const tool = await debianTool("docker-registry");
const skopeo = await debianTool("skopeo");
const skip = "skip" in tool;

/** A test against Debian's `docker-registry`, which asks for user and password. */
function withRegistry(
  name: string,
  test: (registry: DockerRegistry, start: (...args: string[]) => Promise<Otaflux>) => Promise<void>,
): void {
  Deno.test({
    name: `docker-registry: ${name}`,
    // The base runtime that the tests' executables are made of is older than zstd in Deno.
    ignore: skip || (SUBJECT_LACKS_ZSTD && name.includes("zstd")),
    fn: async () => {
      if ("skip" in tool) return;
      await using registry = await DockerRegistry.start(tool);
      const start = (...args: string[]): Promise<Otaflux> =>
        Otaflux.start({
          args: [
            ...["--registry-url", registry.origin, "--repository-prefix", "factory"],
            ...["--registry-username", DOCKER_REGISTRY_USER.username, ...args],
          ],
          // The variable, as a deployment has it: with the flag, `ps` would show the password.
          env: { REGISTRY_PASSWORD: DOCKER_REGISTRY_USER.password },
        });
      await test(registry, start);
    },
  });
}

async function get(otaflux: Otaflux, path: string): Promise<Response> {
  return await fetch(`${otaflux.origin}${path}`);
}

/** The two requests of a device. */
async function update(otaflux: Otaflux, device: string): Promise<[string, Uint8Array]> {
  const version = await get(otaflux, `/version?device=${device}`);
  const firmware = await get(otaflux, `/firmware?device=${device}`);
  assert.deepEqual([version.status, firmware.status], [200, 200]);
  return [await version.text(), await firmware.bytes()];
}

const announcement = (version: string, bytes: Uint8Array): string =>
  `${version}\n${crc32Reference(bytes)}\n${bytes.length}`;

withRegistry("a pushed firmware reaches a device", async (registry, start) => {
  const firmware = firmwareBytes(1_000_003, 5);
  await registry.push("factory/esp32", "v1.2.0", orasArtifact(firmware));
  await registry.push("factory/esp32", "latest", orasArtifact(firmwareBytes(10, 6)));
  await registry.push("factory/esp32", "1.1.9", orasArtifact(firmwareBytes(20, 7)));
  await using otaflux = await start();
  assert.deepEqual(await update(otaflux, "esp32"), [announcement("1.2.0", firmware), firmware]);
});

withRegistry("a newer push is served after the refresh interval", async (registry, start) => {
  const [first, second] = [firmwareBytes(5000, 1), firmwareBytes(6000, 2)];
  await registry.push("factory/a/b", "1.0.0", orasArtifact(first));
  await using otaflux = await start("--refresh-interval", "1ms");
  assert.deepEqual(await update(otaflux, "a/b"), [announcement("1.0.0", first), first]);
  await registry.push("factory/a/b", "1.1.0", orasArtifact(second));
  await otaflux.logged("Fetched firmware", { version: "1.1.0", size: second.length });
  assert.deepEqual(await update(otaflux, "a/b"), [announcement("1.1.0", second), second]);
  // The same tag, pushed again.
  await registry.push("factory/a/b", "1.1.0", orasArtifact(first));
  await otaflux.logged("Fetched firmware", { version: "1.1.0", size: first.length });
  assert.deepEqual(await update(otaflux, "a/b"), [announcement("1.1.0", first), first]);
});

for (
  const [form, options] of [
    ["Docker's types and gzip", { mediaTypes: "docker", compression: "gzip" }],
    ["OCI's types and no compression", { mediaTypes: "oci", compression: "none" }],
    ["OCI's types and zstd", { mediaTypes: "oci", compression: "zstd" }],
  ] as const
) {
  withRegistry(`the file of an image with ${form} is unpacked`, async (registry, start) => {
    const firmware = firmwareBytes(123_457, 9);
    const image = await dockerImage({ "firmware.bin": firmware }, options);
    await registry.push("factory/image", "2.0.0", image);
    await registry.push("factory/index", "2.0.0", imageIndex([image], { attestation: "first" }));
    await using otaflux = await start();
    const expected = [announcement("2.0.0", firmware), firmware];
    assert.deepEqual(await update(otaflux, "image"), expected);
    assert.deepEqual(await update(otaflux, "index"), expected);
  });
}

Deno.test({
  name: "docker-registry: the file of an image that skopeo compresses as zstd:chunked is unpacked",
  ignore: skip || "skip" in skopeo || SUBJECT_LACKS_ZSTD,
  fn: async () => {
    if ("skip" in tool || "skip" in skopeo) return;
    await using registry = await DockerRegistry.start(tool, { auth: false });
    const firmware = firmwareBytes(300_000, 9);
    const artifact = await dockerImage({ "firmware.bin": firmware }, { compression: "none" });
    const push = { repository: "image", tag: "2.0.0", artifact };
    await skopeoPush(skopeo, registry, { ...push, compression: "zstd:chunked" });
    await using otaflux = await Otaflux.start({ args: ["--registry-url", registry.origin] });
    assert.deepEqual(await update(otaflux, "image"), [announcement("2.0.0", firmware), firmware]);
  },
});

withRegistry("a password that is changed in its file needs no restart", async (registry) => {
  const firmware = firmwareBytes(1000, 4);
  for (const device of ["early", "late"]) {
    await registry.push(`factory/${device}`, "1.0.0", orasArtifact(firmware));
  }
  await withFolder(async (folder) => {
    const path = join(folder, "password");
    await Deno.writeTextFile(path, "the one of yesterday\n");
    await using otaflux = await Otaflux.start({
      args: [
        ...["--registry-url", registry.origin, "--repository-prefix", "factory"],
        ...["--registry-username", DOCKER_REGISTRY_USER.username, "--registry-password-file", path],
      ],
    });
    const early = await get(otaflux, "/version?device=early");
    assert.equal(early.status, 502);
    assert.match(await early.text(), /401/);
    await Deno.writeTextFile(path, `${DOCKER_REGISTRY_USER.password}\n`);
    assert.deepEqual(await update(otaflux, "late"), [announcement("1.0.0", firmware), firmware]);
    await otaflux.logged("Password was changed", { file: path });
  });
});

withRegistry("an unknown device gets 404, also when others are known", async (registry, start) => {
  await registry.push("factory/known", "1.0.0", orasArtifact(firmwareBytes(100, 1)));
  await registry.push("factory/untagged", "latest", orasArtifact(firmwareBytes(100, 2)));
  await using otaflux = await start();
  for (const device of ["unknown", "untagged", "kno"]) {
    const response = await get(otaflux, `/version?device=${device}`);
    assert.equal(response.status, 404);
    assert.equal(await response.text(), `No firmware for device '${device}'\n\n`);
  }
  const metrics = await otaflux.metrics();
  assert.doesNotMatch(metrics, /device_id="(unknown|untagged|kno)"/);
});

withRegistry("a registry that is down is no device without firmware", async (registry, start) => {
  const firmware = firmwareBytes(4000, 3);
  await registry.push("factory/cached", "1.0.0", orasArtifact(firmware));
  await registry.push("factory/cold", "1.0.0", orasArtifact(firmware));
  await using otaflux = await start("--refresh-interval", "100ms");
  await update(otaflux, "cached");
  await registry.stop();
  await otaflux.logged("Registry does not answer");
  const cold = await get(otaflux, "/version?device=cold");
  assert.equal(cold.status, 502);
  assert.match(cold.headers.get("retry-after") ?? "", /^\d+$/);
  assert.match(
    await cold.text(),
    /^(Registry|Source of firmware) cannot be reached( at the moment)?\n\n$/,
  );
  assert.deepEqual(await update(otaflux, "cached"), [announcement("1.0.0", firmware), firmware]);
  await registry.start();
  await otaflux.logged("Registry answers again");
  assert.equal((await update(otaflux, "cold"))[0], announcement("1.0.0", firmware));
});

withRegistry("a wrong password is said, and shown nowhere", async (registry) => {
  await registry.push("factory/esp32", "1.0.0", orasArtifact(firmwareBytes(100, 1)));
  const secret = "hunter2-not-the-password";
  await using otaflux = await Otaflux.start({
    args: [
      "--registry-url",
      registry.host,
      "--registry-insecure",
      "--repository-prefix",
      "factory/",
    ],
    env: { REGISTRY_USERNAME: DOCKER_REGISTRY_USER.username, REGISTRY_PASSWORD: secret },
  });
  const response = await get(otaflux, "/version?device=esp32");
  assert.equal(response.status, 502);
  const shown = [await response.text(), JSON.stringify(otaflux.records), await otaflux.metrics()];
  assert.match(shown.join(), /Cannot list tags of \\?"factory\/esp32\\?": registry answered 401/);
  const encoded = btoa(`${DOCKER_REGISTRY_USER.username}:${secret}`);
  for (const text of shown) assert.ok(!text.includes(secret) && !text.includes(encoded));
});

withRegistry("hits, misses and requests are counted", async (registry, start) => {
  await registry.push("factory/esp32", "1.0.0", orasArtifact(firmwareBytes(100, 1)));
  await using otaflux = await start();
  await update(otaflux, "esp32");
  await update(otaflux, "esp32");
  await (await get(otaflux, "/etc/passwd")).body?.cancel();
  const metrics = await otaflux.metrics();
  for (
    const line of [
      'firmware_cache_hit_total{device_id="esp32"} 3',
      'firmware_cache_miss_total{device_id="esp32"} 1',
      "firmware_cache_entries 1",
      'http_requests_total{method="GET",path="/version",status="200"} 2',
      'http_requests_total{method="GET",path="/firmware",status="200"} 2',
      'http_requests_total{method="GET",path="other",status="404"} 1',
      'http_request_duration_seconds_count{method="GET",path="/version",status="200"} 2',
    ]
  ) assert.ok(metrics.includes(`${line}\n`), `${line} in ${metrics}`);
});
