import assert from "node:assert/strict";
import { orasArtifact } from "../helpers/artifacts.ts";
import { debianTool } from "../helpers/debian.ts";
import { DockerRegistry } from "../helpers/docker_registry.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { isWhole } from "./registry_state.ts";

const tool = await debianTool("docker-registry");

Deno.test({
  name: "isWhole() tells a manifest of which the registry has a part, until that is removed",
  ignore: "skip" in tool,
  fn: async () => {
    if ("skip" in tool) return;
    await using registry = await DockerRegistry.start(tool);
    const artifact = orasArtifact(firmwareBytes(1000, 1));
    const { digest } = artifact;
    const push = (): Promise<void> => registry.push("fleet/pump", "1.0.0", artifact);
    const whole = (): Promise<boolean> => isWhole(registry.target("fleet/pump"), digest);
    await push();
    assert.equal(await whole(), true);
    // As it is where the registry is killed while it writes.
    await Deno.truncate(registry.blobPath(digest), 10);
    assert.equal(await whole(), false);
    await push();
    assert.equal(await whole(), false);
    await Deno.remove(registry.blobPath(digest));
    await push();
    assert.equal(await whole(), true);
  },
});
