import { equal } from "node:assert/strict";
import { join } from "node:path";
import { debianTool } from "./debian.ts";

Deno.test("debianTool() prefers the installed program", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = join(folder, "docker-registry");
    await Deno.writeTextFile(path, "");
    const tool = await debianTool("docker-registry", { searchPath: ["/nowhere", folder] });
    equal("path" in tool && tool.path, path);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
