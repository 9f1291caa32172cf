/**
 * OCI image-layout directories, as `oras` and `skopeo` write them.
 *
 * @module
 */

import { type Artifact, describeArtifact, type Descriptor, withChildren } from "./manifest.ts";

/**
 * Adds an artifact to an OCI image-layout directory, making the directory where there is none.
 * The tag moves when it is there already, as with `oras` and `skopeo`; old blobs stay.
 *
 * @see https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md
 */
export async function writeLayout(
  directory: string,
  tag: string,
  artifact: Artifact,
): Promise<void> {
  await Deno.mkdir(directory, { recursive: true });
  for (const { manifest, digest, blobs } of withChildren(artifact)) {
    for (const [name, bytes] of [...blobs, [digest, manifest] as const]) {
      const [algorithm = "", hex = ""] = name.split(":");
      await Deno.mkdir(`${directory}/blobs/${algorithm}`, { recursive: true });
      await Deno.writeFile(`${directory}/blobs/${algorithm}/${hex}`, bytes);
    }
  }
  await Deno.writeTextFile(`${directory}/oci-layout`, `{"imageLayoutVersion":"1.0.0"}`);

  const refName = "org.opencontainers.image.ref.name";
  const others = (await readLayoutIndex(directory)).filter(({ annotations }) =>
    annotations?.[refName] !== tag
  );
  const tagged = { ...describeArtifact(artifact), annotations: { [refName]: tag } };
  const index = { schemaVersion: 2, manifests: [...others, tagged] };
  // By rename, so that whoever watches the directory never reads half an index.
  await Deno.writeTextFile(`${directory}/index.json.new`, JSON.stringify(index));
  await Deno.rename(`${directory}/index.json.new`, `${directory}/index.json`);
}

async function readLayoutIndex(directory: string): Promise<readonly Descriptor[]> {
  try {
    return JSON.parse(await Deno.readTextFile(`${directory}/index.json`)).manifests;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}
