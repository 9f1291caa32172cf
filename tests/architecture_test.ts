/**
 * The rules of the tree: `src/wiring` puts everything together for main; all other folders under
 * `src` are siblings and never import each other (only `api` may, types only); leaves at `src`
 * import no folder.
 */
import assert from "node:assert/strict";
import { basename, dirname, join, relative } from "node:path";

const ROOT = join(import.meta.dirname ?? ".", "..");

interface Import {
  readonly from: string;
  readonly to: string;
  /** Whether it vanishes when the program runs. */
  readonly isTypeOnly: boolean;
}

interface Graph {
  readonly modules: readonly string[];
  readonly imports: readonly Import[];
}

/** What `deno info --json` says, as far as it matters here. */
interface Info {
  readonly modules: readonly {
    readonly local?: string;
    readonly dependencies?: readonly {
      readonly code?: { readonly specifier: string };
      readonly type?: { readonly specifier: string };
    }[];
  }[];
}

async function readGraph(): Promise<Graph> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", "main.ts"],
    cwd: ROOT,
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  const info: Info = JSON.parse(new TextDecoder().decode(stdout));
  const own = info.modules.flatMap(({ local, dependencies = [] }) =>
    local?.startsWith(`${ROOT}/`) ? [{ from: relative(ROOT, local), dependencies }] : []
  );
  return {
    modules: own.map(({ from }) => from),
    imports: own.flatMap(({ from, dependencies }) =>
      dependencies.flatMap(({ code, type }) => {
        // An `import type` has no code of its own.
        const url = (code ?? type)?.specifier ?? "";
        return url.startsWith("file:")
          ? [{ from, to: relative(ROOT, new URL(url).pathname), isTypeOnly: code === undefined }]
          : [];
      })
    ),
  };
}

const graph = await readGraph();

/** The folder under `src` that a module is in; undefined for main and for leaves. */
function folderOf(module: string): string | undefined {
  const [, folder] = /^src\/([^/]+)\//.exec(module) ?? [];
  return folder;
}

function isLeaf(module: string): boolean {
  return dirname(module) === "src";
}

function show({ from, to }: Import): string {
  return `${from} imports ${to}`;
}

Deno.test("The graph holds every module of the tree: nothing under src is without use", async () => {
  const files: string[] = ["main.ts"];
  const walk = async (folder: string): Promise<void> => {
    for await (const { name, isDirectory } of Deno.readDir(join(ROOT, folder))) {
      if (isDirectory) await walk(`${folder}/${name}`);
      else files.push(`${folder}/${name}`);
    }
  };
  await walk("src");
  const modules = graph.modules.filter((module) => module.endsWith(".ts"));
  assert.deepEqual(modules.toSorted(), files.toSorted());
});

/** The folder that may import all others. */
const WIRING = "wiring";

Deno.test("Folders under src do not import each other, but api imports types of firmware", () => {
  const crossing = graph.imports.filter(({ from, to }) => {
    const [own, other] = [folderOf(from), folderOf(to)];
    return own !== undefined && other !== undefined && own !== other && own !== WIRING;
  });
  const isAllowed = ({ from, to, isTypeOnly }: Import): boolean =>
    isTypeOnly && folderOf(from) === "api" && folderOf(to) === "firmware";
  assert.deepEqual(crossing.filter((edge) => !isAllowed(edge)).map(show), []);
  assert(crossing.some(isAllowed), "types are told from code");
});

Deno.test("src/wiring joins all folders, for main.ts alone", () => {
  const folders = new Set(graph.modules.map(folderOf));
  const joined = new Set(
    graph.imports.filter(({ from }) => folderOf(from) === WIRING).map(({ to }) => folderOf(to)),
  );
  assert.deepEqual([...folders.difference(joined)], []);
  const users = graph.imports.filter(({ from, to }) =>
    folderOf(to) === WIRING && folderOf(from) !== WIRING
  );
  assert.deepEqual([...new Set(users.map(({ from }) => from))], ["main.ts"]);
});

Deno.test("Leaves directly under src import no folder", () => {
  const edges = graph.imports.filter(({ from, to }) => isLeaf(from) && !isLeaf(to));
  assert.deepEqual(edges.map(show), []);
  assert(graph.imports.some(({ from, to }) => isLeaf(from) && isLeaf(to)), "leaves were seen");
});

/** Rooms of one kind of files each, which nothing but the line that lists them joins. */
const SHELVES = ["src/api/webhooks", "src/api/dialects"];

Deno.test("Folders under src are one deep, shelves of the API aside", () => {
  const deep = graph.modules.filter((module) =>
    module.split("/").length > 3 && !SHELVES.includes(dirname(module))
  );
  assert.deepEqual(deep, []);
});

Deno.test("Nobody imports main.ts, and it alone imports what is outside of src", () => {
  assert.deepEqual(graph.imports.filter(({ to }) => to === "main.ts").map(show), []);
  const outward = graph.imports.filter(({ to }) => !to.startsWith("src/"));
  assert.deepEqual(outward.map(show), ["main.ts imports deno.json"]);
});

/** The folders of which docs/architecture.md shows each file. */
const SHOWN = ["src", "src/firmware", "src/store", "src/cosign", "src/notifier", "src/events"];

Deno.test("docs/architecture.md shows each folder, each file of the larger ones, and none that is not there", async () => {
  const text = await Deno.readTextFile(join(ROOT, "docs", "architecture.md"));
  const files = graph.modules.filter((module) => module.startsWith("src/"));
  for (const folder of new Set(files.map(folderOf))) {
    if (folder !== undefined) assert(text.includes(`| \`src/${folder}/\``), folder);
  }
  // Several of one folder are written as `src/events/{folder,seen}.ts`.
  const named = [...text.matchAll(/[`/](?:\{([\w,]+)\}|(\w+))\.ts`/g)]
    .flatMap(([, several, one = ""]) => several?.split(",") ?? [one]);
  const names = files.filter((module) => !module.endsWith(".d.ts")).map((module) => ({
    folder: dirname(module),
    name: basename(module, ".ts"),
  }));
  const shown = names.filter(({ folder }) => SHOWN.includes(folder)).map(({ name }) => name);
  assert.deepEqual(shown.filter((name) => !named.includes(name)), []);
  const known = ["main", "architecture_test", ...names.map(({ name }) => name)];
  assert.deepEqual(named.filter((name) => !known.includes(name)), []);
});

Deno.test("Modules do not import in circles", () => {
  const importers = new Map<string, Set<string>>();
  for (const { from, to } of graph.imports) {
    importers.set(to, (importers.get(to) ?? new Set()).add(from));
  }
  // Whoever imports only what was taken away before can be taken away: a circle stays.
  const left = new Set(graph.modules);
  for (let size = -1; size !== left.size;) {
    size = left.size;
    for (const module of left) {
      const users = [...(importers.get(module) ?? [])];
      if (!users.some((user) => left.has(user))) left.delete(module);
    }
  }
  assert.deepEqual([...left], []);
});

Deno.test("There are no barrels and no default exports", async () => {
  for (const module of graph.modules.filter((module) => module.startsWith("src/"))) {
    assert.doesNotMatch(module, /\/(mod|index|types|utils?|common)\.ts$/);
    const text = await Deno.readTextFile(join(ROOT, module));
    assert.doesNotMatch(text, /^export (\*|\{[^}]*\} from|default)/m, module);
  }
});

Deno.test("Only main.ts touches arguments, environment, signals and exit", async () => {
  for (const module of graph.modules.filter((module) => module.startsWith("src/"))) {
    const text = await Deno.readTextFile(join(ROOT, module));
    assert.doesNotMatch(
      text,
      /\bDeno\.(args|env|exit|addSignalListener)\b|\bprocess\.(env|argv|exit)\b/,
      module,
    );
  }
});

Deno.test("Nothing in src is let go of by using: minified by Deno 2.9.6, what is named once is kept", async () => {
  for (const module of graph.modules.filter((module) => /^(src\/.*|main)\.ts$/.test(module))) {
    const text = await Deno.readTextFile(join(ROOT, module));
    assert.doesNotMatch(text, /^\s*(await )?using /m, module);
  }
});
