import assert from "node:assert/strict";
import { join } from "node:path";
import { run } from "./helpers/cache.ts";

const REPOSITORY = join(import.meta.dirname ?? ".", "..");

/** Types of our dependencies, which the linter counts among our own that are not exported. */
const FOREIGN_TYPES = [
  "Context",
  "GenericSchema",
  "Hono",
  "InferOutput",
  "Logger",
  "MiddlewareHandler",
  "Registry",
];

Deno.test("every exported symbol is documented and refers to exported types", async () => {
  const { stderr } = await run(Deno.execPath(), {
    args: ["doc", "--quiet", "--lint", "main.ts", "src"],
    cwd: REPOSITORY,
  });
  const complaints = stderr.split("\n\n")
    .filter((complaint) => complaint.includes("error["))
    .filter((complaint) =>
      !FOREIGN_TYPES.some((name) => complaint.includes(`private type '${name}'`))
    );
  assert.deepEqual(complaints, []);
});
