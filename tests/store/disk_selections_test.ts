import assert from "node:assert/strict";
import type { Query, Selection } from "../../src/selection.ts";
import { LayoutSource } from "../../src/layout/source.ts";
import { MANIFEST_MEDIA_TYPES } from "../../src/oci.ts";
import { DiskStore } from "../../src/store/disk.ts";
import { debianTool } from "../helpers/debian.ts";
import { filesOf, put, recordOf, sha256Of, withFolder } from "../helpers/disk.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { cannotMount, mountSmallDisk } from "../helpers/small_disk.ts";
import { storedBytes } from "../helpers/stored.ts";

const one = firmwareBytes(1000, 1);
const two = firmwareBytes(1000, 2);
const three = firmwareBytes(1000, 3);
const CONSTRAINED = { constraint: "^1" };

function ask(device: string, selection: Selection = {}): Query {
  return { device, selection };
}

/** Stores a firmware, and saves it for a query. */
async function serve(
  store: DiskStore,
  query: Query,
  [bytes, version]: readonly [Uint8Array, string],
): Promise<void> {
  await put(store, bytes);
  const { documents, ...record } = recordOf(bytes, version);
  // skopeo finds nothing that is called otherwise.
  const mediaType = MANIFEST_MEDIA_TYPES.ociManifest;
  const manifests = documents.map((document) => ({ ...document, mediaType }));
  assert.equal(await store.save(query, { ...record, documents: manifests }), true);
}

/** What a query would be answered with. */
async function served(store: DiskStore, query: Query): Promise<Uint8Array | undefined> {
  const loaded = await store.load(query);
  return loaded && await storedBytes(store, loaded.firmware.sha256);
}

function withStore(
  name: string,
  test: (store: DiskStore, folder: string) => Promise<void>,
  { maxBytes = 1_000_000 } = {},
): void {
  Deno.test(name, () =>
    withFolder(async (directory) => {
      using store = await DiskStore.open({ directory, maxBytes });
      await test(store, directory);
    }));
}

withStore("DiskStore keeps each selection of a device", async (store, folder) => {
  await serve(store, ask("a"), [two, "2.0.0"]);
  await serve(store, ask("a", CONSTRAINED), [one, "1.0.0"]);
  assert.deepEqual(await served(store, ask("a")), two);
  assert.deepEqual(await served(store, ask("a", CONSTRAINED)), one);
  assert.equal(await store.load(ask("a", { constraint: "^2" })), undefined);
  const source = new LayoutSource({ directory: folder, repositoryPrefix: "" });
  assert.deepEqual(await source.listTags("a"), ["v2.0.0", "v1.0.0"]);
});

withStore("DiskStore sweeps what no selection needs, and nothing else", async (store, folder) => {
  await serve(store, ask("a"), [one, "1.0.0"]);
  await serve(store, ask("a", CONSTRAINED), [one, "1.0.0"]);
  await serve(store, ask("a"), [two, "2.0.0"]);
  assert.deepEqual(await served(store, ask("a", CONSTRAINED)), one);
  await store.remove(ask("a", CONSTRAINED));
  assert.equal(await store.load(ask("a", CONSTRAINED)), undefined);
  assert.deepEqual(await served(store, ask("a")), two);
  assert.deepEqual(
    (await filesOf(`${folder}/a/blobs`)).filter((path) => path.endsWith(sha256Of(one))),
    [],
  );
  await store.remove(ask("a"));
  assert.deepEqual(await filesOf(`${folder}/a`), []);
});

withStore("DiskStore.save() takes what is kept for another selection", async (store) => {
  await serve(store, ask("a"), [one, "1.0.0"]);
  const { firmware, layer } = recordOf(one, "1.0.0");
  const query = ask("a", { version: "1.0.0" });
  assert.equal(await store.save(query, { firmware, documents: [], layer }), true);
  await serve(store, ask("a"), [two, "2.0.0"]);
  assert.deepEqual(await served(store, query), one);
  const other = recordOf(three, "3.0.0");
  assert.equal(await store.save(query, { ...other, documents: [] }), false);
  assert.deepEqual(await served(store, query), one);
});

withStore("DiskStore keeps so many selections of a device", async (store, folder) => {
  await serve(store, ask("a"), [one, "1.0.0"]);
  for (let at = 0; at < 20; at++) {
    await serve(store, ask("a", { file: `${at}` }), [firmwareBytes(10, at), `1.0.${at}`]);
  }
  assert.deepEqual(await served(store, ask("a")), one);
  assert.equal(await store.load(ask("a", { file: "4" })), undefined);
  assert.deepEqual(await served(store, ask("a", { file: "5" })), firmwareBytes(10, 5));
  const blobs = await filesOf(`${folder}/a/blobs`);
  assert.equal(blobs.length, 2 * 16, "a manifest and a layer each");
});

withStore("Content that has to go takes the selections along that need it", async (store) => {
  await serve(store, ask("a"), [one, "1.0.0"]);
  await serve(store, ask("a", CONSTRAINED), [two, "2.0.0"]);
  await serve(store, ask("b"), [one, "1.0.0"]);
  await store.open(sha256Of(two)).then((reader) => reader?.close());
  await serve(store, ask("c"), [three, "3.0.0"]);
  assert.equal(await store.load(ask("a")), undefined);
  assert.equal(await store.load(ask("b")), undefined);
  assert.deepEqual(await served(store, ask("a", CONSTRAINED)), two);
  assert.deepEqual(await served(store, ask("c")), three);
}, { maxBytes: 2500 });

Deno.test("On a full disk a device keeps all that it has, also where something of it is too much", {
  ignore: cannotMount,
}, () =>
  withFolder(async (folder) => {
    await using _disk = await mountSmallDisk(folder);
    using store = await DiskStore.open({ directory: `${folder}/cache`, maxBytes: 2500 });
    await serve(store, ask("a", CONSTRAINED), [one, "1.0.0"]);
    await serve(store, ask("a"), [two, "2.0.0"]);
    const draft = await store.draft();
    await draft.write(three);
    await assert.rejects(Deno.writeFile(`${folder}/filler`, firmwareBytes(2_000_000)));
    await draft.commit(sha256Of(three));
    assert.deepEqual(await served(store, ask("a", CONSTRAINED)), one);
    assert.deepEqual(await served(store, ask("a")), two);
    assert.equal(store.bytes, 3000);
    await Deno.remove(`${folder}/filler`);
    await serve(store, ask("b"), [three, "3.0.0"]);
    assert.equal(await store.load(ask("a", CONSTRAINED)), undefined);
    assert.deepEqual(await served(store, ask("a")), two);
    assert.equal(store.bytes, 2000);
  }));

/** So many devices, each with content of its own. */
const DEVICES = 40;

withStore("Nobody else's layout is looked at when content has to go", async (store, folder) => {
  for (let at = 0; at < DEVICES; at++) {
    await serve(store, ask(`device-${at}`), [firmwareBytes(100, at), "1.0.0"]);
  }
  // The first time all are looked through, once.
  await serve(store, ask("new-0"), [firmwareBytes(100, 1000), "1.0.0"]);
  assert.equal(await store.load(ask("device-0")), undefined);
  // A folder in the place of a file cannot be read: whoever does fails.
  for (let at = DEVICES / 2; at < DEVICES; at++) {
    const path = `${folder}/device-${at}/index.json`;
    await Deno.rename(path, `${path}.away`);
    await Deno.mkdir(path);
  }
  for (let at = 1; at < DEVICES / 2; at++) {
    await serve(store, ask(`new-${at}`), [firmwareBytes(100, 1000 + at), "1.0.0"]);
    assert.equal(await store.load(ask(`device-${at}`)), undefined);
    assert.deepEqual(await filesOf(`${folder}/device-${at}`), []);
  }
  assert.equal(store.bytes, DEVICES * 100);
  // What was written since the first time is known, too.
  assert.notEqual(await store.load(ask("new-1")), undefined);
  for (let at = DEVICES / 2; at < DEVICES; at++) {
    await Deno.remove(`${folder}/device-${at}/index.json`);
    await serve(store, ask(`later-${at}`), [firmwareBytes(100, 3000 + at), "1.0.0"]);
  }
  await serve(store, ask("last"), [firmwareBytes(100, 4000), "1.0.0"]);
  await serve(store, ask("last-2"), [firmwareBytes(100, 4001), "1.0.0"]);
  assert.equal(await store.load(ask("new-0")), undefined);
  assert.deepEqual(await filesOf(`${folder}/new-0`), []);
  await serve(store, ask("device-20"), [firmwareBytes(100, 2000), "2.0.0"]);
  assert.deepEqual(await served(store, ask("device-20")), firmwareBytes(100, 2000));
}, { maxBytes: DEVICES * 100 });

withStore("What a killed process has linked goes with its content", async (store, folder) => {
  await serve(store, ask("a"), [one, "1.0.0"]);
  await serve(store, ask("b"), [two, "2.0.0"]);
  const stray = `${folder}/b/blobs/sha256/${sha256Of(one)}`;
  await Deno.link(`${folder}/.otaflux/blobs/${sha256Of(one)}`, stray);
  await serve(store, ask("c"), [three, "3.0.0"]);
  assert.equal(await store.load(ask("a")), undefined);
  assert.deepEqual(await served(store, ask("b")), two);
  await assert.rejects(Deno.stat(stray), Deno.errors.NotFound);
}, { maxBytes: 2500 });

const skopeo = await debianTool("skopeo");

Deno.test({
  name: "skopeo reads each firmware of a device by its tag, and a moved tag without doubt",
  ignore: "skip" in skopeo,
  fn: () =>
    withFolder(async (directory) => {
      using store = await DiskStore.open({ directory, maxBytes: 1_000_000 });
      const old = recordOf(one, "1.0.0");
      await serve(store, ask("a", { version: "1.0.0" }), [one, "1.0.0"]);
      await serve(store, ask("a"), [two, "1.0.0"]);
      await serve(store, ask("a", CONSTRAINED), [three, "3.0.0"]);
      for (const [bytes, version] of [[two, "1.0.0"], [three, "3.0.0"]] as const) {
        assert.equal(await inspect(`${directory}/a:v${version}`), sha256Of(bytes));
      }
      assert.deepEqual(
        (await store.load(ask("a", { version: "1.0.0" })))?.firmware,
        old.firmware,
      );
    }),
});

/** What the manifest is of, as the helper for records writes it. */
async function inspect(layout: string): Promise<string> {
  assert(!("skip" in skopeo));
  const { stdout, stderr } = await new Deno.Command(skopeo.path, {
    args: ["inspect", "--raw", `oci:${layout}`],
    env: skopeo.env,
  }).output();
  const text = new TextDecoder();
  assert.notEqual(stdout.length, 0, text.decode(stderr));
  return JSON.parse(text.decode(stdout)).of;
}
