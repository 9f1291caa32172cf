import assert from "node:assert/strict";
import { join } from "node:path";
import fc from "fast-check";
import { configureLogging, logger, type LoggingOptions, type LogLevel } from "../src/log.ts";

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/;

/** What is written while a function runs. */
function linesOf(options: Omit<LoggingOptions, "write">, act: () => void): string[] {
  const lines: string[] = [];
  configureLogging({ ...options, write: (line) => void lines.push(line) });
  act();
  return lines;
}

function lineOf(format: LoggingOptions["format"], properties: Record<string, unknown>): string {
  const lines = linesOf(
    { level: "info", format },
    () => logger("registry").info("Tags are listed", properties),
  );
  assert.equal(lines.length, 1);
  return lines[0] ?? "";
}

Deno.test("configureLogging() writes text for people", () => {
  const line = lineOf("text", { device: "dev/led", tags: 3, at: null, what: undefined, ok: true });
  assert.match(line, TIME);
  assert.equal(
    line.replace(TIME, "TIME"),
    "TIME INFO  Tags are listed device=dev/led tags=3 at=null what=undefined ok=true",
  );
});

Deno.test("configureLogging() writes an object a line for machines", () => {
  const { time, ...rest } = JSON.parse(lineOf("json", { device: "dev/led", tags: 3 }));
  assert.match(time, TIME);
  assert.deepEqual(rest, {
    level: "info",
    room: "registry",
    message: "Tags are listed",
    device: "dev/led",
    tags: 3,
  });
});

Deno.test("configureLogging() writes what is of its level and above", async (t) => {
  const levels: readonly LogLevel[] = ["trace", "debug", "info", "warn", "error"];
  for (const [at, level] of levels.entries()) {
    await t.step(level, () => {
      const lines = linesOf({ level, format: "json" }, () => {
        for (const each of levels) logger("room")[each]("Something happened");
      });
      assert.deepEqual(lines.map((line) => JSON.parse(line).level), levels.slice(at));
    });
  }
});

Deno.test("configureLogging() can be called again", () => {
  const before = linesOf({ level: "info", format: "text" }, () => {
    const after = linesOf({ level: "info", format: "json" }, () => logger("room").info("Once"));
    assert.equal(after.length, 1);
  });
  assert.deepEqual(before, []);
});

Deno.test("configureLogging() quotes in text what would look like more than a value", async (t) => {
  const cases: Readonly<Record<string, string>> = {
    "a b": '"a b"',
    "": '""',
    "a=b": '"a=b"',
    'say "hi"': String.raw`"say \"hi\""`,
    "one\ntwo\rthree": String.raw`"one\ntwo\rthree"`,
    "\x1b[31mred\x1b[0m": String.raw`"\u001b[31mred\u001b[0m"`,
    "\x9b31mred": String.raw`"\u009b31mred"`,
    "\x7f": String.raw`"\u007f"`,
    "\u2028\u2029\u0085": String.raw`"\u2028\u2029\u0085"`,
    "\u202eevil": String.raw`"\u202eevil"`,
    "\u{e0041}": String.raw`"\udb40\udc41"`,
    "\ud800": String.raw`"\ud800"`,
    "grün/größe:1": "grün/größe:1",
  };
  for (const [value, written] of Object.entries(cases)) {
    await t.step(written, () => assert.ok(lineOf("text", { value }).endsWith(` value=${written}`)));
  }
});

Deno.test("configureLogging() lets no value break a line or bend a terminal", () => {
  const nasty = fc.constantFrom("\n", "\r", "\x1b[2J", "\x9b2J", '"', "\\", "\u2028", "\u0085");
  const values = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(fc.oneof(nasty, fc.string())).map((parts) => parts.join("")),
  );
  fc.assert(fc.property(values, (value) => {
    const text = lineOf("text", { value, nested: { value } });
    assert.doesNotMatch(text, /[\p{C}\p{Zl}\p{Zp}]/u);
    const json = lineOf("json", { value, nested: [value] });
    assert.doesNotMatch(json, /[\p{C}\p{Zl}\p{Zp}]/u);
    const { value: got, nested } = JSON.parse(json);
    assert.deepEqual([got, nested], [value, [value]]);
  }));
});

Deno.test("configureLogging() writes to stderr unless told otherwise", async () => {
  const config = join(import.meta.dirname ?? ".", "..", "deno.json");
  const module = import.meta.resolve("../src/log.ts");
  const script = `
    import { configureLogging, logger } from ${JSON.stringify(module)};
    configureLogging({ level: "info", format: "text" });
    logger("main").info("Hello", { to: "wörld" });
  `;
  const { stdout, stderr, success } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--config", config, script],
    env: { NO_COLOR: "1" },
  }).output();
  assert.ok(success);
  assert.equal(stdout.length, 0);
  assert.match(new TextDecoder().decode(stderr), / INFO {2}Hello to=wörld\n$/);
});
