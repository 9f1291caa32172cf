import assert from "node:assert/strict";
import { join } from "node:path";
import { run } from "./cache.ts";
import { withFolder } from "./disk.ts";
import { freePort, onFreePort } from "./free_port.ts";

/** Ports that another process takes, a line each. */
async function takenElsewhere(count: number): Promise<number[]> {
  const module = import.meta.resolve("./free_port.ts");
  const program = `import { freePort } from "${module}";
    for (let i = 0; i < ${count}; i++) console.log(freePort());`;
  const { success, stdout, stderr } = await run(Deno.execPath(), {
    args: ["eval", "--no-lock", program],
  });
  assert.ok(success, stderr);
  return stdout.trim().split("\n").map(Number);
}

Deno.test("freePort() gives no port twice, also not to processes that ask at the same time", async () => {
  const elsewhere = [takenElsewhere(200), takenElsewhere(200)];
  const here = Array.from({ length: 200 }, () => freePort());
  const all = [here, ...await Promise.all(elsewhere)].flat();
  assert.equal(new Set(all).size, 600);
});

Deno.test("freePort() gives ports that the system does not choose", () => {
  using chosen = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const port = freePort();
  assert.ok(port > 1024 && port < chosen.addr.port, `${port}, beside ${chosen.addr.port}`);
});

Deno.test("freePort() leaves out a port that is taken", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "last-port");
    using taken = Deno.listen({ hostname: "127.0.0.1", port: freePort() });
    await Deno.writeTextFile(path, String(taken.addr.port - 1));
    assert.notEqual(freePort(path), taken.addr.port);
  });
});

Deno.test("freePort() begins again at the end of its range, and after a spoilt file", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "last-port");
    for (const last of ["31999", "99999", "none", "no number at all"]) {
      await Deno.writeTextFile(path, last);
      const port = freePort(path);
      assert.ok(port >= 20_000 && port < 21_000, `${port} after ${last}`);
      assert.equal(await Deno.readTextFile(path), String(port));
    }
  });
});

Deno.test("onFreePort() listens on the next port where one was taken in between", () => {
  const tried: number[] = [];
  using listener = onFreePort((port) => {
    tried.push(port);
    if (tried.length < 3) throw new Deno.errors.AddrInUse();
    return Deno.listen({ hostname: "127.0.0.1", port });
  });
  assert.equal(new Set(tried).size, 3);
  assert.equal(listener.addr.port, tried.at(-1));
  const error = new Deno.errors.PermissionDenied();
  const refused = (): never => {
    throw error;
  };
  assert.throws(() => onFreePort(refused), (thrown) => thrown === error);
});
