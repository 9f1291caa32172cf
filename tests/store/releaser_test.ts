import assert from "node:assert/strict";
import { Layouts } from "../../src/store/layouts.ts";
import type { KeptFirmware } from "../../src/store/record.ts";
import { Releaser } from "../../src/store/releaser.ts";
import { Turns } from "../../src/turns.ts";
import { filesOf, recordOf, sha256Of, withFolder } from "../helpers/disk.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { CapturedLogs } from "../helpers/logs.ts";

const one = firmwareBytes(100, 1);
const two = firmwareBytes(100, 2);

const MAY_STAY = { mayStay: true };

/** What is kept of one selection of a device. */
interface Kept {
  readonly bytes: Uint8Array;
  readonly selection?: string;
  /** The archive that it came in, if it did. */
  readonly layer?: Uint8Array;
}

/** Layouts in a folder, and a releaser that looks at them. */
class Bench {
  readonly turns = new Turns();
  readonly layouts: Layouts;
  readonly releaser: Releaser;
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
    this.layouts = new Layouts(folder);
    const known = new Set([one, two].map(sha256Of));
    this.releaser = new Releaser({
      layouts: this.layouts,
      turns: this.turns,
      has: (sha256) => known.has(sha256),
    });
  }

  /** Links a content to a device's layout, as the first step of keeping it. */
  async link(device: string, bytes: Uint8Array): Promise<void> {
    const content = `${this.#folder}/.otaflux/${sha256Of(bytes)}`;
    await Deno.writeFile(content, bytes);
    await this.layouts.of(device).link(`sha256:${sha256Of(bytes)}`, content);
  }

  /** Keeps firmware of a device, the content of layers and firmware linked. */
  async keep(device: string, ...all: readonly Kept[]): Promise<readonly KeptFirmware[]> {
    const kept: KeptFirmware[] = [];
    for (const { bytes, selection = "", layer } of all) {
      const { firmware } = recordOf(bytes);
      for (const content of layer === undefined ? [bytes] : [layer, bytes]) {
        await this.link(device, content);
      }
      kept.push({
        ...{ selection, savedAt: new Date("2026-01-02T03:04:05Z"), firmware },
        top: { mediaType: "a/b", size: 1 },
        blobs: [layer ?? bytes, bytes].map((content) => `sha256:${sha256Of(content)}` as const),
        layer: layer && sha256Of(layer),
      });
    }
    await this.layouts.of(device).rewrite(kept);
    return kept;
  }

  /** The contents that a device has, by what its index says and by what lies there. */
  async contentsOf(
    device: string,
  ): Promise<{ named: readonly string[]; linked: readonly string[] }> {
    const layout = this.layouts.of(device);
    const named = (await layout.read()).map(({ firmware }) => firmware.sha256);
    return { named, linked: (await layout.linked()).toSorted() };
  }

  /** Asserts that a device has just these contents, named and linked. */
  async assertHas(device: string, ...contents: readonly Uint8Array[]): Promise<void> {
    const all = contents.map(sha256Of);
    assert.deepEqual(
      await this.contentsOf(device),
      { named: all, linked: all.toSorted() },
      device,
    );
  }
}

function withBench(name: string, test: (bench: Bench, folder: string) => Promise<void>): void {
  Deno.test(name, () =>
    withFolder(async (folder) => {
      await Deno.mkdir(`${folder}/.otaflux/drafts`, { recursive: true });
      await test(new Bench(folder), folder);
    }));
}

withBench("Releaser takes a content from all who have it, and nothing else", async (bench) => {
  await bench.keep("a", { bytes: one });
  await bench.keep("a/b", { bytes: one }, { bytes: two, selection: "file=two" });
  await bench.keep("c", { bytes: two });
  await bench.releaser.release(sha256Of(one), MAY_STAY);
  await bench.assertHas("a");
  await bench.assertHas("a/b", two);
  await bench.assertHas("c", two);
});

withBench("Releaser takes the firmware along whose layer goes", async (bench) => {
  await bench.keep("a", { bytes: two, layer: one });
  await bench.releaser.release(sha256Of(one), MAY_STAY);
  await bench.assertHas("a");
});

withBench("Releaser takes away what is linked although no index names it", async (bench) => {
  await bench.keep("a", { bytes: two });
  await bench.link("a", one);
  await bench.releaser.release(sha256Of(one), MAY_STAY);
  await bench.assertHas("a", two);
});

withBench("Releaser takes out of an index what it names without a link to it", async (bench) => {
  await bench.keep("a", { bytes: one });
  await bench.layouts.of("a").remove(`sha256:${sha256Of(one)}`);
  await bench.releaser.release(sha256Of(one), MAY_STAY);
  await bench.assertHas("a");
});

withBench("Releaser knows of what is kept after it has looked", async (bench) => {
  await bench.releaser.release(sha256Of(one), MAY_STAY);
  bench.releaser.note("a", await bench.keep("a", { bytes: one }));
  bench.releaser.expect("b", [sha256Of(one)]);
  await bench.link("b", one);
  await bench.releaser.release(sha256Of(one), MAY_STAY);
  await bench.assertHas("a");
  await bench.assertHas("b");
});

withBench("Releaser looks through all layouts once, not for each content", async (bench) => {
  await bench.keep("b", { bytes: two });
  await bench.releaser.release(sha256Of(two), MAY_STAY);
  // Nobody tells it of this one, so that it shows whether it looks.
  await bench.keep("a", { bytes: one });
  await bench.releaser.release(sha256Of(one), MAY_STAY);
  await bench.assertHas("a", one);
});

withBench("Releaser waits for whoever is writing at a device", async (bench) => {
  await bench.keep("a", { bytes: two });
  await bench.releaser.release(sha256Of(one), MAY_STAY);
  const begun = Promise.withResolvers<void>();
  const writing = bench.turns.take("a", async () => {
    bench.releaser.expect("a", [sha256Of(one)]);
    begun.resolve();
    const all = [{ bytes: two }, { bytes: one, selection: "file=one" }];
    bench.releaser.note("a", await bench.keep("a", ...all));
  });
  await begun.promise;
  await Promise.all([writing, bench.releaser.release(sha256Of(one), MAY_STAY)]);
  await bench.assertHas("a", two);
});

withBench(
  "Releaser leaves what is only too much where the index cannot be written, and says so",
  async (bench, folder) => {
    await bench.keep("a", { bytes: one }, { bytes: two, selection: "file=two" });
    await Deno.remove(`${folder}/.otaflux/drafts`);
    const released = bench.releaser.release(sha256Of(one), MAY_STAY);
    await assert.rejects(released, { code: "storage-failed" });
    await bench.assertHas("a", one, two);
  },
);

withBench(
  "Releaser leaves no index that names what is damaged, although it cannot write another",
  async (bench, folder) => {
    await bench.keep("a", { bytes: one }, { bytes: two, selection: "file=two" });
    await Deno.remove(`${folder}/.otaflux/drafts`);
    using logs = new CapturedLogs();
    await bench.releaser.release(sha256Of(one), { mayStay: false });
    assert.deepEqual(logs.messages("warn"), ["Cannot write what is left of a device"]);
    await bench.assertHas("a");
    assert.deepEqual((await filesOf(folder)).filter((file) => file.startsWith("a/")), []);
  },
);

withBench("Releaser looks again where it could not look", async (bench, folder) => {
  await bench.keep("a", { bytes: one });
  await Deno.rename(folder, `${folder}-away`);
  try {
    const released = bench.releaser.release(sha256Of(one), MAY_STAY);
    await assert.rejects(released, Deno.errors.NotFound);
  } finally {
    await Deno.rename(`${folder}-away`, folder);
  }
  await bench.releaser.release(sha256Of(one), MAY_STAY);
  await bench.assertHas("a");
});
