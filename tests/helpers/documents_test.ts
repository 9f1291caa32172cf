import assert from "node:assert/strict";
import { blocksOf, commandsOf, isAsShown, spansOf } from "./documents.ts";

Deno.test("blocksOf() finds blocks of all kinds, indented ones, too, and where they begin", () => {
  const markdown = "# A\n```sh\nls\n```\n- b\n\n  ```ini\n  [A]\n    b\n  ```\n```\nc\n\n```\n";
  assert.deepEqual(blocksOf("a.md", markdown), [
    { document: "a.md", line: 2, kind: "sh", text: "ls\n" },
    { document: "a.md", line: 7, kind: "ini", text: "[A]\n  b\n" },
    { document: "a.md", line: 11, kind: "", text: "c\n\n" },
  ]);
});

Deno.test("spansOf() finds code within text, also where a line ends in it, and none of a block", () => {
  const markdown = "`a b` and `c\n  d`\n\n```sh\n`e`\n```\n\n- `f`\n\n  ```\n  `g`\n  ```\n";
  assert.deepEqual(spansOf(markdown), ["a b", "c d", "f"]);
});

Deno.test("commandsOf() joins lines that go on, and leaves comments out", () => {
  const text = "# one\na b \\\n  --c 'd' \\\n  e\n\nf   # g\n";
  assert.deepEqual(commandsOf({ kind: "sh", text }), [
    { command: "a b --c 'd' e", output: undefined },
    { command: "f   # g", output: undefined },
  ]);
});

Deno.test("commandsOf() tells commands in a session from what they print", () => {
  assert.deepEqual(commandsOf({ kind: "console", text: "$ a\nb\nc\n$ d\n" }), [
    { command: "a", output: "b\nc\n" },
    { command: "d", output: undefined },
  ]);
  assert.throws(() => commandsOf({ kind: "console", text: "b\n" }), /Begins with no command/);
});

Deno.test("isAsShown() takes anything for an ellipsis, and nothing else for the rest", () => {
  assert.ok(isAsShown(undefined, "a"));
  assert.ok(isAsShown("a: …, c\nd…\n", "a: (b), c\ndef\n\ng"));
  assert.ok(isAsShown("1.0\n2\n", "1.0\n2"));
  assert.ok(!isAsShown("1.0\n", "1x0\n"));
  assert.ok(!isAsShown("1.0\n", "1.0\n2\n"));
  assert.ok(!isAsShown("a…\n", "b"));
});
