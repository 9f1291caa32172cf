import assert from "node:assert/strict";
import type { Digest } from "../../src/digest.ts";
import { DiskStore } from "../../src/store/disk.ts";
import { filesOf, put, recordOf, sha256Of, withFolder } from "../helpers/disk.ts";
import { cannotMount, mountSmallDisk } from "../helpers/small_disk.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { digestOf } from "../helpers/manifest.ts";
import { bytesOf, storedBytes } from "../helpers/stored.ts";

const one = firmwareBytes(1000, 1);
const two = firmwareBytes(1000, 2);
const three = firmwareBytes(1000, 3);

/** A folder with a store, which may be closed and opened anew. */
class Bench {
  store: DiskStore;
  readonly #options: { directory: string; maxBytes: number };

  constructor(store: DiskStore, options: { directory: string; maxBytes: number }) {
    this.store = store;
    this.#options = options;
  }

  /** Ends the process, as far as the folder knows, and starts another one. */
  async restart(): Promise<void> {
    this.store[Symbol.dispose]();
    this.store = await DiskStore.open(this.#options);
  }

  /** Stores and saves a firmware. */
  async serve(device: string, bytes: Uint8Array, version?: string): Promise<void> {
    await put(this.store, bytes);
    assert.equal(await this.store.save(device, recordOf(bytes, version)), true);
  }

  /** What a device would be served. */
  async served(device: string): Promise<Uint8Array | undefined> {
    const loaded = await this.store.load(device);
    return loaded && await storedBytes(this.store, loaded.firmware.sha256);
  }
}

function withBench(
  name: string,
  test: (bench: Bench, folder: string) => Promise<void>,
  { maxBytes = 1_000_000 } = {},
): void {
  Deno.test(name, () =>
    withFolder(async (directory) => {
      const options = { directory, maxBytes };
      const bench = new Bench(await DiskStore.open(options), options);
      try {
        await test(bench, directory);
      } finally {
        bench.store[Symbol.dispose]();
      }
    }));
}

withBench("DiskStore shows nothing before it is committed", async ({ store }, folder) => {
  const draft = await store.draft();
  await draft.write(one);
  assert.equal(await store.open(sha256Of(one)), undefined);
  assert.deepEqual(await filesOf(`${folder}/.otaflux/blobs`), []);
  await draft.commit(sha256Of(one));
  assert.deepEqual(await storedBytes(store, sha256Of(one)), one);
});

withBench("DiskStore.load() gives what was saved, also after a restart", async (bench) => {
  await bench.serve("a/b", one, "1.2.3");
  for (let round = 0; round < 2; round++) {
    const loaded = await bench.store.load("a/b");
    assert.deepEqual(loaded?.firmware, recordOf(one, "1.2.3").firmware);
    assert.deepEqual(await bench.served("a/b"), one);
    await bench.restart();
  }
  assert.equal(await bench.store.load("a"), undefined);
});

withBench(
  "DiskStore.save() replaces a firmware, and sweeps the old one at the next start",
  async (bench, folder) => {
    await bench.serve("a", one, "1.0.0");
    await bench.serve("a", two, "2.0.0");
    const digest = recordOf(two, "2.0.0").firmware.digest.slice(7);
    assert.deepEqual(
      await filesOf(`${folder}/a`),
      [
        ...[sha256Of(two), digest].map((hex) => `blobs/sha256/${hex}`).toSorted(),
        "index.json",
        "oci-layout",
      ],
    );
    await bench.restart();
    assert.deepEqual(await filesOf(`${folder}/.otaflux/blobs`), [sha256Of(two)]);
    assert.deepEqual(await bench.served("a"), two);
  },
);

withBench(
  "DiskStore holds content of two devices once, although both store it at once",
  async (bench, folder) => {
    await Promise.all([bench.serve("a", one), bench.serve("b", one)]);
    await bench.serve("c", one);
    const sha256 = sha256Of(one);
    const paths = ["a", "b", "c"].map((device) => `${folder}/${device}/blobs/sha256/${sha256}`);
    const all = [`${folder}/.otaflux/blobs/${sha256}`, ...paths];
    assert.equal(new Set(all.map((path) => Deno.statSync(path).ino)).size, 1);
    assert.equal(bench.store.bytes, one.length);
  },
);

withBench("DiskStore keeps nested devices apart", async (bench) => {
  const devices = ["a", "a/b", "a/blobs", "a/blobs/sha256", "blobs"];
  for (const [at, device] of devices.entries()) await bench.serve(device, firmwareBytes(100, at));
  await bench.serve("a", one, "2.0.0");
  await bench.restart();
  assert.deepEqual(await bench.served("a"), one);
  await bench.store.remove("a");
  assert.equal(await bench.served("a"), undefined);
  for (const [at, device] of [...devices.entries()].slice(1)) {
    assert.deepEqual(await bench.served(device), firmwareBytes(100, at), device);
  }
});

withBench("DiskStore.save() says that the content is not there", async ({ store }, folder) => {
  assert.equal(await store.save("a", recordOf(one)), false);
  assert.equal(await store.load("a"), undefined);
  assert.deepEqual(await filesOf(`${folder}/.otaflux/drafts`), []);
});

withBench(
  "DiskStore links a layer under a sha512 digest, and keeps it by another tag",
  async (bench, folder) => {
    const layer = firmwareBytes(2000, 9);
    const digest = digestOf(layer, "sha512") as Digest;
    const path = `${folder}/a/blobs/${digest.replace(":", "/")}`;
    const record = recordOf(one);
    await put(bench.store, layer);
    await put(bench.store, one);
    await bench.store.save("a", { ...record, layer: { digest, sha256: sha256Of(layer) } });
    assert.deepEqual(await Deno.readFile(path), layer);
    assert(await bench.store.save("a", { ...record, layer: { digest, sha256: undefined } }));
    assert.deepEqual(await Deno.readFile(path), layer);
    assert.deepEqual(await bench.served("a"), one);
  },
);

for (
  const [what, damage] of [
    ["changed", (path: string): void => Deno.writeFileSync(path, two)],
    ["truncated", (path: string): void => Deno.truncateSync(path, 10)],
    ["longer", (path: string): void => Deno.writeFileSync(path, one, { append: true })],
    ["replaced", (path: string): void => {
      Deno.removeSync(path);
      Deno.writeFileSync(path, two);
    }],
  ] as const
) {
  // A file that nothing links is cleared at the start: see the test of the copy below.
  for (const restarts of what === "replaced" ? [false] : [false, true]) {
    withBench(
      `DiskStore serves no file that was ${what}, ${restarts ? "after a start" : "at once"}`,
      async (bench, folder) => {
        await bench.serve("a", one);
        await bench.serve("b", one);
        assert.deepEqual(await bench.served("a"), one);
        // A link in a layout is the same file, unless it is replaced.
        const path = what === "replaced"
          ? `${folder}/.otaflux/blobs/${sha256Of(one)}`
          : `${folder}/a/blobs/sha256/${sha256Of(one)}`;
        damage(path);
        // So that nothing hangs on how fine the clock of the files is.
        Deno.utimeSync(path, new Date(0), new Date(1));
        if (restarts) await bench.restart();
        assert.equal(await bench.store.open(sha256Of(one)), undefined);
        assert.equal(bench.store.bytes, 0);
        for (const device of ["a", "b"]) assert.equal(await bench.store.load(device), undefined);
        await bench.serve("a", one);
        assert.deepEqual(await bench.served("a"), one);
        await bench.restart();
        assert.deepEqual(await bench.served("a"), one);
      },
    );
  }
}

withBench("DiskStore lets go what was not used the longest, with the device", async (bench) => {
  await bench.serve("a", one);
  await bench.serve("b", two);
  await bench.served("a");
  await bench.serve("c", three);
  assert.deepEqual(await bench.served("a"), one);
  assert.equal(await bench.store.load("b"), undefined);
  assert.deepEqual(await bench.served("c"), three);
  assert.equal(bench.store.bytes, 2000);
}, { maxBytes: 2500 });

withBench(
  "DiskStore keeps a firmware that is larger than all it may hold, until the next",
  async (bench) => {
    await bench.serve("a", one);
    assert.deepEqual(await bench.served("a"), one);
    await bench.serve("b", two);
    assert.equal(await bench.served("a"), undefined);
    assert.deepEqual(await bench.served("b"), two);
  },
  { maxBytes: 500 },
);

withBench("DiskStore lets go of nothing that was stored and is not linked yet", async (bench) => {
  await put(bench.store, one);
  await put(bench.store, two);
  assert.equal(await bench.store.save("a", recordOf(one)), true);
  assert.equal(await bench.store.save("b", recordOf(two)), true);
}, { maxBytes: 500 });

withBench("DiskStore lets a reader of what had to go read on to the end", async (bench) => {
  await bench.serve("a", one);
  const body = await bench.store.open(sha256Of(one));
  assert(body !== undefined);
  await bench.serve("b", two);
  assert.equal(await bench.store.open(sha256Of(one)), undefined);
  assert.deepEqual(await bytesOf(body), one);
}, { maxBytes: 1500 });

for (
  const [what, text] of [
    ["cut", `{"schemaVersion":2,"manif`],
    ["empty", ""],
    ["foreign", `{"schemaVersion":2,"manifests":[]}`],
    ["null", "null"],
  ] as const
) {
  withBench(`DiskStore takes a ${what} index.json for an unknown device`, async (bench, folder) => {
    await bench.serve("a", one);
    await bench.serve("b", two);
    await Deno.writeTextFile(`${folder}/a/index.json`, text);
    await bench.restart();
    assert.equal(await bench.store.load("a"), undefined);
    assert.deepEqual(await bench.served("b"), two);
    await bench.serve("a", one);
    assert.deepEqual(await bench.served("a"), one);
  });
}

withBench("DiskStore.open() clears drafts, and blobs that no layout has", async (bench, folder) => {
  await bench.serve("a", one);
  await put(bench.store, two);
  const draft = await bench.store.draft();
  await draft.write(three);
  await bench.restart();
  assert.deepEqual(await filesOf(`${folder}/.otaflux/drafts`), []);
  assert.deepEqual(await filesOf(`${folder}/.otaflux/blobs`), [sha256Of(one)]);
  await draft.discard();
});

withBench("DiskStore.open() refuses a folder that another has", async (bench, folder) => {
  await assert.rejects(DiskStore.open({ directory: folder, maxBytes: 1 }), {
    code: "storage-failed",
    message:
      `Cache folder "${folder}" is used by another process: end that one, or name another folder`,
  });
  await bench.serve("a", one);
});

Deno.test("DiskStore.open() lets go of a folder that it cannot use", () =>
  withFolder(async (directory) => {
    const options = { directory, maxBytes: 1_000_000 };
    await Deno.mkdir(`${directory}/.otaflux`);
    await Deno.writeTextFile(`${directory}/.otaflux/blobs`, "");
    await assert.rejects(DiskStore.open(options), { code: "storage-failed" });
    await Deno.remove(`${directory}/.otaflux/blobs`);
    using store = await DiskStore.open(options);
    assert.equal(store.bytes, 0);
  }));

withBench(
  "DiskStore finds its firmware in a copy whose files have lost their links",
  async (bench, folder) => {
    await bench.serve("a", one);
    await bench.serve("b", one);
    const copy = `${folder}/.copy`;
    const { success } = await new Deno.Command("cp", { args: ["-r", `${folder}/a`, copy] })
      .output();
    assert(success);
    await Deno.remove(`${folder}/a`, { recursive: true });
    await Deno.remove(`${folder}/b`, { recursive: true });
    await Deno.rename(copy, `${folder}/a`);
    await bench.restart();
    assert.deepEqual(await bench.served("a"), one);
    assert.equal(bench.store.bytes, one.length);
  },
);

withBench("DiskStore.save() leaves nothing of what it could not write", async (bench, folder) => {
  await bench.serve("a", one);
  // As on a full disk: what goes before the index has its place, and the index cannot be written.
  await Deno.remove(`${folder}/a/oci-layout`);
  await Deno.mkdir(`${folder}/a/oci-layout`);
  const before = await filesOf(`${folder}/a`);
  await put(bench.store, two);
  await assert.rejects(bench.store.save("a", recordOf(two)), { code: "storage-failed" });
  assert.deepEqual(await filesOf(`${folder}/a`), before);
});

withBench("DiskStore.load() clears what a killed process has left", async (bench, folder) => {
  await bench.serve("a", one);
  const before = await filesOf(`${folder}/a`);
  await bench.serve("b", two);
  const left = `${folder}/a/blobs/sha256/${sha256Of(two)}`;
  await Deno.link(`${folder}/.otaflux/blobs/${sha256Of(two)}`, left);
  await bench.restart();
  assert.deepEqual(await bench.served("a"), one);
  assert.deepEqual(await filesOf(`${folder}/a`), before);
});

withBench(
  "DiskStore.load() clears nothing where the index cannot be read",
  async (bench, folder) => {
    await bench.serve("a", one);
    await Deno.writeTextFile(`${folder}/a/index.json`, "{");
    const before = await filesOf(`${folder}/a`);
    await bench.restart();
    assert.equal(await bench.served("a"), undefined);
    assert.deepEqual(await filesOf(`${folder}/a`), before);
  },
);

Deno.test("DiskStore stores nothing on a full disk, and goes on with what it has", {
  ignore: cannotMount,
}, () =>
  withFolder(async (directory) => {
    await using _disk = await mountSmallDisk(directory);
    using store = await DiskStore.open({ directory, maxBytes: 10_000_000 });
    await put(store, one);
    await store.save("a", recordOf(one));
    const before = await filesOf(directory);
    const draft = await store.draft();
    await assert.rejects(draft.write(firmwareBytes(2_000_000)), { code: "storage-failed" });
    await draft.discard();
    assert.deepEqual(await filesOf(directory), before);
    assert.deepEqual(await storedBytes(store, sha256Of(one)), one);
  }));

withBench("FileReader.seek() gives a part, and another one after it", async ({ store }) => {
  const sha256 = await put(store, one);
  const reader = await store.open(sha256);
  assert(reader);
  const read = async (): Promise<number[]> => {
    const bytes: number[] = [];
    for (let part; (part = await reader.read(7)) !== undefined;) bytes.push(...part);
    return bytes;
  };
  for (const [start, end] of [[100, 300], [0, 1], [one.length - 1, one.length]] as const) {
    reader.seek({ start, end });
    assert.equal(reader.isAtEnd, false);
    assert.deepEqual(await read(), [...one.slice(start, end)]);
    assert.equal(reader.isAtEnd, true);
  }
  reader.close();
});

withBench(
  "DiskStore.load() gives nothing where the record lacks a checksum",
  async (bench, folder) => {
    await bench.serve("a", one, "1.2.3");
    const path = `${folder}/a/index.json`;
    const index = JSON.parse(await Deno.readTextFile(path));
    const [{ annotations }] = index.manifests;
    const [{ md5: _md5, ...rest }] = JSON.parse(annotations["dev.otaflux.firmware"]);
    annotations["dev.otaflux.firmware"] = JSON.stringify([rest]);
    await Deno.writeTextFile(path, JSON.stringify(index));
    await bench.restart();
    assert.equal(await bench.store.load("a"), undefined);
  },
);

/** What may stand where a file should. */
const INTRUDERS: Readonly<Record<string, (path: string) => Promise<unknown>>> = {
  "a pipe": (path) => new Deno.Command("mkfifo", { args: [path] }).output(),
  "a folder": (path) => Deno.mkdir(`${path}/a/b`, { recursive: true }),
  "a link without end": (path) => Deno.symlink("/dev/zero", path),
  "a link to nowhere": (path) => Deno.symlink("/nowhere", path),
  "a file without end": (path) =>
    Deno.writeTextFile(path, "").then(() => Deno.truncate(path, 2 ** 33)),
};

for (const [what, put] of Object.entries(INTRUDERS)) {
  withBench(
    `DiskStore does not serve, nor wait for, ${what} in a blob's place`,
    async (bench, folder) => {
      await bench.serve("a", one);
      const blob = `${folder}/.otaflux/blobs/${sha256Of(one)}`;
      const replace = async (): Promise<void> => {
        await Deno.remove(blob, { recursive: true });
        await put(blob);
      };
      // A file of 8 GiB is hashed to its end, once.
      if (what !== "a file without end") {
        await replace();
        assert.equal(await bench.served("a"), undefined);
        await bench.serve("a", one);
        assert.deepEqual(await bench.served("a"), one);
      }
      await replace();
      await bench.restart();
      await bench.serve("a", one);
      assert.deepEqual(await bench.served("a"), one);
    },
  );

  withBench(`DiskStore does not wait for ${what} in an index's place`, async (bench, folder) => {
    await bench.serve("a", one);
    await bench.serve("b", two);
    await Deno.remove(`${folder}/a/index.json`);
    await put(`${folder}/a/index.json`);
    await bench.restart();
    assert.equal(await bench.served("a"), undefined);
    assert.deepEqual(await bench.served("b"), two);
  });
}
