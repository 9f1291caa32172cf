import assert from "node:assert/strict";
import { LayoutSource } from "../../src/layout/source.ts";
import type { Digest } from "../../src/digest.ts";
import { imageIndex, orasArtifact } from "../helpers/artifacts.ts";
import { withFolder } from "../helpers/disk.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { writeLayout } from "../helpers/layout.ts";
import { describeArtifact, manifestOf, utf8 } from "../helpers/manifest.ts";

const firmware = orasArtifact(firmwareBytes(100));
const digest = firmware.digest as Digest;
const referrer = manifestOf({ subject: describeArtifact(firmware) });
const unrelated = manifestOf({
  subject: describeArtifact(referrer),
  layers: [{ mediaType: "a/b", bytes: utf8("x") }],
});

/** Takes the tags of entries away, as ORAS writes what it copies along. */
async function untag(folder: string, ...tags: readonly string[]): Promise<void> {
  const path = `${folder}/esp32/index.json`;
  const index = JSON.parse(await Deno.readTextFile(path));
  for (const entry of index.manifests) {
    if (Object.values(entry.annotations).some((tag) => tags.includes(`${tag}`))) {
      delete entry.annotations;
    }
  }
  await Deno.writeTextFile(path, JSON.stringify(index));
}

Deno.test("LayoutSource.listReferrers() looks into what has no tag, and at the tag of a registry", () =>
  withFolder(async (directory) => {
    const source = new LayoutSource({ directory, repositoryPrefix: "" });
    const write = (tag: string, artifact: typeof firmware): Promise<void> =>
      writeLayout(`${directory}/esp32`, tag, artifact);
    await write("1.0.0", firmware);
    assert.deepEqual(await source.listReferrers("esp32", digest), []);
    await write("a", referrer);
    await write("b", unrelated);
    assert.deepEqual(await source.listReferrers("esp32", digest), [], "tags are no referrers");
    await untag(directory, "a", "b");
    const found = await source.listReferrers("esp32", digest);
    assert.deepEqual(found.map((entry) => entry.digest), [referrer.digest]);
    await write(digest.replace(":", "-"), imageIndex([unrelated]));
    const both = await source.listReferrers("esp32", digest);
    assert.deepEqual(both.map((entry) => entry.digest), [unrelated.digest, referrer.digest]);
  }));

Deno.test("LayoutSource.listReferrers() does not take a list that is none for no referrers", () =>
  withFolder(async (directory) => {
    const source = new LayoutSource({ directory, repositoryPrefix: "" });
    await writeLayout(`${directory}/esp32`, digest.replace(":", "-"), firmware);
    await assert.rejects(source.listReferrers("esp32", digest), { code: "source-invalid" });
    await assert.rejects(source.listReferrers("none", digest), { code: "firmware-unknown" });
  }));

Deno.test("LayoutSource.listReferrers() passes over entries whose files are gone or no JSON", () =>
  withFolder(async (directory) => {
    await writeLayout(`${directory}/esp32`, "1.0.0", firmware);
    await writeLayout(`${directory}/esp32`, "a", referrer);
    await writeLayout(`${directory}/esp32`, "b", unrelated);
    await untag(directory, "a", "b");
    const blobs = `${directory}/esp32/blobs/sha256`;
    await Deno.remove(`${blobs}/${referrer.digest.slice(7)}`);
    await Deno.writeTextFile(`${blobs}/${unrelated.digest.slice(7)}`, "{");
    const source = new LayoutSource({ directory, repositoryPrefix: "" });
    assert.deepEqual(await source.listReferrers("esp32", digest), []);
  }));
