import assert from "node:assert/strict";
import type { Hono } from "hono";
import { ServiceError } from "../../src/errors.ts";
import { asQuery, type Query, type Question, type Selection } from "../../src/selection.ts";
import { apiOf, firmwareOf } from "../helpers/api.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { MemoryReader } from "../../src/store/memory.ts";

const bytes = firmwareBytes(10);

/** An API of which it is known what the manager was asked. */
function recording(): { api: Hono; asked: Query[] } {
  const asked: Query[] = [];
  const firmware = firmwareOf(bytes);
  const note = (question: Question): void => {
    asked.push(asQuery(question));
  };
  const api = apiOf(bytes, firmware, {
    manager: {
      get: (question) => Promise.resolve(firmware).finally(() => note(question)),
      getAnnounced: (question) => Promise.resolve(firmware).finally(() => note(question)),
      open: () => Promise.resolve(new MemoryReader(bytes)),
      ageSeconds: () => undefined,
      isReady: () => true,
    },
  });
  return { api, asked };
}

const PATHS = ["/version?device=a", "/version.json?device=a", "/firmware?device=a"];

for (
  const [parameters, selection] of [
    ["", {}],
    ["&version=v1.2.3_7", { version: "1.2.3+7" }],
    ["&version=1.2.3+7", { version: "1.2.3+7" }],
    ["&constraint=%5E1.2", { constraint: "^1.2" }],
    ["&constraint=%3E=1++%3C2", { constraint: ">=1 <2" }],
    ["&prerelease=false&channel=beta", { prerelease: false, channel: "beta" }],
    ["&variant=c3&platform=linux/arm/v7&file=app%20(c3).bin", {
      ...{ variant: "c3", platform: "linux/arm/v7", file: "app (c3).bin" },
    }],
    // What devices send besides is no concern of ours.
    ["&mac=aa:bb&Version=7&current=what", {}],
  ] as readonly (readonly [string, Selection])[]
) {
  Deno.test(`The parameters "${parameters}" ask for ${JSON.stringify(selection)}`, async () => {
    for (const path of [...PATHS, "/swupdate?device=a", "/esphome/a/manifest.json?"]) {
      const { api, asked } = recording();
      await (await api.request(path + parameters)).body?.cancel();
      assert.deepEqual(asked, [{ device: "a", selection }], path);
    }
  });
}

for (
  const [parameters, complaint] of [
    ["&version=1.2", "'version' is '1.2', it takes a semantic version such as 1.2.3"],
    ["&version=", "'version' is '', it takes a semantic version such as 1.2.3"],
    [
      "&constraint=new",
      "'constraint' is 'new', it takes a range of versions such as ^1.2 or >=1 <2",
    ],
    ["&prerelease=no", "'prerelease' is 'no', it takes true or false"],
    ["&channel=a.b", "'channel' is 'a.b', it takes an identifier of pre-releases such as beta"],
    ["&platform=arm", "'platform' is 'arm', it takes os/architecture, perhaps with /variant"],
    ["&variant=", "'variant' is '', it takes a name of hardware, of 256 characters at most"],
    ["&file=", "'file' is '', it takes the title of a layer, of 256 characters at most"],
    ["&only-newer=1", "'only-newer' is '1', it takes true or false"],
    [
      "&only-newer=true",
      "'current' is missing, it takes a semantic version such as 1.2.3 where only-newer is true",
    ],
    [
      "&only-newer=true&current=old",
      "'current' is 'old', it takes a semantic version such as 1.2.3 where only-newer is true",
    ],
    ["&file=a&file=a", "'file' is given more than once"],
    ["&version=1.0.0&version=", "'version' is given more than once"],
    ["&only-newer=true&only-newer=true&current=1.0.0", "'only-newer' is given more than once"],
    [
      `&channel=${".".repeat(500)}`,
      `'channel' is '${".".repeat(64)}', it takes an identifier of ` +
      "pre-releases such as beta",
    ],
  ] as const
) {
  Deno.test(`The parameters "${parameters.slice(0, 40)}" are refused by name`, async () => {
    for (const path of PATHS) {
      const response = await recording().api.request(path + parameters);
      assert.equal(response.status, 400, path);
      assert.equal(await response.text(), `Query parameter ${complaint}\n\n`);
    }
  });
}

for (
  const [current, status] of [
    ["1.2.2", 200],
    ["v1.2.3-rc.1", 200],
    ["1.2.3", 204],
    ["1.2.3+7", 204],
    ["1.2.4-beta", 204],
    ["2.0.0", 204],
  ] as const
) {
  Deno.test(`A device that runs ${current} and wants newer only than 1.2.3 is answered ${status}`, async () => {
    for (const method of ["GET", "HEAD"]) {
      for (const path of PATHS) {
        const target = `${path}&only-newer=true&current=${encodeURIComponent(current)}`;
        const response = await recording().api.request(target, { method });
        assert.equal(response.status, status, path);
        if (status === 204) {
          assert.equal(await response.text(), "");
          assert.equal(response.headers.get("content-length"), null);
        }
        await response.body?.cancel();
      }
    }
  });
}

Deno.test("What a device runs may be said in its own dialect, and counts only where it is asked", async () => {
  const headers = { "x-esp32-version": "1.2.3" };
  const { api } = recording();
  const newer = await api.request(`${PATHS[0]}&only-newer=true`, { headers });
  assert.equal(newer.status, 204);
  const any = await api.request(`${PATHS[0]}&current=1.2.3&only-newer=false`);
  assert.equal(any.status, 200);
});

Deno.test("What matches nothing is answered with 404, and what is too new with 503", async () => {
  for (
    const [code, status] of [["selection-unmatched", 404], ["firmware-unavailable", 503]] as const
  ) {
    const failing = (): Promise<never> =>
      Promise.reject(new ServiceError(code, "A plain sentence", { retryAfterSeconds: 7 }));
    const api = apiOf(bytes, firmwareOf(bytes), {
      manager: {
        ...{ get: failing, getAnnounced: failing, open: failing },
        ...{ ageSeconds: () => undefined, isReady: () => true },
      },
    });
    for (const path of PATHS) {
      const response = await api.request(`${path}&constraint=%5E3`);
      assert.equal(response.status, status);
      assert.equal(await response.text(), "A plain sentence\n\n");
      assert.equal(response.headers.get("retry-after"), status === 503 ? "7" : null);
    }
  }
});

Deno.test("The object's address leads to the same hardware and file, and the files are listed", async () => {
  const firmware = firmwareOf(bytes, { files: ["boot.bin", "app.bin"] });
  const response = await apiOf(bytes, firmware).request(
    "/version.json?device=a&constraint=%5E1&variant=c3&file=app.bin",
  );
  const { url, files } = await response.json();
  assert.equal(url, "/firmware?device=a&version=1.2.3&variant=c3&file=app.bin");
  assert.deepEqual(files, ["boot.bin", "app.bin"]);
});
