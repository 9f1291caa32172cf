import assert from "node:assert/strict";
import { join } from "node:path";
import { Metrics, type SeriesDescription } from "../../src/metrics/metrics.ts";
import { exists, run } from "../helpers/cache.ts";
import { debianTool } from "../helpers/debian.ts";
import { Otaflux } from "../helpers/otaflux.ts";
import { groupsOf, seriesOf } from "../helpers/promql.ts";

const REPOSITORY = join(import.meta.dirname ?? ".", "..", "..");
const PROMETHEUS = join(REPOSITORY, "deploy", "prometheus");
const GRAFANA = join(REPOSITORY, "deploy", "grafana");

/** Labels that Prometheus adds to each series of a process. */
const ADDED_LABELS = ["job", "instance"];

const promtool = await debianTool("prometheus", { binary: "promtool" });
const alerts = await Deno.readTextFile(join(PROMETHEUS, "alerts.yaml"));
const described = new Metrics().describe();

interface Panel {
  readonly type: string;
  readonly title: string;
  readonly gridPos: Readonly<Record<"h" | "w" | "x" | "y", number>>;
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}

const dashboard: { readonly uid: string; readonly panels: readonly Panel[] } = JSON.parse(
  await Deno.readTextFile(join(GRAFANA, "dashboards", "otaflux.json")),
);

/** The rules' queries: on the line of `expr`, or on those behind it. */
function alertQueries(): string[] {
  return [...alerts.matchAll(/^ +expr: (?:>-\n)?((?:.|\n)*?)\n +(?:for|labels):/gm)]
    .map(([, query]) => `${query}`.replaceAll(/\s+/g, " ").trim());
}

function dashboardQueries(): string[] {
  return dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
}

/** What a name in a query belongs to; of a histogram each query names a part. */
function descriptionOf(name: string): SeriesDescription | undefined {
  return described.find((series) =>
    series.type === "histogram"
      ? ["_bucket", "_sum", "_count"].some((part) => `${series.name}${part}` === name)
      : series.name === name
  );
}

async function runPromtool(...args: string[]): Promise<void> {
  if ("skip" in promtool) return;
  const { success, stdout, stderr } = await run(promtool.path, {
    args,
    cwd: REPOSITORY,
    env: promtool.env,
  });
  assert.ok(success, stdout + stderr);
  assert.match(stdout, /SUCCESS/);
}

const ignore = "skip" in promtool;

Deno.test("Prometheus takes its configuration and the alerts", { ignore }, async () => {
  await runPromtool("check", "config", join(PROMETHEUS, "prometheus.yml"));
  await runPromtool("check", "rules", "--lint-fatal", join(PROMETHEUS, "alerts.yaml"));
});

Deno.test("the alerts fire when they should, and not before", { ignore }, async () => {
  await runPromtool("test", "rules", join(REPOSITORY, "tests", "deploy", "alerts.yaml"));
});

Deno.test("each alert is tried, and says what is wrong and what to do", async () => {
  const tried = await Deno.readTextFile(join(REPOSITORY, "tests", "deploy", "alerts.yaml"));
  const [, ...rules] = alerts.split(/^ +- alert: /m);
  assert.ok(rules.length >= 9);
  assert.equal(alertQueries().length, rules.length);
  for (const rule of rules) {
    const [name = ""] = rule.split("\n");
    assert.match(tried, new RegExp(`\\b${name}\\b`), name);
    assert.match(rule, /^ +severity: (?:critical|warning)$/m, name);
    for (const key of ["summary", "action"]) {
      assert.match(rule, new RegExp(`^ +${key}: \\S`, "m"), name);
    }
  }
});

for (
  const [what, queries] of [["alert", alertQueries()], ["dashboard", dashboardQueries()]] as const
) {
  Deno.test(`each series of the ${what}'s queries is one of OtaFlux's, with these labels`, () => {
    assert.ok(queries.length >= 9);
    for (const query of queries) {
      const named = seriesOf(query);
      assert.ok(named.length > 0, query);
      for (const { name, labels } of named) {
        // Prometheus's own: whether it got an answer.
        const series = name === "up" ? { labels: [] } : descriptionOf(name);
        assert.ok(series !== undefined, `${name} in ${query}`);
        const known = [...series.labels, ...ADDED_LABELS, "le"];
        for (const label of [...labels, ...groupsOf(query)]) {
          assert.ok(known.includes(label), `${label} in ${query}`);
        }
      }
    }
  });
}

Deno.test("the dashboard's panels have queries, fit side by side, and stand in the wanted rows", () => {
  const rows = dashboard.panels.filter(({ type }) => type === "row").map(({ title }) => title);
  assert.deepEqual(rows, [
    "Is it fine",
    "Devices and versions",
    "Registry",
    "Downloads",
    "Process",
  ]);
  const cells = new Set<string>();
  for (const { type, title, gridPos: { x, y, w, h }, targets = [] } of dashboard.panels) {
    assert.ok(type === "row" || targets.length > 0, title);
    assert.ok(x + w <= 24, title);
    for (let at = 0; at < w * h; at++) {
      const cell = `${x + at % w} ${y + Math.floor(at / w)}`;
      assert.ok(!cells.has(cell), `${title} lies on another panel`);
      cells.add(cell);
    }
  }
});

Deno.test("a process exposes every series that is described, and Prometheus can read it", {
  ignore,
}, async () => {
  await using otaflux = await Otaflux.start({ args: ["--layout-dir", "/"] });
  const text = await otaflux.metrics();
  const exposed = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map((
    [, name, type],
  ) => [name, type]);
  assert.deepEqual(exposed, described.map(({ name, type }) => [name, type]));
  assert.match(text, /^otaflux_build_info\{version="\d+\.\d+\.\d+",commit="[^"]*"\} 1$/m);
  for (const name of ["process_resident_memory_bytes", "process_cpu_seconds_total"]) {
    const [, value] = new RegExp(`^${name} (\\S+)$`, "m").exec(text) ?? [];
    assert.ok(Number(value) > 0, name);
  }
  if ("skip" in promtool) return;
  const check = new Deno.Command(promtool.path, {
    args: ["check", "metrics"],
    env: promtool.env,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = check.stdin.getWriter();
  await writer.write(new TextEncoder().encode(text));
  await writer.close();
  const { stdout, stderr } = await check.output();
  assert.equal(new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr), "");
});

Deno.test("what Grafana is given lies where it looks, and names what there is", async () => {
  const compose = await Deno.readTextFile(join(REPOSITORY, "deploy", "compose.yaml"));
  const provider = await Deno.readTextFile(join(GRAFANA, "provisioning/dashboards/otaflux.yaml"));
  const source = await Deno.readTextFile(join(GRAFANA, "provisioning/datasources/prometheus.yaml"));
  const [, folder] = /^ +path: (\S+)$/m.exec(provider) ?? [];
  assert.ok(compose.includes(`- ./grafana/dashboards:${folder}:ro`));
  assert.match(source, /^ +url: http:\/\/prometheus:9090$/m);
  for (const path of compose.matchAll(/^ +- \.\/((?:prometheus|grafana)[\w/]*):/gm)) {
    assert.ok(await exists(join(REPOSITORY, "deploy", `${path[1]}`)), path[1]);
  }
});
