import assert from "node:assert/strict";
import { join } from "node:path";
import { run } from "../helpers/cache.ts";
import { freePort } from "../helpers/free_port.ts";
import { Otaflux, runOtaflux } from "../helpers/otaflux.ts";

Deno.test("healthcheck ends with 0 and without a word where the service is ready", async () => {
  await using otaflux = await Otaflux.start({ args: ["--layout-dir", "/"] });
  const address = `127.0.0.1:${otaflux.port}`;
  const calls = [
    { args: ["healthcheck", "--listen-addr", address] },
    { args: ["healthcheck"], env: { LISTEN_ADDR: `0.0.0.0:${otaflux.port}` } },
    // As a container's definition does it, with all flags of the service.
    { args: ["--layout-dir", "/", "--listen-addr", address, "healthcheck"] },
  ];
  for (const call of calls) {
    assert.deepEqual(await runOtaflux(call), { code: 0, stdout: "", stderr: "" });
  }
});

Deno.test("healthcheck ends with 1 and one line where nobody answers", async () => {
  const address = `127.0.0.1:${freePort()}`;
  const { code, stdout, stderr } = await runOtaflux({
    args: ["healthcheck", "--listen-addr", address],
  });
  assert.equal(code, 1);
  assert.equal(stdout, "");
  assert.match(stderr, new RegExp(`^otaflux: http://${address} does not answer: [^\n]+\n$`));
});

Deno.test("completions prints what bash can read", async () => {
  const { code, stdout, stderr } = await runOtaflux({ args: ["completions", "bash"] });
  assert.equal(code, 0, stderr);
  const folder = await Deno.makeTempDir({ prefix: "otaflux-e2e-" });
  try {
    const script = join(folder, "otaflux");
    await Deno.writeTextFile(script, stdout);
    const registered = await run("bash", {
      args: ["-c", 'source "$1" && complete -p otaflux', "bash", script],
    });
    assert.equal(registered.stdout, "complete -F _otaflux otaflux\n");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a wrong command ends with status 2 and one line that says what there is", async () => {
  for (
    const [args, wanted] of [
      [["completions", "tcsh"], /'tcsh' .* Allowed choices are bash, zsh, fish/],
      [["completions"], /Missing required argument 'shell', want one of bash, zsh, fish: /],
      [["check"], /Missing required argument 'device', want a device's id: otaflux check /],
      [["healthcheck", "--listen-addr", "here"], /--listen-addr: "here" is not valid/],
      [["health"], /want flags, or one of the commands healthcheck, check, completions/],
    ] as const
  ) {
    const { code, stdout, stderr } = await runOtaflux({ args });
    assert.equal(code, 2, stderr);
    assert.equal(stdout, "");
    assert.match(stderr, /^otaflux: [^\n]+\n$/);
    assert.match(stderr, wanted);
  }
});
