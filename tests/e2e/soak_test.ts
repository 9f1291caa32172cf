import assert from "node:assert/strict";
import { soak } from "../soak/soak.ts";
import { soakTools } from "../soak/stage.ts";

const tools = await soakTools();

/** The same mischief each time; `deno task soak` takes another one, and an hour. */
const SEED = 2026;

Deno.test({
  name: "killed and paused, the service keeps its promises: half a minute of soak",
  ignore: "skip" in tools,
  fn: async () => {
    if ("skip" in tools) return;
    const said: string[] = [];
    const { findings } = await soak(tools, {
      ...{
        seed: SEED,
        durationMs: 12_000,
        devices: 60,
        ids: 15,
        pollMs: 500,
        changeMs: 150,
        slowestBytesPerSecond: 200_000,
      },
      ...{ roundMs: 2000, tempo: 0.15, patienceMs: 30_000, restMs: 500 },
      say: (line) => said.push(line),
    });
    assert.deepEqual(findings.breaches, [], said.join("\n"));
    for (const name of ["downloads", "downloads resumed", "events acknowledged", "messages"]) {
      assert(findings.counted(name) > 0, `${name}: ${said.join("\n")}`);
    }
  },
});
