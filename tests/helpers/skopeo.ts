/**
 * Debian's `skopeo`, which pushes as people and their pipelines do.
 *
 * @module
 */
import { run } from "./cache.ts";
import type { DebianTool } from "./debian.ts";
import { withFolder } from "./disk.ts";
import type { DockerRegistry } from "./docker_registry.ts";
import { writeLayout } from "./layout.ts";
import type { Artifact } from "./manifest.ts";

/** What is pushed, and where to. */
export interface SkopeoPush {
  readonly repository: string;
  readonly tag: string;
  readonly artifact: Artifact;
  /** How the layers are compressed on the way. @default as they are */
  readonly compression?: "gzip" | "zstd" | "zstd:chunked";
}

/**
 * Pushes an artifact to a registry that wants no password, with all below it.
 *
 * @param skopeo - Of `debianTool("skopeo")`
 * @throws {Error} It did not; with what it said
 */
export async function skopeoPush(
  skopeo: DebianTool,
  registry: DockerRegistry,
  { repository, tag, artifact, compression }: SkopeoPush,
): Promise<void> {
  await withFolder(async (folder) => {
    await writeLayout(folder, tag, artifact);
    const { success, stderr } = await run(skopeo.path, {
      args: [
        ...["--insecure-policy", "copy", "--all", "--dest-tls-verify=false"],
        ...(compression === undefined ? [] : ["--dest-compress-format", compression]),
        ...[`oci:${folder}:${tag}`, `docker://${registry.host}/${repository}:${tag}`],
      ],
      env: skopeo.env,
    });
    if (!success) throw new Error(`Cannot push "${repository}:${tag}": ${stderr}`);
  });
}
