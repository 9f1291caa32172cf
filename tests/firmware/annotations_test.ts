import assert from "node:assert/strict";
import { keptAnnotations } from "../../src/firmware/annotations.ts";

const IMAGE = "org.opencontainers.image.";

Deno.test("keptAnnotations() keeps what is worth showing, and of ours all", () => {
  const shown = Object.fromEntries(
    ["title", "version", "revision", "source", "url", "created", "description"]
      .map((name) => [IMAGE + name, name]),
  );
  const ours = { "dev.otaflux.chip-family": "ESP8266" };
  const rest = { [`${IMAGE}ref.name`]: "v1", "io.deis.oras.content.digest": "x", "title": "y" };
  assert.deepEqual(keptAnnotations({ ...shown, ...ours, ...rest }), { ...shown, ...ours });
});

Deno.test("keptAnnotations() prefers the later source", () => {
  const title = `${IMAGE}title`;
  assert.deepEqual(keptAnnotations({ [title]: "index" }, {}, { [title]: "layer" }), {
    [title]: "layer",
  });
});

Deno.test("keptAnnotations() keeps no more than a few short texts, cut between characters", () => {
  const many = Object.fromEntries(
    Array.from({ length: 100 }, (_, index) => [`dev.otaflux.${"a".repeat(index % 40)}b`, "x"]),
  );
  assert.equal(Object.keys(keptAnnotations(many)).length, 16);
  const title = `${IMAGE}title`;
  for (const text of ["x".repeat(1000), "😀".repeat(1000), `x${"😀".repeat(1000)}`]) {
    const kept = keptAnnotations({ [title]: text })[title] ?? "";
    assert.equal([...kept].length, 256);
    assert.ok(text.startsWith(kept) && kept.isWellFormed());
  }
});
