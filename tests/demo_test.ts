import assert from "node:assert/strict";
import { join } from "node:path";
import { exists, run } from "./helpers/cache.ts";
import { TextLineStream } from "./helpers/lines.ts";

const REPOSITORY = join(import.meta.dirname ?? ".", "..");

/** A demo under way, and what it printed until it said how to end it. */
async function withDemo(test: (lines: readonly string[]) => Promise<void>): Promise<number> {
  const demo = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-A", "deploy/demo.ts"],
    cwd: REPOSITORY,
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const reader = demo.stdout
    .pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream()).getReader();
  try {
    const lines: string[] = [];
    while (!lines.at(-1)?.includes("Ctrl-C")) {
      const { done, value } = await reader.read();
      assert.ok(!done, lines.join("\n"));
      lines.push(value);
    }
    await test(lines);
  } finally {
    demo.kill("SIGTERM");
    await reader.cancel();
  }
  return (await demo.status).code;
}

Deno.test("the demo plays a device, what it says to try works, and it leaves nothing behind", async () => {
  let folder = "";
  const code = await withDemo(async (lines) => {
    const text = lines.join("\n");
    assert.match(
      text,
      /version 1\.1\.0, CRC-32 \d+, 314159 bytes announced, 314159 bytes received/,
    );
    folder = /--oci-layout (.+)\/esp32-garden:/.exec(text)?.[1] ?? "";
    assert.ok(await exists(folder));
    const commands = lines.filter((line) => line.startsWith("  curl "));
    assert.equal(commands.length, 5);
    const outputs = [];
    for (const command of commands) {
      const { success, stdout, stderr } = await run("sh", {
        // The download goes nowhere: the tests leave no files in the tree.
        args: ["-c", command.replace("-o firmware.bin", "-o /dev/null --fail")],
      });
      assert.ok(success, stderr);
      outputs.push(stdout);
    }
    const [garden = "", gateway = "", , nobody = "", metrics = ""] = outputs;
    const readme = await Deno.readTextFile(join(REPOSITORY, "README.md"));
    assert.ok(readme.includes(`device=esp32-garden'\n${garden}\n`), "README shows what is printed");
    assert.match(gateway, /^2\.10\.0\n\d+\n4200000$/);
    assert.match(nobody, /^HTTP\/1\.1 404 .*\r\n(.*\r\n)*\r\nNo firmware for device 'nobody'\n\n$/);
    const page = /^In a browser .*: (http:\S+)$/m.exec(text)?.[1] ?? "";
    assert.match(await (await fetch(page)).text(), /gateway\/edge/);
    assert.match(metrics, /^http_requests_total\{method="GET",path="\/version",status="404"\} 1$/m);
  });
  assert.equal(code, 0);
  assert.ok(!await exists(folder));
});

/** The client in docs/devices.md, as it is written there. */
async function documentedClient(): Promise<string> {
  const devices = await Deno.readTextFile(join(REPOSITORY, "docs", "devices.md"));
  return /^#!\/bin\/sh\n[^]*?(?=^```$)/m.exec(devices)?.[0] ?? "";
}

Deno.test("the client in docs/devices.md updates, resumes, and takes nothing damaged", async () => {
  const script = await documentedClient();
  const cwd = await Deno.makeTempDir({ prefix: "otaflux-client-" });
  try {
    await withDemo(async (lines) => {
      const origin = /curl '(.+)\/version/.exec(lines.join("\n"))?.[1] ?? "";
      const update = (device: string): ReturnType<typeof run> =>
        run("sh", { args: ["-c", script, "update.sh", origin, device], cwd });
      const firmware = (): Promise<Uint8Array> => Deno.readFile(join(cwd, "firmware.bin"));

      const first = await update("esp32-garden");
      assert.ok(first.success, first.stderr);
      const bytes = await firmware();
      assert.equal(bytes.length, 314_159);

      const part = join(cwd, "2215403877.part");
      // Cut off at the first byte, in between, and after the last one.
      for (const length of [0, 1000, bytes.length]) {
        await Deno.remove(join(cwd, "firmware.bin"));
        await Deno.remove(join(cwd, "firmware.version"));
        await Deno.writeFile(part, bytes.subarray(0, length));
        const { success, stderr } = await update("esp32-garden");
        assert.ok(success, stderr);
        assert.deepEqual(await firmware(), bytes);
      }

      await Deno.remove(join(cwd, "firmware.version"));
      await Deno.writeFile(part, new Uint8Array(1000));
      const damaged = await update("esp32-garden");
      assert.deepEqual([damaged.success, damaged.stderr], [false, "1.1.0 is damaged\n"]);
      assert.ok(!await exists(part));
      assert.ok((await update("esp32-garden")).success);
      assert.deepEqual(await firmware(), bytes);

      assert.match((await update("nobody")).stderr, /404/);
    });
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
});
