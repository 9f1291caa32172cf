import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import denoJson from "../deno.json" with { type: "json" };
import { COMMANDS } from "../src/config/commands.ts";
import { flagOf, type SettingKey, SETTINGS } from "../src/config/settings.ts";
import { exists, run } from "./helpers/cache.ts";
import { documents } from "./helpers/documents.ts";

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

/** The names that GitHub gives the headings of a document; what is in a block of code is none. */
function anchorsOf(markdown: string): string[] {
  const headings = markdown.replaceAll(/^ *```[^]*?^ *```/gm, "").matchAll(/^#+ (.+)$/gm);
  return [...headings].map(([, heading = ""]) =>
    heading.toLowerCase().replaceAll(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-")
  );
}

Deno.test("every link between documents leads to a file, and to a heading in it", async () => {
  const texts = await documents();
  const broken: string[] = [];
  let followed = 0;
  for (const [path, text] of texts) {
    for (const [, target = ""] of text.matchAll(/\]\((?!https?:)([^)\s]+)\)/g)) {
      const [file, anchor] = target.split("#");
      const wanted = file ? join(dirname(path), file) : path;
      const leads = anchor === undefined
        ? await exists(join(REPOSITORY, wanted))
        : anchorsOf(texts.get(wanted) ?? "").includes(anchor);
      if (!leads) broken.push(`${path}: ${target}`);
      followed++;
    }
  }
  assert.deepEqual(broken, []);
  assert.ok(followed > 20);
});

/** The flags of other programs that the documents show, none of which is called as ours are. */
const FOREIGN_FLAGS = {
  cosign: [
    "--allow-http-registry",
    "--insecure-ignore-tlog",
    "--key",
    "--tlog-upload",
    "--use-signing-config",
  ],
  curl: ["--data-urlencode", "--etag-compare", "--etag-save", "--http1", "--no-alpn"],
  deno: ["--ignore-env", "--unstable-net"],
  compile: ["--out", "--target"],
  docker: [
    "--build-arg",
    "--cap-drop",
    "--env-file",
    "--format",
    "--name",
    "--read-only",
    "--security-opt",
  ],
  dockerCompose: ["--build", "--detach", "--volumes"],
  git: ["--abbrev", "--always", "--dirty"],
  kubectl: ["--from-file"],
  oras: ["--annotation", "--oci-layout", "--plain-http"],
  skopeo: ["--raw"],
  systemctl: ["--now"],
};

Deno.test("every flag that a document names is one of ours, or known to be another program's", async () => {
  const known = new Set([
    ...(Object.keys(SETTINGS) as SettingKey[]).map(flagOf),
    ...["--help", "--version"],
    ...Object.values(FOREIGN_FLAGS).flat(),
  ]);
  const unknown: string[] = [];
  for (const [path, text] of await documents()) {
    for (const [flag] of text.matchAll(/(?<![\w-])--[a-z][a-z0-9-]+/g)) {
      if (!known.has(flag)) unknown.push(`${path}: ${flag}`);
    }
  }
  assert.deepEqual(unknown, []);
});

Deno.test("every task and command that a document names is there", async () => {
  const unknown: string[] = [];
  let named = 0;
  for (const [path, text] of await documents()) {
    for (const [words, task = ""] of text.matchAll(/\bdeno(?:@[\d.]+)? task (?:-q )?(\w+)/g)) {
      named++;
      if (!Object.hasOwn(denoJson.tasks, task)) unknown.push(`${path}: ${words}`);
    }
    for (const [words, command = ""] of text.matchAll(/[`$] ?otaflux ([a-z]+)/g)) {
      named++;
      if (!Object.hasOwn(COMMANDS, command)) unknown.push(`${path}: ${words}`);
    }
  }
  assert.deepEqual(unknown, []);
  assert.ok(named > 20);
});

Deno.test("the two checksums in the example of /version.json are the same number", async () => {
  const devices = (await documents()).get("docs/devices.md") ?? "";
  const [, crc32] = /"crc32": (\d+)/.exec(devices) ?? [];
  const [, hex] = /"crc32Hex": "(\w+)"/.exec(devices) ?? [];
  assert.equal(Number(crc32).toString(16), hex);
});
