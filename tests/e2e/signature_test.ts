import assert from "node:assert/strict";
import { orasArtifact } from "../helpers/artifacts.ts";
import { CosignFixture, fixturePem, trustedRoot } from "../helpers/cosign_fixture.ts";
import { signatureManifest, signatureTag, Signer } from "../helpers/cosign_signer.ts";
import { debianTool } from "../helpers/debian.ts";
import { withFolder } from "../helpers/disk.ts";
import { DOCKER_REGISTRY_USER, DockerRegistry } from "../helpers/docker_registry.ts";
import { writeLayout } from "../helpers/layout.ts";
import { utf8 } from "../helpers/manifest.ts";
import { Otaflux, runOtaflux } from "../helpers/otaflux.ts";

const tool = await debianTool("docker-registry");
const REPOSITORY = "factory/esp32";

async function ask(otaflux: Otaflux): Promise<[status: number, body: string]> {
  const response = await fetch(`${otaflux.origin}/version?device=esp32`);
  return [response.status, await response.text()];
}

async function versionOf(otaflux: Otaflux): Promise<string | undefined> {
  const [status, body] = await ask(otaflux);
  assert.equal(status, 200, body);
  return body.split("\n")[0];
}

/** A device that was refused comes again when it was told to, at most a few seconds later. */
async function versionOnceServed(otaflux: Otaflux): Promise<string | undefined> {
  for (;;) {
    const [status] = await ask(otaflux);
    if (status === 200) return await versionOf(otaflux);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

for (const name of ["v3-p256", "v2-p256", "v2-ed25519"]) {
  Deno.test({
    name: `docker-registry: firmware is served once the real cosign's signature is there: ${name}`,
    ignore: "skip" in tool,
    fn: () =>
      withFolder(async (folder) => {
        if ("skip" in tool) return;
        await using registry = await DockerRegistry.start(tool);
        const signer = new Signer();
        for (
          const [file, pem] of Object.entries({
            "first.pub": signer.pem,
            "p256.pub": fixturePem("p256"),
            "ed25519.pub": fixturePem("ed25519"),
            "README": "no key",
          })
        ) await Deno.writeTextFile(`${folder}/${file}`, pem);
        await using otaflux = await Otaflux.start({
          args: [
            ...["--registry-url", registry.origin, "--repository-prefix", "factory"],
            ...["--registry-username", DOCKER_REGISTRY_USER.username],
            ...["--refresh-interval", "50ms", "--cosign-pub-key-path", folder],
          ],
          env: { REGISTRY_PASSWORD: DOCKER_REGISTRY_USER.password },
        });

        // Unsigned, and nothing else there: nothing is served.
        const first = orasArtifact(utf8("first firmware"));
        await registry.push(REPOSITORY, "0.9.0", first);
        assert.deepEqual(await ask(otaflux), [
          502,
          "Firmware 0.9.0 of device 'esp32' is not signed by whom it should be\n\n",
        ]);
        await registry.push(
          REPOSITORY,
          signatureTag(first),
          signatureManifest([signer.layer(first, { reference: `${registry.host}/${REPOSITORY}` })]),
        );
        assert.equal(await versionOnceServed(otaflux), "0.9.0");

        // Pushed without its signature: the previous version stays.
        const fixture = new CosignFixture(name);
        const parts = fixture.artifacts();
        const isFirmware = ({ tag }: { readonly tag: string | undefined }): boolean =>
          tag === "1.0.0";
        for (const { tag, artifact } of parts.filter(isFirmware)) {
          await registry.push(REPOSITORY, tag, artifact);
        }
        const refusal = await otaflux.logged("Firmware is refused", { version: "1.0.0" });
        assert.equal(refusal.digest, fixture.digest);
        assert.match(
          `${refusal.reason}`,
          /: sha256:[0-9a-f]{64}: found no signature, want 1 of ed25519.pub \([0-9a-f]{8}\), first.pub/,
        );
        assert.equal(await versionOf(otaflux), "0.9.0");

        // Signed: served at the next check.
        const [untagged, tagged] = [
          parts.filter(({ tag }) => tag === undefined),
          parts.filter((part) => part.tag !== undefined && !isFirmware(part)),
        ];
        for (const { tag, artifact } of [...untagged, ...tagged]) {
          await registry.push(REPOSITORY, tag, artifact);
        }
        await otaflux.logged("Fetched firmware", { version: "1.0.0" });
        const firmware = await fetch(`${otaflux.origin}/firmware?device=esp32`);
        await firmware.body?.cancel();
        assert.equal(await versionOf(otaflux), "1.0.0");
        const metrics = await otaflux.metrics();
        assert.match(
          metrics,
          /^firmware_signature_verifications_total\{device_id="esp32",result="valid"\} 2$/m,
        );
        assert.match(
          metrics,
          /^firmware_signature_verifications_total\{device_id="esp32",result="invalid"\} [1-9]/m,
        );
      }),
  });
}

const REGISTRY = ["--registry-url", "http://127.0.0.1:1"];

Deno.test("The service does not start with a private key, and says so in one line", () =>
  withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/a.pub`, new Signer().privatePem);
    const args = [...REGISTRY, "--cosign-pub-key-path", `${folder}/a.pub`];
    const { code, stderr, stdout } = await runOtaflux({ args });
    assert.deepEqual([code, stdout], [2, ""]);
    assert.equal(
      stderr,
      `otaflux: --cosign-pub-key-path: "${folder}/a.pub" is a private key, want the public one ` +
        "(cosign public-key)\n",
    );
  }));

Deno.test("The service starts with keyless verification, and not with a root that is none", () =>
  withFolder(async (folder) => {
    const path = `${folder}/trusted_root.json`;
    const args = [
      ...REGISTRY,
      ...["--cosign-certificate-identity", "ci@example.com"],
      ...["--cosign-certificate-oidc-issuer", "https://issuer.example"],
      ...["--cosign-trusted-root-path", path],
    ];
    await Deno.writeTextFile(path, "{}");
    const { code, stderr } = await runOtaflux({ args });
    assert.equal(code, 2);
    assert.match(
      stderr,
      /^otaflux: --cosign-trusted-root-path: ".*" is no trusted root of [^\n]*\n$/,
    );
    await Deno.writeTextFile(path, trustedRoot());
    await using otaflux = await Otaflux.start({ args });
    assert(otaflux.port > 0);
  }));

Deno.test("A version stays the firmware that was accepted for it, over a restart", () =>
  withFolder(async (folder) => {
    const signer = new Signer();
    await Deno.writeTextFile(`${folder}/release.pub`, signer.pem);
    const write = async (text: string): Promise<void> => {
      const artifact = orasArtifact(utf8(text), {
        annotations: { "org.opencontainers.image.version": "1.0.0" },
      });
      const signature = signatureManifest([signer.layer(artifact)]);
      await writeLayout(`${folder}/layouts/esp32`, signatureTag(artifact), signature);
      await writeLayout(`${folder}/layouts/esp32`, "1.0.0", artifact);
    };
    const start = (): Promise<Otaflux> =>
      Otaflux.start({
        args: [
          ...["--layout-dir", `${folder}/layouts`, "--cache-dir", `${folder}/cache`],
          ...["--cosign-pub-key-path", `${folder}/release.pub`, "--cosign-require-version"],
          ...["--refresh-interval", "50ms"],
        ],
      });
    await write("the firmware");
    {
      await using otaflux = await start();
      assert.equal(await versionOf(otaflux), "1.0.0");
    }
    await write("another one");
    await using otaflux = await start();
    const [, before] = await ask(otaflux);
    const refusal = await otaflux.logged("Firmware is refused", { version: "1.0.0" });
    assert.match(`${refusal.reason}`, /: equivocation: found sha256:[0-9a-f]{64}, want sha256:/);
    assert.deepEqual(await ask(otaflux), [200, before]);
    assert.match(before, /^1\.0\.0\n\d+\n12\n?$/);
  }));
