import assert from "node:assert/strict";
import { Announcements } from "../../src/api/announcements.ts";
import { Downloads } from "../../src/api/downloads.ts";
import { asQuery } from "../../src/selection.ts";
import { MemoryReader } from "../../src/store/memory.ts";
import { createRouter } from "../../src/api/router.ts";
import { ServiceError } from "../../src/errors.ts";
import type { Firmware } from "../../src/firmware/firmware.ts";

const HOLD_MS = 60_000;
const CONNECTION_MS = 600_000;

/** From where a request comes. */
interface Peer {
  readonly hostname?: string;
  readonly port?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A router on a manager that has every version that ever was. */
class Bench {
  /** The newest version of all devices. */
  newest = 1;
  /** Versions that nobody has any more. */
  readonly gone = new Set<string>();
  nowMs = 1000;
  readonly #router = createRouter({
    manager: {
      get: (question) =>
        Promise.resolve(firmwareOf(asQuery(question).device, `${this.newest}.0.0`)),
      getAnnounced: (question, { version, tag, digest }) => {
        if (this.gone.has(version)) {
          return Promise.reject(new ServiceError("firmware-gone", "Gone"));
        }
        const firmware = firmwareOf(asQuery(question).device, version);
        assert.deepEqual({ tag, digest }, { tag: firmware.tag, digest: firmware.digest });
        return Promise.resolve(firmware);
      },
      open: (_device, { version }) =>
        Promise.resolve(new MemoryReader(new TextEncoder().encode(version))),
      ageSeconds: () => undefined,
      isReady: () => true,
    },
    downloads: new Downloads({ idleMs: 60_000 }),
    announcements: new Announcements({ holdMs: HOLD_MS, now: () => this.nowMs }),
    observe: (_c, next) => next(),
  });

  /** Asks for a version or a firmware, which is the text of its version here. */
  async ask(target: string, peer: Peer = {}, method = "GET"): Promise<string> {
    const { hostname = "10.0.0.1", port = 50_000, headers = {} } = peer;
    const remoteAddr = { transport: "tcp", hostname, port };
    const path = target.includes("?") ? target : `${target}?device=esp32`;
    const response = await this.#router.request(path, { method, headers }, { remoteAddr });
    const [line = ""] = (await response.text()).split("\n");
    return line;
  }
}

function firmwareOf(device: string, version: string): Firmware {
  const digest = `sha256:${device}@${version}` as const;
  return {
    ...{ tag: `v${version}`, version, digest, size: version.length, crc32: 0, sha256: "", md5: "" },
    ...{ modifiedAt: new Date(0), annotations: {}, files: [] },
  };
}

Deno.test("A device gets what it was told of on its connection, although there is something newer", async () => {
  const bench = new Bench();
  assert.equal(await bench.ask("/version"), "1.0.0");
  bench.newest = 2;
  assert.equal(await bench.ask("/firmware"), "1.0.0");
  assert.equal(await bench.ask("/firmware"), "1.0.0", "as often as it asks");
  assert.equal(await bench.ask("/version"), "2.0.0");
  assert.equal(await bench.ask("/firmware"), "2.0.0");
});

Deno.test("A device that was told of nothing gets the newest", async () => {
  const bench = new Bench();
  bench.newest = 2;
  assert.equal(await bench.ask("/firmware"), "2.0.0");
});

Deno.test("HEAD announces nothing", async () => {
  const bench = new Bench();
  await bench.ask("/version", {}, "HEAD");
  bench.newest = 2;
  assert.equal(await bench.ask("/firmware"), "2.0.0");
});

Deno.test("A device gets what it was told of on another connection, for as long as it is held", async () => {
  const bench = new Bench();
  await bench.ask("/version", { port: 1 });
  bench.newest = 2;
  bench.nowMs += HOLD_MS - 1;
  assert.equal(await bench.ask("/firmware", { port: 2 }), "1.0.0");
  bench.nowMs += 2;
  assert.equal(await bench.ask("/firmware", { port: 3 }), "2.0.0");
});

Deno.test("A connection remembers for longer than an address, but not for ever", async () => {
  const bench = new Bench();
  await bench.ask("/version", { port: 1 });
  bench.newest = 2;
  bench.nowMs += CONNECTION_MS - 1;
  assert.equal(await bench.ask("/firmware", { port: 1 }), "1.0.0");
  bench.nowMs += 2;
  assert.equal(await bench.ask("/firmware", { port: 1 }), "2.0.0");
});

Deno.test("Devices behind one address are told apart by their connections", async () => {
  const bench = new Bench();
  await bench.ask("/version", { port: 1 });
  bench.newest = 2;
  await bench.ask("/version", { port: 2 });
  bench.newest = 3;
  assert.equal(await bench.ask("/firmware", { port: 1 }), "1.0.0");
  assert.equal(await bench.ask("/firmware", { port: 2 }), "2.0.0");
  assert.equal(await bench.ask("/firmware", { port: 3 }), "2.0.0", "told of last");
});

Deno.test("What one address was told of is nothing to another, also on the same port", async () => {
  const bench = new Bench();
  await bench.ask("/version", { hostname: "10.0.0.1" });
  bench.newest = 2;
  assert.equal(await bench.ask("/firmware", { hostname: "10.0.0.2" }), "2.0.0");
  assert.equal(await bench.ask("/firmware", { hostname: "2001:db8::1" }), "2.0.0");
});

Deno.test("What was told of one device is nothing to another", async () => {
  const bench = new Bench();
  await bench.ask("/version?device=a");
  bench.newest = 2;
  assert.equal(await bench.ask("/firmware?device=b"), "2.0.0");
  assert.equal(await bench.ask("/firmware?device=a"), "1.0.0");
});

for (const header of ["x-forwarded-for", "forwarded"]) {
  Deno.test(`Devices behind a proxy are told apart by ${header}, not by its connections`, async () => {
    const bench = new Bench();
    const [one, two] = ["192.0.2.1", "192.0.2.2"].map((from) => ({ [header]: `for=${from}` }));
    assert(one && two);
    await bench.ask("/version", { port: 1, headers: one });
    bench.newest = 2;
    assert.equal(await bench.ask("/firmware", { port: 2, headers: one }), "1.0.0");
    assert.equal(await bench.ask("/firmware", { port: 1, headers: two }), "2.0.0");
    assert.equal(await bench.ask("/firmware", { port: 1 }), "2.0.0", "the proxy itself");
  });

  Deno.test(`A forged ${header} does not change what others get`, async () => {
    const bench = new Bench();
    await bench.ask("/version", { hostname: "10.0.0.1" });
    bench.newest = 2;
    const headers = { [header]: "10.0.0.1" };
    await bench.ask("/version", { hostname: "10.0.0.66", headers });
    bench.newest = 3;
    assert.equal(await bench.ask("/firmware", { hostname: "10.0.0.1" }), "1.0.0");
  });
}

Deno.test("A client whose firmware is gone hears of it once, then gets the newest", async () => {
  const bench = new Bench();
  await bench.ask("/version", { port: 1 });
  bench.newest = 2;
  bench.gone.add("1.0.0");
  assert.equal(await bench.ask("/firmware", { port: 1 }), "Gone");
  assert.equal(await bench.ask("/firmware", { port: 1 }), "2.0.0");
});

Deno.test("Announcements are bounded: the oldest go first", async () => {
  const bench = new Bench();
  await bench.ask("/version?device=first", { port: 1 });
  await bench.ask("/version?device=second", { port: 1 });
  for (let at = 0; at < 19_999; at++) await bench.ask(`/version?device=d${at}`, { port: 1 });
  bench.newest = 2;
  assert.equal(await bench.ask("/firmware?device=first", { port: 1 }), "2.0.0");
  assert.equal(await bench.ask("/firmware?device=second", { port: 1 }), "1.0.0");
});

Deno.test("A device behind a proxy is known though its port differs", async () => {
  for (
    const [header, first, second] of [
      ["x-forwarded-for", "192.0.2.1:1111", "192.0.2.1:2222"],
      ["forwarded", 'for="192.0.2.1:1111"', 'for="192.0.2.1:2222"'],
      ["forwarded", 'for="[2001:db8::1]:1111"', 'for="[2001:db8::1]:2222"'],
    ] as const
  ) {
    const bench = new Bench();
    await bench.ask("/version", { headers: { [header]: first } });
    bench.newest = 2;
    assert.equal(await bench.ask("/firmware", { headers: { [header]: second } }), "1.0.0");
  }
});

Deno.test("A device that goes on with a download gets the rest of what it has begun", async () => {
  const bench = new Bench();
  const rest = { headers: { range: "bytes=2-" } };
  assert.equal(await bench.ask("/firmware"), "1.0.0");
  bench.newest = 2;
  assert.equal(await bench.ask("/firmware", rest), "0.0");
  // A connection of its own.
  assert.equal(await bench.ask("/firmware", { ...rest, port: 50_001 }), "0.0");
  bench.newest = 33;
  // Who begins anew gets the newest, also by a range as ESP-IDF's.
  assert.equal(await bench.ask("/firmware", { headers: { range: "bytes=0-1" } }), "33");
  assert.equal(await bench.ask("/firmware", rest), ".0.0");
});

Deno.test("A download goes on as long as its parts come one after the other", async () => {
  const bench = new Bench();
  await bench.ask("/firmware");
  bench.newest = 22;
  for (let part = 0; part < 5; part++) {
    bench.nowMs += HOLD_MS - 1;
    const peer = { port: 50_001 + part, headers: { range: "bytes=0-0,2-2" } };
    // The first byte along with others is no continuation.
    if (part === 4) assert.match(await bench.ask("/firmware", peer), /^22/);
    else {assert.equal(
        await bench.ask("/firmware", { ...peer, headers: { range: "bytes=-4" } }),
        ".0.0",
      );}
  }
});

Deno.test("After a HEAD a device gets what it was shown, and not for ever", async () => {
  const bench = new Bench();
  const head = (): Promise<string> => bench.ask("/firmware", {}, "HEAD");
  await head();
  bench.newest = 2;
  assert.equal(await bench.ask("/firmware", { headers: { range: "bytes=0-0" } }), "1");
  bench.nowMs += CONNECTION_MS / 2 + 1;
  await head();
  bench.nowMs += CONNECTION_MS / 2 + 1;
  assert.equal(await bench.ask("/firmware"), "2.0.0");
});

Deno.test("A download whose firmware is gone begins anew after an error", async () => {
  const bench = new Bench();
  await bench.ask("/firmware");
  bench.newest = 2;
  bench.gone.add("1.0.0");
  const rest = { headers: { range: "bytes=2-" } };
  assert.equal(await bench.ask("/firmware", rest), "Gone");
  assert.equal(await bench.ask("/firmware", rest), "0.0");
});

Deno.test("A device gets what it was told of when it asks for the same, and not for something else", async () => {
  const bench = new Bench();
  const same = "device=esp32&constraint=%5E1";
  assert.equal(await bench.ask(`/version?${same}`), "1.0.0");
  bench.newest = 2;
  assert.equal(await bench.ask("/firmware?device=esp32&constraint=*"), "2.0.0");
  assert.equal(await bench.ask("/firmware"), "2.0.0");
  // In whatever order, and with what is no selection.
  assert.equal(await bench.ask("/firmware?constraint=%5E1&current=0.9.0&device=esp32"), "1.0.0");
  assert.equal(await bench.ask(`/firmware?${same}`, { port: 50_001 }), "1.0.0");
});
