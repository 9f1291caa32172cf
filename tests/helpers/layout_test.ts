import assert from "node:assert/strict";
import { dockerImage, imageIndex, orasArtifact } from "./artifacts.ts";
import { debianTool } from "./debian.ts";
import { firmwareBytes } from "./firmware_bytes.ts";
import { writeLayout } from "./layout.ts";
import { type Descriptor, digestOf } from "./manifest.ts";

Deno.test("writeLayout() keeps other tags, moves its own and stores every blob", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const [old, other] = [orasArtifact(firmwareBytes(4, 1)), orasArtifact(firmwareBytes(4, 2))];
    const moved = imageIndex([orasArtifact(firmwareBytes(4, 3))]);
    await writeLayout(directory, "1.0.0", old);
    await writeLayout(directory, "2.0.0", other);
    await writeLayout(directory, "1.0.0", moved);
    const index = JSON.parse(await Deno.readTextFile(`${directory}/index.json`));
    assert.deepEqual(
      index.manifests.map(({ digest, annotations }: Descriptor) => [
        annotations?.["org.opencontainers.image.ref.name"],
        digest,
      ]),
      [["2.0.0", other.digest], ["1.0.0", moved.digest]],
    );
    for await (const { name } of Deno.readDir(`${directory}/blobs/sha256`)) {
      const bytes = await Deno.readFile(`${directory}/blobs/sha256/${name}`);
      assert.equal(digestOf(bytes), `sha256:${name}`);
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

const skopeo = await debianTool("skopeo");

Deno.test({
  name: "skopeo finds by its tag what writeLayout() wrote",
  ignore: "skip" in skopeo,
  async fn(): Promise<void> {
    assert(!("skip" in skopeo));
    const directory = await Deno.makeTempDir();
    try {
      const image = await dockerImage({ "firmware.bin": firmwareBytes(4) });
      await writeLayout(directory, "1.0.0", image);
      await writeLayout(directory, "2.0.0", orasArtifact(firmwareBytes(4)));
      const { success, stdout } = await new Deno.Command(skopeo.path, {
        args: ["--insecure-policy", "inspect", "--raw", `oci:${directory}:1.0.0`],
        env: skopeo.env,
      }).output();
      assert(success);
      assert.deepEqual(new Uint8Array(stdout), image.manifest);
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
});
